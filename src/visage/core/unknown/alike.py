"""Which faces are alike: every two of them, a tile of the table of all similarities at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats

Rows = NDArray[np.intp]

# Two that are alike: rows (k,), rows (k,) of the others, (k,) how similar they are.
Pairs = tuple[Rows, Rows, Floats]

# Rows and columns of a tile, which takes 32 MB. In smaller ones the threads of BLAS would wait for each other more
# often, which takes long where the cores have other work.
SIDE = 1024
WIDTH = 8192

# So few rows, or so few of all products, are multiplied without BLAS, which would share even these out to as many
# threads as there are cores: where the cores have other work, the last comes tens of milliseconds after the first.
FEW = 4
SOME = 1 << 15


def products(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """(m, d), (n, d) -> (m, n)."""
    if len(left) <= FEW or len(left) * len(right) <= SOME:
        few: NDArray[Any] = np.vecdot(left[:, None], right)
        return few
    return np.asarray(left @ right.T)


def alike(vectors: Floats, rows: Rows, least: float, apart: Mapping[int, set[int]], *, mutual: bool) -> Iterator[Pairs]:
    """Every pair of one of these rows (m,), in order, and any of `vectors` (n, d), whose product is `least` or more.

    apart: for a row those that it is not compared with. mutual: of each two the one is told as alike to the other and
    the other to the one; else only who of all is alike to these rows.
    """
    # In which batch a row is among those asked for, where the two of a pair are to be found from one of them alone.
    batches = np.full(len(vectors), len(rows), np.intp)
    if mutual:
        batches[rows] = np.arange(len(rows)) // SIDE
    for start in range(0, len(rows), SIDE):
        batch = rows[start : start + SIDE]
        number = start // SIDE
        apart_in = _Apart(batch, apart)
        for first, scores in _tiles(vectors, batch, batches, number):
            apart_in.blank(scores, first)
            found = np.flatnonzero(scores >= least)
            places, others = np.divmod(found, scores.shape[1])
            one, other, similarities = batch[places], others + first, scores.reshape(-1)[found]
            if not mutual:
                yield one, other, similarities
                continue
            whose = batches[other]
            fresh, back = whose >= number, whose > number
            yield (
                np.concatenate([one[fresh], other[back]]),
                np.concatenate([other[fresh], one[back]]),
                np.concatenate([similarities[fresh], similarities[back]]),
            )


def _tiles(vectors: Floats, batch: Rows, batches: Rows, number: int) -> Iterator[tuple[int, Floats]]:
    """The products of a batch of rows and of all: (first column, (rows, columns)), to be used before the next is taken.
    From the first column on that was no row of a batch before."""
    if len(batch) <= FEW:
        yield 0, products(vectors[batch], vectors)
        return
    left = vectors[batch]
    held = np.empty(len(batch) * min(WIDTH, len(vectors)), np.float32)
    begin = int(np.argmax(batches >= number))
    for first in range(begin, len(vectors), WIDTH):
        right = vectors[first : first + WIDTH]
        scores = held[: len(left) * len(right)].reshape(len(left), len(right))
        yield first, np.matmul(left, right.T, out=scores)


class _Apart:
    """The places in the tiles of a batch where a face meets itself, or one that it is not to be compared with."""

    def __init__(self, batch: Rows, apart: Mapping[int, set[int]]) -> None:
        met = [(place, other) for place, row in enumerate(batch.tolist()) for other in apart.get(row, ())]
        pairs = np.array([*zip(range(len(batch)), batch.tolist(), strict=True), *met], np.intp).reshape(-1, 2)
        self._places, self._others = pairs[np.argsort(pairs[:, 1])].T

    def blank(self, scores: Floats, first: int) -> None:
        """Let them not be alike. first: the row that the first column is of."""
        start, end = np.searchsorted(self._others, [first, first + scores.shape[1]])
        scores[self._places[start:end], self._others[start:end] - first] = 0
