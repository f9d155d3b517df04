"""Videos by PyAV (FFmpeg): a file -> upright RGB frames with their times."""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import av

from visage.core.ahead import ahead
from visage.core.values import Frame, Place
from visage.media.groups import length_of
from visage.media.limits import Limits
from visage.media.look import FirstLook
from visage.media.passages import key_pictures, key_pictures_after, pictures_after
from visage.media.pictures import Picture
from visage.media.reel import Film, Reel
from visage.media.sampling import Sampler
from visage.media.steady import Steady

# Frames wait for the main path in memory: eight of them, fewer where they are large, but always one.
_AHEAD_FRAMES, _AHEAD_BYTES = 8, 256_000_000
# AVI has no stamps; FFmpeg counts frames, which in a damaged file comes out otherwise after a jump.
_UNSTAMPED = {"avi"}
# A file object may be far away: few large readings cost it less than many small ones.
_BUFFER = 1 << 20


def film_of_path(path: Path, source: str, demuxer: str, limits: Limits, threads: int) -> Film:
    """The video at `path`; `source` is its name in messages, `demuxer` FFmpeg's name of the container's format."""
    # "file:" and the whitelist: neither the name nor the contents make FFmpeg open an address.
    options = {"protocol_whitelist": "file", "max_pixels": str(limits.pixels)}
    return Film(
        source,
        lambda: av.open(f"file:{path.absolute()}", "r", format=demuxer, options=options, metadata_errors="replace"),
        lambda: None,
        limits,
        max(1, threads),
        demuxer not in _UNSTAMPED,
    )


def film_of_file(file: IO[bytes], source: str, demuxer: str, limits: Limits, threads: int) -> Film:
    """The video in a file that is open for reading; otherwise as `film_of_path`."""
    steady = Steady(file)
    # No protocol is on the list: the contents do not make FFmpeg open anything.
    options = {"protocol_whitelist": "none", "max_pixels": str(limits.pixels)}
    return Film(
        source,
        lambda: av.open(
            steady.rewound(), "r", format=demuxer, options=options, metadata_errors="replace", buffer_size=_BUFFER
        ),
        steady.check,
        limits,
        max(1, threads),
        demuxer not in _UNSTAMPED,
    )


@contextmanager
def open_video(film: Film, sampler: Sampler, after: Place | None = None) -> Iterator["VideoClip"]:
    """after: the place of a frame that the sampler wanted; those that follow it are given.

    Raises `UnreadableError` where there is no video in it or not one frame decodes, `TooLargeError`.
    """
    with closing(Reel(film)) as reel, closing(VideoClip(reel, sampler, after)) as clip:
        yield clip


class VideoClip:
    """An opened video. Its first frame is decoded at once: it tells the size, and that there is anything to see.

    `media.duration` is what the file declares, 0 where it declares nothing, and in the end what was seen.
    """

    def __init__(self, reel: Reel, sampler: Sampler, after: Place | None = None) -> None:
        self._reel = reel
        self._sampler = sampler
        look = FirstLook(reel)
        self.media = look.media
        self._developer = look.developer
        self._start = look.start
        self._end = 0.0 if after is None else after.time + reel.gap
        if sampler.needs_length:
            sampler.spread(self._length(look))
        self._pictures = self._chosen(look, after)
        depth = max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // (3 * self.media.width * self.media.height)))
        self._frames = ahead(self._wanted(), depth)

    def frames(self) -> Iterator[Frame]:
        """See `core.ports.media.Clip`."""
        return self._frames

    def close(self) -> None:
        """Stop decoding; the thread has ended when this returns."""
        self._frames.close()
        self._pictures.close()

    def _length(self, look: FirstLook) -> float:
        """Seconds; where the file does not declare them it is read once for that alone."""
        if self._reel.declared:
            return self._reel.declared
        look.rewind()
        length = length_of(self._reel, look.start)
        look.rewind()
        self.media = replace(self.media, duration=length)
        return length

    def _chosen(self, look: FirstLook, after: Place | None) -> Generator[Picture, None, None]:
        if not self._sampler.keys:
            return look.pictures() if after is None else pictures_after(look, after)
        return key_pictures(look) if after is None else key_pictures_after(look, after)

    def _wanted(self) -> Generator[Frame, None, None]:
        """The frames the sampler wants, in RGB; the others cost no conversion. Completes `media` at the end."""
        limits, source, gap = self._reel.film.limits, self._reel.film.source, self._reel.gap
        if self._sampler.satisfied:
            return
        for picture in self._pictures:
            limits.check_seconds(source, picture.time)
            self._end = picture.time + gap
            if self._sampler.wants(picture.index, picture.time):
                yield Frame(self._developer.pixels(picture.frame), picture.index, picture.time)
                if self._sampler.satisfied:
                    return
        if self._sampler.keys and self._start is not None:
            self._end = max(self._end, self._reel.latest - self._start + gap)
        declared = self._reel.declared
        seen = self._end if self._end > declared + gap else declared
        self.media = replace(self.media, duration=seen, problem=self._reel.problem(self._end))
