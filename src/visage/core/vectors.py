"""The vectors of each collection, held in memory and kept level with a database."""

import numpy as np

from visage.core.errors import GalleryError
from visage.core.index import Index, Numbers
from visage.core.tables import Collection, Tables
from visage.core.values import Floats


class Vectors:
    """One index for each collection that was searched. Used by one thread at a time."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Collection, Index]] = {}

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

    def refresh(self, tables: Tables, name: str) -> None:
        """Bring a collection that is held up to date, or let go of it where it is no more."""
        if name in self._held:
            collection = tables.collection(name)
            if collection:
                self.level(tables, collection)
            else:
                del self._held[name]


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
            raise GalleryError(f"collection {collection.name}: its vectors are damaged; put a copy of the gallery back")
        vectors[start:end] = np.frombuffer(b"".join(blobs), "<f4").reshape(len(chunk), -1)
        faces[start:end], people[start:end] = numbers, owners
        start = end
    if start != count:
        raise GalleryError(f"collection {collection.name}: faces are missing; put a copy of the gallery back")
    return vectors, faces, people
