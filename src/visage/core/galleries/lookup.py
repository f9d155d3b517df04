"""Finding people and faces in a gallery's tables, and what is said where they are not there or do not fit."""

import re
from collections.abc import Sequence

import numpy as np

from visage.core.errors import GalleryError, NoFaceError, NoPersonError, OtherModelError
from visage.core.galleries.tables import Collection, Tables
from visage.core.names import lookup_name
from visage.core.values import EnrolledFace, Floats, Person


def need_person(tables: Tables, name: str, person: str, *, by_name: bool) -> tuple[Collection, int, Person]:
    """The person of that id (or, with by_name, of that name) in the collection `name`. Raises `NoPersonError`."""
    collection = tables.collection(lookup_name(name))
    if collection:
        key = lookup_name(person)
        found = tables.person(collection, id=key) or (tables.person(collection, name=key) if by_name else None)
        if found:
            return collection, *found
    raise NoPersonError(f"nobody is enrolled as {person!r} in {name!r}; `visage people list` shows who is")


def page(
    tables: Tables, name: str, person_id: str | None, after: int, limit: int, *, crops: bool
) -> list[tuple[int, EnrolledFace]]:
    """The next `limit` faces of the collection `name`, or of one person in it, with their numbers."""
    collection = tables.collection(lookup_name(name))
    if not collection:
        return []
    if person_id is None:
        return tables.faces(collection, None, after, limit, crops=crops)
    found = tables.person(collection, id=lookup_name(person_id))
    return tables.faces(collection, found[0], after, limit, crops=crops) if found else []


def add_person(tables: Tables, held: Collection, wanted: str, name: str, created: float) -> int:
    """wanted: the id, if it can be one and is free."""
    free = re.fullmatch("[0-9a-f]{32}", wanted) and not tables.person(held, id=wanted)
    return tables.add_person(held, wanted if free else None, name, created)


def grant(tables: Tables, held: Collection, face_ids: Sequence[str], person: int) -> bool:
    """These faces are that person's now: what said that they are not is taken back. Whether there was such."""
    return held.denied > 0 and tables.undeny(held, face_ids, person) > 0


def all_ids(tables: Tables, held: Collection) -> set[str]:
    """Of the faces and of the negative examples."""
    denied = tables.denials(held, None, crops=False) if held.denied else []
    return {*tables.face_ids(held), *(face.id for face in denied)}


def owners_of(tables: Tables, held: Collection | None, face_ids: Sequence[str]) -> dict[str, int]:
    """Face id -> the number of its person, of those that are there."""
    return tables.owners(held, [one for one in face_ids if is_id(one)]) if held else {}


def is_id(text: str) -> bool:
    """Whether it can be one at all: not every text can be put to a database."""
    return lookup_name(text) == text != ""


def first_enrolled(tables: Tables, held: Collection, face_ids: Sequence[str]) -> float:
    """When somebody with these faces was first enrolled."""
    return min(face.created for face_id in face_ids if (face := tables.face(held, face_id)))


def no_face(collection: str, face_id: str | None = None) -> NoFaceError:
    if face_id is None:
        return NoFaceError("no face is named; name at least one by its id")
    return NoFaceError(f"there is no enrolled face {face_id!r} in {collection!r}; its person's faces tell the ids")


def check_vectors(vectors: Floats) -> None:
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise ValueError("vectors must be unit vectors")


def check_model(held: Collection, model: str, dimension: int) -> None:
    if (held.model, held.dimension) != (model, dimension):
        raise OtherModelError(
            f"the faces of {held.name!r} were enrolled with the model {held.model!r} ({held.dimension} numbers), which "
            f"cannot be compared with {model!r} ({dimension}); choose that model, or run `visage people migrate`"
        )


def person_of(found: tuple[int, Person] | None) -> Person:
    if not found:
        raise GalleryError("a face belongs to nobody: the gallery is damaged; put a copy of it back")
    return found[1]
