"""What is asked of files of photos and videos; kept by `media/`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

from visage.core.values import Frame, Media, Place, Sampling, Segment, Sighting


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
