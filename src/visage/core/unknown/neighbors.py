"""Each face's most similar others, kept up to date as faces come and go."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats

Rows = NDArray[np.intp]
Ranks = NDArray[np.int64]

# Vectors are held as whole numbers of this scale. A sum of their products then stays below 2**24, so that float32 holds
# it exactly, whatever the order of adding: a similarity never depends on which faces were compared together with it.
SCALE = 4000
_OFF = 0.01  # how much longer or shorter a vector may be than 1

_TIE = 38  # bits of a rank below the similarity, to tell equally similar faces apart
_TIES = (1 << _TIE) - 1

_STALE = 256  # whenever so many more chose a face, those who dropped it are struck off

_SCORES = 1 << 22  # similarities held at once: 16 MB


def rank_of(similarity: float) -> int:
    """The least rank of a neighbor of that cosine or more."""
    return _whole(similarity) << _TIE


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
        self._pictures: dict[int, frozenset[str]] = {}
        self._seen: dict[str, set[int]] = {}  # who is on a picture
        self.near = np.zeros((0, most), np.int32)
        self.ranks = np.zeros((0, most), np.int64)
        self.rivals: dict[int, set[int]] = {}
        # Who chose a face as a neighbor; some may have dropped it since.
        self._chosen_by: dict[int, Rows] = {}

    def add(self, ids: Sequence[str], vectors: Floats, pictures: Sequence[frozenset[str]]) -> tuple[Rows, Rows]:
        """Take in m faces: ids (m,), vectors (m, d) unit, pictures (m,) that each was seen on. Returns their rows (m,),
        and the rows of all whose neighbors changed, theirs among them. Raises `ValueError` for other shapes
        and for vectors that are not unit."""
        if vectors.ndim != 2 or not len(ids) == len(vectors) == len(pictures):
            raise ValueError(f"{len(ids)} faces, but vectors {vectors.shape} and {len(pictures)} sets of pictures")
        if not (abs(np.linalg.norm(vectors, axis=1) - 1.0) < _OFF).all():
            raise ValueError("the vectors of faces must be finite and of length 1")
        rows = self._take(len(ids), vectors.shape[1])
        self.vectors[rows] = np.rint(vectors * np.float32(SCALE))
        self.ties[rows] = [_tie(one) for one in ids]
        for row, seen_on in zip(rows.tolist(), pictures, strict=True):
            self._appear(row, seen_on)
        new = np.zeros(len(self.vectors), np.bool_)
        new[rows] = True
        touched = [rows]
        for chunk in self._chunks(rows):
            one, other, similarities = self._alike(chunk)
            back = ~new[other]  # two new ones find each other
            takers, others = np.concatenate([one, other[back]]), np.concatenate([other, one[back]])
            touched.append(self._offer(takers, others, np.concatenate([similarities, similarities[back]])))
        return rows, np.unique(np.concatenate(touched))

    def remove(self, rows: Rows) -> Rows:
        """Forget faces. Returns the rows of those who had one of them among their neighbors."""
        losers: Rows = np.unique(np.concatenate([self._chosen_by.pop(row, rows[:0]) for row in rows.tolist()]))
        for row in rows.tolist():
            self._vanish(row)
        self.vectors[rows] = 0  # nothing of a removed face stays in memory
        self.ranks[rows] = 0
        gone = np.zeros(len(self.vectors), np.bool_)
        gone[rows] = True
        lost = gone[self.near[losers]] & (self.ranks[losers] > 0)
        losers, lost = losers[lost.any(axis=1)], lost[lost.any(axis=1)]
        # Only who had as many neighbors as can be may have passed over others.
        full = losers[self.ranks[losers].min(axis=1) > 0]
        self.ranks[losers] *= ~lost
        self._free += rows.tolist()
        for chunk in self._chunks(full):
            self.ranks[chunk] = 0
            self._offer(*self._alike(chunk))
        return losers

    def around(self, rows: Rows, rank: int) -> Rows:
        """The rows of all that are neighbors of one of these faces with at least that rank, or have one of them as a
        neighbor, and a few more."""
        near_enough = self.ranks[rows] >= rank
        chosen_by = [self._chosen_by[row] for row in rows.tolist() if row in self._chosen_by]
        return np.concatenate([self.near[rows][near_enough], *chosen_by])

    def _chunks(self, rows: Rows) -> list[Rows]:
        step = max(1, _SCORES // max(1, len(self.vectors)))
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def _alike(self, rows: Rows) -> tuple[Rows, Rows, Floats]:
        """Every pair of one of these faces and one of all that may be neighbors: rows (k,), rows (k,), similarities."""
        scores: Floats = self.vectors[rows] @ self.vectors.T
        scores[np.arange(len(rows)), rows] = 0
        for place, row in enumerate(rows.tolist()):
            if row in self.rivals:
                scores[place, list(self.rivals[row])] = 0
        places, others = np.nonzero(scores >= self._least)
        return rows[places], others, scores[places, others]

    def _offer(self, takers: Rows, others: Rows, similarities: Floats) -> Rows:
        """Each taker keeps the best of the neighbors it has and of those offered. Returns whose neighbors changed."""
        ranks = (similarities.astype(np.int64) << _TIE) | (self.ties[others] & _TIES)
        who = np.unique(takers)
        places, columns = np.nonzero(self.ranks[who] > 0)
        held = who[places]
        fresh = np.arange(len(takers) + len(held)) < len(takers)
        takers = np.concatenate([takers, held])
        others = np.concatenate([others, self.near[held, columns]])
        ranks = np.concatenate([ranks, self.ranks[held, columns]])

        order = np.lexsort((-ranks, takers))
        columns = _count_within(takers[order])
        kept = columns < self.near.shape[1]
        order, columns = order[kept], columns[kept]
        takers, others, fresh = takers[order], others[order], fresh[order]
        self.ranks[who] = 0
        self.near[takers, columns] = others
        self.ranks[takers, columns] = ranks[order]
        self._choose(takers[fresh], others[fresh])
        return np.unique(takers[fresh])

    def _choose(self, takers: Rows, others: Rows) -> None:
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

    def _appear(self, row: int, pictures: frozenset[str]) -> None:
        self._pictures[row] = pictures
        for picture in pictures:
            company = self._seen.setdefault(picture, set())
            for other in company:
                self.rivals.setdefault(row, set()).add(other)
                self.rivals.setdefault(other, set()).add(row)
            company.add(row)

    def _vanish(self, row: int) -> None:
        for picture in self._pictures.pop(row):
            self._seen[picture].discard(row)
            if not self._seen[picture]:
                del self._seen[picture]
        for other in self.rivals.pop(row, ()):
            self.rivals[other].discard(row)
            if not self.rivals[other]:
                del self.rivals[other]

    def _take(self, count: int, dimension: int) -> Rows:
        """Rows for so many faces; room is made by half as much again."""
        held = len(self.vectors)
        if held and dimension != self.vectors.shape[1]:
            raise ValueError(f"the faces here have {self.vectors.shape[1]} numbers each, not {dimension}")
        if len(self._free) < count:
            more = max(count - len(self._free), held // 2)
            self.vectors = np.concatenate(
                [self.vectors.reshape(held, dimension), np.zeros((more, dimension), np.float32)]
            )
            self.ties = np.concatenate([self.ties, np.zeros(more, np.int64)])
            self.near = np.concatenate([self.near, np.zeros((more, self.near.shape[1]), np.int32)])
            self.ranks = np.concatenate([self.ranks, np.zeros((more, self.near.shape[1]), np.int64)])
            self._free += range(held + more - 1, held - 1, -1)
        rows = np.array([self._free.pop() for _ in range(count)], np.intp)
        self.near[rows] = 0
        return rows


def _count_within(labels: Rows) -> Rows:
    """For labels in order, the how-manieth of its label each is, from 0."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    return np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))


def _whole(similarity: float) -> int:
    """A cosine as the whole number that products of two vectors held here are compared with."""
    return int(np.ceil(similarity * SCALE * SCALE))


def _tie(face_id: str) -> int:
    return int.from_bytes(blake2b(face_id.encode(), digest_size=8).digest()) >> 1
