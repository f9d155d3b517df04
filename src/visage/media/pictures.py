"""Decoded pictures and their times."""

from dataclasses import dataclass

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

_ROUNDING = 1e-6


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

    def __init__(self, gap: float, start: float | None = None) -> None:
        """gap: seconds between two frames, where the stamps do not tell. start: the first frame's stamp in seconds,
        for a clock that is set going somewhere else."""
        self._gap = gap
        self.start = start
        self._last = -gap if start is None else -float("inf")

    def time_of(self, frame: VideoFrame) -> float:
        """The time of the frame that is shown next."""
        return self.time_at(stamp_of(frame))

    def time_at(self, seconds: float | None) -> float:
        """The same, of its stamp."""
        time = self._last + self._gap
        if seconds is not None:
            if self.start is None:
                self.start = seconds - time
            if seconds - self.start > self._last + _ROUNDING:
                time = seconds - self.start
            else:
                self.start = seconds - time
        self._last = time
        return time


def stamp_of(stamped: "VideoFrame | Packet[Stream]") -> float | None:
    """Seconds by the file's own count, None where nothing says them."""
    stamp = stamped.pts if stamped.pts is not None else stamped.dts
    return float(stamp * stamped.time_base) if stamp is not None and stamped.time_base else None
