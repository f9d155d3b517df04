"""Videos by PyAV (FFmpeg): a file -> upright RGB frames with their times."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import av
import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from visage.core.ahead import ahead
from visage.core.errors import UnreadableError
from visage.core.values import Frame, Media, Pixels
from visage.media.limits import Limits
from visage.media.pictures import Picture, Pictures
from visage.media.sampling import Sampler
from visage.media.upright import degrees_orientation, matrix_orientation, swaps_sides, upright

# Frames wait for the main path in memory: eight of them, fewer where they are large, but always one.
_AHEAD_FRAMES, _AHEAD_BYTES = 8, 256_000_000
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
# FFmpeg's AVColorSpace -> swscale's SWS_CS; what is not listed is as good as not declared.
_BT709, _BT601 = 1, 5
_COLORSPACES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}

av.logging.set_level(None)  # FFmpeg would tell the user's terminal about every damaged block


@contextmanager
def open_video(
    path: Path, source: str, demuxer: str, sampler: Sampler, limits: Limits, threads: int
) -> Iterator["VideoClip"]:
    """The video at `path`; `source` is its name in messages, `demuxer` FFmpeg's name of the container's format.

    Raises `UnreadableError` where there is no video in it or not one frame decodes, `TooLargeError`.
    """
    try:
        # "file:" and the whitelist: neither the name nor the contents make FFmpeg open an address.
        container = av.open(
            f"file:{path.absolute()}",
            "r",
            format=demuxer,
            options={"protocol_whitelist": "file", "max_pixels": str(limits.pixels)},
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise UnreadableError(
            source, "the video is damaged, or cut off before its index; copy or download it again"
        ) from error
    with container, closing(VideoClip(container, source, sampler, limits, threads)) as clip:
        yield clip


class VideoClip:
    """An opened video. Its first frame is decoded at once: it tells the size, and that there is anything to see.

    `media.duration` is what the file declares, 0 where it declares nothing, and in the end what was seen.
    """

    def __init__(self, container: InputContainer, source: str, sampler: Sampler, limits: Limits, threads: int) -> None:
        self._source = source
        self._sampler = sampler
        self._limits = limits
        self._threads = max(1, threads)
        self._reformatter = VideoReformatter()
        self._stream = _video_stream(container, source)
        self._declared = _declared_seconds(container, self._stream)
        limits.check_seconds(source, self._declared)
        context = self._stream.codec_context
        limits.check_pixels(source, context.width, context.height)
        context.thread_type = "AUTO"
        context.thread_count = self._threads
        context.options = {"max_pixels": str(limits.pixels)}

        rate = self._stream.average_rate or self._stream.guessed_rate
        self._gap = float(1 / rate) if rate else 1 / 25
        self._pictures = Pictures(container, self._stream, source, limits, self._gap)
        self._decoded = self._pictures.decoded()
        first = next(self._decoded, None)
        if first is None:
            raise UnreadableError(source, "not one frame of the video can be decoded; copy or download it again")
        width, height = first.frame.width, first.frame.height
        if swaps_sides(self._orientation(first.frame)):
            width, height = height, width
        self.media = Media(source, width, height, duration=self._declared, fps=float(rate) if rate else None)
        depth = max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // (3 * width * height)))
        self._frames = ahead(self._wanted(first), depth)

    def frames(self) -> Iterator[Frame]:
        """See `core.ports.Clip`."""
        return self._frames

    def close(self) -> None:
        """Stop decoding; the thread has ended when this returns."""
        self._frames.close()
        self._decoded.close()

    def _wanted(self, first: Picture) -> Generator[Frame, None, None]:
        """The frames the sampler wants, in RGB; the others cost no conversion. Completes `media` at the end."""
        picture: Picture | None = first
        end = 0.0
        while picture is not None:
            self._limits.check_seconds(self._source, picture.time)
            if self._sampler.wants(picture.index, picture.time):
                yield Frame(self._pixels(picture.frame), picture.index, picture.time)
            end = picture.time + self._gap
            picture = next(self._decoded, None)
        seen = end if end > self._declared + self._gap else self._declared
        self.media = replace(self.media, duration=seen, problem=self._pictures.problem(end, self._declared))

    def _orientation(self, frame: VideoFrame) -> int:
        try:
            sides: Mapping[str, object] = frame.side_data
        except ValueError:
            # PyAV lists no side data at all beside a kind it does not know, such as Exif; the angle can still be had.
            return degrees_orientation(str(-frame.rotation))
        matrix = sides.get("DISPLAYMATRIX")
        if isinstance(matrix, SideData):
            return matrix_orientation(bytes(matrix))
        return degrees_orientation(self._stream.metadata.get("rotate", "0"))

    def _pixels(self, frame: VideoFrame) -> Pixels:
        """The decoder's picture -> upright (h, w, 3) RGB, full range."""
        self._limits.check_pixels(self._source, frame.width, frame.height)
        try:
            converted = self._reformatter.reformat(
                frame, format="rgb24", src_colorspace=_colorspace(frame), threads=self._threads
            )
        except av.error.FFmpegError as error:
            raise UnreadableError(
                self._source, f"its pixel format {frame.format.name} is not supported; convert it to H.264 first"
            ) from error
        return upright(np.asarray(converted.to_ndarray(), np.uint8), self._orientation(frame))


def _colorspace(frame: VideoFrame) -> int | None:
    """The matrix that made YUV of RGB. Where none is declared: BT.709 for high definition, else BT.601, as players do.

    Without this the skin of most unlabelled HD films would come out too red or too green.
    """
    if frame.format.is_rgb:
        return None
    high = frame.width >= 1280 or frame.height > 576
    return _COLORSPACES.get(int(frame.colorspace), _BT709 if high else _BT601)


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
