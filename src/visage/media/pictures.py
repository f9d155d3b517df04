"""The decoder's inner loop: packets -> decoded pictures with their times, whatever is wrong with the file."""

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from visage.media.limits import Limits

# A container's length may be rounded, or count how long the last frame is shown; less than this is not worth a word.
_TOLERANCE = 0.2
_ROUNDING = 1e-6
_MICROSECOND = Fraction(1, av.time_base)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame in the decoder's own colors. index: its place, counting every frame. time: seconds."""

    frame: VideoFrame
    index: int
    time: float


class Clock:
    """Presentation stamps -> seconds from the first frame.

    Stamps may be missing, start anywhere, and in a spliced or damaged file jump back; the time given never does.
    """

    def __init__(self, gap: float) -> None:
        """gap: seconds between two frames, where the stamps do not tell."""
        self._gap = gap
        self._start: float | None = None
        self._last = -gap

    def time_of(self, frame: VideoFrame) -> float:
        time = self._last + self._gap
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is not None and frame.time_base:
            seconds = float(stamp * frame.time_base)
            if self._start is None:
                self._start = seconds - time
            if seconds - self._start > self._last + _ROUNDING:
                time = seconds - self._start
            else:
                self._start = seconds - time
        self._last = time
        return time


class Pictures:
    """All pictures of one stream, in order, and afterwards the tale of what was wrong."""

    def __init__(self, container: InputContainer, stream: VideoStream, source: str, limits: Limits, gap: float) -> None:
        self._container = container
        self._stream = stream
        self._source = source
        self._limits = limits
        self._gap = gap
        self._damaged = 0
        self._broken = False
        self._reached = 0.0

    def decoded(self) -> Generator[Picture, None, None]:
        """Damaged pictures are left out but counted; where the file breaks off, the pictures end quietly.

        Raises `TooLargeError` where the decoder meets a picture over the limit.
        """
        clock = Clock(self._gap)
        for index, frame in enumerate(self._frames()):
            if frame.is_corrupt:
                # A face found in a smear would be nobody's.
                self._damaged += 1
            else:
                yield Picture(frame, index, clock.time_of(frame))

    def problem(self, end: float, declared: float) -> str | None:
        """What was wrong with the file, in plain words, once `decoded` is through; None where nothing was.

        end: seconds of video seen. declared: seconds the file promises, 0 where it does not.
        """
        length = float((self._container.duration or 0) * _MICROSECOND)
        if self._broken or self._reached + max(_TOLERANCE, 2 * self._gap) < length:
            return f"the file breaks off after {end:.1f} s" + (f" of {declared:.1f} s" if declared > end else "")
        if self._damaged:
            return f"{self._damaged} damaged {'frame was' if self._damaged == 1 else 'frames were'} left out"
        return None

    def _frames(self) -> Generator[VideoFrame, None, None]:
        # All streams are read, not only the video's: how far the file goes is told by the last packet of any.
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self._broken = True
                yield from self._decode(None)
                return
            except IndexError:
                # PyAV's own stumble at the end of a transport stream in which another stream turned up late.
                yield from self._decode(None)
                return
            if packet is None:
                return
            if packet.pts is not None and packet.time_base:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._reached = max(self._reached, float(end))
            # Not packet.stream_index: PyAV leaves it 0 in the empty packets that say a stream has ended.
            if packet.stream.index != self._stream.index:
                continue
            if packet.size == 0 and packet.dts is not None:
                # AVI's way to say that nothing moved. To the decoder an empty packet would mean the end.
                continue
            if packet.is_corrupt:
                # The container knows that bytes are missing; decoded, it would be half a picture and half gray.
                self._damaged += 1
                self._broken = True
                continue
            if packet.size:
                # Whole packets after a broken one: a hole, not the end.
                self._broken = False
            yield from self._decode(packet)

    def _decode(self, packet: "Packet[Stream] | None") -> list[VideoFrame]:
        """The pictures that one more packet completes; those still inside the decoder for None."""
        try:
            return self._stream.decode(packet)
        except av.error.ArgumentError as error:
            # The decoder's answer to more than max_pixels; damage has another name.
            raise self._limits.pixels_exceeded(self._source) from error
        except av.error.FFmpegError:
            self._damaged += 1
            return []
