"""Same person or not, over many labelled pairs: accuracy, its uncertainty, and the curve behind it.

A pair is accepted as the same person where its similarity is at or above the threshold. Its similarity is NaN where a
face was not found; such a pair counts as wrong whatever it is: one of the same person as rejected at every threshold,
one of different people as accepted.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visage.core.errors import UsageError

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

FALSE_ACCEPT_RATES = (0.01, 0.001)
NORMAL_95 = 1.959964  # the standard normal's 97.5 % point


@dataclass(frozen=True, slots=True)
class Roc:
    """The receiver operating characteristic, from accepting nothing to accepting all that can be accepted.

    thresholds: (n,) falling, the first infinite; false_accept, true_accept: (n,) shares (0..1) of the pairs of
    different people and of the same person at or above it; neither falls.
    """

    thresholds: Doubles
    false_accept: Doubles
    true_accept: Doubles


@dataclass(frozen=True, slots=True)
class TrueAccept:
    """The true accept rate at a wanted false accept rate.

    rate: the largest true accept rate with at most `wanted` of the different pairs accepted; reached: the false accept
    rate it was read at. enough: whether wanted comes to one different pair or more. Where it does not, rate is that
    with none accepted at all, and says little about so small a rate.
    """

    wanted: float
    rate: float
    reached: float
    enough: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """A measured verification.

    method: how the threshold came about: `folds` (in each fold the best one of the others), `training` (the best one of
    another list) or `given`. accuracy: share of the pairs (with folds: the mean of the folds' shares) that came out
    right. low, high: its 95 % interval: with folds the mean plus and minus 1.96 standard errors, else Wilson's.
    standard_error: of the mean of the folds. threshold: with folds, the mean of theirs. equal_error: the rate at which
    false accepts and false rejects are equally frequent. undetected: pairs in which a face was not found.
    """

    method: str
    pairs: int
    undetected: int
    accuracy: float
    low: float
    high: float
    threshold: float
    equal_error: float
    true_accept: tuple[TrueAccept, ...]
    standard_error: float | None = None
    folds: tuple[float, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Numbers, texts and lists only."""
        return {
            **asdict(self),
            "true_accept": [asdict(each) for each in self.true_accept],
            "folds": list(self.folds),
        }


def verify_at(similarities: ArrayLike, same: ArrayLike, threshold: float, method: str = "given") -> Verification:
    """Pairs judged at a threshold that was chosen elsewhere. similarities, same: (n,), both kinds among them."""
    values, flags = _checked(similarities, same)
    right = _right(values, flags, threshold)
    low, high = wilson(int(right.sum()), len(right))
    return _verification(values, flags, method, float(right.mean()), (low, high), threshold)


def verify_with_training(
    similarities: ArrayLike, same: ArrayLike, training: ArrayLike, training_same: ArrayLike
) -> Verification:
    """Pairs judged at the best threshold of a training list, as LFW's View 1 is meant to be used."""
    return verify_at(similarities, same, best_threshold(training, training_same), "training")


def verify_folds(similarities: ArrayLike, same: ArrayLike, folds: ArrayLike) -> Verification:
    """Each fold judged at the best threshold of all others, as LFW's View 2 is meant to be used.

    folds: (n,), which fold each pair is in; at least two different ones, else `ValueError`.
    """
    values, flags = _checked(similarities, same)
    places = np.asarray(folds)
    names = np.unique(places)
    if len(names) < 2:
        raise ValueError("cross-validation needs two folds or more")
    thresholds, shares = [], []
    for name in names:
        inside = places == name
        thresholds.append(best_threshold(values[~inside], flags[~inside]))
        shares.append(float(_right(values[inside], flags[inside], thresholds[-1]).mean()))
    mean, error = float(np.mean(shares)), float(np.std(shares, ddof=1) / np.sqrt(len(shares)))
    interval = max(0.0, mean - NORMAL_95 * error), min(1.0, mean + NORMAL_95 * error)
    return _verification(values, flags, "folds", mean, interval, float(np.mean(thresholds)), error, tuple(shares))


def accuracy(similarities: ArrayLike, same: ArrayLike, threshold: float) -> float:
    """The share of the pairs that come out right."""
    return float(_right(*_checked(similarities, same), threshold).mean())


def best_threshold(similarities: ArrayLike, same: ArrayLike) -> float:
    """The threshold of maximal accuracy; of several, the middle of the widest gap between two similarities.

    Finite even where accepting all or none is best: then it is the smallest similarity, or just above the largest.
    Raises `UsageError` where no pair has a similarity.
    """
    values, flags = _checked(similarities, same)
    found = ~np.isnan(values)
    levels, places = np.unique(values[found], return_inverse=True)
    if not len(levels):
        raise UsageError("in none of the pairs were both faces found, so no threshold can be chosen")
    # Gap g lies below level g; in it, all pairs from level g on are accepted.
    gain = np.bincount(places, np.where(flags[found], 1, -1), minlength=len(levels))
    right = np.append(np.cumsum(gain[::-1])[::-1], 0)
    halfway = (levels[:-1] + levels[1:]) / 2
    halfway = np.where(halfway > levels[:-1], halfway, levels[1:])  # neighboring floats have nothing between them
    middles = np.concatenate([levels[:1], halfway, [np.nextafter(levels[-1], np.inf)]])
    widths = np.concatenate([[0.0], np.diff(levels), [0.0]])
    best = np.flatnonzero(right == right.max())
    return float(middles[best[np.argmax(widths[best])]])


def roc(similarities: ArrayLike, same: ArrayLike) -> Roc:
    """One point for each similarity that occurs, after one at which nothing is accepted.

    Undetected pairs stay in the shares: those of the same person keep the true accept rate below 1, those of different
    people keep the false accept rate above 0. Raises `ValueError` where there are not both kinds of pairs.
    """
    values, flags = _checked(similarities, same)
    if flags.all() or not flags.any():
        raise ValueError("a curve needs pairs of the same person and of different people")
    found = ~np.isnan(values)
    levels, places = np.unique(values[found], return_inverse=True)
    shares = []
    for kind, always in ((~flags, int((~flags & ~found).sum())), (flags, 0)):
        counts = np.bincount(places[kind[found]], minlength=len(levels))[::-1]
        shares.append((always + np.append(0, np.cumsum(counts))) / kind.sum())
    return Roc(np.append(np.inf, levels[::-1]), shares[0], shares[1])


def equal_error_rate(curve: Roc) -> float:
    """Where false accepts and false rejects are equally frequent, on the straight line between two points.

    Undetected pairs can keep the two apart at every threshold; then the larger of the two where they come closest.
    """
    rejects = 1.0 - curve.true_accept
    ahead = curve.false_accept - rejects  # never falls
    after = int(np.argmax(ahead >= 0.0)) if (ahead >= 0.0).any() else len(ahead) - 1
    if after == 0 or ahead[after] < 0.0:
        return float(max(curve.false_accept[after], rejects[after]))
    part = ahead[after - 1] / (ahead[after - 1] - ahead[after])
    return float(rejects[after - 1] + part * (rejects[after] - rejects[after - 1]))


def true_accept_at(curve: Roc, wanted: float, negatives: int) -> TrueAccept:
    """negatives: how many different pairs the curve was drawn from. A rate of 0 where even accepting nothing has more
    false accepts than wanted, because of undetected pairs."""
    within = np.flatnonzero(curve.false_accept <= wanted * (1.0 + 1e-12))
    last = int(within[-1]) if len(within) else 0
    rate = float(curve.true_accept[last]) if len(within) else 0.0
    return TrueAccept(wanted, rate, float(curve.false_accept[last]), bool(wanted * negatives >= 1.0 - 1e-9))


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of independent trials (Wilson, J. Am. Stat. Assoc. 22, 1927). count: at least 1."""
    share, square = right / count, NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _verification(
    values: Doubles,
    flags: Flags,
    method: str,
    share: float,
    interval: tuple[float, float],
    threshold: float,
    error: float | None = None,
    folds: tuple[float, ...] = (),
) -> Verification:
    curve = roc(values, flags)
    negatives = int((~flags).sum())
    return Verification(
        method=method,
        pairs=len(flags),
        undetected=int(np.isnan(values).sum()),
        accuracy=share,
        low=interval[0],
        high=interval[1],
        threshold=threshold,
        equal_error=equal_error_rate(curve),
        true_accept=tuple(true_accept_at(curve, rate, negatives) for rate in FALSE_ACCEPT_RATES),
        standard_error=error,
        folds=folds,
    )


def _right(values: Doubles, flags: Flags, threshold: float) -> Flags:
    return np.asarray(~np.isnan(values) & ((values >= threshold) == flags), dtype=np.bool_)


def _checked(similarities: ArrayLike, same: ArrayLike) -> tuple[Doubles, Flags]:
    values, flags = np.asarray(similarities, dtype=np.float64), np.asarray(same, dtype=np.bool_)
    if values.ndim != 1 or values.shape != flags.shape:
        raise ValueError(f"similarities {values.shape} and flags {flags.shape} must both be (n,)")
    return values, flags
