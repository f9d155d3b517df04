"""Frames -> a video to look at: MP4, by PyAV (FFmpeg)."""

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.logging
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from visage.core.errors import UsageError
from visage.core.values import Pixels
from visage.media.draw import not_written, temporary_beside

# Ticks a second: times of the usual frame rates are whole numbers of them, and MPEG-4 allows no more than 65,535.
_TICKS = 60_000
_BT709 = 1

av.logging.set_level(None)


class VideoWriter:
    """Writes an MP4 (H.264 where FFmpeg has x264, else MPEG-4 part 2), frame by frame, each at its own time.

    A context manager: the file takes its place when the block ends, and not at all when the block fails or writes no
    frame. fps: the usual rate, for the encoder's planning; times need not follow it. An odd width or height grows by
    one pixel, as the format knows only even ones. Raises `StorageError` where it cannot be written, `UsageError` for
    a name that does not end in .mp4.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float | None = None) -> None:
        if path.suffix.lower() != ".mp4":
            raise UsageError(f"cannot write a video called {path.name}; end its name in .mp4")
        self._path = path
        self._size = (width, height)
        self._temporary = temporary_beside(path)
        self._last = -1
        self._reformatter = VideoReformatter()
        try:
            # PyAV opens the file with the first packet only; the caller is to know before the work.
            self._temporary.touch()
            self._container = av.open(f"file:{self._temporary.absolute()}", "w", format="mp4")
        except OSError as error:
            raise not_written(path, error) from error
        # No B-frames: with uneven times FFmpeg writes a wrong length for a video that has them.
        rate = Fraction(fps or 25).limit_denominator(1001)
        if "libx264" in av.codecs_available:
            self._stream = self._container.add_stream("libx264", rate, {"preset": "veryfast", "crf": "20", "bf": "0"})
        else:
            self._stream = self._container.add_stream("mpeg4", rate, {"qmin": "2", "qmax": "6"})
        context = self._stream.codec_context
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, _TICKS)
        # Said outright, so that no player has to guess.
        context.colorspace, context.color_range = _BT709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709

    def __enter__(self) -> Self:
        return self

    def write(self, pixels: Pixels, time: float) -> None:
        """Add (h, w, 3) RGB at `time` seconds; where the size is not the video's, as when a film changes its own
        midway, it is scaled. Times must rise; one that does not is moved a tick on. Raises `StorageError`."""
        width, height = self._size
        if pixels.shape != (height, width, 3):
            pixels = np.asarray(cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        self._last = max(self._last + 1, round(time * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        try:
            self._encode(frame)
        except OSError as error:
            raise not_written(self._path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and self._last >= 0:
                self._finish()
            else:
                with suppress(OSError):
                    self._container.close()
        finally:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            self._encode(None)
            self._container.close()
            os.replace(self._temporary, self._path)  # noqa: PTH105  the name says that it replaces
        except OSError as error:
            with suppress(OSError):
                self._container.close()
            raise not_written(self._path, error) from error

    def _encode(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
