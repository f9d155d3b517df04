"""From similarity to meaning: the small tables in an embedder's card, and how they are made and read.

The tables are made of comparisons of labelled pictures: `different` are those of two people, `same` those of two
pictures of one person. Similarity is cosine, -1..1. Nothing is read beyond what the data hold: a rate of false matches
never rests on fewer than ten comparisons, and no likelihood ratio is larger than such a rate allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visage.core.errors import UsageError
from visage.core.values import Floats

Table = tuple[tuple[float, float], ...]
Doubles = NDArray[np.float64]

TABLES = {"false_match": -1, "true_match": -1, "evidence": 1}  # and which way the first column runs

PRIOR = 0.5
LAXEST_RATE = 0.001
LEAST_COMPARISONS = 10

BINS = 20_000  # over -1..1: a similarity is known to 1e-4
BLOCK = 2_000_000  # similarities held at a time
ACCEPT = (0.998, 0.995, 0.99, 0.98, 0.97, 0.96, 0.94, 0.92, *(n / 20 for n in range(18, 0, -1)), 0.02, 0.01)
KNOTS = 24


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one embedder's similarities are spread.

    data: what was compared, in words. comparisons, same_comparisons: how many of different people, and of the same.
    false_match: (rate, threshold): at most that share of the comparisons of different people is at or above the
    threshold; rates fall, thresholds rise. true_match: (share, threshold): that share of the comparisons of the same
    person is; shares fall, thresholds rise. evidence: (similarity, log10 of the density among the same over that among
    the different); neither falls. Raises `ValueError` where a table is short, not finite, or runs another way.
    """

    data: str
    comparisons: int
    same_comparisons: int
    false_match: Table
    true_match: Table
    evidence: Table

    def __post_init__(self) -> None:
        for name, direction in TABLES.items():
            table: Table = getattr(self, name)
            if len(table) < 2 or not np.isfinite(table).all():
                raise ValueError(f"the calibration's table {name} must have two rows or more, all of them finite")
            if any((b[0] - a[0]) * direction < 0 or b[1] < a[1] for a, b in pairwise(table)):
                raise ValueError(f"the calibration's table {name} is out of order")
        if not all(0.0 < rate <= 1.0 for rate, _ in self.false_match):
            raise ValueError("the calibration's rates of false matches must be above 0 and at most 1")

    def threshold_for(self, stranger_rate: float, enrolled_faces: int) -> tuple[float, bool]:
        """The rule for "unknown": the similarity from which on a face is given a name.

        stranger_rate: the share (0..1) of strangers that may be named when each is compared with enrolled_faces faces
        (none counts as one). One comparison may then go wrong with stranger_rate / enrolled_faces, and never with more
        than 0.001. Returns the threshold, and whether the table ends before that rate: then the threshold is the one
        of its smallest rate, and more strangers than wished may be named. Raises `UsageError` for a rate outside 0..1.
        """
        if not 0.0 < stranger_rate <= 1.0:
            raise UsageError(f"the share of strangers named must be above 0 and at most 1, not {stranger_rate}")
        rate = min(stranger_rate / max(1, enrolled_faces), LAXEST_RATE)
        rates, thresholds = _columns(self.false_match[::-1])
        # The table's own smallest rate is not a limit when asked for exactly, up to the rounding of a division.
        limited = rate < rates[0] * (1.0 - 1e-9)
        return float(np.interp(np.log(rate), np.log(rates), thresholds)), bool(limited)

    def expected_recognized(self, threshold: float) -> float:
        """The share (0..1) of comparisons of one person's pictures that are at or above the threshold."""
        shares, thresholds = _columns(self.true_match)
        return float(np.interp(threshold, thresholds, shares))

    def expected(self, people: int, stranger_rate: float, faces_per_person: float = 1.0) -> float:
        """The share (0..1) of known faces to expect named, with so many people enrolled by so many faces each.

        Several faces of a person help less than as many independent tries would: k of them count as sqrt(k). With k
        of 2, 3 and 5 the exponent measured on LFW lay between 0.35 and 0.8 for both embedders.
        """
        faces = max(1.0, faces_per_person)
        threshold, _ = self.threshold_for(stranger_rate, round(people * faces))
        return float(1.0 - (1.0 - self.expected_recognized(threshold)) ** np.sqrt(faces))

    def log_ratio(self, similarities: ArrayLike) -> Doubles:
        """log10 of how many times likelier each similarity is between pictures of one person than of two."""
        knots, ratios = _columns(self.evidence)
        return np.asarray(np.interp(np.asarray(similarities, dtype=np.float64), knots, ratios), dtype=np.float64)

    def probability(self, similarities: ArrayLike, people: int, prior: float = PRIOR) -> Doubles:
        """The probability (m,) that the probe is each of the m people most similar to it, by Bayes' rule.

        similarities: (m,), each person's best. people: how many are enrolled, at least m; 1 for a comparison of two
        pictures. prior: the probability beforehand that the probe is somebody enrolled, each of them equally likely;
        0.5 unless the caller knows better. The rest, down to a sum of 1, is the probability that it is nobody
        enrolled. People outside the top m are taken to have a ratio of zero, which favors the top very slightly.
        Raises `ValueError` where people < m or the prior is not between 0 and 1.
        """
        ratios = self.log_ratio(similarities)
        if people < ratios.size or not 0.0 < prior < 1.0:
            raise ValueError(f"{ratios.size} similarities among {people} people at a prior of {prior}")
        if not ratios.size:
            return ratios
        odds = np.log(10.0) * ratios + np.log(prior / people)
        top = max(float(np.log1p(-prior)), float(odds.max()))
        weights = np.exp(odds - top)  # relative to the likeliest hypothesis, so that none overflows
        return np.asarray(weights / (weights.sum() + np.exp(np.log1p(-prior) - top)), dtype=np.float64)

    def to_json(self) -> dict[str, object]:
        """Plain lists, numbers and a text, for a card."""
        return {
            "data": self.data,
            "comparisons": self.comparisons,
            "same_comparisons": self.same_comparisons,
            **{name: [list(row) for row in getattr(self, name)] for name in TABLES},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises `KeyError`, `TypeError` or `ValueError` where the record is not one."""
        tables = {name: tuple((float(first), float(second)) for first, second in record[name]) for name in TABLES}
        return cls(str(record["data"]), int(record["comparisons"]), int(record["same_comparisons"]), **tables)


def calibrate(vectors: Floats, labels: ArrayLike, data: str = "") -> Calibration:
    """Compare every two of n labelled pictures. vectors: (n, d) unit; labels: (n,) names or numbers of who is on each;
    data: which pictures they are, in words.

    Time grows with n squared (6 million comparisons: 0.3 s on two cores), memory does not: similarities are counted
    block by block. Raises `UsageError` where there are fewer than 100 comparisons of different people, the ten of
    which the laxest rate of 0.1 must rest on, or fewer than ten of the same; `ValueError` where a vector is not finite.
    """
    people = np.unique(np.asarray(labels), return_inverse=True)[1]
    if vectors.ndim != 2 or people.shape != (len(vectors),) or not np.isfinite(vectors).all():
        raise ValueError(f"vectors {vectors.shape} must be finite (n, d), and labels {people.shape} as many")
    same, different = _histograms(vectors, people)
    if different.sum() < LEAST_COMPARISONS * 10 or same.sum() < LEAST_COMPARISONS:
        raise UsageError(
            f"{different.sum()} comparisons of different people and {same.sum()} of the same are too few to calibrate "
            "on: give more pictures, and of some people several"
        )
    return Calibration(
        data=data,
        comparisons=int(different.sum()),
        same_comparisons=int(same.sum()),
        false_match=_false_match(different),
        true_match=_true_match(same),
        evidence=_evidence(same, different),
    )


def _histograms(vectors: Floats, people: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(BINS,) counts of the similarities of every two pictures: of one person, of two."""
    count = len(vectors)
    same = np.zeros(BINS, dtype=np.int64)
    every = np.zeros(BINS, dtype=np.int64)
    rows = max(1, BLOCK // max(1, count))
    for start in range(0, count, rows):
        block = vectors[start : start + rows]
        bins = ((block @ vectors[start:].T + 1.0) * (BINS / 2)).astype(np.int32).clip(0, BINS - 1)
        later = np.arange(bins.shape[1]) > np.arange(len(block))[:, None]
        together = people[start : start + rows, None] == people[None, start:]
        every += np.bincount(bins[later], minlength=BINS)
        same += np.bincount(bins[later & together], minlength=BINS)
    return same, every - same


def _false_match(different: NDArray[np.int64]) -> Table:
    """Rates 0.1, 0.05, 0.02, 0.01 ... and last that of ten comparisons, each with the smallest threshold keeping it."""
    total = int(different.sum())
    last = LEAST_COMPARISONS / total
    steps = [lead * 10.0**-power for power in range(1, 20) for lead in (1.0, 0.5, 0.2)]
    above = _at_or_above(different)
    rows = []
    for rate in [*(step for step in steps if step > last * 1.2), last]:
        edge = int(np.argmax(above <= rate * total * (1.0 + 1e-12)))
        rows.append((float(f"{rate:.6g}") if rate != last else last, _similarity(edge)))
    return tuple(rows)


def _true_match(same: NDArray[np.int64]) -> Table:
    """Shares from 1 down to 0, each with the largest threshold at which that share is still accepted."""
    total = int(same.sum())
    above = _at_or_above(same)
    rows = [(share, _similarity(int(np.flatnonzero(above >= share * total)[-1]))) for share in (1.0, *ACCEPT)]
    return (*rows, (0.0, _similarity(int(np.argmax(above == 0)))))


def _evidence(same: NDArray[np.int64], different: NDArray[np.int64]) -> Table:
    """Ratios of the two densities in equal bins of the overlap, made to rise; beyond it one bin at each end.

    The overlap reaches from the tenth-lowest similarity of the same to the tenth-highest of the different; an end's
    bin stands where most of its comparisons lie.
    """
    low = int(np.searchsorted(np.cumsum(same), LEAST_COMPARISONS))
    high = int(np.flatnonzero(_at_or_above(different) >= LEAST_COMPARISONS)[-1])
    count = min(KNOTS, max(1, abs(high - low)))
    edges = np.unique(np.linspace(min(low, high), max(low, high), count + 1).round().astype(int))
    edges = np.unique([0, *edges, BINS])
    totals = int(same.sum()), int(different.sum())
    # Half a comparison more on either side keeps an empty bin finite and moves a full one by nothing to speak of.
    counts = [np.add.reduceat(each, edges[:-1]) + 0.5 for each in (same, different)]
    ratios = np.log10(counts[0] / totals[0]) - np.log10(counts[1] / totals[1])
    ratios = _rising(ratios, counts[0] * counts[1] / (counts[0] + counts[1]))
    ratios = ratios.clip(np.log10(LEAST_COMPARISONS / totals[0]), np.log10(totals[1] / LEAST_COMPARISONS))
    places = (edges[:-1] + edges[1:]) / 2
    places[0] = _median(different[: edges[1]]) if edges[1] > 1 else places[0]
    places[-1] = edges[-2] + _median(same[edges[-2] :])
    return tuple(
        (round(float(place) * 2 / BINS - 1, 6), round(float(ratio), 4))
        for place, ratio in zip(places, ratios, strict=True)
    )


def _rising(values: Doubles, weights: Doubles) -> Doubles:
    """The closest values that never fall, by pooling adjacent violators (Ayer et al., Ann. Math. Stat. 26, 1955)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pool = (float(value), float(weight), 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, mass, members = pools.pop()
            pool = ((mean * mass + pool[0] * pool[1]) / (mass + pool[1]), mass + pool[1], members + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(members, mean) for mean, _, members in pools])


def _at_or_above(histogram: NDArray[np.int64]) -> NDArray[np.int64]:
    """(BINS + 1,): how many similarities lie at or above each edge."""
    return np.append(np.cumsum(histogram[::-1])[::-1], 0)


def _median(histogram: NDArray[np.int64]) -> float:
    """The bin in whose middle half of the comparisons are reached; the middle bin where there are none."""
    total = int(histogram.sum())
    return float(np.searchsorted(np.cumsum(histogram), total / 2)) + 0.5 if total else len(histogram) / 2


def _similarity(edge: int) -> float:
    return round(edge * 2 / BINS - 1, 6)


def _columns(table: Table) -> tuple[Doubles, Doubles]:
    first, second = np.array(table, dtype=np.float64).T
    return first, second
