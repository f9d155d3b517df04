"""Units of unknown faces in groups, where few that come are grouped at once, and many on a thread of their own: whoever
asks meanwhile is told what there is."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np

from visage.core.unknown.cluster import Clusters
from visage.core.values import Floats

# So many are grouped while who brings them waits: a fraction of a second, among 100,000.
AT_ONCE = 500

# Many are grouped in steps, each this many times as large as all before it: something is to be seen soon, and the steps
# before the last one take little.
STEP = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """Faces of one person in one job: they are never parted. faces: their ids. vector: of all of them together, unit.
    pictures: names of those they were seen in."""

    id: str
    collection: str
    faces: tuple[str, ...]
    vector: Floats
    pictures: frozenset[str]


class Grouping:
    """Used by many threads. Nobody waits for the grouping of more than `at_once` units. Once it is not `behind`, the
    groups are those that all units make together, in whatever order and however many at a time they came."""

    def __init__(self, make_clusters: Callable[[], Clusters], *, at_once: int = AT_ONCE) -> None:
        self._make_clusters = make_clusters
        self._at_once = at_once
        self._lock = threading.Lock()
        self._wanted: dict[str, Unit] = {}
        # What is grouped, and what differs from what is wanted. While the thread is there they are its own, and so are
        # the clusters.
        self._grouped: dict[str, Unit] = {}
        self._behind: dict[str, None] = {}
        self._clusters: dict[str, Clusters] = {}
        self._more = False
        self._thread: threading.Thread | None = None
        # By collection: the ids in each group, as of the last grouping; and the groups as they are shown.
        self._parts: dict[str, list[list[str]]] = {}
        self._shown: dict[str, list[list[Unit]]] = {}

    @property
    def behind(self) -> bool:
        """Whether something is not grouped yet."""
        with self._lock:
            return bool(self._behind) or self._more or self._thread is not None

    def change(self, gone: Collection[str], come: Iterable[Unit]) -> None:
        """Take out units by their ids, and put others in; one that is in both, or there already, is replaced."""
        with self._lock:
            for one in gone:
                if unit := self._wanted.pop(one, None):
                    self._differs(unit)
            for unit in come:
                self._wanted[unit.id] = unit
                self._differs(unit)
            self._go_on()

    def expect(self, more: bool) -> None:
        """Whether many will come soon, a few at a time: they are better grouped together."""
        with self._lock:
            self._more = more
            self._go_on()

    def groups(self, collection: str) -> list[list[Unit]]:
        """The very same list as long as nothing has changed."""
        with self._lock:
            if collection not in self._shown:
                units = [[self._wanted[one] for one in part if one in self._wanted] for part in self._ids(collection)]
                self._shown[collection] = [group for group in units if group]
            return self._shown[collection]

    def group(self, unit_id: str) -> list[Unit]:
        """Those of the same person as this one, itself among them. Raises `KeyError` for one that is not there."""
        with self._lock:
            unit = self._wanted[unit_id]
            clusters = self._clusters.get(unit.collection)
            if self._thread is None and clusters is not None and unit_id in clusters:
                part = clusters.group_of(unit_id)
            else:
                part = next((part for part in self._parts.get(unit.collection, ()) if unit_id in part), [unit_id])
            return [self._wanted[one] for one in part if one in self._wanted]

    def _ids(self, collection: str) -> list[list[str]]:
        clusters = self._clusters.get(collection)
        if self._thread is None and clusters is not None and collection not in self._parts:
            self._parts[collection] = clusters.groups()
        return self._parts.get(collection, [])

    def _differs(self, unit: Unit) -> None:
        """Note whether what is grouped of this unit is not what is wanted."""
        wanted, grouped = self._wanted.get(unit.id), self._grouped.get(unit.id)
        if (wanted and wanted.faces) == (grouped and grouped.faces):
            self._behind.pop(unit.id, None)
        else:
            self._behind[unit.id] = None
        self._shown.pop(unit.collection, None)

    def _go_on(self) -> None:
        if self._thread or not self._is_time():
            return
        if self._more or len(self._behind) > self._at_once:
            for collection in self._clusters:
                self._ids(collection)  # what is shown meanwhile
            self._thread = threading.Thread(target=self._work, name="visage-grouping", daemon=True)
            self._thread.start()
            return
        with self._starting_over():
            for collection in self._group(self._next(), self._wanted):
                self._parts.pop(collection, None)
                self._shown.pop(collection, None)

    def _is_time(self) -> bool:
        return bool(self._behind) and (not self._more or len(self._behind) >= self._step())

    def _step(self) -> int:
        return max(self._at_once, STEP * len(self._grouped))

    def _next(self) -> list[str]:
        """What is grouped next."""
        chosen = list(islice(self._behind, self._step()))
        for one in chosen:
            del self._behind[one]
        return chosen

    def _work(self) -> None:
        """Group whatever is behind, a step at a time. The lock is not held while it takes long."""
        with self._starting_over():
            while True:
                with self._lock:
                    if not self._is_time():
                        self._thread = None
                        return
                    chosen = self._next()
                    wanted = {one: self._wanted[one] for one in chosen if one in self._wanted}
                touched = self._group(chosen, wanted)
                parts = {collection: self._clusters[collection].groups() for collection in touched}
                with self._lock:
                    self._parts.update(parts)
                    for collection in touched:
                        self._shown.pop(collection, None)
                    for one in chosen:  # they may be wanted otherwise by now
                        if unit := self._wanted.get(one) or self._grouped.get(one):
                            self._differs(unit)

    @contextmanager
    def _starting_over(self) -> Iterator[None]:
        """What breaks off, such as for want of memory, leaves nothing behind that is half done: all is grouped anew
        with whatever comes next."""
        try:
            yield
        except BaseException:
            self._grouped, self._clusters, self._behind = {}, {}, dict.fromkeys(self._wanted)
            self._thread = None
            raise

    def _group(self, chosen: Iterable[str], wanted: Mapping[str, Unit]) -> set[str]:
        """Take those units out of the groups that are not wanted as they are, and put in those that are; the
        collections of both."""
        gone = [self._grouped.pop(one) for one in chosen if one in self._grouped]
        come = [wanted[one] for one in chosen if one in wanted]
        for collection, units in _by_collection(gone).items():
            self._clusters[collection].remove([unit.id for unit in units])
        for collection, units in _by_collection(come).items():
            if collection not in self._clusters:
                self._clusters[collection] = self._make_clusters()
            vectors = np.stack([unit.vector for unit in units])
            self._clusters[collection].add([unit.id for unit in units], vectors, [unit.pictures for unit in units])
        self._grouped.update((unit.id, unit) for unit in come)
        return {unit.collection for unit in (*gone, *come)}


def _by_collection(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        found[unit.collection].append(unit)
    return found
