"""A gallery over tables: what every gallery in a database does alike. The database itself is the adapter's."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np

from visage.core.errors import GalleryError, NoFaceError, NoPersonError, OtherModelError, UsageError
from visage.core.names import check_name, lookup_name
from visage.core.tables import Collection, Tables
from visage.core.values import Candidate, Embeddings, EnrolledFace, Floats, Person
from visage.core.vectors import Vectors

# Faces read at a time, and how many where their crops are left out.
_PAGE, _LEAN_PAGE = 64, 1024


class TableGallery(ABC):
    """`core.ports.Gallery`, less `close`."""

    def __init__(self) -> None:
        self._vectors = Vectors()  # only touched inside `_read`

    @abstractmethod
    def _read(self) -> AbstractContextManager[Tables]:
        """One consistent look, by one thread at a time."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Tables]:
        """All or nothing, one writer at a time among all processes."""

    @abstractmethod
    def _scrub(self, what: str, /) -> None:
        """Erase from the disk what a removal left there. what: was removed, for the message of a `StorageError`."""

    def version(self) -> str:
        with self._read() as tables:
            return tables.version()

    def collections(self) -> list[str]:
        with self._read() as tables:
            return sorted(tables.collections())

    def people(self, collection: str) -> list[Person]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            people = tables.people(held) if held else []
        return sorted(people, key=lambda person: (person.name.casefold(), person.name))

    def population(self, collection: str) -> int:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            return tables.population(held) if held else 0

    def person(self, collection: str, name: str) -> Person:
        with self._read() as tables:
            return _need_person(tables, collection, name, by_name=True)[2]

    def faces(self, collection: str, person_id: str | None = None, *, crops: bool = True) -> Iterator[EnrolledFace]:
        last, limit = 0, _PAGE if crops else _LEAN_PAGE
        while True:
            with self._read() as tables:  # page by page: a look kept open would keep others from erasing
                found = page(tables, collection, person_id, last, limit, crops=crops)
            if not found:
                return
            for number, face in found:
                yield face
                last = number

    def model(self, collection: str) -> str | None:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
        return held.model if held else None

    def size(self, collection: str) -> int:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
        return held.size if held else 0

    def add(self, collection: str, name: str, face: EnrolledFace) -> Person:
        collection, name = check_name(collection), check_name(name)
        _check_vectors(face.vector[None])
        with self._write() as tables:
            held = tables.collection(collection) or tables.add_collection(collection, face.model, len(face.vector))
            owner = tables.owners(held, [face.id]).get(face.id)
            if owner is not None:
                return _found(tables.person(held, number=owner))
            _check_model(held, face.model, len(face.vector))
            found = tables.person(held, name=name)
            number = found[0] if found else _add_person(tables, held, name, face)
            tables.add_face(held, number, face)
            tables.bump(held, faces=1)
            return _found(tables.person(held, number=number))

    def rename(self, collection: str, person_id: str, name: str) -> Person:
        name = check_name(name)
        with self._write() as tables:
            held, number, person = _need_person(tables, collection, person_id, by_name=False)
            other = tables.person(held, name=name)
            if other and other[0] != number:
                raise UsageError(f"somebody else in {collection!r} is called {name!r}; choose another name")
            if name == person.name:
                return person
            tables.rename(number, name)
            tables.bump(held, faces=0)
            return _found(tables.person(held, number=number))

    def remove(self, collection: str, person_id: str) -> int:
        with self._write() as tables:
            held, number, person = _need_person(tables, collection, person_id, by_name=False)
            tables.erase(number)
            tables.bump(held, faces=-person.faces)
        self._forget(held.name, person_id)
        return person.faces

    def face(self, collection: str, face_id: str) -> EnrolledFace:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            found = tables.face(held, face_id) if held and _is_id(face_id) else None
        if not found:
            raise _no_face(collection, face_id)
        return found

    def covers(self, collection: str, person_ids: Sequence[str]) -> dict[str, str]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            return tables.covers(held, [one for one in person_ids if _is_id(one)]) if held else {}

    def move(self, collection: str, face_ids: Sequence[str], name: str) -> Person:
        name = check_name(name)
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            owners = _owners(tables, held, face_ids)
            missing = [face_id for face_id in face_ids if face_id not in owners]
            if not held or not owners or missing:
                raise _no_face(collection, *missing[:1])
            found = tables.person(held, name=name)
            number = found[0] if found else tables.add_person(held, None, name, _since(tables, held, face_ids))
            movers = [face_id for face_id, owner in owners.items() if owner != number]
            if movers:
                tables.move(held, movers, number)
                tables.drop_faceless(sorted(set(owners.values())))
                tables.bump(held, faces=0)
            return _found(tables.person(held, number=number))

    def remove_faces(self, collection: str, face_ids: Sequence[str]) -> int:
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            owners = _owners(tables, held, face_ids)
            if not held or not owners:
                return 0
            tables.erase_faces(held, list(owners))
            tables.drop_faceless(sorted(set(owners.values())))
            tables.bump(held, faces=-len(owners))
        self._forget(held.name, ", ".join(owners))
        return len(owners)

    def replace_vectors(self, collection: str, face_ids: Sequence[str], vectors: Embeddings) -> None:
        if len(face_ids) != len(vectors):
            raise ValueError(f"{len(face_ids)} faces, but {len(vectors)} vectors")
        _check_vectors(vectors.vectors)
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            if sorted(face_ids) != sorted(tables.face_ids(held) if held else []):
                raise GalleryError(f"the faces of {collection!r} changed meanwhile; nothing was replaced, try again")
            if held:
                tables.replace_vectors(held, face_ids, vectors)
                tables.bump(held, faces=0)

    def search(self, collection: str, probes: Embeddings, k: int) -> list[list[Candidate]]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            if not held:
                return [[] for _ in range(len(probes))]
            _check_model(held, probes.model, probes.vectors.shape[1])
            hits = self._vectors.level(tables, held).search(probes.vectors, k)
            names = tables.named(sorted({face for row in hits for _, face, _ in row}))
        return [[Candidate(*names[face], similarity) for _, face, similarity in row] for row in hits]

    def _forget(self, collection: str, what: str) -> None:
        """What was removed goes from the memory and from the disk too."""
        with self._read() as tables:
            self._vectors.refresh(tables, collection)
        self._scrub(what)


def _need_person(tables: Tables, name: str, person: str, *, by_name: bool) -> tuple[Collection, int, Person]:
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


def _add_person(tables: Tables, held: Collection, name: str, face: EnrolledFace) -> int:
    wanted = face.person_id
    free = re.fullmatch("[0-9a-f]{32}", wanted) and not tables.person(held, id=wanted)
    return tables.add_person(held, wanted if free else None, name, face.created)


def _owners(tables: Tables, held: Collection | None, face_ids: Sequence[str]) -> dict[str, int]:
    """Face id -> the number of its person, of those that are there."""
    return tables.owners(held, [one for one in face_ids if _is_id(one)]) if held else {}


def _is_id(text: str) -> bool:
    """Whether it can be one at all: not every text can be put to a database."""
    return lookup_name(text) == text != ""


def _since(tables: Tables, held: Collection, face_ids: Sequence[str]) -> float:
    """When somebody with these faces was first enrolled."""
    return min(face.created for face_id in face_ids if (face := tables.face(held, face_id)))


def _no_face(collection: str, face_id: str | None = None) -> NoFaceError:
    if face_id is None:
        return NoFaceError("no face is named; name at least one by its id")
    return NoFaceError(f"there is no enrolled face {face_id!r} in {collection!r}; its person's faces tell the ids")


def _check_vectors(vectors: Floats) -> None:
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise ValueError("vectors must be unit vectors")


def _check_model(held: Collection, model: str, dimension: int) -> None:
    if (held.model, held.dimension) != (model, dimension):
        raise OtherModelError(
            f"the faces of {held.name!r} were enrolled with the model {held.model!r} ({held.dimension} numbers), which "
            f"cannot be compared with {model!r} ({dimension}); choose that model, or run `visage people migrate`"
        )


def _found(found: tuple[int, Person] | None) -> Person:
    if not found:
        raise GalleryError("a face belongs to nobody: the gallery is damaged; put a copy of it back")
    return found[1]
