"""The sockets: what the main path asks of its neighbors. Each is kept by an adapter in a room of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from visage.core.values import (
    Candidate,
    Embeddings,
    EnrolledFace,
    Face,
    Frame,
    Media,
    Person,
    Pixels,
    Sampling,
    Sighting,
)


class Clip(Protocol):
    """An opened photo or video. Iterating decodes; it may be done once."""

    @property
    def media(self) -> Media:
        """Size and length; after the last frame, `problem` says whether the end of the file was damaged."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Upright frames in order, decoded as they are asked for.

        Raises `UnreadableError` if not even one frame can be decoded, `TooLargeError` at a limit. A file that breaks
        off after some frames ends quietly and says so in `media.problem`.
        """
        ...


class Decoder(Protocol):
    def open(self, source: str, sampling: Sampling) -> AbstractContextManager[Clip]:
        """Open the photo or video at path `source`.

        Raises `NotFoundError`, `UnreadableError` or `TooLargeError`; none of them is worth a retry.
        """
        ...

    def find(self, folder: str) -> list[str]:
        """The photos and videos in a folder and those below it, by their extensions, sorted; hidden ones left out.

        Empty where there are none; raises `NotFoundError` where there is no such folder.
        """
        ...


class Annotator(Protocol):
    """Draws what was seen on pictures and videos."""

    def drawing(self, source: str) -> AbstractContextManager[Callable[[Frame, Sequence[Sighting], Media], None]]:
        """Inside it, call what it gives with every frame looked at; the drawn file is whole when it ends.

        Nothing is left where an error ends it. Raises `StorageError`.
        """
        ...


class Detector(Protocol):
    @property
    def name(self) -> str:
        """The card's name, for the answer."""
        ...

    @property
    def threshold(self) -> float:
        """The least score of what it calls a face."""
        ...

    @property
    def sure(self) -> float:
        """The score from which on a face is hardly ever none, nor misread."""
        ...

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        """The faces of each frame, highest score first; an empty list where there is none. Frames may differ in size.

        least: the least score, where it is not to be the detector's own threshold. No frames, no lists.
        """
        ...


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """The card's name; it is kept beside every vector."""
        ...

    def embed(self, crops: Pixels) -> Embeddings:
        """Crops (n, h, w, 3) uint8 RGB of the card's input size -> n unit vectors, each of the sum of crop and mirror
        image. n may be 0. Order is kept; a crop's vector does not depend on its neighbors."""
        ...


class Gallery(Protocol):
    """People and their faces in named collections.

    Names are unique within a collection and kept as `check_name` spells them (upper and lower case differ); reads take
    any spelling. It may be used by several threads. Several processes may read while one writes; a change made by
    another process is seen by the next call. `OtherModelError` where vectors of another model than the gallery's would
    meet. After `close` every call raises `GalleryError`.
    """

    def people(self, collection: str) -> list[Person]:
        """Everybody, by name without regard to case. Empty where the collection does not exist."""
        ...

    def person(self, collection: str, name: str) -> Person:
        """The person of that name or id; an id goes before a name. Raises `NoPersonError`."""
        ...

    def faces(self, collection: str, person_id: str | None = None) -> Iterator[EnrolledFace]:
        """The enrolled faces of one person, or of all, in the order of enrollment; none where there is no such person.

        Read page by page: a face added or removed meanwhile may or may not be seen.
        """
        ...

    def model(self, collection: str) -> str | None:
        """The model that made the collection's vectors; None where it has no face."""
        ...

    def size(self, collection: str) -> int:
        """How many faces are enrolled."""
        ...

    def add(self, collection: str, name: str, face: EnrolledFace) -> Person:
        """Keep one more face of `name`, making the person if need be. All or nothing.

        The face's id and time are kept; an id that the collection has already changes nothing. A new person takes the
        face's person_id if that is a UUID in hex that nobody in the collection has, else a new one. Raises `UsageError`
        for what is no name, `OtherModelError`, `StorageError`; a `StorageError` is worth a retry once there is room.
        """
        ...

    def rename(self, collection: str, person_id: str, name: str) -> Person:
        """By id. Raises `NoPersonError`, and `UsageError` where the name is taken or none; to one's own is nothing."""
        ...

    def remove(self, collection: str, person_id: str) -> int:
        """Erase the person and all their faces from the disk; how many faces went. Raises `NoPersonError`.

        A `StorageError` may mean: removed, but not yet erased, because another program is reading; it is made up for
        when the gallery is next opened. Once the last person is gone, the collection takes any model.
        """
        ...

    def replace_vectors(self, collection: str, face_ids: Sequence[str], vectors: Embeddings) -> None:
        """Give every face of the collection a new vector, all at once. Raises `GalleryError` where face_ids are not
        exactly the faces now enrolled; nothing is changed then, and it may be tried again with the faces reread."""
        ...

    def search(self, collection: str, probes: Embeddings, k: int) -> list[list[Candidate]]:
        """For each probe the k most similar people (fewer where there are fewer), best first, each by their most
        similar face. Exact. Raises `OtherModelError`."""
        ...

    def close(self) -> None:
        """Twice is once."""
        ...
