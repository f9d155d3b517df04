"""What is asked of a gallery; kept by `sqlite/` and `postgres/`."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from visage.core.values import Candidate, Embeddings, EnrolledFace, Person


class Gallery(Protocol):
    """People and their faces in named collections.

    Names are unique within a collection and kept as `check_name` spells them (upper and lower case differ); reads take
    any spelling. It may be used by several threads. Several processes may read while one writes; a change made by
    another process is seen by the next call. `OtherModelError` where vectors of another model than the gallery's would
    meet. After `close` every call raises `GalleryError`.
    """

    def version(self) -> str:
        """A text that changes with every change to any collection."""

    def collections(self) -> list[str]:
        """The names of those that have a face, sorted."""

    def people(self, collection: str) -> list[Person]:
        """Everybody, hidden or not, by name without regard to case. Empty where the collection does not exist."""

    def population(self, collection: str) -> int:
        """How many people are enrolled."""

    def person(self, collection: str, name: str) -> Person:
        """The person of that name or id; an id goes before a name. Raises `NoPersonError`."""

    def faces(self, collection: str, person_id: str | None = None, *, crops: bool = True) -> Iterator[EnrolledFace]:
        """The enrolled faces of one person, or of all, in the order of enrollment; none where there is no such person.
        crops: read them too, where they are kept.

        Read page by page: a face added or removed meanwhile may or may not be seen.
        """

    def model(self, collection: str) -> str | None:
        """The model that made the collection's vectors; None where it has no face."""

    def size(self, collection: str) -> int:
        """How many faces are enrolled."""

    def add(self, collection: str, name: str, face: EnrolledFace) -> Person:
        """Keep one more face of `name`, making the person if need be. All or nothing.

        The face's id and time are kept; an id that the collection has already changes nothing. A new person takes the
        face's person_id if that is a UUID in hex that nobody in the collection has, else a new one. Raises `UsageError`
        for what is no name, `OtherModelError`, `StorageError`; a `StorageError` is worth a retry once there is room.
        """

    def rename(self, collection: str, person_id: str, name: str) -> Person:
        """By id. Raises `NoPersonError`, and `UsageError` where the name is taken or none; to one's own is nothing."""

    def hide(self, collection: str, person_id: str, hidden: bool) -> Person:
        """Let a person no more be named, or (False) again; by id. They stay enrolled, and `people` lists them. What is
        so already changes nothing. Raises `NoPersonError`."""

    def deny(self, collection: str, person_id: str, face: EnrolledFace) -> None:
        """Keep a negative example: this face is not that person. `size`, `faces` and `population` do not count it, and
        it goes when the person goes, or when the face of that id is enrolled as theirs. The face's own person_id says
        nothing; an id that is among the person's negative examples already changes nothing. Raises `NoPersonError`,
        `OtherModelError`, `StorageError`."""

    def denials(self, collection: str, person_id: str | None = None, *, crops: bool = True) -> list[EnrolledFace]:
        """The negative examples of a person, or of everybody, in the order they came. Their person_id is that of the
        person whom they are not; none where there is no such person. crops: read them too, where they are kept."""

    def undeny(self, collection: str, face_ids: Sequence[str], *, person_id: str | None = None) -> int:
        """Erase these negative examples, of one person or of whomever, as `remove` does; how many went. Those that are
        not there are nothing."""

    def remove(self, collection: str, person_id: str) -> int:
        """Erase the person and all their faces from the disk; how many faces went. Raises `NoPersonError`.

        A `StorageError` may mean: removed, but not yet erased, because another program is reading; it is made up for
        when the gallery is next opened. Once the last person is gone, the collection takes any model.
        """

    def face(self, collection: str, face_id: str) -> EnrolledFace:
        """One face, with its crop where that is kept. Raises `NoFaceError`."""

    def covers(self, collection: str, person_ids: Sequence[str]) -> dict[str, str]:
        """Of each of these people who has a face with a crop, by person id, the id of the first such face."""

    def move(self, collection: str, face_ids: Sequence[str], name: str, *, person_id: str | None = None) -> Person:
        """Make these faces those of the person of that name, who is made if need be; the person as they are then. Whom
        no face is left goes, with their negative examples. All or nothing. Raises `NoFaceError` where one is not there
        or none is named, and `UsageError` for what is no name.

        person_id: the id of a person who is made, if that is a UUID in hex that nobody in the collection has."""

    def remove_faces(self, collection: str, face_ids: Sequence[str]) -> int:
        """Erase these faces from the disk, as `remove` does, and whom none is left; how many faces went. Those that are
        not there are nothing."""

    def replace_vectors(self, collection: str, face_ids: Sequence[str], vectors: Embeddings) -> None:
        """Give every face of the collection and every negative example a new vector, all at once. Raises `GalleryError`
        where face_ids are not exactly theirs now, each once; nothing is changed then, and it may be tried again with
        the faces reread."""

    def search(self, collection: str, probes: Embeddings, k: int) -> list[list[Candidate]]:
        """For each probe the k most similar people (fewer where there are fewer), best first, each by their most
        similar face. Exact. Hidden people are among them, and so are those a negative example speaks against: each
        candidate says so. Raises `OtherModelError`."""

    def close(self) -> None:
        """Twice is once."""
