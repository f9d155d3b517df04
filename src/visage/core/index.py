"""Exact search among enrolled faces: one matrix product, then a selection that looks at few of the scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats

Numbers = NDArray[np.int64]
Hit = tuple[int, int, float]

_BLOCK = 256  # scores whose maximum stands for them while the best are sought
_SCORES = 1 << 24  # scores held at once: 64 MB


class Index:
    """Unit vectors, and for each the number of its face and of its person, searched by cosine.

    Nothing is approximate. The matrix product only nominates faces, with a margin for its rounding; the nominees'
    similarities are then computed again in double precision. So an answer depends neither on the other probes of the
    same call nor on where a face lies in memory, and equal vectors are equally similar.

    It may be searched by many threads at once, but not while it is changed.
    """

    def __init__(self, vectors: Floats, faces: Numbers, people: Numbers) -> None:
        """vectors: (n, d) float32, taken over without a copy, and written to as faces go and come; rows after the nth
        are room for more. faces: (n,), each once; people: (n,). n may be 0. Raises `ValueError` for other shapes."""
        self._vectors = vectors
        self._count = len(faces)
        self._check(vectors[: self._count], faces, people)
        self._faces, self._people = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.int64)
        self._faces[: self._count], self._people[: self._count] = faces, people

    def __len__(self) -> int:
        return self._count

    @property
    def dimension(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def faces(self) -> Numbers:
        """The numbers of all faces, (n,), in no order."""
        return self._faces[: self._count]

    def add(self, vectors: Floats, faces: Numbers, people: Numbers) -> None:
        """Take in m faces that are not here yet: vectors (m, d), faces (m,), people (m,).

        Room is made by half as much again, so that a face costs no copy of the matrix, taken over many additions."""
        self._check(vectors, faces, people)
        start, end = self._count, self._count + len(vectors)
        if end > len(self._vectors) or not self._vectors.flags.writeable:
            self._move(max(end, len(self._vectors) * 3 // 2))
        self._vectors[start:end] = vectors
        self._faces[start:end] = faces
        self._people[start:end] = people
        self._count = end

    def remove(self, faces: Numbers) -> int:
        """Forget faces by number; how many there were. The last rows move into the gaps, so it costs what is removed
        and one look through the numbers."""
        gone = np.flatnonzero(np.isin(self.faces, faces))
        if not len(gone):
            return 0
        if not self._vectors.flags.writeable:
            self._move(len(self._vectors))
        kept = self._count - len(gone)
        gaps = gone[gone < kept]
        movers = np.setdiff1d(np.arange(kept, self._count), gone, assume_unique=True)
        columns: tuple[NDArray[Any], ...] = (self._vectors, self._faces, self._people)
        for column in columns:
            column[gaps] = column[movers]
            column[kept : self._count] = 0  # nothing of a removed face stays in memory
        self._count = kept
        return len(gone)

    def search(self, probes: Floats, k: int) -> list[list[Hit]]:
        """The k people most similar to each probe, each by their most similar face, best first.

        probes: (m, d) float32 unit vectors. Returns m lists of (person, face, cosine -1..1), shorter than k where
        there are fewer people. Ties go to the lower person number, then to the lower face number.
        """
        if probes.ndim != 2 or probes.shape[1] != self.dimension:
            raise ValueError(f"probes must be (m, {self.dimension}), not {probes.shape}")
        if k < 1 or not self._count:
            return [[] for _ in probes]
        hits: list[list[Hit]] = []
        step = max(1, _SCORES // self._count)
        for start in range(0, len(probes), step):
            chunk = probes[start : start + step]
            scores = self._scores(chunk)
            peaks = _peaks(scores)
            hits += [self._best(*row, k) for row in zip(chunk, scores, peaks, strict=True)]
        return hits

    def _scores(self, probes: Floats) -> Floats:
        """(m, n): rough similarities, right to within d * 2**-24."""
        vectors = self._vectors[: self._count]
        if len(probes) == 1:  # matrix times vector is faster than the same as a product of two matrices
            single: Floats = (vectors @ probes[0])[None]
            return single
        product: Floats = probes @ vectors.T
        return product

    def _best(self, probe: Floats, scores: Floats, peaks: Floats, k: int) -> list[Hit]:
        """The k best people of one probe. scores: (n,); peaks: the maximum of each block of them.

        The w-th highest peak is a floor above which at least w faces lie, all of them in blocks whose peak is above
        it. If k different people are among them, nobody else matters; if not, w is raised.
        """
        margin = np.float32(self.dimension * 2.0**-23)  # twice the greatest error of a score
        wanted = k
        while wanted < len(peaks):
            floor = np.partition(peaks, -wanted)[-wanted]
            blocks = np.flatnonzero(peaks >= floor - margin)
            rows = (blocks[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
            rows = rows[rows < len(scores)]
            rows = rows[scores[rows] >= floor - margin]
            if len(np.unique(self._people[rows[scores[rows] >= floor]])) >= k:
                return self._rank(probe, scores, rows, margin, k)
            wanted *= 4
        return self._rank(probe, scores, np.arange(len(scores)), margin, k)

    def _rank(self, probe: Floats, scores: Floats, rows: NDArray[np.intp], margin: np.float32, k: int) -> list[Hit]:
        """The k best people among the faces in `rows`, by exact similarity."""
        rows = rows[np.argsort(self._people[rows], kind="stable")]
        rough, people = scores[rows], self._people[rows]
        starts = np.flatnonzero(np.diff(people, prepend=people[0] - 1))
        tops = np.maximum.reduceat(rough, starts)
        least = np.partition(tops, -k)[-k] if k < len(tops) else tops.min()
        floors = (
            np.maximum(tops, least) - margin
        )  # below it, a face is neither its person's best nor its person one of k
        rows = rows[rough >= np.repeat(floors, np.diff(starts, append=len(rows)))]

        exact = similarities(self._vectors[rows], probe)
        best: dict[int, Hit] = {}
        for at in np.lexsort((self._faces[rows], self._people[rows], -exact)):
            person = int(self._people[rows[at]])
            best.setdefault(person, (person, int(self._faces[rows[at]]), float(exact[at])))
            if len(best) == k:
                break
        return list(best.values())

    def _move(self, room: int) -> None:
        """Copy everything to arrays with room for that many faces. Rows not yet used take no memory until they are."""
        vectors = np.empty((room, self.dimension), np.float32)
        faces, people = np.zeros(room, np.int64), np.zeros(room, np.int64)
        vectors[: self._count] = self._vectors[: self._count]
        faces[: self._count] = self._faces[: self._count]
        people[: self._count] = self._people[: self._count]
        self._vectors, self._faces, self._people = vectors, faces, people

    def _check(self, vectors: Floats, faces: Numbers, people: Numbers) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension or vectors.dtype != np.float32:
            raise ValueError(f"vectors must be (n, d) float32, not {vectors.shape} {vectors.dtype}")
        if faces.shape != (len(vectors),) or people.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} vectors, but faces {faces.shape} and people {people.shape}")


def similarities(vectors: Floats, probe: Floats) -> Floats:
    """(n, d), (d,) -> (n,) cosines, each the same wherever its vector stands."""
    cosines = np.einsum("ij,j->i", vectors.astype(np.float64), probe.astype(np.float64))
    clipped: Floats = np.clip(cosines, -1, 1).astype(np.float32)
    return clipped


def _peaks(scores: Floats) -> Floats:
    """(m, n) -> (m, ceil(n / block)): the maximum of each block of a row."""
    whole = scores.shape[1] // _BLOCK * _BLOCK
    peaks: Floats = scores[:, :whole].reshape(len(scores), -1, _BLOCK).max(axis=2)
    if whole < scores.shape[1]:
        peaks = np.concatenate([peaks, scores[:, whole:].max(axis=1, keepdims=True)], axis=1)
    return peaks
