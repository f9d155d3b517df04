"""All unknown faces in memory, grouped, and kept level with the store that workers and other web processes write to."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from visage.core.cards import EmbedderCard
from visage.core.errors import NoFaceError, NoObjectError, StorageError
from visage.core.names import lookup_name
from visage.core.ports.objects import Objects
from visage.core.unknown.cluster import Clusters, thresholds_for
from visage.core.unknown.grouping import Grouping, Unit
from visage.core.unknown.kept import TRIES, Haul, Stands, State, Unknown, faces_key, haul_from_bytes, haul_to_bytes
from visage.core.unknown.shelf import AT_ONCE, Shelf


@dataclass(frozen=True, slots=True)
class Held:
    """A face in memory. haul: what its job brought, less the places in the answer; sightings: how many those were."""

    haul: Haul
    face: Unknown
    sightings: int


class Pile:
    """Used by many threads. While many faces are read or grouped, nobody waits for it who does not say so."""

    def __init__(
        self, objects: Objects, card: EmbedderCard, now: Callable[[], float], *, at_once: int = AT_ONCE
    ) -> None:
        """card: faces that another embedder measured are known, but not grouped. at_once: so many are read, and
        grouped, while whoever asks waits."""
        self._objects = objects
        self._card = card
        self._lock = threading.RLock()
        self._hauls: dict[str, Haul] = {}  # less what is long and seldom needed
        self._faces: dict[str, Held] = {}
        self._groups: dict[str, tuple[list[list[Unit]], list[list[Held]]]] = {}
        self._grouping = Grouping(lambda: Clusters(thresholds_for(card).link), at_once=at_once)
        self._shelf = Shelf(objects, now, self._take, self._grouping.expect, at_once=at_once)

    @property
    def behind(self) -> bool:
        """Whether not all that lies in the store is read and grouped yet."""
        return self._shelf.reading or self._grouping.behind

    def groups(self, collection: str) -> list[list[Held]]:
        """The faces of the collection by who they seem to be, less those that are named, as far as it is known. The
        very same list as long as nothing has changed."""
        self._shelf.look()
        collection = lookup_name(collection)
        with self._lock:
            units = self._grouping.groups(collection)
            known = self._groups.get(collection)
            if known is None or known[0] is not units:
                known = self._groups[collection] = units, [self._faces_of(group) for group in units]
            return known[1]

    def group(self, collection: str, face_id: str) -> list[Held]:
        """Those of the same person as this face, itself among them. Raises `NoFaceError`."""
        found = self.face(collection, face_id)
        with self._lock:
            held = self._faces.get(face_id)
            if held is None:  # gone just now
                return [found]
            if held.face.state is State.NAMED or held.haul.model != self._card.name:
                return [held]
            return self._faces_of(self._grouping.group(_unit_id(held.haul.job, held.face.group)))

    def face(self, collection: str | None, face_id: str) -> Held:
        """Raises `NoFaceError` where it is in none, or in another collection, and `StorageError` where it may be among
        those that are still read."""
        self._shelf.look(missing=face_id not in self._faces)
        reading = self._shelf.reading
        with self._lock:
            held = self._faces.get(face_id)
        if held is None and reading:
            raise StorageError("the unknown faces are still being read; try again in a moment")
        if held is None or (collection is not None and lookup_name(collection) != held.haul.collection):
            raise NoFaceError(f"there is no unknown face {face_id!r}, or not any more")
        return held

    def reread(self, face_ids: Iterable[str]) -> None:
        """Look right now at these faces, as far as they are known."""
        with self._lock:
            jobs = {self._faces[one].haul.job for one in face_ids if one in self._faces}
        self._shelf.reread(jobs)

    def all(self) -> list[Held]:
        """As they are in the store right now, however long that takes."""
        self._shelf.look_now()
        with self._lock:
            return list(self._faces.values())

    def jobs(self, before: float) -> list[str]:
        """Those that were handed in before that time, however long that takes."""
        self._shelf.look_now()
        with self._lock:
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
                self.drop(job)
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
        self._shelf.put(written)

    def read(self, job: str) -> Haul | None:
        """What the job brought, with the places that its faces stand for."""
        try:
            return haul_from_bytes(self._objects.get(faces_key(job)), faces_key(job))
        except NoObjectError:
            return None

    def drop(self, job: str) -> int:
        """Forget a job that was deleted from the store; how many faces."""
        with self._lock:
            haul = self._hauls.get(faces_key(job))
        self.settle({faces_key(job): None})
        return len(haul.faces) if haul else 0

    def _take(self, hauls: Mapping[str, Haul | None]) -> None:
        """Bring the memory level with these objects, of which None are no more."""
        hauls = {key: haul if haul and self._is_sound(haul) else None for key, haul in hauls.items()}
        with self._lock:
            known = [self._hauls[key] for key in hauls if key in self._hauls]
            before = {face.id: self._faces[face.id] for haul in known for face in haul.faces}
            after = {held.face.id: held for haul in hauls.values() if haul for held in _held(haul)}
            for key, haul in hauls.items():
                if haul:
                    self._hauls[key] = _bare(haul)
                else:
                    self._hauls.pop(key, None)
            for one in before:
                del self._faces[one]
            self._faces.update(after)
            for held in (*before.values(), *after.values()):
                self._groups.pop(held.haul.collection, None)
            units = [unit for haul in hauls.values() if haul for unit in self._units_of(haul)]
            self._grouping.change({unit for haul in known for unit in _unit_ids(haul)}, units)

    def _is_sound(self, haul: Haul) -> bool:
        """Whether its faces can be compared with others."""
        dimension = self._card.dimension
        return haul.model != self._card.name or all(len(face.vector) == dimension for face in haul.faces)

    def _units_of(self, haul: Haul) -> Iterator[Unit]:
        """What of it is grouped: the faces that have no name, those of one group together."""
        if haul.model != self._card.name:
            return
        for group, faces in haul.groups().items():
            left = [face for face in faces if face.state is not State.NAMED]
            if left:
                total = np.sum([face.vector for face in left], axis=0)
                vector = (total / np.linalg.norm(total)).astype(np.float32)
                ids = tuple(face.id for face in left)
                yield Unit(_unit_id(haul.job, group), haul.collection, ids, vector, haul.pictures(group))

    def _faces_of(self, units: Iterable[Unit]) -> list[Held]:
        return [self._faces[one] for unit in units for one in unit.faces]


def _unit_id(job: str, group: int) -> str:
    return f"{job}-{group}"


def _unit_ids(haul: Haul) -> set[str]:
    return {_unit_id(haul.job, face.group) for face in haul.faces}


_NONE = Stands(np.zeros(0, np.int32), np.zeros(0, np.float32))


def _bare(haul: Haul) -> Haul:
    return replace(haul, faces=tuple(replace(face, stands=_NONE) for face in haul.faces), apart=None)


def _held(haul: Haul) -> Iterator[Held]:
    bare = _bare(haul)
    for face, whole in zip(bare.faces, haul.faces, strict=True):
        yield Held(bare, face, len(whole.stands))
