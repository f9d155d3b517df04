"""The tables that every gallery in a database is made of, as one transaction sees them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Embeddings, EnrolledFace, Person, Quality

# Number of the face, number of its person, vector: float32, little-endian.
VectorRow = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Collection:
    """A row of the table. It exists as long as it has a face. size: faces; version: grows with every change; denied:
    the version that last changed its negative examples, 0 where it never had one."""

    number: int
    name: str
    model: str
    dimension: int
    size: int
    version: int
    denied: int = 0


class Tables(Protocol):
    """Rows in and out; every call speaks of the same moment. Numbers are the database's own and never given twice.

    Names come as they are kept. Who writes has the database to themselves until the transaction ends.
    """

    def version(self) -> str:
        """Of everything together; it changes with every change."""
        ...

    def collections(self) -> list[str]: ...

    def collection(self, name: str) -> Collection | None: ...

    def people(self, collection: Collection) -> list[Person]:
        """In no order."""
        ...

    def population(self, collection: Collection) -> int: ...

    def person(self, collection: Collection, **by: int | str) -> tuple[int, Person] | None:
        """The number and record of a person by `number`, `id` or `name`."""
        ...

    def owners(self, collection: Collection, face_ids: Sequence[str]) -> dict[str, int]:
        """Face id -> the number of the person whose face it is, of those that are there."""
        ...

    def face(self, collection: Collection, face_id: str) -> EnrolledFace | None:
        """With its crop, where that is kept."""
        ...

    def covers(self, collection: Collection, person_ids: Sequence[str]) -> dict[str, str]:
        """Person id -> the id of their first face that has a crop, of those who have one."""
        ...

    def faces(
        self, collection: Collection, person: int | None, after: int, limit: int, *, crops: bool
    ) -> list[tuple[int, EnrolledFace]]:
        """The next `limit` faces with numbers above `after`, of everybody or of one person, by number."""
        ...

    def face_ids(self, collection: Collection) -> list[str]: ...

    def face_numbers(self, collection: Collection) -> NDArray[np.int64]: ...

    def named(self, faces: Sequence[int]) -> dict[int, tuple[str, str, str, bool]]:
        """Face number -> person id, name, face id, whether the person is hidden."""
        ...

    def changed(self, collection: Collection, since: int) -> int:
        """How many faces have a vector written after version `since`."""
        ...

    def vectors(self, collection: Collection, since: int | None) -> Iterator[Sequence[VectorRow]]:
        """Those faces (None: all), some thousands at a time."""
        ...

    def add_collection(self, name: str, model: str, dimension: int) -> Collection: ...

    def add_person(self, collection: Collection, person_id: str | None, name: str, created: float) -> int:
        """The number of a new person; with None the id is made up."""
        ...

    def add_face(self, collection: Collection, person: int, face: EnrolledFace) -> None: ...

    def rename(self, person: int, name: str) -> None: ...

    def hide(self, person: int, *, hidden: bool) -> None: ...

    def deny(self, collection: Collection, person: int, face: EnrolledFace) -> None:
        """One more negative example of a person who has none of that id."""
        ...

    def denials(self, collection: Collection, person: int | None, *, crops: bool) -> list[EnrolledFace]:
        """Negative examples of everybody or of one person, in the order they came."""
        ...

    def denied(self, collection: Collection) -> list[tuple[int, bytes]]:
        """Of each negative example the number of its person, and its vector."""
        ...

    def undeny(self, collection: Collection, face_ids: Sequence[str], person: int | None) -> int:
        """Erase negative examples of everybody or of one person; how many there were."""
        ...

    def move(self, collection: Collection, face_ids: Sequence[str], person: int) -> None:
        """Make these faces those of that person."""
        ...

    def erase(self, person: int) -> None:
        """With their faces, crops and negative examples."""
        ...

    def erase_faces(self, collection: Collection, face_ids: Sequence[str]) -> None:
        """With their crops."""
        ...

    def drop_faceless(self, people: Sequence[int]) -> None:
        """Erase those among these people who have no face, with their negative examples."""
        ...

    def replace_vectors(self, collection: Collection, face_ids: Sequence[str], vectors: Embeddings) -> None:
        """Of faces and negative examples."""
        ...

    def bump(self, collection: Collection, *, faces: int, denied: bool) -> None:
        """One more change, which brought so many faces; the collection goes with its last one. denied: it may have
        changed negative examples."""
        ...


def little_endian(array: NDArray[np.float32]) -> bytes:
    """float32, row by row, as vectors and points are kept."""
    return array.astype("<f4").tobytes()


def face_of(model: str, face_id: str, person_id: str, vector: bytes, landmarks: bytes, *rest: Any) -> EnrolledFace:
    """A row as the record. rest: source, digest, quality as JSON, created, crop."""
    source, digest, quality, created, crop = rest
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
