"""Rows of the gallery's tables in SQLite, read and written as the core's records."""

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visage.core.galleries.tables import Collection, VectorRow, face_of, little_endian
from visage.core.values import Embeddings, EnrolledFace, Person

_PERSON = """SELECT p.number, p.id, p.name, c.name, (SELECT count(*) FROM faces WHERE person = p.number), p.created,
    p.hidden FROM people p JOIN collections c ON c.number = p.collection"""
_FACE = "SELECT f.number, f.id, p.id, f.vector, f.landmarks, f.source, f.digest, f.quality, f.created"
_LIST = "(SELECT value FROM json_each(?))"
_ROWS = 8192  # vectors read at a time


class SqliteTables:
    """`core.galleries.tables.Tables` as of the transaction that a connection is in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def version(self) -> str:
        """The last number given to a collection, how many there are, their changes: no two moments share all three.

        For as long as no collection comes, one can only go, and as long as none goes, every change adds one."""
        query = """SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'collections'), count(*), sum(version)
            FROM collections"""
        return ".".join(str(value or 0) for value in self._db.execute(query).fetchone())

    def collections(self) -> list[str]:
        return [name for (name,) in self._db.execute("SELECT name FROM collections")]

    def collection(self, name: str) -> Collection | None:
        query = "SELECT number, name, model, dimension, size, version, denied FROM collections WHERE name = ?"
        row = self._db.execute(query, (name,)).fetchone()
        return Collection(*row) if row else None

    def people(self, collection: Collection) -> list[Person]:
        rows = self._db.execute(f"{_PERSON} WHERE c.number = ?", (collection.number,))
        return [_person(row) for row in rows]

    def population(self, collection: Collection) -> int:
        return self._number("SELECT count(*) FROM people WHERE collection = ?", collection.number)

    def person(self, collection: Collection, **by: int | str) -> tuple[int, Person] | None:
        ((column, value),) = by.items()
        row = self._db.execute(
            f"{_PERSON} WHERE c.number = ? AND p.{column} = ?", (collection.number, value)
        ).fetchone()
        return (row[0], _person(row)) if row else None

    def owners(self, collection: Collection, face_ids: Sequence[str]) -> dict[str, int]:
        query = f"SELECT id, person FROM faces WHERE collection = ? AND id IN {_LIST}"
        return dict(self._db.execute(query, (collection.number, json.dumps(face_ids))).fetchall())

    def face(self, collection: Collection, face_id: str) -> EnrolledFace | None:
        query = f"""{_FACE}, crops.jpeg FROM faces f JOIN people p ON p.number = f.person
            LEFT JOIN crops ON crops.face = f.number WHERE f.collection = ? AND f.id = ?"""
        row = self._db.execute(query, (collection.number, face_id)).fetchone()
        return face_of(collection.model, *row[1:]) if row else None

    def covers(self, collection: Collection, person_ids: Sequence[str]) -> dict[str, str]:
        query = f"""SELECT p.id, (
                SELECT f.id FROM faces f JOIN crops ON crops.face = f.number WHERE f.person = p.number
                ORDER BY f.number LIMIT 1
            ) AS cover FROM people p WHERE p.collection = ? AND p.id IN {_LIST} AND cover IS NOT NULL"""
        return dict(self._db.execute(query, (collection.number, json.dumps(person_ids))).fetchall())

    def faces(
        self, collection: Collection, person: int | None, after: int, limit: int, *, crops: bool
    ) -> list[tuple[int, EnrolledFace]]:
        crop, join = ("crops.jpeg", "LEFT JOIN crops ON crops.face = f.number") if crops else ("NULL", "")
        where, key = ("collection", collection.number) if person is None else ("person", person)
        query = f"""{_FACE}, {crop} FROM faces f JOIN people p ON p.number = f.person {join}
            WHERE f.{where} = ? AND f.number > ? ORDER BY f.number LIMIT ?"""
        return [(row[0], face_of(collection.model, *row[1:])) for row in self._db.execute(query, (key, after, limit))]

    def face_ids(self, collection: Collection) -> list[str]:
        rows = self._db.execute("SELECT id FROM faces WHERE collection = ?", (collection.number,))
        return [face_id for (face_id,) in rows]

    def face_numbers(self, collection: Collection) -> NDArray[np.int64]:
        rows = self._db.execute("SELECT number FROM faces WHERE collection = ?", (collection.number,))
        return np.fromiter((number for (number,) in rows), np.int64)

    def named(self, faces: Sequence[int]) -> dict[int, tuple[str, str, str, bool]]:
        query = f"""SELECT f.number, p.id, p.name, f.id, p.hidden FROM faces f JOIN people p ON p.number = f.person
            WHERE f.number IN {_LIST}"""
        rows = self._db.execute(query, (json.dumps(faces),))
        return {number: (person, name, face, bool(hidden)) for number, person, name, face, hidden in rows}

    def changed(self, collection: Collection, since: int) -> int:
        query = "SELECT count(*) FROM faces WHERE collection = ? AND changed > ?"
        return self._number(query, collection.number, since)

    def vectors(self, collection: Collection, since: int | None) -> Iterator[Sequence[VectorRow]]:
        query = "SELECT number, person, vector FROM faces WHERE collection = ?"
        if since is None:
            rows = self._db.execute(f"{query} ORDER BY number", (collection.number,))
        else:
            rows = self._db.execute(f"{query} AND changed > ?", (collection.number, since))
        while chunk := rows.fetchmany(_ROWS):
            yield chunk

    def add_collection(self, name: str, model: str, dimension: int) -> Collection:
        statement = "INSERT INTO collections (name, model, dimension, size, version) VALUES (?, ?, ?, 0, 0)"
        return Collection(self._insert(statement, name, model, dimension), name, model, dimension, 0, 0)

    def add_person(self, collection: Collection, person_id: str | None, name: str, created: float) -> int:
        statement = "INSERT INTO people (collection, id, name, created) VALUES (?, ?, ?, ?)"
        return self._insert(statement, collection.number, person_id or uuid.uuid4().hex, name, created)

    def add_face(self, collection: Collection, person: int, face: EnrolledFace) -> None:
        statement = """INSERT INTO faces
            (collection, person, id, changed, vector, landmarks, source, digest, quality, created)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        key = (collection.number, person, face.id, collection.version + 1)
        number = self._insert(statement, *key, *_contents(face))
        if face.crop is not None:
            self._db.execute("INSERT INTO crops (face, jpeg) VALUES (?, ?)", (number, face.crop))

    def rename(self, person: int, name: str) -> None:
        self._db.execute("UPDATE people SET name = ? WHERE number = ?", (name, person))

    def hide(self, person: int, *, hidden: bool) -> None:
        self._db.execute("UPDATE people SET hidden = ? WHERE number = ?", (hidden, person))

    def deny(self, collection: Collection, person: int, face: EnrolledFace) -> None:
        statement = """INSERT INTO denials
            (collection, person, id, vector, landmarks, source, digest, quality, created, jpeg)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        self._insert(statement, collection.number, person, face.id, *_contents(face), face.crop)

    def denials(self, collection: Collection, person: int | None, *, crops: bool) -> list[EnrolledFace]:
        where, key = ("collection", collection.number) if person is None else ("person", person)
        query = f"""{_FACE}, {"f.jpeg" if crops else "NULL"} FROM denials f JOIN people p ON p.number = f.person
            WHERE f.{where} = ? ORDER BY f.number"""
        return [face_of(collection.model, *row[1:]) for row in self._db.execute(query, (key,))]

    def denied(self, collection: Collection) -> list[tuple[int, bytes]]:
        query = "SELECT person, vector FROM denials WHERE collection = ? ORDER BY number"
        return self._db.execute(query, (collection.number,)).fetchall()

    def undeny(self, collection: Collection, face_ids: Sequence[str], person: int | None) -> int:
        statement = f"DELETE FROM denials WHERE collection = ? AND person = coalesce(?, person) AND id IN {_LIST}"
        gone = self._db.execute(statement, (collection.number, person, json.dumps(face_ids))).rowcount
        if gone:
            self._db.execute("UPDATE wipe SET owed = owed + 1")
        return gone

    def move(self, collection: Collection, face_ids: Sequence[str], person: int) -> None:
        statement = f"UPDATE faces SET person = ?, changed = ? WHERE collection = ? AND id IN {_LIST}"
        self._db.execute(statement, (person, collection.version + 1, collection.number, json.dumps(face_ids)))

    def erase(self, person: int) -> None:
        self._db.execute("DELETE FROM faces WHERE person = ?", (person,))
        self._db.execute("DELETE FROM people WHERE number = ?", (person,))
        self._db.execute("UPDATE wipe SET owed = owed + 1")

    def erase_faces(self, collection: Collection, face_ids: Sequence[str]) -> None:
        statement = f"DELETE FROM faces WHERE collection = ? AND id IN {_LIST}"
        self._db.execute(statement, (collection.number, json.dumps(face_ids)))
        self._db.execute("UPDATE wipe SET owed = owed + 1")

    def drop_faceless(self, people: Sequence[int]) -> None:
        faceless = "NOT EXISTS (SELECT 1 FROM faces WHERE person = people.number)"
        self._db.execute(f"DELETE FROM people WHERE number IN {_LIST} AND {faceless}", (json.dumps(people),))

    def replace_vectors(self, collection: Collection, face_ids: Sequence[str], vectors: Embeddings) -> None:
        rows = [(little_endian(vector), collection.number, face)
                for vector, face in zip(vectors.vectors, face_ids, strict=True)]  # fmt: skip
        changed = f"changed = {collection.version + 1:d}"
        self._db.executemany(f"UPDATE faces SET vector = ?, {changed} WHERE collection = ? AND id = ?", rows)
        if collection.denied:
            self._db.executemany("UPDATE denials SET vector = ? WHERE collection = ? AND id = ?", rows)
        statement = "UPDATE collections SET model = ?, dimension = ? WHERE number = ?"
        self._db.execute(statement, (vectors.model, vectors.vectors.shape[1], collection.number))

    def bump(self, collection: Collection, *, faces: int, denied: bool) -> None:
        also = ", denied = version + 1" if denied else ""
        statement = f"UPDATE collections SET version = version + 1, size = size + ?{also} WHERE number = ?"
        self._db.execute(statement, (faces, collection.number))
        if faces < 0:
            self._db.execute("DELETE FROM collections WHERE number = ? AND size = 0", (collection.number,))

    def _insert(self, statement: str, *values: object) -> int:
        return int(self._db.execute(statement, values).lastrowid or 0)

    def _number(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


def _person(row: tuple[Any, ...]) -> Person:
    _, person_id, name, collection, faces, created, hidden = row
    return Person(person_id, name, collection, faces, created, bool(hidden))


def _contents(face: EnrolledFace) -> tuple[object, ...]:
    """What is kept of a face beside ids and crop, in the order of the columns."""
    return (
        little_endian(face.vector),
        little_endian(face.landmarks),
        face.source.encode("utf-8", "backslashreplace").decode(),  # a file's name need not be Unicode
        face.digest,
        json.dumps(asdict(face.quality)),
        face.created,
    )
