"""How the similarities of an embedder are distributed: the table in its card, and what follows from it.

It is made of all comparisons among a set of labelled faces: those of different people (millions) give the false match
rate of a threshold, those of the same person the share of known faces that a threshold lets through, and both together
how much likelier a similarity is for one person than for two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats

Doubles = NDArray[np.float64]

# One false match in a thousand comparisons is tolerated at most, however few faces are enrolled.
LAXEST_RATE = 1e-3

# A rate is read off the table only if at least so many comparisons stand behind it.
LEAST_COMPARISONS = 10

# Steps of similarity in the counts: 0.0001.
BINS = 20_000
BLOCK = 512


@dataclass(frozen=True)
class Calibration:
    """The table. data: what it was made of, in words.

    comparisons: of different people. false_match: (rate, threshold) pairs, falling rates from 0.1 down to that of ten
    comparisons. true_match: (share, threshold): that share of same-person comparisons is at or above it. evidence:
    (similarity, log10 of how much likelier it is for one person than for two), both rising.
    """

    data: str
    comparisons: int
    same_comparisons: int
    false_match: tuple[tuple[float, float], ...]
    true_match: tuple[tuple[float, float], ...]
    evidence: tuple[tuple[float, float], ...]

    def threshold_for(self, stranger_rate: float, enrolled: int) -> tuple[float, bool]:
        """The least similarity that may name somebody among `enrolled` faces, and whether the table ends before it.

        A stranger is compared with every enrolled face, so stranger_rate / enrolled is what one comparison may take;
        between two rates of the table the threshold is interpolated over the logarithm of the rate.
        """
        rate = min(LAXEST_RATE, stranger_rate / max(1, enrolled))
        smallest = self.false_match[-1][0]
        rates, thresholds = np.array(self.false_match[::-1]).T
        return float(np.interp(np.log10(max(rate, smallest)), np.log10(rates), thresholds)), rate < smallest * 0.999

    def false_match_rate(self, threshold: float) -> float:
        """The share of comparisons of different people at or above the threshold; never below the table's smallest."""
        rates, thresholds = np.array(self.false_match).T
        return float(10 ** np.interp(threshold, thresholds, np.log10(rates)))

    def expected_recognized(self, threshold: float) -> float:
        """The share of known faces, one photo enrolled of each person, whose similarity reaches the threshold."""
        shares, thresholds = np.array(self.true_match).T
        return float(np.interp(threshold, thresholds, shares))

    def probability(self, similarities: Doubles, people: int, prior: float = 0.5) -> Doubles:
        """(m,) similarities of the m nearest of `people` -> (m,) probabilities that the probe is that person.

        Bayes: beforehand the probe is somebody enrolled with probability `prior`, each of them as likely as another.
        People further down than the m nearest are taken to be out of the question. With people = 1 it is the answer to
        "are these two the same person?".
        """
        evidence = self._evidence(similarities) - np.log10(max(1, people))
        nobody = np.log10((1 - prior) / prior)
        largest = max(float(evidence.max(initial=nobody)), nobody)
        weights: Doubles = 10 ** (evidence - largest)
        probabilities: Doubles = weights / (weights.sum() + 10 ** (nobody - largest))
        return probabilities

    def _evidence(self, similarities: Doubles) -> Doubles:
        places, logs = np.array(self.evidence).T
        return np.asarray(np.interp(similarities, places, logs), np.float64)

    def to_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "comparisons": self.comparisons,
            "same_comparisons": self.same_comparisons,
            "false_match": [list(row) for row in self.false_match],
            "true_match": [list(row) for row in self.true_match],
            "evidence": [list(row) for row in self.evidence],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError where the table is not one."""
        tables = {name: tuple((float(x), float(y)) for x, y in data[name]) for name in TABLES}
        if any(len(table) < 2 for table in tables.values()):
            raise ValueError("every table of a calibration has two rows or more")
        return cls(str(data["data"]), int(data["comparisons"]), int(data["same_comparisons"]), **tables)


TABLES = ("false_match", "true_match", "evidence")


def calibrate(vectors: Floats, labels: NDArray[np.intp], data: str) -> Calibration:
    """The table of (n, d) unit vectors whose people are labels (n,). Needs a few people with several faces each."""
    different = np.zeros(BINS + 1, np.int64)
    same: list[Doubles] = []
    for similarities, together in _comparisons(vectors, labels):
        different += np.bincount(_bin(similarities[~together]), minlength=BINS + 1)
        same.append(similarities[together].astype(np.float64))
    genuine = np.sort(np.concatenate(same))
    return Calibration(
        data=data,
        comparisons=int(different.sum()),
        same_comparisons=len(genuine),
        false_match=tuple(_false_match(different)),
        true_match=tuple(_true_match(genuine)),
        evidence=tuple(_evidence_table(different, genuine)),
    )


def _comparisons(vectors: Floats, labels: NDArray[np.intp]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Every pair once, a block of rows at a time: its similarities, and whether it is one person's."""
    n = len(vectors)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        later = np.arange(n)[None] > np.arange(start, stop)[:, None]
        similarities = vectors[start:stop] @ vectors.T
        yield similarities[later], (labels[start:stop, None] == labels[None])[later]


def _bin(similarities: Floats) -> NDArray[np.int64]:
    return np.clip(np.floor((similarities.astype(np.float64) + 1) / 2 * BINS), 0, BINS).astype(np.int64)


def _lower_edge(bins: NDArray[np.intp]) -> Doubles:
    return bins / BINS * 2 - 1


def _false_match(different: NDArray[np.int64]) -> Iterator[tuple[float, float]]:
    """Four rates in every factor of ten; each with the lowest threshold that keeps to it."""
    total = int(different.sum())
    at_or_above = different[::-1].cumsum()[::-1]
    smallest = LEAST_COMPARISONS / total
    for rate in [*(10 ** -(1 + step / 4) for step in range(4 * 8)), smallest]:
        if rate >= smallest:
            first = int(np.argmax(at_or_above <= rate * total))
            yield float(f"{rate:.4g}"), round(float(_lower_edge(np.array(first))), 4)
            if rate == smallest:
                return


def _true_match(genuine: Doubles) -> Iterator[tuple[float, float]]:
    """Falling thresholds of rising shares, finest where shares are high; thresholds rise in the result."""
    hundredths = [100, 99.9, 99.5, *range(99, 90, -1), *range(90, -1, -5)]
    for share in (hundredth / 100 for hundredth in hundredths):
        yield share, round(float(np.quantile(genuine, 1 - share)), 4)


def _evidence_table(different: NDArray[np.int64], genuine: Doubles) -> Iterator[tuple[float, float]]:
    """log10 of the two densities' ratio over 40 windows of similarity, made to rise, and flat beyond the data.

    Windows hold equal shares of the two kinds together, so that each rests on enough comparisons of both where they
    overlap; half a comparison is added to both counts, which bounds the ratio where one kind is missing.
    """
    edges_same = np.quantile(genuine, np.linspace(0, 1, 21))
    cumulated = different.cumsum() / different.sum()
    ranks = np.concatenate([np.linspace(0.05, 0.95, 19), 1 - 10.0 ** -np.arange(2, np.log10(different.sum()) - 1, 0.5)])
    edges_different = _lower_edge(np.searchsorted(cumulated, ranks))
    edges = np.unique(np.round(np.concatenate([edges_same, edges_different]), 3))
    bins = _bin(edges.astype(np.float32))
    summed = np.concatenate([[0], different.cumsum()])
    places, logs, weights = [], [], []
    for low, high, first, last in zip(edges[:-1], edges[1:], bins[:-1], bins[1:], strict=True):
        count_different = float(summed[last] - summed[first])
        count_same = float(((genuine >= low) & (genuine < high)).sum())
        if count_different + count_same == 0:
            continue
        ratio = ((count_same + 0.5) / len(genuine)) / ((count_different + 0.5) / float(summed[-1]))
        places.append((low + high) / 2)
        logs.append(float(np.log10(ratio)))
        weights.append(np.sqrt(count_same + 0.5) + np.sqrt(min(count_different, 1e4) + 0.5))
    for place, log in zip(places, _rising(np.array(logs), np.array(weights)), strict=True):
        yield round(float(place), 4), round(float(log), 3)


def _rising(values: Doubles, weights: Doubles) -> Doubles:
    """The nearest sequence that never falls (pool adjacent violators: Barlow et al. 1972)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (v1, w1, n1), (v2, w2, n2) = pools[-2], pools[-1]
            pools[-2:] = [((v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2, n1 + n2)]
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])
