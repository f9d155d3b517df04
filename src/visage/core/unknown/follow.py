"""Faces followed from one picture of a video to the next: who is in the same place and looks the same is the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from visage.core.boxes import iou
from visage.core.values import Floats, Sighting

# A face is the one of the picture before, at most NEARBY seconds ago, where it overlaps with it by SAME_PLACE (IoU) and
# is as similar to it as two faces of one person are.
NEARBY = 0.5
SAME_PLACE = 0.4

_NEVER = -2.0  # below every score


@dataclass(frozen=True)
class Trace:
    """A face in the picture before. group: the person's number, None where it has none; known: it needs none."""

    box: tuple[float, float, float, float]
    vector: Floats
    group: int | None
    known: bool


class Follower:
    """link: the similarity from which on two faces of one video are taken for one person's."""

    def __init__(self, link: float) -> None:
        self._link = link
        self._time = 0.0
        self._traces: list[Trace] = []

    def follow(self, time: float, seen: Sequence[Sighting]) -> list[Trace | None]:
        """For each face of a picture the trace that it goes on with."""
        found: list[Trace | None] = [None] * len(seen)
        if not self._traces or not seen or time - self._time > NEARBY:
            return found
        boxes = np.array([one.face.box for one in seen], np.float32)
        overlaps = iou(boxes, np.array([trace.box for trace in self._traces], np.float32))
        alike = np.stack([vector_of(one) for one in seen]) @ np.stack([trace.vector for trace in self._traces]).T
        scores = np.where((overlaps >= SAME_PLACE) & (alike >= self._link), overlaps + alike, _NEVER)
        for face, trace in best_pairs(scores.astype(np.float32), 0.0):
            found[face] = self._traces[trace]
        return found

    def note(self, time: float, seen: Sequence[Sighting], groups: Sequence[int | None], known: Sequence[bool]) -> None:
        """Whose the faces of that picture are."""
        self._time = time
        self._traces = [
            Trace(one.face.box, vector_of(one), group, is_known)
            for one, group, is_known in zip(seen, groups, known, strict=True)
        ]


def best_pairs(scores: Floats, least: float) -> Iterator[tuple[int, int]]:
    """(n, m) -> pairs of a row and a column, each in one pair at most, those with the highest scores first."""
    scores = scores.copy()
    while scores.size and scores.max() >= least:
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        yield int(row), int(column)
        scores[row], scores[:, column] = _NEVER, _NEVER


def vector_of(seen: Sighting) -> Floats:
    if seen.vector is None:
        raise ValueError("a sighting without its vector cannot be compared")
    return seen.vector
