"""The vectors of each collection, held in memory and kept level with the file."""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from visage.core.errors import GalleryError
from visage.core.index import Index
from visage.sqlite.rows import Collection, read_collection

_ROWS = 8192  # read at a time


class Vectors:
    """One index for each collection that was searched. Used by one thread at a time."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Collection, Index]] = {}

    def level(self, db: sqlite3.Connection, collection: Collection) -> Index:
        """The index as of the transaction that `db` is in; only what changed since the last call is read."""
        held = self._held.pop(collection.name, None)  # if reading fails half-way, the next call starts afresh
        if held and (held[0].number, held[0].dimension) == (collection.number, collection.dimension):
            before, index = held
            if before.version != collection.version:
                _catch_up(db, index, before, collection)
        else:
            index = Index(*_read(db, collection, since=None, count=collection.size, room=collection.size // 4))
        self._held[collection.name] = (collection, index)
        return index

    def refresh(self, db: sqlite3.Connection, name: str) -> None:
        """Bring a collection that is held up to date, or let go of it where it is no more."""
        if name in self._held:
            collection = read_collection(db, name)
            if collection:
                self.level(db, collection)
            else:
                del self._held[name]


def _catch_up(db: sqlite3.Connection, index: Index, before: Collection, now: Collection) -> None:
    query = "SELECT count(*) FROM faces WHERE collection = ? AND changed > ?"
    (changed,) = db.execute(query, (now.number, before.version)).fetchone()
    if changed:
        vectors, faces, people = _read(db, now, before.version, changed)
        index.remove(faces)  # those with a new vector
        index.add(vectors, faces, people)
    if len(index) != now.size:
        rows = db.execute("SELECT number FROM faces WHERE collection = ?", (now.number,))
        here = np.fromiter((number for (number,) in rows), np.int64)
        index.remove(np.setdiff1d(index.faces, here))


def _read(
    db: sqlite3.Connection, collection: Collection, since: int | None, count: int, room: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """All `count` faces, or those changed after version `since`: vectors, face numbers, person numbers.

    The vectors have `room` more rows, which take no memory until they are written to."""
    vectors = np.empty((count + room, collection.dimension), np.float32)
    faces, people = np.empty(count, np.int64), np.empty(count, np.int64)
    query = "SELECT number, person, vector FROM faces WHERE collection = ?"
    if since is None:
        rows = db.execute(f"{query} ORDER BY number", (collection.number,))
    else:
        rows = db.execute(f"{query} AND changed > ?", (collection.number, since))
    start = 0
    while chunk := rows.fetchmany(_ROWS):
        numbers, owners, blobs = zip(*chunk, strict=True)
        end = start + len(chunk)
        data = np.frombuffer(b"".join(blobs), "<f4")
        if end > count or len(data) != len(chunk) * collection.dimension:
            raise GalleryError(f"collection {collection.name}: its vectors are damaged; put a copy of the gallery back")
        vectors[start:end] = data.reshape(len(chunk), -1)
        faces[start:end], people[start:end] = numbers, owners
        start = end
    if start != count:
        raise GalleryError(f"collection {collection.name}: faces are missing; put a copy of the gallery back")
    return vectors, faces, people
