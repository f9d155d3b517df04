"""The gallery in one SQLite file: the truth on one machine."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from visage.core.errors import GalleryError, OtherModelError, StorageError, UsageError, VisageError
from visage.core.names import check_name
from visage.core.values import Candidate, Embeddings, EnrolledFace, Person
from visage.sqlite.faults import explained
from visage.sqlite.rows import (
    Collection,
    add_collection,
    add_face,
    add_person,
    blob,
    find_person,
    name_candidates,
    need_person,
    read_collection,
    read_faces,
    read_ids,
    read_people,
)
from visage.sqlite.schema import connect, prepare, wipe
from visage.sqlite.vectors import Vectors

_PAGE = 64  # faces read at a time, with their crops


class SqliteGallery:
    """`core.ports.Gallery` in a file that only its owner may read.

    Any number of threads and processes may use the file at once: reading never waits for writing, and who wants to
    write waits `wait` seconds for others before a `StorageError`. The file must not lie on a network share.

    A `portable` file is made for handing on: it is one file at any time, with no log beside it, and safe against a
    power cut once it is closed. A file that exists is taken as it was made.
    """

    def __init__(self, path: Path, *, create: bool, portable: bool = False, wait: float = 30.0) -> None:
        """Raises `NoGalleryError` where there is no file and `create` is false, `GalleryError` where it is not a
        gallery or made by a newer Visage, `StorageError` where it cannot be read."""
        self._path = path
        self._portable = portable
        self._wait = wait
        self._closed = False
        self._vectors = Vectors()
        # Two connections, so that a writer who waits for another process does not hold up this one's readers.
        self._reading, self._writing = threading.Lock(), threading.Lock()
        with explained(path):
            prepare(path, create=create, portable=portable, wait=wait)
            self._reader, self._writer = connect(path, wait), connect(path, wait)
            if portable:
                self._writer.execute("PRAGMA synchronous = OFF")
        self._settle()

    def people(self, collection: str) -> list[Person]:
        with self._read() as db:
            held = read_collection(db, collection)
            people = read_people(db, held) if held else []
        return sorted(people, key=lambda person: (person.name.casefold(), person.name))

    def person(self, collection: str, name: str) -> Person:
        with self._read() as db:
            return need_person(db, collection, name, by_name=True)[2]

    def faces(self, collection: str, person_id: str | None = None) -> Iterator[EnrolledFace]:
        last = 0
        while True:
            with self._read() as db:  # page by page: a statement left open would keep others from erasing
                held = read_collection(db, collection)
                page = read_faces(db, held, person_id, last, _PAGE) if held else []
            if not page:
                return
            for number, face in page:
                yield face
                last = number

    def model(self, collection: str) -> str | None:
        with self._read() as db:
            held = read_collection(db, collection)
        return held.model if held else None

    def size(self, collection: str) -> int:
        with self._read() as db:
            held = read_collection(db, collection)
        return held.size if held else 0

    def add(self, collection: str, name: str, face: EnrolledFace) -> Person:
        collection, name = check_name(collection), check_name(name)
        _check_vectors(face.vector[None])
        with self._write() as db:
            held = read_collection(db, collection) or add_collection(db, collection, face.model, len(face.vector))
            row = db.execute(
                "SELECT person FROM faces WHERE collection = ? AND id = ?", (held.number, face.id)
            ).fetchone()
            if row:
                return _need(find_person(db, held, number=row[0]))
            _check_model(held, face.model, len(face.vector))
            found = find_person(db, held, name=name)
            number = found[0] if found else add_person(db, held, name, face.person_id, face.created)
            add_face(db, held, number, face)
            _bump(db, held, faces=1)
            return _need(find_person(db, held, number=number))

    def rename(self, collection: str, person_id: str, name: str) -> Person:
        name = check_name(name)
        with self._write() as db:
            held, number, person = need_person(db, collection, person_id, by_name=False)
            other = find_person(db, held, name=name)
            if other and other[0] != number:
                raise UsageError(f"somebody else in {collection!r} is called {name!r}; choose another name")
            if name == person.name:
                return person
            db.execute("UPDATE people SET name = ? WHERE number = ?", (name, number))
            _bump(db, held, faces=0)
            return _need(find_person(db, held, number=number))

    def remove(self, collection: str, person_id: str) -> int:
        """As the port says. What a `StorageError` left on the disk is erased when a gallery next opens the file, or
        this one removes somebody or closes. Copies that the disk itself or a backup keeps are beyond reach."""
        with self._write() as db:
            held, number, person = need_person(db, collection, person_id, by_name=False)
            db.execute("DELETE FROM faces WHERE person = ?", (number,))
            db.execute("DELETE FROM people WHERE number = ?", (number,))
            _bump(db, held, faces=-person.faces)
            if held.size == person.faces:
                db.execute("DELETE FROM collections WHERE number = ?", (held.number,))
            db.execute("UPDATE wipe SET owed = owed + 1")
        with self._read() as db:
            self._vectors.refresh(db, held.name)
        try:
            with self._writing, explained(self._path):
                wipe(self._writer, self._path)
        except StorageError as error:
            raise StorageError(
                f"{person.name!r} is removed, but not yet erased from the disk; "
                f"that is made up for when the gallery is next opened. The reason: {error}"
            ) from error
        return person.faces

    def replace_vectors(self, collection: str, face_ids: Sequence[str], vectors: Embeddings) -> None:
        if len(face_ids) != len(vectors):
            raise ValueError(f"{len(face_ids)} faces, but {len(vectors)} vectors")
        _check_vectors(vectors.vectors)
        with self._write() as db:
            held = read_collection(db, collection)
            if sorted(face_ids) != sorted(read_ids(db, held) if held else []):
                raise GalleryError(f"the faces of {collection!r} changed meanwhile; nothing was replaced, try again")
            if not held:
                return
            rows = zip(map(blob, vectors.vectors), face_ids, strict=True)
            statement = "UPDATE faces SET vector = ?, changed = ? WHERE collection = ? AND id = ?"
            db.executemany(statement, ((data, held.version + 1, held.number, face) for data, face in rows))
            statement = "UPDATE collections SET model = ?, dimension = ? WHERE number = ?"
            db.execute(statement, (vectors.model, vectors.vectors.shape[1], held.number))
            _bump(db, held, faces=0)

    def search(self, collection: str, probes: Embeddings, k: int) -> list[list[Candidate]]:
        with self._read() as db:
            held = read_collection(db, collection)
            if not held:
                return [[] for _ in range(len(probes))]
            _check_model(held, probes.model, probes.vectors.shape[1])
            hits = self._vectors.level(db, held).search(probes.vectors, k)
            names = name_candidates(db, sorted({face for row in hits for _, face, _ in row}))
        return [[Candidate(*names[face], similarity) for _, face, similarity in row] for row in hits]

    def close(self) -> None:
        """Let go of the file; a second time, nothing happens."""
        with self._reading, self._writing, explained(self._path):
            if self._closed:
                return
            self._settle()
            self._closed = True
            self._reader.close()
            self._writer.close()
            if self._portable:
                with self._path.open("rb") as file:
                    os.fsync(file.fileno())

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """One consistent look at the file."""
        with self._reading, explained(self._path):
            self._check_open()
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one writer at a time."""
        with self._writing, explained(self._path):
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:  # something was raised
                    self._writer.execute("ROLLBACK")

    def _settle(self) -> None:
        """Erase what an earlier removal had to leave, if that can be done at once."""
        self._writer.execute("PRAGMA busy_timeout = 0")
        try:
            with explained(self._path):
                wipe(self._writer, self._path)
        except VisageError:
            pass  # it stays on record, and a damaged file is reported by whoever reads it
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {int(self._wait * 1000)}")

    def _check_open(self) -> None:
        if self._closed:
            raise GalleryError(f"{self._path}: this gallery was closed; open it again")


def _check_vectors(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise ValueError("vectors must be unit vectors")


def _check_model(held: Collection, model: str, dimension: int) -> None:
    if (held.model, held.dimension) != (model, dimension):
        raise OtherModelError(
            f"the faces of {held.name!r} were enrolled with the model {held.model!r} ({held.dimension} numbers), which "
            f"cannot be compared with {model!r} ({dimension}); choose that model, or run `visage people migrate`"
        )


def _bump(db: sqlite3.Connection, held: Collection, faces: int) -> None:
    statement = "UPDATE collections SET version = version + 1, size = size + ? WHERE number = ?"
    db.execute(statement, (faces, held.number))


def _need(found: tuple[int, Person] | None) -> Person:
    if not found:
        raise GalleryError("a face belongs to nobody: the gallery is damaged; put a copy of it back")
    return found[1]
