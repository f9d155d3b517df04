"""The vectors of each collection, held in memory and kept level with a database."""

from collections.abc import Sequence

import numpy as np

from visage.core.errors import GalleryError
from visage.core.galleries.tables import Collection, Tables
from visage.core.index import Index, Numbers, similarities
from visage.core.values import Floats


class Denials:
    """The negative examples of a collection: unit vectors (n, d), and the numbers (n,) of the people they are not."""

    def __init__(self, vectors: Floats, people: Numbers) -> None:
        self._vectors = vectors
        self._people = people

    def against(self, probe: Floats, people: Sequence[int]) -> dict[int, float]:
        """Of those among these people who have negative examples: how similar the nearest one is to the probe."""
        rows = np.flatnonzero(np.isin(self._people, people))
        found: dict[int, float] = {}
        for person, similarity in zip(self._people[rows], similarities(self._vectors[rows], probe), strict=True):
            found[int(person)] = max(float(similarity), found.get(int(person), -1.0))
        return found


class Vectors:
    """One index for each collection that was searched, and its negative examples. Used by one thread at a time."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Collection, Index]] = {}
        self._denials: dict[str, tuple[Collection, Denials]] = {}

    def level(self, tables: Tables, collection: Collection) -> Index:
        """The index as of the transaction that `tables` shows; only what changed since the last call is read."""
        held = self._held.pop(collection.name, None)  # if reading fails half-way, the next call starts afresh
        if held and (held[0].number, held[0].dimension) == (collection.number, collection.dimension):
            before, index = held
            if before.version != collection.version:
                _catch_up(tables, index, before, collection)
        else:
            index = Index(*_read(tables, collection, since=None, count=collection.size, room=collection.size // 4))
        self._held[collection.name] = (collection, index)
        return index

    def denials(self, tables: Tables, collection: Collection) -> Denials | None:
        """The negative examples as of that transaction; None where there never was one."""
        if not collection.denied:
            return None
        held = self._denials.get(collection.name)
        if not held or (held[0].number, held[0].denied) != (collection.number, collection.denied):
            held = self._denials[collection.name] = collection, _read_denials(tables, collection)
        return held[1]

    def refresh(self, tables: Tables, name: str) -> None:
        """Bring a collection that is held up to date, or let go of it where it is no more."""
        self._denials.pop(name, None)  # read again by whoever searches next
        if name in self._held:
            collection = tables.collection(name)
            if collection:
                self.level(tables, collection)
            else:
                del self._held[name]


def _read_denials(tables: Tables, collection: Collection) -> Denials:
    rows = tables.denied(collection)
    if any(len(blob) != 4 * collection.dimension for _, blob in rows):
        raise _damaged(collection)
    vectors = np.frombuffer(b"".join(blob for _, blob in rows), "<f4").astype(np.float32)
    people = np.array([person for person, _ in rows], np.int64)
    return Denials(vectors.reshape(-1, collection.dimension), people)


def _catch_up(tables: Tables, index: Index, before: Collection, now: Collection) -> None:
    changed = tables.changed(now, before.version)
    if changed:
        vectors, faces, people = _read(tables, now, before.version, changed)
        index.remove(faces)  # those with a new vector
        index.add(vectors, faces, people)
    if len(index) != now.size:
        index.remove(np.setdiff1d(index.faces, tables.face_numbers(now)))


def _read(
    tables: Tables, collection: Collection, since: int | None, count: int, room: int = 0
) -> tuple[Floats, Numbers, Numbers]:
    """All `count` faces, or those changed after version `since`: vectors, face numbers, person numbers.

    The vectors have `room` more rows, which take no memory until they are written to."""
    vectors = np.empty((count + room, collection.dimension), np.float32)
    faces, people = np.empty(count, np.int64), np.empty(count, np.int64)
    start = 0
    for chunk in tables.vectors(collection, since):
        numbers, owners, blobs = zip(*chunk, strict=True)
        end = start + len(chunk)
        if end > count or any(len(blob) != 4 * collection.dimension for blob in blobs):
            raise _damaged(collection)
        vectors[start:end] = np.frombuffer(b"".join(blobs), "<f4").reshape(len(chunk), -1)
        faces[start:end], people[start:end] = numbers, owners
        start = end
    if start != count:
        raise GalleryError(f"collection {collection.name}: faces are missing; put a copy of the gallery back")
    return vectors, faces, people


def _damaged(collection: Collection) -> GalleryError:
    return GalleryError(f"collection {collection.name}: its vectors are damaged; put a copy of the gallery back")
