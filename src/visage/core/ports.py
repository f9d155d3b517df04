"""The sockets: what the main path asks of its neighbors. Each is kept by an adapter in a room of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

from visage.core.values import (
    Candidate,
    DeadLetter,
    Delivery,
    Depth,
    Embeddings,
    EnrolledFace,
    Face,
    Frame,
    Media,
    Person,
    Pixels,
    Place,
    Sampling,
    Segment,
    Sighting,
    Stored,
)


class Clip(Protocol):
    """An opened photo or video. Iterating decodes; it may be done once."""

    @property
    def media(self) -> Media:
        """Size and length; after the last frame, `problem` says whether the end of the file was damaged."""

    def frames(self) -> Iterator[Frame]:
        """Upright frames in order, decoded as they are asked for.

        Raises `UnreadableError` if not even one frame can be decoded, `TooLargeError` at a limit. A file that breaks
        off after some frames ends quietly and says so in `media.problem`.
        """


class Decoder(Protocol):
    def open(self, source: str, sampling: Sampling) -> AbstractContextManager[Clip]:
        """Open the photo or video at path `source`.

        Raises `NotFoundError`, `UnreadableError` or `TooLargeError`; none of them is worth a retry.
        """

    def find(self, folder: str) -> list[str]:
        """The photos and videos in a folder and those below it, by their extensions, sorted; hidden ones left out.

        Empty where there are none; raises `NotFoundError` where there is no such folder.
        """


class Segments(Protocol):
    """An opened video that is cut into pieces. Iterating reads; it may be done once."""

    @property
    def media(self) -> Media:
        """As that of a `Clip`."""

    def segments(self) -> Iterator[Segment]:
        """The pieces in order; raises as `Clip.frames` does."""


class Cutter(Protocol):
    """Reads photos and videos from files that need not be on a disk. A file is open for reading bytes and can seek;
    `source` is its name in messages and in `Media`, `size` its length in bytes.

    Both raise `UnreadableError`, `TooLargeError`, and `UsageError` for a sampling that makes no sense; what the file
    raises passes through.
    """

    def frames(
        self, file: IO[bytes], source: str, size: int, sampling: Sampling, *, after: Place | None = None
    ) -> AbstractContextManager[Clip]:
        """The wanted frames; with `after`, the place of one of them, those that follow it, as they would be without."""

    def cut(
        self, file: IO[bytes], source: str, size: int, seconds: float, *, after: Place | None = None
    ) -> AbstractContextManager[Segments]:
        """The video in pieces of `seconds` or a little more, each beginning with a key frame; with `after`, the place
        of the last frame of a piece, those that follow it. Raises `UnreadableError` for a photo too."""

    def segment(self, segment: Segment, media: Media, sampling: Sampling) -> AbstractContextManager[Clip]:
        """The wanted frames of one piece, with their places in the whole video: those, and only those, that `frames`
        would give between its start and end. media: the whole video's."""


class Annotator(Protocol):
    """Draws what was seen on pictures and videos."""

    def drawing(self, source: str) -> AbstractContextManager[Callable[[Frame, Sequence[Sighting], Media], None]]:
        """Inside it, call what it gives with every frame looked at; the drawn file is whole when it ends.

        Nothing is left where an error ends it. Raises `StorageError`.
        """


class Detector(Protocol):
    @property
    def name(self) -> str:
        """The card's name, for the answer."""

    @property
    def threshold(self) -> float:
        """The least score of what it calls a face."""

    @property
    def sure(self) -> float:
        """The score from which on a face is hardly ever none, nor misread."""

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        """The faces of each frame, highest score first; an empty list where there is none. Frames may differ in size.

        least: the least score, where it is not to be the detector's own threshold. No frames, no lists.
        """


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """The card's name; it is kept beside every vector."""

    def embed(self, crops: Pixels) -> Embeddings:
        """Crops (n, h, w, 3) uint8 RGB of the card's input size -> n unit vectors, each of the sum of crop and mirror
        image. n may be 0. Order is kept; a crop's vector does not depend on its neighbors."""


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


class Objects(Protocol):
    """Bytes under keys, in a folder, a bucket or memory. Several threads and processes may use one store.

    A key is parts joined by `/`, at most 512 characters long. A part is made of letters, digits, `.`, `_`, `-`, and of
    what else is printable and no backslash; it is at most 255 bytes long in UTF-8, and neither empty nor `.`, `..` nor
    `.visage`, which a folder keeps for itself. Any other key is a `UsageError`, so no key leads out of the store. In a
    folder a key cannot be both an object and a folder of others. Every call may raise `StorageError`, which is worth a
    retry.
    """

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        """Store, whole or not at all, in place of what was there. A file is read from where it stands to its end."""

    def create(self, key: str, data: bytes) -> bool:
        """Store if there is nothing under the key; whether that was so. Of several at once one alone succeeds."""

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Store if the object still has this version; whether that was so. False too where there is none."""

    def get(self, key: str) -> bytes:
        """Raises `NoObjectError`."""

    def read(self, key: str) -> tuple[bytes, str]:
        """The bytes and their version, an opaque text that changes with every change. Raises `NoObjectError`."""

    def version(self, key: str) -> str | None:
        """The version, without reading the object; None where there is none."""

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        """`size` bytes from the `start`-th on, fewer at the object's end, none beyond it. Raises `NoObjectError` too
        where the object has another version by now."""

    def as_file(self, key: str) -> AbstractContextManager[str]:
        """The path of a file with these bytes, for the length of the block, only to be read. Raises `NoObjectError`.

        In a folder it is the object itself, elsewhere a copy that is deleted afterwards."""

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects under the folder `prefix` and those below it (everything where it is empty), sorted by key.

        None where there is no such folder. One stored or deleted meanwhile may or may not be seen."""

    def delete(self, keys: Iterable[str]) -> None:
        """For good. A key without an object is nothing."""


class Queue(Protocol):
    """Messages that are leased, not taken: at least once, in about the order they were sent.

    A lease lasts as many seconds as the queue was opened with, unless extended; one that runs out comes back. A receipt
    speaks of one lease: when that is lost, nothing is done with it any more. Several threads and processes may use one
    queue. Every call may raise `StorageError`, which is worth a retry.
    """

    def send(self, body: str, *, key: str | None = None) -> None:
        """key: the message's name; one sent again while another of that name is here may be dropped."""

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Lease up to `limit` messages; at once where there are some, else as soon as one comes, within `wait` seconds.

        Empty where none came."""

    def extend(self, receipts: Sequence[str]) -> list[str]:
        """Let these leases last a full term from now; the receipts whose lease was lost."""

    def done(self, receipts: Sequence[str]) -> list[str]:
        """Remove the messages for good; the receipts whose lease was lost (the message stays, another has it)."""

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None:
        """Give them back, to be received again after `delay` seconds. A lost lease is nothing."""

    def bury(self, receipt: str, reason: str) -> bool:
        """Move the message to the dead letters; False where the lease was lost."""

    def depth(self) -> Depth:
        """How much is waiting and in hand; elsewhere than on one machine it is an estimate."""

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, oldest first."""

    def discard(self, ids: Sequence[str]) -> int:
        """Delete dead letters for good; how many. An id that is not there is nothing."""

    def replay(self, ids: Sequence[str] | None = None) -> int:
        """Send dead letters again as new messages (None: all of them); how many. An id that is not there is nothing."""

    def close(self) -> None:
        """Twice is once."""


class Mailbox(Protocol):
    """Where replies to one web process arrive; the process is the only reader."""

    @property
    def name(self) -> str: ...

    def receive(self, wait: float) -> list[str]:
        """Replies, as soon as there are some, within `wait` seconds; empty where none came."""

    def close(self) -> None:
        """Give the mailbox up. Twice is once; a `receive` on another thread ends."""


class Replies(Protocol):
    """Short messages to waiting web processes. One may get lost: it only wakes the waiter, the answer is stored."""

    def open(self) -> Mailbox:
        """A new mailbox, with a name of its own. May raise `StorageError`."""

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        """bodies: at most 200 characters each. To a mailbox that is no more, or none of ours, it is nothing."""

    def sweep(self) -> int:
        """Remove mailboxes that their process left behind; how many."""

    def close(self) -> None: ...


class Fleet(Protocol):
    """The app tier's instances."""

    def size(self) -> int:
        """How many there are or are being started; those on their way out do not count. May raise `FleetError`."""

    def resize(self, size: int) -> None:
        """Ask for so many. Fewer: idle ones go; a busy one is not taken away, so it may take a while.

        May raise `FleetError`, which is worth a retry."""

    def close(self) -> None:
        """End what the fleet itself runs; instances that live elsewhere go on."""


class Station(Protocol):
    """The place an app-tier instance works at."""

    def ready(self) -> None:
        """It can take work now."""

    def busy(self, working: bool) -> None:
        """Whether it has work in hand, so that it is not taken away. May be called with what is known already."""

    def leaving(self) -> bool:
        """Whether it has to go soon: take nothing more, finish or give back what is in hand."""

    def leave(self) -> None:
        """Its user wants it to go: `leaving` from now on. For the handler of a signal."""

    def close(self) -> None:
        """Nothing is in hand any more. Twice is once."""
