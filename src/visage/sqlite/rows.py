"""Rows of the gallery's tables, read and written as the core's records."""

import json
import re
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from visage.core.errors import NoPersonError
from visage.core.names import lookup_name
from visage.core.values import EnrolledFace, Person, Quality

_PERSON = """SELECT p.number, p.id, p.name, c.name, (SELECT count(*) FROM faces WHERE person = p.number), p.created
    FROM people p JOIN collections c ON c.number = p.collection"""
_FACE = """SELECT f.number, f.id, p.id, f.vector, crops.jpeg, f.landmarks, f.source, f.digest, f.quality, f.created
    FROM faces f JOIN people p ON p.number = f.person LEFT JOIN crops ON crops.face = f.number"""


@dataclass(frozen=True, slots=True)
class Collection:
    """A row of the table. size: faces; version: grows with every change."""

    number: int
    name: str
    model: str
    dimension: int
    size: int
    version: int


def read_collection(db: sqlite3.Connection, name: str) -> Collection | None:
    query = "SELECT number, name, model, dimension, size, version FROM collections WHERE name = ?"
    row = db.execute(query, (lookup_name(name),)).fetchone()
    return Collection(*row) if row else None


def read_people(db: sqlite3.Connection, collection: Collection) -> list[Person]:
    rows = db.execute(f"{_PERSON} WHERE c.number = ?", (collection.number,))
    return [Person(*row[1:]) for row in rows]


def find_person(db: sqlite3.Connection, collection: Collection, **by: int | str) -> tuple[int, Person] | None:
    """The number and record of a person by `number`, `id` or `name`."""
    ((column, value),) = by.items()
    row = db.execute(f"{_PERSON} WHERE c.number = ? AND p.{column} = ?", (collection.number, value)).fetchone()
    return (row[0], Person(*row[1:])) if row else None


def need_person(db: sqlite3.Connection, name: str, person: str, *, by_name: bool) -> tuple[Collection, int, Person]:
    """The person of that id (or, with by_name, of that name) in the collection `name`. Raises `NoPersonError`."""
    collection = read_collection(db, name)
    if collection:
        key = lookup_name(person)
        found = find_person(db, collection, id=key) or (find_person(db, collection, name=key) if by_name else None)
        if found:
            return collection, *found
    raise NoPersonError(f"nobody is enrolled as {person!r} in {name!r}; `visage people list` shows who is")


def read_faces(
    db: sqlite3.Connection, collection: Collection, person_id: str | None, after: int, limit: int
) -> list[tuple[int, EnrolledFace]]:
    """The next `limit` faces, of everybody or of one person, with numbers above `after`."""
    if person_id is None:
        where, key = "f.collection = ?", collection.number
    elif found := find_person(db, collection, id=lookup_name(person_id)):
        where, key = "f.person = ?", found[0]
    else:
        return []
    rows = db.execute(f"{_FACE} WHERE {where} AND f.number > ? ORDER BY f.number LIMIT ?", (key, after, limit))
    return [(row[0], _face(collection.model, *row[1:])) for row in rows]


def add_collection(db: sqlite3.Connection, name: str, model: str, dimension: int) -> Collection:
    statement = "INSERT INTO collections (name, model, dimension, size, version) VALUES (?, ?, ?, 0, 0)"
    number = db.execute(statement, (name, model, dimension)).lastrowid
    return Collection(int(number or 0), name, model, dimension, 0, 0)


def add_person(db: sqlite3.Connection, collection: Collection, name: str, wanted_id: str, created: float) -> int:
    """The number of a new person, who gets `wanted_id` if it is a UUID that nobody in the collection has."""
    free = re.fullmatch("[0-9a-f]{32}", wanted_id) and not find_person(db, collection, id=wanted_id)
    person_id = wanted_id if free else uuid.uuid4().hex
    statement = "INSERT INTO people (collection, id, name, created) VALUES (?, ?, ?, ?)"
    return int(db.execute(statement, (collection.number, person_id, name, created)).lastrowid or 0)


def add_face(db: sqlite3.Connection, collection: Collection, person: int, face: EnrolledFace) -> None:
    statement = """INSERT INTO faces
        (collection, person, id, changed, vector, landmarks, source, digest, quality, created)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    values = (
        collection.number,
        person,
        face.id,
        collection.version + 1,
        blob(face.vector),
        blob(face.landmarks),
        face.source.encode("utf-8", "backslashreplace").decode(),  # a file's name need not be Unicode
        face.digest,
        json.dumps(asdict(face.quality)),
        face.created,
    )
    number = db.execute(statement, values).lastrowid
    if face.crop is not None:
        db.execute("INSERT INTO crops (face, jpeg) VALUES (?, ?)", (number, face.crop))


def name_candidates(db: sqlite3.Connection, faces: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    """Face number -> person id, name, face id."""
    query = """SELECT f.number, p.id, p.name, f.id FROM faces f JOIN people p ON p.number = f.person
        WHERE f.number IN (SELECT value FROM json_each(?))"""
    return {number: (person, name, face) for number, person, name, face in db.execute(query, (json.dumps(faces),))}


def read_ids(db: sqlite3.Connection, collection: Collection) -> Iterator[str]:
    rows = db.execute("SELECT id FROM faces WHERE collection = ?", (collection.number,))
    return (face_id for (face_id,) in rows)


def blob(array: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """float32, little-endian, row by row."""
    return array.astype("<f4").tobytes()


def _face(
    model: str, face_id: str, person_id: str, vector: bytes, crop: bytes | None, landmarks: bytes, *rest: Any
) -> EnrolledFace:
    source, digest, quality, created = rest
    return EnrolledFace(
        id=face_id,
        person_id=person_id,
        vector=np.frombuffer(vector, "<f4").astype(np.float32),
        model=model,
        crop=crop,
        landmarks=np.frombuffer(landmarks, "<f4").astype(np.float32).reshape(-1, 2),
        source=source,
        digest=digest,
        quality=Quality(**json.loads(quality)),
        created=created,
    )
