"""Which way up: the orientation a file declares, and pixels turned by it.

Everything is said as one of Exif's eight orientations (tag 0x0112, Exif 3.0 section 4.6.5.1.6): 1 upright, 2 mirrored,
3 upside down, 4 mirrored upside down, 5 mirrored along the main diagonal, 6 to be turned right, 7 mirrored along the
other diagonal, 8 to be turned left.
"""

import struct

import cv2
import cv2.typing
import numpy as np

from visage.core.values import Pixels

_ORIENTATION_TAG = 0x0112
_SHORT = 3

# (a, b, c, d) of a display matrix, x' = ax + cy, y' = bx + dy, with y pointing down.
_MATRICES = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_DEGREES = {0: 1, 90: 6, 180: 3, 270: 8}


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(h, w, 3) stored -> (h, w, 3) or (w, h, 3) as it is to be seen; contiguous. Orientation 1..8."""
    turned: cv2.typing.MatLike = pixels
    if orientation == 2:
        turned = cv2.flip(pixels, 1)
    elif orientation == 3:
        turned = cv2.rotate(pixels, cv2.ROTATE_180)
    elif orientation == 4:
        turned = cv2.flip(pixels, 0)
    elif orientation == 5:
        turned = cv2.transpose(pixels)
    elif orientation == 6:
        turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
    elif orientation == 7:
        turned = cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
    elif orientation == 8:
        turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return np.ascontiguousarray(turned, dtype=np.uint8)


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def exif_orientation(exif: bytes) -> int:
    """The orientation in an Exif block; 1 where it has none or is damaged.

    Read here by hand, in the few bytes it takes, because a damaged block must neither stop a sound photo nor make
    a library warn.
    """
    block = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(order + "H", block, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", block, at)
        if tag == _ORIENTATION_TAG:
            return int(value) if kind == _SHORT and 1 <= value <= 8 else 1
    return 1


def matrix_orientation(matrix: bytes) -> int:
    """The orientation of a video's display matrix: nine native int32, as FFmpeg's AV_PKT_DATA_DISPLAYMATRIX.

    1 where it turns by anything but a multiple of 90 degrees.
    """
    if len(matrix) < 36:
        return 1
    a, b, _, c, d, *_ = struct.unpack_from("=9i", matrix)
    scale = max(abs(a), abs(b), abs(c), abs(d), 1)
    return _MATRICES.get((round(a / scale), round(b / scale), round(c / scale), round(d / scale)), 1)


def degrees_orientation(degrees: str) -> int:
    """The orientation of a `rotate` tag, degrees clockwise as text; 1 where it makes no sense."""
    text = degrees.strip()
    return _DEGREES.get(int(text) % 360, 1) if text.removeprefix("-").isdecimal() else 1
