"""A video's pictures from a place on, or those of its key frames alone."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from av.packet import Packet
from av.stream import Stream

from visage.core.values import Place
from visage.media.groups import SAME, STEPS_BACK, Group, groups, groups_from
from visage.media.look import FirstLook
from visage.media.pictures import Clock, Picture, stamp_of
from visage.media.reel import Reel

_MOST_WAITING = 256_000_000  # bytes of a group of pictures that may wait in memory


def pictures_after(look: FirstLook, place: Place) -> Generator[Picture, None, None]:
    """Those behind the one at `place`, exactly as in a run from the beginning.

    They are reached by way of a key frame before `place`, if from there a sound picture comes at exactly that time, and
    nothing damaged on the way. Else all before is read again, and where the stamps lead nowhere, decoded too.
    """
    reel = look.reel
    if look.start is not None:
        stamp = look.start + place.time
        for back in STEPS_BACK:
            if not reel.move(stamp - back):
                break
            with closing(reel.pictures(Clock(reel.gap, look.start))) as pictures:
                if (ahead := _lead(pictures, place)) is not None and not reel.damaged:
                    yield from _moved(pictures, ahead)
                    return
        look.rewind()
        near = _Near(reel, stamp)
        with closing(reel.pictures(Clock(reel.gap, look.start), near.packets())) as pictures:
            if (ahead := _lead(pictures, place)) is not None and reel.damaged == near.damaged:
                yield from _moved(pictures, ahead)
                return
    look.rewind()
    for picture in look.pictures():
        if picture.index > place.index:
            yield picture


class _Near:
    """The packets from the last key frame before a stamp on; the file is read from where the reel stands.

    damaged: how much was until then.
    """

    def __init__(self, reel: Reel, stamp: float) -> None:
        self._reel = reel
        self._stamp = stamp
        self.damaged = 0

    def packets(self) -> "Generator[Packet[Stream] | None, None, None]":
        waiting: list[Packet[Stream] | None] = []
        size = 0
        packets = self._reel.packets()
        for packet in packets:
            if packet is not None and packet.is_keyframe and (stamp_of(packet) or 0.0) <= self._stamp + SAME:
                waiting, size, self.damaged = [], 0, self._reel.damaged
            elif packet is None or packet.is_keyframe or size > _MOST_WAITING:
                yield from waiting
                yield packet
                break
            waiting.append(packet)
            size += packet.size
        yield from packets


def _lead(pictures: Iterator[Picture], place: Place) -> int | None:
    """By how much indices are to be raised once the picture at `place` was met; None where it does not come."""
    here = next((one for one in pictures if one.time > place.time - SAME), None)
    return place.index - here.index if here is not None and here.time < place.time + SAME else None


def _moved(pictures: Iterator[Picture], ahead: int) -> Iterator[Picture]:
    return (replace(picture, index=picture.index + ahead) for picture in pictures)


def key_pictures(look: FirstLook) -> Generator[Picture, None, None]:
    """Those of the key frames; the others are read, to be counted, but not decoded. The first picture of all where the
    file calls none a key frame."""
    look.rewind()
    none = True
    for picture in _keys(look.reel, groups(look.reel, Clock(look.reel.gap), first=look.start)):
        none = False
        yield picture
    if none:
        yield look.first


def key_pictures_after(look: FirstLook, place: Place) -> Generator[Picture, None, None]:
    """Those of them that follow the one at `place`."""
    found = groups_from(look.reel, look.start, place)
    next(found, None)
    yield from _keys(look.reel, found)


def placed_pictures(reel: Reel, packets: "Iterable[tuple[Packet[Stream], Place | None]]") -> Iterator[Picture]:
    """What a decoder makes of packets that are known to belong to these places; no picture for None."""
    places: dict[int, Place | None] = {}
    for number, (packet, place) in enumerate(packets):
        # Stamps come out again with the frame that was made of the packet; the file's own may be missing, or given
        # twice. PyAV's way to hand something through a decoder, `opaque`, stops a process for good now and then: one of
        # the decoder's threads lets go of it, which takes Python's lock, while whoever frees the decoder holds that.
        packet.pts = packet.dts = number
        places[number] = place
        yield from _placed(reel, packet, places)
    yield from _placed(reel, None, places)


def _keys(reel: Reel, found: Generator[Group, None, None]) -> Generator[Picture, None, None]:
    with closing(found):
        yield from placed_pictures(reel, ((group.packets[0], group.places[0]) for group in found))


def _placed(reel: Reel, packet: "Packet[Stream] | None", places: dict[int, Place | None]) -> Iterator[Picture]:
    for frame in reel.decode(packet):
        place = None if frame.pts is None else places.pop(frame.pts, None)
        if place and not frame.is_corrupt:
            yield Picture(frame, place.index, place.time)
