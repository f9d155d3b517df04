"""The door for files that need not be on a disk: a file object -> frames from any place on, or pieces of the video."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from visage.core.errors import UnreadableError, UsageError
from visage.core.ports.media import Clip, Segments
from visage.core.values import Media, Place, Sampling, Segment
from visage.media.decode import PhotoClip, neither
from visage.media.kinds import DEMUXERS, HEAD_BYTES, Kind, kind_of
from visage.media.limits import Limits
from visage.media.photos import check_photo_bytes, read_photo
from visage.media.sampling import Sampler
from visage.media.segments import open_segment, open_segments
from visage.media.videos import film_of_file, open_video


class FileCutter:
    """Keeps `core.ports.media.Cutter`. It may be used from several threads at once, each with files of its own.

    max_bytes, max_pixels, max_seconds, threads: as for `FileDecoder`, and so are frames, errors and what is read on
    which thread.

    Going on after a place costs nothing of what is before it, where the file's stamps lead there. What is before is
    read again in an AVI, which has no stamps, and decoded again in a spliced film and after damage near the place.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int, max_seconds: float, threads: int) -> None:
        self._limits = Limits(bytes=max_bytes, pixels=max_pixels, seconds=max_seconds)
        self._threads = threads

    @contextmanager
    def frames(
        self, file: IO[bytes], source: str, size: int, sampling: Sampling, *, after: Place | None = None
    ) -> Iterator[Clip]:
        """See `core.ports.media.Cutter`."""
        sampler = Sampler(sampling, after)
        kind = self._kind(file, source, size)
        if kind not in DEMUXERS:
            check_photo_bytes(size, source, kind, self._limits)
            # Read here, so that what the file raises is not taken for damage of the photo.
            photo = read_photo(io.BytesIO(file.read()), size, source, kind, self._limits)
            yield PhotoClip(source, *photo, seen=after is not None)
            return
        film = film_of_file(file, source, DEMUXERS[kind], self._limits, self._threads)
        with open_video(film, sampler, after) as clip:
            yield clip

    @contextmanager
    def cut(
        self, file: IO[bytes], source: str, size: int, seconds: float, *, after: Place | None = None
    ) -> Iterator[Segments]:
        """See `core.ports.media.Cutter`. Cut earlier than at 256 MB; `TooLargeError` where there is no key frame to cut
        at.

        A piece that begins with an open group of pictures carries the group before it, which its first frames need.
        """
        if not seconds > 0:
            raise UsageError(f"cannot cut a video every {seconds} seconds; give more than 0")
        kind = self._kind(file, source, size)
        if kind not in DEMUXERS:
            raise UnreadableError(source, "it is a photo; only a video can be cut")
        film = film_of_file(file, source, DEMUXERS[kind], self._limits, self._threads)
        with open_segments(film, seconds, after) as segments:
            yield segments

    @contextmanager
    def segment(self, segment: Segment, media: Media, sampling: Sampling) -> Iterator[Clip]:
        """See `core.ports.media.Cutter`."""
        sampler = Sampler(sampling, segment.before)
        with open_segment(segment, media, sampler, self._limits, self._threads) as clip:
            yield clip

    def _kind(self, file: IO[bytes], source: str, size: int) -> Kind:
        """What the file is; it stands at its beginning afterwards."""
        self._limits.check_bytes(source, size)
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if not head:
            raise UnreadableError(source, "it is empty (0 bytes); copy or download it again")
        kind = kind_of(head)
        if kind is None:
            raise neither(source)
        file.seek(0)
        return kind
