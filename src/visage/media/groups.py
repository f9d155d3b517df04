"""A video in groups of pictures: what the packets alone tell of every frame's place, without decoding any."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import chain

from av.packet import Packet
from av.stream import Stream

from visage.core.errors import TooLargeError
from visage.core.values import Place
from visage.media.pictures import Clock, stamp_of
from visage.media.reel import Reel

# How far before a place one looks for the key frame from which it can be reached, seconds: containers without an index
# may land anywhere.
STEPS_BACK = (0.0, 2.0, 15.0)
SAME = 1e-9
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Group:
    """The packets from one key frame up to the next, in the decoder's order, and the place of each one's frame; None
    for a frame that is never shown.

    packets: only the key frame's, where the others were not asked for. bytes: of all of them.
    """

    packets: "list[Packet[Stream]]"
    places: list[Place | None]
    bytes: int

    def shown(self) -> list[Place]:
        """In the order in which they are shown."""
        return sorted((place for place in self.places if place), key=lambda place: place.index)

    @property
    def leads(self) -> bool:
        """Whether frames are shown before the key frame: an open group, which is decoded with the one before it."""
        return self.shown()[:1] != self.places[:1]


def groups(
    reel: Reel, clock: Clock, *, most: int | None = None, first: float | None = None
) -> Generator[Group, None, None]:
    """From where the reel stands. most: keep all packets, `TooLargeError` for a group of more bytes; None: keep the key
    frames' alone. first: the stamp of the first frame that the decoder gives, at the beginning of a file: what was to
    be shown before it never is."""
    index, size = 0, 0
    packets: list[Packet[Stream]] = []
    stamps: list[_Stamp] = []
    for packet in reel.packets():
        if stamps and (packet is None or packet.is_keyframe):
            places = _places(stamps, clock, index)
            yield Group(packets, places, size)
            index += sum(place is not None for place in places)
            packets, stamps, size, first = [], [], 0, None
        if packet is None:
            return
        if not stamps and not packet.is_keyframe:
            continue
        seconds = stamp_of(packet)
        early = first is not None and seconds is not None and seconds < first - _ROUNDING
        stamps.append((seconds, not (packet.is_discard or early)))
        if most is not None or len(stamps) == 1:
            packets.append(packet)
        size += packet.size
        if most is not None and size > most:
            raise TooLargeError(
                reel.film.source,
                f"more than {most // 1_000_000} MB lie between two of its key frames. Take frames of it instead of "
                "segments, or encode it with more key frames",
            )


def groups_from(
    reel: Reel, start: float | None, place: Place, *, most: int | None = None
) -> Generator[Group, None, None]:
    """The group that has the frame at `place`, and those behind it. start: the stamp of the video's first frame."""
    for back in STEPS_BACK if start is not None else ():
        if not reel.move((start or 0.0) + place.time - back):
            break
        found = groups(reel, Clock(reel.gap, start), most=most)
        for group in found:
            shown = group.shown()
            here = [one for one in shown if abs(one.time - place.time) < SAME]
            if here:
                ahead = place.index - here[0].index
                for one in chain([group], found):
                    yield replace(one, places=[_moved(place, ahead) for place in one.places])
                return
            if shown and shown[0].time > place.time:
                break
        found.close()
    reel.rewind()
    for group in groups(reel, Clock(reel.gap), most=most, first=start):
        if any(one.index >= place.index for one in group.shown()):
            yield group


def length_of(reel: Reel, start: float | None) -> float:
    """Seconds of video from the reel's beginning, found by reading all of it."""
    last = 0.0
    for group in groups(reel, Clock(reel.gap), first=start):
        last = max(last, *(place.time + reel.gap for place in group.shown()))
    return last


_Stamp = tuple[float | None, bool]


def _places(stamps: list[_Stamp], clock: Clock, index: int) -> list[Place | None]:
    """stamps: each packet's, and whether its frame is shown, in the decoder's order. index: of the first frame shown.

    Frames are shown in the order of their stamps; where one has none, in the decoder's.
    """
    order = [n for n, (_, shown) in enumerate(stamps) if shown]
    if all(stamps[n][0] is not None for n in order):
        order.sort(key=lambda n: stamps[n][0] or 0.0)
    places: list[Place | None] = [None] * len(stamps)
    for rank, n in enumerate(order):
        places[n] = Place(index + rank, clock.time_at(stamps[n][0]))
    return places


def _moved(place: Place | None, by: int) -> Place | None:
    return None if place is None else Place(place.index + by, place.time)
