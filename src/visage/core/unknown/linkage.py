"""Average linkage of groups of faces: how alike groups are, which hang together, which are joined."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from visage.core.unknown.alike import Rows, products
from visage.core.unknown.neighbors import SCALE, Neighbors

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """n groups that are compared with each other.

    members: the rows of the faces of each; sums: (n, d) of their vectors, whole numbers; sizes: (n,); ties: (n,) whole
    numbers that follow from the ids of their faces.
    """

    members: list[Rows]
    sums: Doubles
    sizes: Doubles
    ties: Rows

    @classmethod
    def of(cls, neighbors: Neighbors, rows: Rows, labels: Rows) -> Self:
        """The faces of these rows, in a group for each label, in the order of the labels."""
        members = parts(rows, labels)
        sizes = np.array([len(one) for one in members])
        rows, starts = np.concatenate(members), np.cumsum(sizes) - sizes
        sums = np.add.reduceat(neighbors.vectors[rows], starts, axis=0, dtype=np.float64)
        return cls(members, sums, sizes.astype(np.float64), np.minimum.reduceat(neighbors.ties[rows], starts))

    def alike(self, pairs: Rows, least: float) -> NDArray[np.bool_]:
        """Which pairs (k, 2) of groups have at least that cosine on average."""
        first, second = pairs.T
        totals = np.einsum("ij,ij->i", self.sums[first], self.sums[second])
        return np.asarray(totals / (self.sizes[first] * self.sizes[second]) >= least * SCALE * SCALE, dtype=np.bool_)

    def hanging_together(self, pairs: Rows, least: float) -> Iterator[Rows]:
        """Two groups or more that pairs (k, 2) alike enough connect, in an order that follows from their faces."""
        ends = pairs[self.alike(pairs, least)].T
        graph = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(len(self.sizes), len(self.sizes)))
        labels = connected_components(graph, directed=False)[1]
        connected = np.flatnonzero(np.bincount(labels)[labels] > 1)
        for part in parts(connected, labels[connected]):
            yield part[np.argsort(self.ties[part])]

    def join(self, part: Rows, least: float, rivals: Mapping[int, set[int]]) -> list[Rows]:
        """Some of the groups, those together that average linkage down to a cosine joins. rivals: for the rows of faces
        those of others that are never of one group with them."""
        totals = products(self.sums[part], self.sums[part])
        place = {row: at for at, one in enumerate(part.tolist()) for row in self.members[one].tolist() if row in rivals}
        for row, at in place.items():
            for rival in rivals[row] & place.keys():
                totals[at, place[rival]] = -np.inf
        joined = average_linkage(totals, self.sizes[part], least * SCALE * SCALE)
        return [part[together] for together in joined]


def average_linkage(totals: Doubles, sizes: Doubles, least: float) -> list[list[int]]:
    """Join the two groups that are most alike on average, again and again, while any two are at least `least` alike.

    totals: (m, m) symmetric, the sum of the similarities of every two faces of two groups, minus infinity where they
    must not be joined; sizes: (m,) how many faces each has. Both are written to. Returns the groups in each of the
    joined ones. Time grows with m squared: by chains of nearest neighbors (Murtagh, The Computer Journal 26, 1983).
    """
    np.fill_diagonal(totals, -np.inf)
    joined = {at: [at] for at in range(len(sizes))}
    waiting = list(reversed(range(len(sizes))))
    chain: list[int] = []
    while waiting or chain:
        if not chain:
            start = waiting.pop()
            chain += [start] if start in joined else []
            continue
        tip = chain[-1]
        averages = totals[tip] / (sizes * sizes[tip])
        nearest = int(np.argmax(averages))
        if len(chain) > 1 and averages[chain[-2]] >= averages[nearest]:
            nearest = chain[-2]
        if averages[nearest] < least:
            # Nobody is near enough, nor will be: an average is never above both of those that it is made of.
            totals[tip] = totals[:, tip] = -np.inf
            chain.pop()
        elif len(chain) > 1 and nearest == chain[-2]:
            del chain[-2:]
            joined[nearest] += joined.pop(tip)
            _take_in(totals, sizes, nearest, tip)
            waiting.append(nearest)
        else:
            chain.append(nearest)
    return list(joined.values())


def _take_in(totals: Doubles, sizes: Doubles, kept: int, gone: int) -> None:
    totals[kept] += totals[gone]
    totals[:, kept] = totals[kept]
    totals[kept, kept] = -np.inf
    totals[gone] = totals[:, gone] = -np.inf
    sizes[kept] += sizes[gone]


def parts(rows: Rows, labels: Rows) -> list[Rows]:
    """The rows of each label, in the order of the labels."""
    order = np.argsort(labels, kind="stable")
    rows, labels = rows[order], labels[order]
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1)).tolist()
    return [rows[start:end] for start, end in pairwise(edges)]
