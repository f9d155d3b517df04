"""All unknown faces in memory, grouped, and kept level with the store that workers and other web processes write to."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from visage.core.errors import NoFaceError, NoObjectError, StorageError
from visage.core.names import lookup_name
from visage.core.ports.objects import Objects
from visage.core.unknown.cluster import Clusters
from visage.core.unknown.kept import (
    FACES,
    TRIES,
    Haul,
    Stands,
    State,
    Unknown,
    faces_key,
    haul_from_bytes,
    haul_to_bytes,
)
from visage.core.values import Floats

# The store is listed at most every LOOK seconds, and for no more than a share of SPENT of the time. What was written so
# shortly before a look (seconds) may be written again without looking different, so it is read once more.
LOOK = 1.0
SPENT = 0.1
UNSETTLED = 3.0
# A face that is asked for and not there may just have come: for its sake the store is listed sooner, yet for no more
# than this share of the time, whoever asks for how many that never were.
ASKED = 0.25

_TOGETHER = 8  # objects read at a time


@dataclass(frozen=True, slots=True)
class Held:
    """A face in memory. haul: what its job brought, less the places in the answer; sightings: how many those were."""

    haul: Haul
    face: Unknown
    sightings: int


class Pile:
    """Used by many threads. model: faces that another one embedded are known, but not grouped."""

    def __init__(
        self, objects: Objects, make_clusters: Callable[[], Clusters], model: str, now: Callable[[], float]
    ) -> None:
        self._objects = objects
        self._make_clusters = make_clusters
        self._model = model
        self._now = now
        self._lock = threading.RLock()
        self._marks: dict[str, tuple[int, float]] = {}
        self._hauls: dict[str, Haul] = {}  # less what is long and seldom needed
        self._faces: dict[str, Held] = {}
        self._clusters: dict[str, Clusters] = {}
        self._units: dict[str, _Unit] = {}
        self._groups: dict[str, list[list[Held]]] = {}
        self._looked = -UNSETTLED
        self._took = 0.0  # the last look, in seconds

    def groups(self, collection: str) -> list[list[Held]]:
        """The faces of the collection by who they seem to be, less those that are named. The very same list as long as
        nothing has changed."""
        with self._lock:
            self._level()
            collection = lookup_name(collection)
            clusters = self._clusters.get(collection)
            if clusters is None:
                return []
            if collection not in self._groups:
                self._groups[collection] = [self._faces_of(group) for group in clusters.groups()]
            return self._groups[collection]

    def group(self, collection: str, face_id: str) -> list[Held]:
        """Those of the same person as this face, itself among them. Raises `NoFaceError`."""
        with self._lock:
            held = self.face(collection, face_id)
            clusters = self._clusters.get(held.haul.collection)
            if held.face.state is State.NAMED or held.haul.model != self._model or clusters is None:
                return [held]
            return self._faces_of(clusters.group_of(_unit_id(held.haul.job, held.face.group)))

    def face(self, collection: str | None, face_id: str) -> Held:
        """Raises `NoFaceError` where it is in none, or in another collection."""
        with self._lock:
            self._level(missing=face_id not in self._faces)
            held = self._faces.get(face_id)
        if held is None or (collection is not None and lookup_name(collection) != held.haul.collection):
            raise NoFaceError(f"there is no unknown face {face_id!r}, or not any more")
        return held

    def refresh(self) -> None:
        """Look right now."""
        with self._lock:
            self._level(force=True)

    def all(self) -> list[Held]:
        """As they are in the store right now."""
        with self._lock:
            self._level(force=True)
            return list(self._faces.values())

    def jobs(self, before: float) -> list[str]:
        """Those that were handed in before that time."""
        with self._lock:
            self._level(force=True)
            return [haul.job for haul in self._hauls.values() if haul.created < before]

    def change(
        self, job: str, change: Callable[[Unknown], Unknown | None], later: dict[str, Haul | None] | None = None
    ) -> int:
        """Write a job's faces anew, each as `change` says, without those that it gives None for; how many changed.
        later: where what was written is noted for `settle`, since grouping anew for each of many jobs takes long."""
        key = faces_key(job)
        for _ in range(TRIES):
            try:
                data, version = self._objects.read(key)
            except NoObjectError:
                self._forget(key)
                return 0
            haul = haul_from_bytes(data, key)
            faces = [(face, change(face)) for face in haul.faces]
            changed = sum(after is not before for before, after in faces)
            if not changed:
                return 0
            haul = replace(haul, faces=tuple(after for _, after in faces if after is not None))
            if self._objects.replace(key, haul_to_bytes(haul), version):
                if not haul.faces:  # the file's name may tell who they were
                    self._objects.delete([key])
                written = {key: haul if haul.faces else None}
                if later is None:
                    self.settle(written)
                else:
                    later.update(written)
                return changed
        raise StorageError(f"{key}: it is written again and again; try again")

    def settle(self, written: Mapping[str, Haul | None]) -> None:
        """Bring the memory level with what was written."""
        with self._lock:
            self._take(written)

    def read(self, job: str) -> Haul | None:
        """What the job brought, with the places that its faces stand for."""
        try:
            return haul_from_bytes(self._objects.get(faces_key(job)), faces_key(job))
        except NoObjectError:
            return None

    def drop(self, job: str) -> int:
        """Forget a job that was deleted from the store; how many faces."""
        return self._forget(faces_key(job))

    def _forget(self, key: str) -> int:
        with self._lock:
            count = len(self._hauls[key].faces) if key in self._hauls else 0
            self._take({key: None})
            self._marks.pop(key, None)
            return count

    def _level(self, *, force: bool = False, missing: bool = False) -> None:
        now = self._now()
        pause = self._took / ASKED if missing else max(LOOK, self._took / SPENT)
        if not force and 0 <= now - self._looked < pause:
            return
        marks = {stored.key: (stored.size, stored.modified) for stored in self._objects.list(FACES)}
        self._took = self._now() - now
        settled = self._looked - UNSETTLED
        stale = [key for key, mark in marks.items() if mark != self._marks.get(key) or mark[1] > settled]
        with ThreadPoolExecutor(_TOGETHER) as threads:
            read = dict(zip(stale, threads.map(self._read, stale), strict=True))
        gone: dict[str, Haul | None] = dict.fromkeys(self._hauls.keys() - marks.keys())
        self._take({**gone, **read})
        self._marks = marks
        self._looked = now

    def _read(self, key: str) -> Haul | None:
        """None too for what is damaged: one of a thousand objects is not to hide the others."""
        try:
            data = self._objects.get(key)
        except NoObjectError:
            return None
        try:
            return haul_from_bytes(data, key)
        except StorageError:
            return None

    def _take(self, hauls: Mapping[str, Haul | None]) -> None:
        """Bring the memory level with these objects, of which None are no more."""
        known = [self._hauls[key] for key in hauls if key in self._hauls]
        before = {face.id: self._faces[face.id] for haul in known for face in haul.faces}
        after = {held.face.id: held for haul in hauls.values() if haul for held in _held(haul)}
        for key, haul in hauls.items():
            if haul:
                self._hauls[key] = _bare(haul)
            else:
                self._hauls.pop(key, None)
        self._regroup({unit: self._units[unit] for haul in known for unit in _unit_ids(haul) if unit in self._units},
                      {unit.id: unit for haul in hauls.values() if haul for unit in self._units_of(haul)})  # fmt: skip
        for one in before:
            del self._faces[one]
        self._faces.update(after)
        for held in (*before.values(), *after.values()):
            self._groups.pop(held.haul.collection, None)

    def _regroup(self, before: Mapping[str, "_Unit"], after: Mapping[str, "_Unit"]) -> None:
        """Take those units out of their groups that are not the same any more, and put in those that were not there."""
        gone = [unit for unit in before.values() if unit.id not in after or after[unit.id].faces != unit.faces]
        come = [unit for unit in after.values() if unit.id not in before or before[unit.id].faces != unit.faces]
        for collection, units in _by_collection(gone).items():
            self._clusters[collection].remove([unit.id for unit in units])
        for unit in gone:
            del self._units[unit.id]
        for collection, units in _by_collection(come).items():
            clusters = self._clusters.setdefault(collection, self._make_clusters())
            vectors = np.stack([unit.vector for unit in units])
            clusters.add([unit.id for unit in units], vectors, [unit.pictures for unit in units])
        self._units.update({unit.id: unit for unit in come})

    def _units_of(self, haul: Haul) -> Iterator["_Unit"]:
        """What of it is grouped: the faces that have no name, those of one group together."""
        if haul.model != self._model:
            return
        for group, faces in haul.groups().items():
            left = [face for face in faces if face.state is not State.NAMED]
            if left:
                total = np.sum([face.vector for face in left], axis=0)
                vector = (total / np.linalg.norm(total)).astype(np.float32)
                ids = tuple(face.id for face in left)
                yield _Unit(_unit_id(haul.job, group), haul.collection, ids, vector, haul.pictures(group))

    def _faces_of(self, units: Iterable[str]) -> list[Held]:
        return [self._faces[one] for unit in units for one in self._units[unit].faces]


@dataclass(frozen=True, slots=True)
class _Unit:
    """Faces of one person in one job: they are never parted. vector: of all of them together."""

    id: str
    collection: str
    faces: tuple[str, ...]
    vector: Floats
    pictures: frozenset[str]


def _unit_id(job: str, group: int) -> str:
    return f"{job}-{group}"


def _unit_ids(haul: Haul) -> set[str]:
    return {_unit_id(haul.job, face.group) for face in haul.faces}


def _by_collection(units: Iterable[_Unit]) -> dict[str, list[_Unit]]:
    found: dict[str, list[_Unit]] = {}
    for unit in units:
        found.setdefault(unit.collection, []).append(unit)
    return found


_NONE = Stands(np.zeros(0, np.int32), np.zeros(0, np.float32))


def _bare(haul: Haul) -> Haul:
    return replace(haul, faces=tuple(replace(face, stands=_NONE) for face in haul.faces), apart=None)


def _held(haul: Haul) -> Iterator[Held]:
    bare = _bare(haul)
    for face, whole in zip(bare.faces, haul.faces, strict=True):
        yield Held(bare, face, len(whole.stands))
