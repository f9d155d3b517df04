"""Each face's most similar others, kept up to date as faces come and go."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visage.core.unknown.alike import Pairs, Rows, alike
from visage.core.unknown.company import Company
from visage.core.values import Floats

# Vectors are held as whole numbers of this scale. A sum of their products then stays below 2**24, so that float32 holds
# it exactly, whatever the order of adding: a similarity never depends on which faces were compared together with it.
SCALE = 4000
_OFF = 0.01  # how much longer or shorter a vector may be than 1

_TIE = 38  # bits of a rank below the similarity, to tell equally similar faces apart
_TIES = (1 << _TIE) - 1

_STALE = 256  # whenever so many more chose a face, those who dropped it are struck off

_WAITING = 1 << 22  # pairs that wait to be sorted, at most: 100 MB


def rank_of(similarity: float) -> int:
    """The least rank of a neighbor of that cosine or more."""
    return _whole(similarity) << _TIE


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of faces that came or went, and of those whose neighbors changed; and for each the highest rank of a
    neighbor that it got or lost: above that its neighbors are what they were. No rank is above that of who came or
    went."""

    rows: Rows
    ranks: Rows

    @classmethod
    def of(cls, own: Rows, others: Rows, ranks: Rows) -> Self:
        """own: those who came or went. ranks: of the others."""
        highest = np.full(len(own), np.iinfo(np.int64).max)
        return cls(np.concatenate([own, others]), np.concatenate([highest, ranks]))

    def above(self, rank: int) -> Rows:
        """The rows of those for whom something changed at that rank or above it."""
        return self.rows[self.ranks >= rank]


class Neighbors:
    """For each face the `most` others most similar to it, of those at least `least` similar that share no picture with
    it. Which they are follows from the faces alone, not from the order in which they came.

    A face is spoken of by its row, which stays its own until it is removed. near: (rows, most) the rows of a face's
    neighbors, in no order. ranks: (rows, most) their ranks, the larger the more similar, 0 for an empty place. vectors:
    (rows, d) whole numbers, 0 for an empty row. ties: (rows,) whole numbers that follow from the ids. rivals: the rows
    of those on a picture with it, where there are any. All are for reading.
    """

    def __init__(self, least: float, most: int) -> None:
        """least: a cosine above 0; most: 1 or more. Raises `ValueError` for others."""
        if not 0.0 < least <= 1.0 or most < 1:
            raise ValueError(f"a similarity above 0 and at most 1, and one neighbor or more, not {least} and {most}")
        self._least = _whole(least)
        self.vectors = np.zeros((0, 0), np.float32)
        self.ties = np.zeros(0, np.int64)
        self._free: list[int] = []
        self.near = np.zeros((0, most), np.int32)
        self.ranks = np.zeros((0, most), np.int64)
        self._floors = np.zeros(0, np.int64)  # the least rank among a face's neighbors, 0 where there is room for more
        self._end = 0  # no row from here on was ever taken
        self._company = Company()
        self.rivals = self._company.rivals
        # Who chose a face as a neighbor; some may have dropped it since.
        self._chosen_by: dict[int, Rows] = {}

    def add(self, ids: Sequence[str], vectors: Floats, pictures: Sequence[frozenset[str]]) -> tuple[Rows, "Change"]:
        """Take in m faces: ids (m,), vectors (m, d) unit, pictures (m,) that each was seen on. Returns their rows (m,)
        and what changed. Raises `ValueError` for other shapes and for vectors that are not unit."""
        if vectors.ndim != 2 or not len(ids) == len(vectors) == len(pictures):
            raise ValueError(f"{len(ids)} faces, but vectors {vectors.shape} and {len(pictures)} sets of pictures")
        if not (abs(np.linalg.norm(vectors, axis=1) - 1.0) < _OFF).all():
            raise ValueError("the vectors of faces must be finite and of length 1")
        rows = self._take(len(ids), vectors.shape[1])
        self.vectors[rows] = np.rint(vectors * np.float32(SCALE))
        self.ties[rows] = [_tie(one) for one in ids]
        for row, seen_on in zip(rows.tolist(), pictures, strict=True):
            self._company.appear(row, seen_on)
        touched = self._search(rows, mutual=True)
        new = np.zeros(len(self.vectors), np.bool_)
        new[rows] = True
        fresh = new[self.near[touched]] | new[touched, None]
        ranks = self.ranks[touched] * fresh
        takers, columns = np.nonzero(ranks)
        self._choose(touched[takers], self.near[touched[takers], columns])
        old = ~new[touched]
        return rows, Change.of(rows, touched[old], ranks[old].max(axis=1, initial=0))

    def remove(self, rows: Rows) -> "Change":
        """Forget faces. Returns what changed."""
        losers: Rows = np.unique(np.concatenate([self._chosen_by.pop(row, rows[:0]) for row in rows.tolist()]))
        for row in rows.tolist():
            self._company.vanish(row)
        self.vectors[rows] = 0  # nothing of a removed face stays in memory
        self.ranks[rows] = 0
        gone = np.zeros(len(self.vectors), np.bool_)
        gone[rows] = True
        lost = self.ranks[losers] * gone[self.near[losers]]
        losers, lost = losers[lost.any(axis=1)], lost[lost.any(axis=1)]
        # Only who had as many neighbors as can be may have passed over others.
        full = losers[self.ranks[losers].min(axis=1) > 0]
        self.ranks[losers] -= lost
        self.ranks[full] = 0
        self._floors[rows] = self._floors[losers] = 0
        self._free += rows.tolist()
        self._search(full, mutual=False)
        takers, columns = np.nonzero(self.ranks[full])
        self._choose(full[takers], self.near[full[takers], columns])
        return Change.of(rows, losers, lost.max(axis=1, initial=0))

    def around(self, rows: Rows, rank: int) -> Rows:
        """The rows of all that are neighbors of one of these faces with at least that rank, or have one of them as a
        neighbor, and a few more."""
        near_enough = self.ranks[rows] >= rank
        chosen_by = [self._chosen_by[row] for row in rows.tolist() if row in self._chosen_by]
        return np.concatenate([self.near[rows][near_enough], *chosen_by])

    def _search(self, rows: Rows, *, mutual: bool) -> Rows:
        """Find these rows' neighbors among all, and let them, or (mutual) both, take each other. Returns whose
        neighbors changed."""
        touched: list[Rows] = []
        waiting: list[Pairs] = []
        count = 0
        for takers, others, similarities in alike(
            self.vectors[: self._end], np.sort(rows), self._least, self.rivals, mutual=mutual
        ):
            wanted = similarities >= self._lowest(takers)
            waiting.append((takers[wanted], others[wanted], similarities[wanted]))
            count += len(waiting[-1][0])
            if count > _WAITING:
                touched.append(self._offer(waiting))
                waiting, count = [], 0
        if waiting:
            touched.append(self._offer(waiting))
        return self._of(np.concatenate([rows[:0], *touched]))

    def _lowest(self, rows: Rows) -> Floats:
        """(m,) how similar a face has to be, at least, to be among the neighbors of these."""
        return (self._floors[rows] >> _TIE).astype(np.float32)

    def _offer(self, pairs: Sequence[Pairs]) -> Rows:
        """Each of the first of these pairs keeps the best of the neighbors it has and of those offered. Returns whose
        neighbors changed."""
        takers, others, similarities = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        ranks = (similarities.astype(np.int64) << _TIE) | (self.ties[others] & _TIES)
        who = self._of(takers)
        places, columns = np.nonzero(self.ranks[who])
        held = who[places]
        fresh = np.arange(len(takers) + len(held)) < len(takers)
        takers = np.concatenate([takers, held])
        others = np.concatenate([others, self.near[held, columns]])
        ranks = np.concatenate([ranks, self.ranks[held, columns]])

        order = _by_label(takers, np.argsort(-ranks))
        columns = _count_within(takers[order])
        kept = columns < self.near.shape[1]
        order, columns = order[kept], columns[kept]
        takers, others, fresh = takers[order], others[order], fresh[order]
        self.ranks[who] = 0
        self.near[takers, columns] = others
        self.ranks[takers, columns] = ranks[order]
        self._floors[who] = self.ranks[who, -1]
        return self._of(takers[fresh])

    def _of(self, rows: Rows) -> Rows:
        """Each of these once, in order."""
        there = np.zeros(len(self.vectors), np.bool_)
        there[rows] = True
        return np.flatnonzero(there)

    def _choose(self, takers: Rows, others: NDArray[Any]) -> None:
        """Note who took whom, so that it can be found from the other's side."""
        order = np.argsort(others, kind="stable")
        takers, others = takers[order], others[order]
        edges = np.append(np.flatnonzero(_count_within(others) == 0), len(others)).tolist()
        for start, end in pairwise(edges):
            other = int(others[start])
            before = self._chosen_by.get(other, takers[:0])
            after = np.concatenate([before, takers[start:end]])
            if len(after) // _STALE > len(before) // _STALE:
                after = np.unique(after)
                after = after[((self.near[after] == other) & (self.ranks[after] > 0)).any(axis=1)]
            self._chosen_by[other] = after

    def _take(self, count: int, dimension: int) -> Rows:
        """Rows for so many faces; room is made by half as much again."""
        held = len(self.vectors)
        if held and dimension != self.vectors.shape[1]:
            raise ValueError(f"the faces here have {self.vectors.shape[1]} numbers each, not {dimension}")
        if len(self._free) < count:
            missing = count - len(self._free)
            more = max(missing + missing // 8, held // 2)
            self.vectors = _longer(self.vectors.reshape(held, dimension), more)
            self.near, self.ranks = _longer(self.near, more), _longer(self.ranks, more)
            self.ties, self._floors = _longer(self.ties, more), _longer(self._floors, more)
            self._free += range(held + more - 1, held - 1, -1)
        rows = np.array([self._free.pop() for _ in range(count)], np.intp)
        self._end = max(self._end, int(rows.max(initial=-1)) + 1)
        self.near[rows] = 0
        return rows


def _longer(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)])


def _by_label(labels: Rows, order: Rows) -> Rows:
    """The places in an order, those of each label together; two digits of a label at a time, which NumPy does by
    counting."""
    for shift in (0, 16) if labels.max(initial=0) >> 16 else (0,):
        order = order[np.argsort((labels[order] >> shift).astype(np.uint16), kind="stable")]
    return order


def _count_within(labels: Rows) -> Rows:
    """For labels in order, the how-manieth of its label each is, from 0."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    return np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))


def _whole(similarity: float) -> int:
    """A cosine as the whole number that products of two vectors held here are compared with."""
    return int(np.ceil(similarity * SCALE * SCALE))


def _tie(face_id: str) -> int:
    return int.from_bytes(blake2b(face_id.encode(), digest_size=8).digest()) >> 1
