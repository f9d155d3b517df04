"""Photos: files and bytes -> upright RGB frames by Pillow, and back by OpenCV.

OpenCV does not read, although it is a little faster (24 megapixels of JPEG: 104 ms against 131 here): its libjpeg and
libpng write their complaints to stderr from C, and nothing raw may reach a user. Pillow is silent and refuses what is
cut off. Most of its lag, 200 ms by the usual way, is in handing the pixels over; see `_copied`.
"""

import io
import logging
import struct
import warnings
import zlib
from contextlib import nullcontext
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from visage.core.errors import UnreadableError
from visage.core.values import Frame, Pixels
from visage.media.kinds import Kind
from visage.media.limits import Limits
from visage.media.quiet import stderr_silenced
from visage.media.upright import exif_orientation, upright

# The classes themselves instead of Image.open: no format is tried that the first bytes do not name, and the only limit
# is ours, not a module global.
_READERS: dict[Kind, type[ImageFile.ImageFile]] = {
    Kind.AVIF: AvifImagePlugin.AvifImageFile,
    Kind.BMP: BmpImagePlugin.BmpImageFile,
    Kind.GIF: GifImagePlugin.GifImageFile,
    Kind.JPEG: JpegImagePlugin.JpegImageFile,
    Kind.PNG: PngImagePlugin.PngImageFile,
    Kind.TIFF: TiffImagePlugin.TiffImageFile,
    Kind.WEBP: WebPImagePlugin.WebPImageFile,
}
# All that Pillow's and libheif's readers have been seen to raise on damaged bytes; tests/media/test_bad_files.py looks
# for more.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
# No photo needs more bytes of file for a pixel than sixteen bits for each of four channels; the slack is for
# what phones append.
_BYTES_PER_PIXEL, _SLACK = 8, 256_000_000
_END_OF_IMAGE, _LEAST_PART = b"\xff\xd9", 0.25
_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_STRIP = 64

# Without a handler of their own, errors that Pillow logs would be printed by Python's last resort.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# Pillow warns of odd metadata and of sizes that are checked here; a user can do nothing about either.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_photo(stream: IO[bytes], size: int, source: str, kind: Kind, limits: Limits) -> tuple[Frame, str | None]:
    """The photo in a file of `size` bytes, upright, as frame 0, and what is damaged about it; of an animated picture
    the first image.

    Of a JPEG that is cut off, what is there, if that is a quarter of the picture or more.

    `source` is what the caller calls it, for messages. The size is read from the header, and checked, before anything
    is decoded. Raises `UnreadableError`, `TooLargeError`.
    """
    check_photo_bytes(size, source, kind, limits)
    try:
        return Frame(_decoded(stream, source, kind, limits)), None
    except UnreadableError:
        if kind is not Kind.JPEG:
            raise
        return _cut_off(stream, source, limits)


def check_photo_bytes(size: int, source: str, kind: Kind, limits: Limits) -> None:
    """Raises `UnreadableError` for more bytes than any photo has."""
    if size > _BYTES_PER_PIXEL * limits.pixels + _SLACK:
        raise UnreadableError(source, f"it begins like a {kind} photo but has too many bytes to be one")


def encode_jpeg(pixels: Pixels, quality: int = 92) -> bytes:
    """(h, w, 3) RGB -> a JPEG. quality: 1..95."""
    # The same bytes as Pillow's, a sixth sooner: 1080p at quality 90 in 5.3 ms against 6.4.
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def decode_jpeg(data: bytes, source: str = "a stored picture") -> Pixels:
    """A JPEG -> (h, w, 3) RGB, upright. `source` names it in the message. Raises `UnreadableError`."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise UnreadableError(source, "it is not a JPEG")
    return _decoded(io.BytesIO(data), source, Kind.JPEG, Limits(bytes=len(data), pixels=1 << 31, seconds=0))


def _decoded(stream: IO[bytes], source: str, kind: Kind, limits: Limits) -> Pixels:
    if kind is Kind.WEBP:
        # Pillow's reader sets up a canvas of the declared size as soon as it opens a WebP.
        limits.check_pixels(source, *_webp_size(stream))
    try:
        if kind is Kind.HEIC:
            return _heic(stream, source, limits)
        image = _READERS[kind](stream)
        limits.check_pixels(source, *image.size)
        if kind is Kind.TIFF and _is_camera_raw(image):
            raise UnreadableError(source, "it is a camera's raw file; export it as JPEG or TIFF first")
        # libtiff, unlike the other libraries in Pillow, reports damage on stderr.
        with stderr_silenced() if image.tile and image.tile[0][0] == "libtiff" else nullcontext():
            image.load()
        # Pillow turns TIFFs by itself. A PNG may keep its Exif block behind the picture, so this comes after loading.
        exif = b"" if kind is Kind.TIFF else image.info.get("exif", b"")
        return upright(_rgb(image), exif_orientation(exif))
    except Image.DecompressionBombError as error:
        raise limits.pixels_exceeded(source) from error
    except _DAMAGE as error:
        raise UnreadableError(source, f"the {kind} photo is damaged or cut off; copy or download it again") from error


def _cut_off(stream: IO[bytes], source: str, limits: Limits) -> tuple[Frame, str]:
    """A JPEG without its end: the decoder fills up with gray what it misses, once it is told that this is the end."""
    stream.seek(0)
    pixels = _decoded(io.BytesIO(stream.read() + _END_OF_IMAGE), source, Kind.JPEG, limits)
    # A side, because turning it upright may have put the missing part at any; a plain row counts as missing.
    there = min(float((np.ptp(pixels, axis=axis) > 0).any(axis=1).mean()) for axis in (0, 1))
    if there < _LEAST_PART:
        raise UnreadableError(source, "the JPEG photo is damaged or cut off; copy or download it again")
    return Frame(pixels), "the file is cut off, a part of the picture is missing or coarse"


def _heic(stream: IO[bytes], source: str, limits: Limits) -> Pixels:
    try:
        from visage.media.heic import open_heic
    except ImportError as error:
        raise UnreadableError(source, "it is a HEIC photo; to read those: pip install 'visage[heic]'") from error
    photo = open_heic(stream)
    limits.check_pixels(source, *photo.size)
    image: Image.Image = photo.to_pillow()
    return _rgb(image)


def _is_camera_raw(image: ImageFile.ImageFile) -> bool:
    """Whether a TIFF is a raw file whose first picture is no more than a thumbnail."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    return _DNG_VERSION in tags or bool(tags.get(_SUBFILE_TYPE, 0) & 1)


def _webp_size(stream: IO[bytes]) -> tuple[int, int]:
    """(width, height) by RFC 9649, 2.5 to 2.7; (0, 0) where the header is none, which Pillow then refuses."""
    head = stream.read(30).ljust(30, b"\x00")
    stream.seek(0)
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def _rgb(image: Image.Image) -> Pixels:
    """Any mode -> (h, w, 3); what is transparent is seen before white."""
    if image.mode[0] in "IF":
        return np.repeat(_eight_bits(np.asarray(image))[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return _copied(image if image.mode in {"RGB", "RGBA", "RGBX"} else image.convert("RGB"))


def _eight_bits(gray: NDArray[np.generic]) -> Pixels:
    """Gray (h, w) of 16 or 32 bits, or floats, -> (h, w) uint8.

    Sixteen bits have a known white. Of the others none is declared, so white is the least of the usual ones that
    holds the brightest pixel.
    """
    levels = np.maximum(np.nan_to_num(gray.astype(np.float32), posinf=0.0, neginf=0.0), 0)
    peak = float(levels.max())
    if gray.dtype.itemsize == 2:
        white = 65535.0
    else:
        usual = (1.0, 255.0, 65535.0) if gray.dtype.kind == "f" else (255.0, 65535.0)
        white = next((level for level in usual if peak <= level), peak)
    return np.asarray(cv2.convertScaleAbs(levels, alpha=255 / white), np.uint8)


def _copied(image: Image.Image) -> Pixels:
    """Pillow's four bytes a pixel -> (h, w, 3), strip by strip: a strip stays in the processor's cache.

    24 megapixels: 46 ms; np.asarray on the whole: 103 ms.
    """
    width, height = image.size
    pixels: Pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))[:, :, :3]
    return pixels
