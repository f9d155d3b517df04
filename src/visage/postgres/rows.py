"""Rows of the gallery's tables in PostgreSQL, read and written as the core's records."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visage.core.galleries.tables import Collection, VectorRow, face_of, little_endian
from visage.core.values import Embeddings, EnrolledFace, Person
from visage.postgres.line import Db

_PERSON = """SELECT p.number, p.id, p.name, c.name,
    (SELECT count(*) FROM visage.faces WHERE person = p.number), p.created, p.hidden
    FROM visage.people p JOIN visage.collections c ON c.number = p.collection"""
_FACE = "SELECT f.number, f.id, p.id, f.vector, f.landmarks, f.source, f.digest, f.quality, f.created"
_ROWS = 8192  # vectors read at a time


class PostgresTables:
    """`core.galleries.tables.Tables` as of the transaction that a connection is in."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def version(self) -> str:
        (row,) = self._rows("SELECT id, changes FROM visage.gallery")
        return f"{row[0]}.{row[1]}"

    def collections(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT name FROM visage.collections")]

    def collection(self, name: str) -> Collection | None:
        query = "SELECT number, name, model, dimension, size, version, denied FROM visage.collections WHERE name = %s"
        rows = self._rows(query, name)
        return Collection(*rows[0]) if rows else None

    def people(self, collection: Collection) -> list[Person]:
        # Counted before they are joined: a third of the time of the other way round.
        query = """SELECT p.id, p.name, coalesce(f.faces, 0), p.created, p.hidden FROM visage.people p LEFT JOIN (
                SELECT person, count(*) AS faces FROM visage.faces WHERE collection = %s GROUP BY person
            ) f ON f.person = p.number WHERE p.collection = %s"""
        return [
            Person(person_id, name, collection.name, faces, created, hidden)
            for person_id, name, faces, created, hidden in self._rows(query, collection.number, collection.number)
        ]

    def population(self, collection: Collection) -> int:
        return int(self._rows("SELECT count(*) FROM visage.people WHERE collection = %s", collection.number)[0][0])

    def person(self, collection: Collection, **by: int | str) -> tuple[int, Person] | None:
        ((column, value),) = by.items()
        rows = self._rows(f"{_PERSON} WHERE c.number = %s AND p.{column} = %s", collection.number, value)
        return (rows[0][0], Person(*rows[0][1:])) if rows else None

    def owners(self, collection: Collection, face_ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT id, person FROM visage.faces WHERE collection = %s AND id = ANY(%s)"
        return dict(self._rows(query, collection.number, list(face_ids)))

    def face(self, collection: Collection, face_id: str) -> EnrolledFace | None:
        query = f"""{_FACE}, crops.jpeg FROM visage.faces f JOIN visage.people p ON p.number = f.person
            LEFT JOIN visage.crops ON crops.face = f.number WHERE f.collection = %s AND f.id = %s"""
        rows = self._rows(query, collection.number, face_id)
        return face_of(collection.model, *rows[0][1:]) if rows else None

    def covers(self, collection: Collection, person_ids: Sequence[str]) -> dict[str, str]:
        query = """SELECT p.id, cover.id FROM visage.people p CROSS JOIN LATERAL (
                SELECT f.id FROM visage.faces f JOIN visage.crops ON crops.face = f.number WHERE f.person = p.number
                ORDER BY f.number LIMIT 1
            ) cover WHERE p.collection = %s AND p.id = ANY(%s)"""
        return dict(self._rows(query, collection.number, list(person_ids)))

    def faces(
        self, collection: Collection, person: int | None, after: int, limit: int, *, crops: bool
    ) -> list[tuple[int, EnrolledFace]]:
        crop, join = ("crops.jpeg", "LEFT JOIN visage.crops ON crops.face = f.number") if crops else ("NULL", "")
        where, key = ("collection", collection.number) if person is None else ("person", person)
        # The page is cut before it is joined, and its length is no parameter, so that no plan reads more than it.
        query = f"""{_FACE}, {crop} FROM (
                SELECT * FROM visage.faces WHERE {where} = %s AND number > %s ORDER BY number LIMIT {limit:d}
            ) f JOIN visage.people p ON p.number = f.person {join} ORDER BY f.number"""
        return [(row[0], face_of(collection.model, *row[1:])) for row in self._rows(query, key, after)]

    def face_ids(self, collection: Collection) -> list[str]:
        return [row[0] for row in self._rows("SELECT id FROM visage.faces WHERE collection = %s", collection.number)]

    def face_numbers(self, collection: Collection) -> NDArray[np.int64]:
        rows = self._rows("SELECT number FROM visage.faces WHERE collection = %s", collection.number)
        return np.fromiter((row[0] for row in rows), np.int64)

    def named(self, faces: Sequence[int]) -> dict[int, tuple[str, str, str, bool]]:
        query = """SELECT f.number, p.id, p.name, f.id, p.hidden
            FROM visage.faces f JOIN visage.people p ON p.number = f.person WHERE f.number = ANY(%s)"""
        return {row[0]: row[1:] for row in self._rows(query, list(faces))}

    def changed(self, collection: Collection, since: int) -> int:
        query = "SELECT count(*) FROM visage.faces WHERE collection = %s AND changed > %s"
        return int(self._rows(query, collection.number, since)[0][0])

    def vectors(self, collection: Collection, since: int | None) -> Iterator[Sequence[VectorRow]]:
        where, keys = "collection = %s", [collection.number]
        if since is not None:
            where, keys = f"{where} AND changed > %s", [*keys, since]
        query = f"""SELECT number, person, vector FROM visage.faces
            WHERE {where} AND number > %s ORDER BY number LIMIT {_ROWS}"""
        last = 0
        while rows := self._rows(query, *keys, last):
            yield rows
            last = rows[-1][0]

    def add_collection(self, name: str, model: str, dimension: int) -> Collection:
        statement = """INSERT INTO visage.collections (name, model, dimension, size, version)
            VALUES (%s, %s, %s, 0, 0) RETURNING number"""
        ((number,),) = self._rows(statement, name, model, dimension)
        return Collection(number, name, model, dimension, 0, 0)

    def add_person(self, collection: Collection, person_id: str | None, name: str, created: float) -> int:
        statement = "INSERT INTO visage.people (collection, id, name, created) VALUES (%s, %s, %s, %s) RETURNING number"
        ((number,),) = self._rows(statement, collection.number, person_id or uuid.uuid4().hex, name, created)
        return int(number)

    def add_face(self, collection: Collection, person: int, face: EnrolledFace) -> None:
        statement = """INSERT INTO visage.faces
            (collection, person, id, changed, vector, landmarks, source, digest, quality, created)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING number"""
        key = (collection.number, person, face.id, collection.version + 1)
        ((number,),) = self._rows(statement, *key, *_contents(face))
        if face.crop is not None:
            self._do("INSERT INTO visage.crops (face, jpeg) VALUES (%s, %s)", number, face.crop)

    def rename(self, person: int, name: str) -> None:
        self._do("UPDATE visage.people SET name = %s WHERE number = %s", name, person)

    def hide(self, person: int, *, hidden: bool) -> None:
        self._do("UPDATE visage.people SET hidden = %s WHERE number = %s", hidden, person)

    def deny(self, collection: Collection, person: int, face: EnrolledFace) -> None:
        statement = """INSERT INTO visage.denials
            (collection, person, id, vector, landmarks, source, digest, quality, created, jpeg)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
        self._do(statement, collection.number, person, face.id, *_contents(face), face.crop)

    def denials(self, collection: Collection, person: int | None, *, crops: bool) -> list[EnrolledFace]:
        where, key = ("collection", collection.number) if person is None else ("person", person)
        query = f"""{_FACE}, {"f.jpeg" if crops else "NULL"}
            FROM visage.denials f JOIN visage.people p ON p.number = f.person WHERE f.{where} = %s ORDER BY f.number"""
        return [face_of(collection.model, *row[1:]) for row in self._rows(query, key)]

    def denied(self, collection: Collection) -> list[tuple[int, bytes]]:
        query = "SELECT person, vector FROM visage.denials WHERE collection = %s ORDER BY number"
        return [(person, vector) for person, vector in self._rows(query, collection.number)]

    def undeny(self, collection: Collection, face_ids: Sequence[str], person: int | None) -> int:
        statement = "DELETE FROM visage.denials WHERE collection = %s AND id = ANY(%s)"
        values: tuple[object, ...] = (collection.number, list(face_ids))
        if person is not None:
            statement, values = f"{statement} AND person = %s", (*values, person)
        return self._db.execute(statement.encode(), values).rowcount

    def move(self, collection: Collection, face_ids: Sequence[str], person: int) -> None:
        statement = "UPDATE visage.faces SET person = %s, changed = %s WHERE collection = %s AND id = ANY(%s)"
        self._do(statement, person, collection.version + 1, collection.number, list(face_ids))

    def erase(self, person: int) -> None:
        self._do("DELETE FROM visage.faces WHERE person = %s", person)
        self._do("DELETE FROM visage.people WHERE number = %s", person)

    def erase_faces(self, collection: Collection, face_ids: Sequence[str]) -> None:
        self._do("DELETE FROM visage.faces WHERE collection = %s AND id = ANY(%s)", collection.number, list(face_ids))

    def drop_faceless(self, people: Sequence[int]) -> None:
        faceless = "NOT EXISTS (SELECT FROM visage.faces WHERE person = people.number)"
        self._do(f"DELETE FROM visage.people WHERE number = ANY(%s) AND {faceless}", list(people))

    def replace_vectors(self, collection: Collection, face_ids: Sequence[str], vectors: Embeddings) -> None:
        rows = [(little_endian(vector), collection.number, face)
                for vector, face in zip(vectors.vectors, face_ids, strict=True)]  # fmt: skip
        changed, key = f"changed = {collection.version + 1:d}", "WHERE collection = %s AND id = %s"
        with self._db.cursor() as cursor:
            cursor.executemany(f"UPDATE visage.faces SET vector = %s, {changed} {key}".encode(), rows)
            if collection.denied:
                cursor.executemany(f"UPDATE visage.denials SET vector = %s {key}".encode(), rows)
        statement = "UPDATE visage.collections SET model = %s, dimension = %s WHERE number = %s"
        self._do(statement, vectors.model, vectors.vectors.shape[1], collection.number)

    def bump(self, collection: Collection, *, faces: int, denied: bool) -> None:
        also = ", denied = version + 1" if denied else ""
        statement = f"UPDATE visage.collections SET version = version + 1, size = size + %s{also} WHERE number = %s"
        self._do(statement, faces, collection.number)
        if faces < 0:
            self._do("DELETE FROM visage.collections WHERE number = %s AND size = 0", collection.number)
        self._do("UPDATE visage.gallery SET changes = changes + 1")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._db.cursor(binary=True) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def _do(self, statement: str, *values: object) -> None:
        self._db.execute(statement.encode(), values)


def _contents(face: EnrolledFace) -> tuple[object, ...]:
    """What is kept of a face beside ids and crop, in the order of the columns."""
    source = face.source.encode("utf-8", "backslashreplace").decode()  # a file's name need not be Unicode
    return (
        little_endian(face.vector),
        little_endian(face.landmarks),
        source.replace("\0", "\\x00"),  # PostgreSQL's texts hold none
        face.digest,
        json.dumps(asdict(face.quality)),
        face.created,
    )
