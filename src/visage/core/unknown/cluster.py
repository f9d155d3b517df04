"""Unknown faces -> people to be named.

Average linkage (Sokal and Michener, Univ. Kansas Sci. Bull. 38, 1958): whichever two groups are most alike, on average
over every two of their faces, are joined, until no two are alike enough or those that are were seen on one picture.

What is joined first does not depend on what may be joined later. So it is done level by level, from the most alike
down, and at each level only groups that are alike enough for it hang together: they are few, where all that are alike
at all would form a chain through thousands of lookalikes. A change is followed up from level to level as far as groups
differ from what they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visage.core.cards import EmbedderCard
from visage.core.unknown.alike import Rows
from visage.core.unknown.linkage import Compared, parts
from visage.core.unknown.neighbors import Change, Neighbors, rank_of
from visage.core.values import Floats

# Chosen on LFW's View 1 training list: see docs/decisions/inbox.md.
LINK_RATE = 2e-5
UNCALIBRATED = 0.4  # of the way from the threshold of a comparison of two pictures to 1

NEIGHBORS = 32
LEVELS = 8
WIDER = 1.22  # how much farther apart, from level to level, groups may be


@dataclass(frozen=True, slots=True)
class Thresholds:
    """link: the least cosine, on average, of one person's faces. calibrated: whether it follows from a calibration."""

    link: float
    calibrated: bool


def thresholds_for(card: EmbedderCard) -> Thresholds:
    """For a card that was never calibrated, or on too little, a cautious guess from its threshold for two pictures."""
    guess = card.threshold + (1.0 - card.threshold) * UNCALIBRATED
    if card.calibration is None:
        return Thresholds(guess, calibrated=False)
    link, limited = card.calibration.threshold_for(LINK_RATE, 1)
    return Thresholds(max(link, guess) if limited else link, calibrated=not limited)


class Clusters:
    """Faces in groups, each face in exactly one. After any additions and removals the groups are those that the faces
    make when they are all added at once; a change costs what its neighbors cost. Used by one thread at a time."""

    def __init__(self, link: float, *, neighbors: int = NEIGHBORS) -> None:
        """link: see `Thresholds`. neighbors: so many are kept of each face, at most; only groups between which there
        are some are compared. Raises `ValueError` for a link that is not above 0 and at most 1."""
        self._neighbors = Neighbors(link, neighbors)
        self._least = [1.0 - (1.0 - link) * WIDER ** (level - LEVELS) for level in range(LEVELS + 1)]
        self._rows: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        # For each row the least row of its group before each level, and after the last; and of what hangs together with
        # it at each level. -1 where there is no face.
        self._group = np.zeros((LEVELS + 2, 0), np.intp)
        self._company = np.zeros((LEVELS + 1, 0), np.intp)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, face_id: object) -> bool:
        return face_id in self._rows

    def add(self, ids: Sequence[str], vectors: Floats, pictures: Sequence[frozenset[str]]) -> None:
        """Take in m faces: ids (m,), vectors (m, d) float32 unit, pictures (m,) that each was seen on.

        Raises `ValueError` for an id that is there already or comes twice, for other shapes and for vectors that are
        not unit; then nothing is changed.
        """
        if len(set(ids)) != len(ids) or not self._rows.keys().isdisjoint(ids):
            raise ValueError("a face can be added only once")
        if not len(ids):
            return
        rows, change = self._neighbors.add(ids, vectors, pictures)
        for face_id, row in zip(ids, rows.tolist(), strict=True):
            self._rows[face_id], self._ids[row] = row, face_id
        if more := len(self._neighbors.near) - self._group.shape[1]:
            self._group = np.pad(self._group, ((0, 0), (0, more)), constant_values=-1)
            self._company = np.pad(self._company, ((0, 0), (0, more)), constant_values=-1)
        self._group[0, rows] = rows
        self._renew(change)

    def remove(self, ids: Iterable[str]) -> int:
        """Forget faces; how many of them there were."""
        gone = [face_id for face_id in dict.fromkeys(ids) if face_id in self._rows]
        if gone:
            rows = np.array([self._rows.pop(face_id) for face_id in gone], np.intp)
            for row in rows.tolist():
                del self._ids[row]
            self._group[0, rows] = -1
            self._renew(self._neighbors.remove(rows))
        return len(gone)

    def groups(self) -> list[list[str]]:
        """All groups, the largest first; the ids in each in order."""
        rows = np.flatnonzero(self._group[0] >= 0)
        named = [sorted(self._ids[row] for row in part.tolist()) for part in parts(rows, self._group[-1, rows])]
        return sorted(named, key=lambda ids: (-len(ids), ids[0]))

    def group_of(self, face_id: str) -> list[str]:
        """The ids of this face's group in order, its own among them. Raises `KeyError` where it is not here."""
        mine = self._group[-1, self._rows[face_id]]
        return sorted(self._ids[row] for row in np.flatnonzero(self._group[-1] == mine).tolist())

    def _renew(self, change: Change) -> None:
        """Group anew after a change of who is whose neighbor."""
        changed = change.rows[:0]
        for level, least in enumerate(self._least):
            rows = self._concerned(np.union1d(change.above(rank_of(least)), changed), level)
            here = rows[self._group[0, rows] >= 0]
            before = self._group[level + 1, rows]
            self._company[level, rows] = self._group[level + 1, rows] = -1
            if len(here):
                self._company[level, here], self._group[level + 1, here] = self._join(here, level, least)
            changed = rows[_differs(before, self._group[level + 1, rows])]

    def _concerned(self, changed: Rows, level: int) -> Rows:
        """The faces whose groups these changed ones may join at a level, or might have joined before they changed."""
        group, company = self._group[level], self._company[level]
        least = self._least[level]
        hanging = _mask(len(group), company[changed])
        altered = _mask(len(group), group[changed])
        near = self._neighbors.around(changed, rank_of(least))
        others = _mask(len(group), group[near[~hanging[company[near]]]]) & ~altered
        if others.any():
            rows = np.flatnonzero((altered | others)[group])
            first, labels = np.unique(group[rows], return_inverse=True)
            pairs = self._neighboring(rows, labels, rank_of(least))
            pairs = pairs[others[first[pairs]].sum(axis=1) == 1]
            if len(pairs):
                alike = pairs[Compared.of(self._neighbors, rows, labels).alike(pairs, least)]
                hanging |= _mask(len(group), company[first[alike]])
        concerned = hanging[company]
        concerned[changed] = True
        return np.flatnonzero(concerned)

    def _join(self, rows: Rows, level: int, least: float) -> tuple[Rows, Rows]:
        """Join the groups of these faces that are alike enough for a level. Returns for each face the least row of all
        that hangs together with it, and the least row of its new group."""
        first, group = np.unique(self._group[level, rows], return_inverse=True)
        pairs = self._neighboring(rows, group, rank_of(least))
        hangs, joined = first.copy(), first.copy()
        if len(pairs):
            compared, pairs = np.unique(pairs, return_inverse=True)
            theirs = np.isin(group, compared)
            some = Compared.of(self._neighbors, rows[theirs], group[theirs])
            for part in some.hanging_together(pairs, least):
                hangs[compared[part]] = first[compared[part]].min()
                for together in some.join(part, least, self._neighbors.rivals):
                    joined[compared[together]] = first[compared[together]].min()
        return hangs[group], joined[group]

    def _neighboring(self, rows: Rows, group: Rows, rank: int) -> Rows:
        """(k, 2): which of the groups of these faces have neighbors in each other, each two once."""
        near = self._neighbors.near
        near_enough = self._neighbors.ranks[rows] >= rank
        group_of = np.full(len(near), -1)
        group_of[rows] = group
        others = group_of[near[rows][near_enough]]
        own = np.repeat(group, near_enough.sum(axis=1))
        apart = (others >= 0) & (others != own)
        own, others = own[apart], others[apart]
        codes = np.unique(np.minimum(own, others) * len(near) + np.maximum(own, others))
        return np.stack(np.divmod(codes, len(near)), axis=1)


def _mask(count: int, rows: Rows) -> NDArray[np.bool_]:
    """(count + 1,): which rows these are. The last place stands for -1, which is none."""
    mask = np.zeros(count + 1, np.bool_)
    mask[rows] = True
    mask[-1] = False
    return mask


def _differs(before: Rows, after: Rows) -> NDArray[np.bool_]:
    """Which faces are in a group of other faces than before, -1 being none."""
    (old, old_sizes), (new, new_sizes), (both, sizes) = (
        np.unique(labels, return_inverse=True, return_counts=True)[1:]
        for labels in (before, after, before * (after.max() + 2) + after)
    )
    same = (before >= 0) & (after >= 0) & (old_sizes[old] == sizes[both]) & (new_sizes[new] == sizes[both])
    return np.asarray(~same, dtype=np.bool_)
