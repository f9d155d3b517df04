"""The decoder's pictures -> upright RGB."""

from collections.abc import Mapping

import av.error
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from visage.core.errors import UnreadableError
from visage.core.values import Pixels
from visage.media.reel import Film
from visage.media.upright import degrees_orientation, matrix_orientation, upright

# FFmpeg's AVColorSpace -> swscale's SWS_CS; what is not listed is as good as not declared.
_BT709, _BT601 = 1, 5
_COLORSPACES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}


class Developer:
    """For one video. tag: the container's `rotate` tag, of old. orientation: what goes before all that the frames say,
    where it is known."""

    def __init__(self, film: Film, tag: str = "0", orientation: int | None = None) -> None:
        self._film = film
        self._tag = tag
        self._orientation = orientation
        self._reformatter = VideoReformatter()

    def orientation(self, frame: VideoFrame) -> int:
        """By Exif's numbers, 1..8."""
        if self._orientation is not None:
            return self._orientation
        try:
            sides: Mapping[str, object] = frame.side_data
        except ValueError:
            # PyAV lists no side data at all beside a kind it does not know, such as Exif; the angle can still be had.
            return degrees_orientation(str(-frame.rotation))
        matrix = sides.get("DISPLAYMATRIX")
        if isinstance(matrix, SideData):
            return matrix_orientation(bytes(matrix))
        return degrees_orientation(self._tag)

    def pixels(self, frame: VideoFrame) -> Pixels:
        """Upright (h, w, 3) RGB, full range. Raises `UnreadableError`, `TooLargeError`."""
        self._film.limits.check_pixels(self._film.source, frame.width, frame.height)
        try:
            converted = self._reformatter.reformat(
                frame, format="rgb24", src_colorspace=_colorspace(frame), threads=self._film.threads
            )
        except av.error.FFmpegError as error:
            raise UnreadableError(
                self._film.source, f"its pixel format {frame.format.name} is not supported; convert it to H.264 first"
            ) from error
        return upright(np.asarray(converted.to_ndarray(), np.uint8), self.orientation(frame))


def _colorspace(frame: VideoFrame) -> int | None:
    """The matrix that made YUV of RGB. Where none is declared: BT.709 for high definition, else BT.601, as players do.

    Without this the skin of most unlabelled HD films would come out too red or too green.
    """
    if frame.format.is_rgb:
        return None
    high = frame.width >= 1280 or frame.height > 576
    return _COLORSPACES.get(int(frame.colorspace), _BT709 if high else _BT601)
