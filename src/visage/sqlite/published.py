"""The published gallery: one SQLite file of names and vectors in an object store, written by one, read by many.

It holds who is hidden and who a face is not, but no crops, no points, no qualities, and not where a face came from:
what is not needed to recognize people.
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from visage.core.errors import GalleryError, NoGalleryError, NoObjectError, PublishedError, StorageError
from visage.core.galleries.gallery import TableGallery
from visage.core.galleries.lookup import page
from visage.core.galleries.tables import Tables, little_endian
from visage.core.galleries.vectors import Vectors
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.values import EnrolledFace
from visage.sqlite.faults import explained
from visage.sqlite.rows import SqliteTables
from visage.sqlite.schema import SCHEMA, check, upgrade

EVERY = 2.0  # seconds, within which the store is not asked again whether there is a newer copy
GRACE = 60.0  # seconds for which a copy is good when the store cannot be reached: removing somebody is a promise
_TRIES = 3

# What is not published of a face.
_UNSAID = "landmarks, source, digest, quality, created"
_BLANK = """x'', '', '', '{"size":0,"sharpness":0,"yaw":0,"pitch":0,"roll":0,"score":0}', 0"""


def pack(gallery: Gallery, version: str) -> bytes:
    """The file to publish. version: the gallery's, from before the call; it is kept inside.

    What changes while the gallery is read may be in it or not, so by itself it is whole only if nothing did. Raises
    `GalleryError` where one collection gets a new model again and again.
    """
    for _ in range(_TRIES):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            upgrade(db)
            db.execute("CREATE TABLE published (version TEXT NOT NULL) STRICT")
            db.execute("INSERT INTO published VALUES (?)", (version,))
            db.execute("BEGIN")
            whole = all(_pack_collection(db, gallery, name) for name in gallery.collections())
            db.execute("COMMIT")
            if whole:
                return db.serialize()
    raise GalleryError("the gallery's vectors were replaced while they were read; publish it again")


def _pack_collection(db: sqlite3.Connection, gallery: Gallery, name: str) -> bool:
    """False where its model changed meanwhile. Who has no face in it is left out."""
    people = {person.id: (number, person) for number, person in enumerate(gallery.people(name), _next(db, "people"))}
    collection, first = _next(db, "collections"), _next(db, "faces")
    seen: set[str] = set()
    models: set[tuple[str, int]] = set()

    def rows() -> Iterator[tuple[object, ...]]:
        for number, face in enumerate(gallery.faces(name, crops=False), first):
            if face.person_id in people:  # who is new belongs to the next version
                seen.add(face.person_id)
                models.add((face.model, len(face.vector)))
                yield number, collection, people[face.person_id][0], face.id, little_endian(face.vector)

    db.executemany(
        f"""INSERT INTO faces (number, collection, person, id, vector, changed, {_UNSAID})
            VALUES (?, ?, ?, ?, ?, 0, {_BLANK})""",
        rows(),
    )
    denials = [face for face in gallery.denials(name, crops=False) if face.person_id in seen]
    models.update((face.model, len(face.vector)) for face in denials)
    if len(models) > 1:
        return False
    for model, dimension in models:
        row = (collection, name, model, dimension, _next(db, "faces") - first, bool(denials))
        db.execute("INSERT INTO collections VALUES (?, ?, ?, ?, ?, 0, ?)", row)
    kept = (
        (number, collection, who.id, who.name, who.created, who.hidden)
        for number, who in people.values()
        if who.id in seen
    )
    db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", kept)
    db.executemany(
        f"""INSERT INTO denials (collection, person, id, vector, {_UNSAID})
            VALUES (?, ?, ?, ?, {_BLANK})""",
        ((collection, people[face.person_id][0], face.id, little_endian(face.vector)) for face in denials),
    )
    return True


def _next(db: sqlite3.Connection, table: str) -> int:
    (highest,) = db.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()
    return int(highest) + 1


def check_place(path: Path) -> None:
    """Raises `GalleryError` where the file is no published gallery, such as somebody's gallery itself."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("SELECT version FROM published")
    except sqlite3.Error as error:
        raise GalleryError(
            f"{path}: it is there and was not made by `visage gallery publish`; name another, or move it away"
        ) from error


class PublishedGallery(TableGallery):
    """`core.ports.gallery.Gallery` for reading, from a copy held in memory: nobody's data touches this machine's disk.
    A copy of an older schema is brought up to this one there.

    A use looks for a newer copy if the last look is `EVERY` seconds ago. Where the store cannot be reached the copy
    is good for `GRACE` seconds after the last look that succeeded; then it is dropped, and every use raises
    `StorageError` until the store is back. Where there is nothing, or no more, every use raises `NoGalleryError`.
    """

    def __init__(self, objects: Objects, key: str, *, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        """place: its URL, for messages. Raises `NoGalleryError` where nothing was published, `GalleryError`,
        `StorageError`."""
        super().__init__()
        self._objects = objects
        self._key = key
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._db: sqlite3.Connection | None = None
        self._version = ""
        self._looked = self._reached = clock()
        with self._read():
            pass

    def version(self) -> str:
        """The object's."""
        with self._read():
            return self._version

    def faces(self, collection: str, person_id: str | None = None, *, crops: bool = True) -> Iterator[EnrolledFace]:
        """As the port says; all in one look, as numbers differ from copy to copy."""
        with self._read() as tables:
            return iter([face for _, face in page(tables, collection, person_id, 0, sys.maxsize, crops=crops)])

    def close(self) -> None:
        """Forget the copy; a second time, nothing happens."""
        with self._lock:
            self._closed = True
            self._drop()

    @contextmanager
    def _read(self) -> Iterator[Tables]:
        with self._lock, explained(self._place):
            if self._closed:
                raise GalleryError(f"{self._place}: this gallery was closed; open it again")
            yield SqliteTables(self._level())

    def _scrub(self, _: str) -> NoReturn:
        self._write()

    def _write(self) -> NoReturn:
        raise PublishedError(f"{self._place}: it is a published copy; change the gallery it was made from")

    def _level(self) -> sqlite3.Connection:
        """The newest copy, as far as it is time to look."""
        now = self._clock()
        if self._db and now - self._looked < EVERY:
            return self._db
        try:
            version = self._objects.version(self._key)
            if version is None:
                raise NoObjectError(self._key)
            if not self._db or version != self._version:
                data, version = self._objects.read(self._key)
                self._drop()
                self._db, self._version = _open(data, self._place), version
            self._reached = now
            return self._db
        except NoObjectError:
            self._drop()
            raise NoGalleryError(
                f"{self._place}: nothing is published there; publish a gallery with `visage gallery publish`"
            ) from None
        except StorageError:
            if self._db and now - self._reached < GRACE:
                return self._db
            self._drop()
            raise
        finally:
            self._looked = self._clock()  # a look that failed may have taken long

    def _drop(self) -> None:
        if self._db:
            self._db.close()
        self._db = None
        self._vectors = Vectors()


def _open(data: bytes, place: str) -> sqlite3.Connection:
    if data[:15] != b"SQLite format 3" or data[18:20] != b"\x01\x01":  # else it needs a log beside it
        raise GalleryError(
            f"{place}: it was not made by `visage gallery publish`; name another "
            "(a gallery's own file is named sqlite:///PATH)"
        )
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        db.deserialize(data)
        if check(db, place) < SCHEMA:
            upgrade(db)
        db.execute("PRAGMA query_only = ON")
    except (sqlite3.Error, GalleryError):
        db.close()
        raise
    return db
