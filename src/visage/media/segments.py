"""A video cut at key frames into files of its own, without encoding anew, and such a piece read again.

Matroska rounds stamps to milliseconds, and a piece does not know where it was cut from. So each carries a tag with the
place of every packet's frame in the whole video, and how the frames are to be turned.
"""

import io
import json
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import av.error
from av.packet import Packet
from av.stream import Stream

from visage.core.ahead import ahead
from visage.core.errors import UnreadableError
from visage.core.values import Frame, Media, Place, Segment
from visage.media.develop import Developer
from visage.media.groups import Group, groups, groups_from
from visage.media.limits import Limits
from visage.media.look import FirstLook
from visage.media.passages import placed_pictures
from visage.media.pictures import Clock
from visage.media.reel import Film, Reel
from visage.media.sampling import Sampler
from visage.media.videos import film_of_file

# A piece is in memory whole. One that begins with an open group has the group before it, too.
MOST_BYTES = 256_000_000
_TAG = "VISAGE"
_AHEAD = 2


class VideoSegments:
    """See `core.ports.media.Segments`. The first frame is decoded, for `media`; else nothing is."""

    def __init__(self, reel: Reel, seconds: float, after: Place | None = None) -> None:
        self._reel = reel
        self._seconds = seconds
        self._after = after
        self._look = FirstLook(reel)
        self.media = self._look.media

    def segments(self) -> Generator[Segment, None, None]:
        """Raises `TooLargeError` where a piece cannot be cut small enough."""
        look, before = self._look, self._after
        look.rewind()
        if before is None:
            found = groups(self._reel, Clock(self._reel.gap), most=MOST_BYTES, first=look.start)
        else:
            found = groups_from(self._reel, look.start, before, most=MOST_BYTES)
        with closing(found):
            earlier = None if before is None else next(found, None)
            for piece, following in _pieces(found, self._seconds):
                shown = [place for group in piece for place in group.shown()]
                self._reel.film.limits.check_seconds(self.media.source, shown[-1].time)
                end = following.time if following else max(shown[-1].time + self._reel.gap, self._reel.declared)
                yield Segment(self._written(_with(earlier, piece)), shown[0], shown[-1], before, end)
                before, earlier = shown[-1], piece[-1]
        if before is None:
            raise UnreadableError(
                self.media.source, "it has no key frame to cut it at; take frames of it instead of segments"
            )
        seen = before.time + self._reel.gap
        declared = self._reel.declared
        self.media = replace(
            self.media,
            duration=seen if seen > declared + self._reel.gap else declared,
            problem=self._reel.problem(seen),
        )

    def _written(self, piece: list[Group]) -> bytes:
        """A file of Matroska."""
        written = io.BytesIO()
        places = [place for group in piece for place in group.places]
        packets = [packet for group in piece for packet in group.packets]
        try:
            with av.open(written, "w", format="matroska", options={"avoid_negative_ts": "disabled"}) as out:
                out.metadata[_TAG] = json.dumps(
                    {
                        "orientation": self._look.orientation,
                        "places": [None if place is None else [place.index, place.time] for place in places],
                    },
                    separators=(",", ":"),
                )
                stream = out.add_stream_from_template(self._reel.stream, opaque=True)
                base = self._reel.stream.time_base or Fraction(1, 1000)
                earliest = min((packet.pts for packet in packets if packet.pts is not None), default=0)
                for n, packet in enumerate(packets):
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    packet.pts = n if stamp is None else stamp - earliest
                    # Matroska keeps no decoding stamps; all that FFmpeg asks of them is that they rise.
                    packet.dts = n - len(packets)
                    packet.time_base = base
                    packet.stream = stream
                    out.mux_one(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableError(
                self.media.source, "its video format does not go into segments; take frames of it instead"
            ) from error
        return written.getvalue()


class SegmentClip:
    """See `core.ports.media.Cutter.segment`."""

    def __init__(self, reel: Reel, segment: Segment, media: Media, sampler: Sampler) -> None:
        self.media = media
        self._reel = reel
        self._sampler = sampler
        orientation, self._places = _tag(reel, media.source)
        self._developer = Developer(reel.film, orientation=orientation)
        if sampler.needs_length:
            sampler.spread(media.duration or segment.end)
        self._frames = ahead(self._wanted(), _AHEAD)

    def frames(self) -> Iterator[Frame]:
        """See `core.ports.media.Clip`."""
        return self._frames

    def close(self) -> None:
        """Stop decoding; the thread has ended when this returns."""
        self._frames.close()

    def _wanted(self) -> Generator[Frame, None, None]:
        if self._sampler.satisfied:
            return
        lost = 0

        def packets() -> "Iterator[tuple[Packet[Stream], Place | None]]":
            nonlocal lost
            for packet, place in zip(self._reel.packets(), self._places, strict=False):
                if packet is None or (self._sampler.keys and not packet.is_keyframe):
                    continue
                lost += place is not None
                yield packet, place

        for picture in placed_pictures(self._reel, packets()):
            lost -= 1
            if self._sampler.wants(picture.index, picture.time):
                yield Frame(self._developer.pixels(picture.frame), picture.index, picture.time)
                if self._sampler.satisfied:
                    return
        if lost > 0:
            said = f"{lost} damaged {'frame was' if lost == 1 else 'frames were'} left out"
            self.media = replace(self.media, problem=self.media.problem or said)


@contextmanager
def open_segments(film: Film, seconds: float, after: Place | None) -> Iterator[VideoSegments]:
    with closing(Reel(film)) as reel:
        yield VideoSegments(reel, seconds, after)


@contextmanager
def open_segment(
    segment: Segment, media: Media, sampler: Sampler, limits: Limits, threads: int
) -> Iterator[SegmentClip]:
    film = film_of_file(io.BytesIO(segment.data), media.source, "matroska", limits, threads)
    with closing(Reel(film)) as reel, closing(SegmentClip(reel, segment, media, sampler)) as clip:
        yield clip


def _pieces(found: Iterator[Group], seconds: float) -> Iterator[tuple[list[Group], Place | None]]:
    """Groups joined to pieces, each with the first frame shown after it."""
    piece: list[Group] = []
    size = 0
    begun = 0.0
    for group in found:
        shown = group.shown()
        if piece and shown and (shown[0].time - begun >= seconds or size + group.bytes > MOST_BYTES):
            yield piece, shown[0]
            piece, size = [], 0
        if shown:
            begun = begun if piece else shown[0].time
            piece.append(group)
            size += group.bytes
    if piece:
        yield piece, None


def _with(earlier: Group | None, piece: list[Group]) -> list[Group]:
    """The piece, and where it begins with an open group the one before it, of which nothing is shown again."""
    if earlier is None or not piece[0].leads:
        return piece
    return [replace(earlier, places=[None] * len(earlier.places)), *piece]


def _tag(reel: Reel, source: str) -> tuple[int, list[Place | None]]:
    try:
        data: dict[str, Any] = json.loads(reel.metadata[_TAG])
        places = [None if one is None else Place(int(one[0]), float(one[1])) for one in data["places"]]
        return int(data["orientation"]), places
    except (KeyError, ValueError, TypeError, LookupError) as error:
        raise UnreadableError(
            source, "the segment was not cut by Visage, or is damaged; cut the video again"
        ) from error
