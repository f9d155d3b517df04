"""Small pictures of photos, for pages that list them."""

import io
from threading import BoundedSemaphore

import cv2
import numpy as np
from PIL import Image

from visage.core.errors import UnreadableError
from visage.core.values import Pixels
from visage.media.decode import neither
from visage.media.kinds import DEMUXERS, HEAD_BYTES, Kind, kind_of
from visage.media.limits import Limits
from visage.media.photos import encode_jpeg, read_photo
from visage.media.upright import exif_orientation, upright

_QUALITY = 80


class Thumbnails:
    """Makes small pictures. It may be used from several threads at once.

    max_bytes of a file and max_pixels of a photo: what is over is refused before it is decoded, and so bounds how long
    one takes. at_once: how many are decoded at a time; the others wait, so that a page of them takes no more memory
    than so many photos.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int, at_once: int = 2) -> None:
        self._limits = Limits(bytes=max_bytes, pixels=max_pixels, seconds=0)
        self._turns = BoundedSemaphore(at_once)

    def __call__(self, data: bytes, source: str, side: int) -> bytes:
        """A photo's bytes -> a JPEG of it, upright, that fits into `side` x `side` pixels, and is never larger than the
        photo. source: for messages. Raises `UnreadableError`, also for a video, and `TooLargeError`."""
        self._limits.check_bytes(source, len(data))
        kind = kind_of(data[:HEAD_BYTES])
        if kind is None or kind in DEMUXERS:
            raise neither(source) if kind is None else UnreadableError(source, "it is a video, not a photo")
        with self._turns:
            pixels = self._reduced(data, source, side) if kind is Kind.JPEG else None
            if pixels is None:
                pixels = read_photo(io.BytesIO(data), len(data), source, kind, self._limits)[0].pixels
            return encode_jpeg(_fitted(pixels, side), _QUALITY)

    def _reduced(self, data: bytes, source: str, side: int) -> Pixels | None:
        """A JPEG, decoded at no more than the fraction of its size that is needed: 40 megapixels in a tenth of the
        time. None for one that is damaged or otherwise odd, which the usual way may still read."""
        try:
            image = Image.open(io.BytesIO(data), formats=("JPEG",))
            self._limits.check_pixels(source, *image.size)
            image.draft("RGB", (side, side))
            turned = exif_orientation(image.info.get("exif", b""))
            return upright(np.asarray(image.convert("RGB")), turned)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None


def _fitted(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    share = min(1.0, side / max(height, width))
    if share == 1.0:
        return pixels
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
