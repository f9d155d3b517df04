"""A gallery over tables: what every gallery in a database does alike. The database itself is the adapter's."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from visage.core.errors import GalleryError, UsageError
from visage.core.galleries.lookup import (
    add_person,
    all_ids,
    check_model,
    check_vectors,
    first_enrolled,
    grant,
    is_id,
    need_person,
    no_face,
    owners_of,
    page,
    person_of,
)
from visage.core.galleries.tables import Collection, Tables
from visage.core.galleries.vectors import Vectors
from visage.core.index import Hit
from visage.core.names import check_name, lookup_name
from visage.core.values import Candidate, Embeddings, EnrolledFace, Person

# Faces read at a time, and how many where their crops are left out.
_PAGE, _LEAN_PAGE = 64, 1024


class TableGallery(ABC):
    """`core.ports.gallery.Gallery`, less `close`."""

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
            return need_person(tables, collection, name, by_name=True)[2]

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
        check_vectors(face.vector[None])
        with self._write() as tables:
            held = tables.collection(collection) or tables.add_collection(collection, face.model, len(face.vector))
            owner = tables.owners(held, [face.id]).get(face.id)
            if owner is not None:
                return person_of(tables.person(held, number=owner))
            check_model(held, face.model, len(face.vector))
            found = tables.person(held, name=name)
            number = found[0] if found else add_person(tables, held, face.person_id, name, face.created)
            tables.add_face(held, number, face)
            tables.bump(held, faces=1, denied=grant(tables, held, [face.id], number))
            return person_of(tables.person(held, number=number))

    def rename(self, collection: str, person_id: str, name: str) -> Person:
        name = check_name(name)
        with self._write() as tables:
            held, number, person = need_person(tables, collection, person_id, by_name=False)
            other = tables.person(held, name=name)
            if other and other[0] != number:
                raise UsageError(f"somebody else in {collection!r} is called {name!r}; choose another name")
            if name == person.name:
                return person
            tables.rename(number, name)
            tables.bump(held, faces=0, denied=False)
            return person_of(tables.person(held, number=number))

    def hide(self, collection: str, person_id: str, hidden: bool) -> Person:
        with self._write() as tables:
            held, number, person = need_person(tables, collection, person_id, by_name=False)
            if person.hidden != hidden:
                tables.hide(number, hidden=hidden)
                tables.bump(held, faces=0, denied=False)
        return replace(person, hidden=hidden)

    def deny(self, collection: str, person_id: str, face: EnrolledFace) -> None:
        check_vectors(face.vector[None])
        with self._write() as tables:
            held, number, _ = need_person(tables, collection, person_id, by_name=False)
            check_model(held, face.model, len(face.vector))
            if face.id not in {kept.id for kept in tables.denials(held, number, crops=False)}:
                tables.deny(held, number, face)
                tables.bump(held, faces=0, denied=True)

    def denials(self, collection: str, person_id: str | None = None, *, crops: bool = True) -> list[EnrolledFace]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            if not held or person_id is None:
                return tables.denials(held, None, crops=crops) if held else []
            found = tables.person(held, id=lookup_name(person_id))
            return tables.denials(held, found[0], crops=crops) if found else []

    def undeny(self, collection: str, face_ids: Sequence[str], *, person_id: str | None = None) -> int:
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            found = tables.person(held, id=lookup_name(person_id)) if held and person_id is not None else None
            if not held or (person_id is not None and not found):
                return 0
            gone = tables.undeny(held, [one for one in face_ids if is_id(one)], found[0] if found else None)
            if not gone:
                return 0
            tables.bump(held, faces=0, denied=True)
        self._forget(held.name, ", ".join(face_ids))
        return gone

    def remove(self, collection: str, person_id: str) -> int:
        with self._write() as tables:
            held, number, person = need_person(tables, collection, person_id, by_name=False)
            tables.erase(number)
            tables.bump(held, faces=-person.faces, denied=held.denied > 0)
        self._forget(held.name, person_id)
        return person.faces

    def face(self, collection: str, face_id: str) -> EnrolledFace:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            found = tables.face(held, face_id) if held and is_id(face_id) else None
        if not found:
            raise no_face(collection, face_id)
        return found

    def covers(self, collection: str, person_ids: Sequence[str]) -> dict[str, str]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            return tables.covers(held, [one for one in person_ids if is_id(one)]) if held else {}

    def move(self, collection: str, face_ids: Sequence[str], name: str, *, person_id: str | None = None) -> Person:
        name = check_name(name)
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            owners = owners_of(tables, held, face_ids)
            missing = [face_id for face_id in face_ids if face_id not in owners]
            if not held or not owners or missing:
                raise no_face(collection, *missing[:1])
            found = tables.person(held, name=name)
            number = found[0] if found else _add_somebody(tables, held, name, person_id, face_ids)
            movers = [face_id for face_id, owner in owners.items() if owner != number]
            if movers:
                tables.move(held, movers, number)
                grant(tables, held, movers, number)
                tables.drop_faceless(sorted(set(owners.values())))
                tables.bump(held, faces=0, denied=held.denied > 0)
            return person_of(tables.person(held, number=number))

    def remove_faces(self, collection: str, face_ids: Sequence[str]) -> int:
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            owners = owners_of(tables, held, face_ids)
            if not held or not owners:
                return 0
            tables.erase_faces(held, list(owners))
            tables.drop_faceless(sorted(set(owners.values())))
            tables.bump(held, faces=-len(owners), denied=held.denied > 0)
        self._forget(held.name, ", ".join(owners))
        return len(owners)

    def replace_vectors(self, collection: str, face_ids: Sequence[str], vectors: Embeddings) -> None:
        if len(face_ids) != len(vectors):
            raise ValueError(f"{len(face_ids)} faces, but {len(vectors)} vectors")
        check_vectors(vectors.vectors)
        with self._write() as tables:
            held = tables.collection(lookup_name(collection))
            if sorted(face_ids) != sorted(all_ids(tables, held) if held else []):
                raise GalleryError(f"the faces of {collection!r} changed meanwhile; nothing was replaced, try again")
            if held:
                tables.replace_vectors(held, face_ids, vectors)
                tables.bump(held, faces=0, denied=held.denied > 0)

    def search(self, collection: str, probes: Embeddings, k: int) -> list[list[Candidate]]:
        with self._read() as tables:
            held = tables.collection(lookup_name(collection))
            if not held:
                return [[] for _ in range(len(probes))]
            check_model(held, probes.model, probes.vectors.shape[1])
            hits = self._vectors.level(tables, held).search(probes.vectors, k)
            names = tables.named(sorted({face for row in hits for _, face, _ in row}))
            denials = self._vectors.denials(tables, held)
        return [
            _candidates(row, names, denials.against(probe, [person for person, _, _ in row]) if denials else {})
            for probe, row in zip(probes.vectors, hits, strict=True)
        ]

    def _forget(self, collection: str, what: str) -> None:
        """What was removed goes from the memory and from the disk too."""
        with self._read() as tables:
            self._vectors.refresh(tables, collection)
        self._scrub(what)


def _add_somebody(tables: Tables, held: Collection, name: str, person_id: str | None, face_ids: Sequence[str]) -> int:
    return add_person(tables, held, person_id or "", name, first_enrolled(tables, held, face_ids))


def _candidates(
    row: list[Hit], names: dict[int, tuple[str, str, str, bool]], denied: dict[int, float]
) -> list[Candidate]:
    return [
        Candidate(person_id, name, face_id, similarity, hidden, denied.get(person))
        for person, face, similarity in row
        for person_id, name, face_id, hidden in (names[face],)
    ]
