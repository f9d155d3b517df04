"""A video that is being read: packets -> decoded pictures, whatever is wrong with the file."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from visage.core.errors import UnreadableError
from visage.media.limits import Limits
from visage.media.pictures import Clock, Picture, stamp_of

# A container's length may be rounded, or count how long the last frame is shown; less than this is not worth a word.
_TOLERANCE = 0.2
_MICROSECOND = Fraction(1, av.time_base)
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails

av.logging.set_level(None)  # FFmpeg would tell the user's terminal about every damaged block


@dataclass(frozen=True, slots=True)
class Film:
    """How a video is opened. open: from its beginning, as often as it is called. check: raises what went wrong below
    FFmpeg, which knows of no exceptions. threads: how many may decode. stamped: whether frames keep their stamps
    wherever reading begins."""

    source: str
    open: Callable[[], InputContainer]
    check: Callable[[], None]
    limits: Limits
    threads: int
    stamped: bool


class Reel:
    """One stream of one opened file, and afterwards the tale of what was wrong.

    Raises `UnreadableError` where there is no video in it, `TooLargeError`; all of it raises what the file raises.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self._container, self.stream = _opened(film)
        self.damaged = 0
        self.latest = -float("inf")  # the greatest stamp that was met, seconds
        self._broken = False
        self._reached = 0.0
        rate = self.stream.average_rate or self.stream.guessed_rate
        self.fps = float(rate) if rate else None
        self.gap = float(1 / rate) if rate else 1 / 25
        self.declared = _declared_seconds(self._container, self.stream)

    def close(self) -> None:
        self._container.close()

    def rewind(self) -> None:
        """To the beginning, with a fresh decoder: there is no surer way than to open it anew."""
        self._container.close()
        self._container, self.stream = _opened(self.film)
        self._forget()

    def move(self, seconds: float) -> bool:
        """To a key frame at or before a stamp, as far as the container finds one; False where it cannot."""
        if not (self.film.stamped and self.stream.time_base):
            return False
        try:
            self._container.seek(round(Fraction(seconds) / self.stream.time_base), stream=self.stream)
        except av.error.FFmpegError:
            return False
        finally:
            self.film.check()
        self._forget()
        return True

    @property
    def metadata(self) -> dict[str, str]:
        """The container's own tags."""
        return self._container.metadata

    def pictures(
        self, clock: Clock, packets: "Iterable[Packet[Stream] | None] | None" = None
    ) -> Generator[Picture, None, None]:
        """packets: those to be decoded; None: all from here on.

        Damaged pictures are left out but counted; where the file breaks off, the pictures end quietly.

        Raises `TooLargeError` where the decoder meets a picture over the limit.
        """
        index = -1
        for packet in self.packets() if packets is None else packets:
            for frame in self.decode(packet):
                index += 1
                if not frame.is_corrupt:
                    yield Picture(frame, index, clock.time_of(frame))

    def packets(self) -> "Generator[Packet[Stream] | None, None, None]":
        """The stream's packets that are whole, in the decoder's order, and None at the end."""
        # All streams are read, not only the video's: how far the file goes is told by the last packet of any.
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.film.check()
                self._broken = True
                break
            except IndexError:
                # PyAV's own stumble at the end of a transport stream in which another stream turned up late.
                break
            self.film.check()
            if packet is None:
                break
            if packet.pts is not None and packet.time_base:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._reached = max(self._reached, float(end))
            # Not packet.stream_index: PyAV leaves it 0 in the empty packets that say a stream has ended. Another kind
            # of empty packet is AVI's way to say that nothing moved; to the decoder it would mean the end.
            if packet.stream.index != self.stream.index or not packet.size:
                continue
            stamp = stamp_of(packet)
            self.latest = self.latest if stamp is None else max(self.latest, stamp)
            if packet.is_corrupt:
                # The container knows that bytes are missing; decoded, it would be half a picture and half gray.
                self.damaged += 1
                self._broken = True
                continue
            # Whole packets after a broken one: a hole, not the end.
            self._broken = False
            yield packet
        yield None

    def decode(self, packet: "Packet[Stream] | None") -> list[VideoFrame]:
        """The pictures that one more packet completes; those still inside the decoder for None."""
        try:
            frames = self.stream.decode(packet)
        except av.error.ArgumentError as error:
            # The decoder's answer to more than max_pixels; damage has another name.
            raise self.film.limits.pixels_exceeded(self.film.source) from error
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        for frame in frames:
            # PyAV takes it from the packet, and there is none at the end.
            frame.time_base = frame.time_base or self.stream.time_base
        # A face found in a smear would be nobody's.
        self.damaged += sum(frame.is_corrupt for frame in frames)
        return frames

    def problem(self, end: float) -> str | None:
        """What was wrong with the file, in plain words, once it is read to its end; None where nothing was.

        end: seconds of video seen.
        """
        length = float((self._container.duration or 0) * _MICROSECOND)
        if self._broken or self._reached + max(_TOLERANCE, 2 * self.gap) < length:
            return f"the file breaks off after {end:.1f} s" + (
                f" of {self.declared:.1f} s" if self.declared > end else ""
            )
        if self.damaged:
            return f"{self.damaged} damaged {'frame was' if self.damaged == 1 else 'frames were'} left out"
        return None

    def _forget(self) -> None:
        self.damaged, self.latest = 0, -float("inf")
        self._broken, self._reached = False, 0.0


def _opened(film: Film) -> tuple[InputContainer, VideoStream]:
    try:
        container = film.open()
    except av.error.FFmpegError as error:
        film.check()
        raise UnreadableError(
            film.source, "the video is damaged, or cut off before its index; copy or download it again"
        ) from error
    try:
        film.check()
        stream = _video_stream(container, film.source)
        context = stream.codec_context
        film.limits.check_pixels(film.source, context.width, context.height)
        context.thread_type = "AUTO"
        context.thread_count = film.threads
        context.options = {"max_pixels": str(film.limits.pixels)}
    except BaseException:
        container.close()
        raise
    return container, stream


def _video_stream(container: InputContainer, source: str) -> VideoStream:
    """The first stream that moves; cover pictures and thumbnails do not count."""
    for stream in container.streams.video:
        if stream.disposition & _STILLS:
            continue
        # PyAV leaves the context out where FFmpeg has no decoder for the stream.
        if stream.codec_context is None:
            raise UnreadableError(source, "no decoder here knows its video format; convert it to H.264 first")
        return stream
    raise UnreadableError(source, "there is no video in it, only sound or a cover picture")


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The video's length as the file declares it; 0 where it does not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska counts from zero even where the first frame is later.
    return max(0.0, ((container.duration or 0) - max(0, container.start_time or 0)) / av.time_base)
