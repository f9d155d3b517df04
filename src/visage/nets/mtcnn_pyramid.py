"""The picture at many sizes, as MTCNN looks at it: all on one canvas for P-Net, and cut into windows for R- and O-Net.

P-Net finds faces of 12 pixels only, so it is shown the picture at every size at which a face might be 12 pixels large.
A runtime prepares itself anew for each shape of input it meets (OpenVINO: some 10 ms), which nine levels of every
picture's own sizes would make the rule. On one canvas, rounded up to a coarse grid, pictures share a few shapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from visage.core.boxes import halve
from visage.core.values import Floats, Pixels

WINDOW = 12  # what one cell of P-Net's output has seen
STEP = 2  # pixels from one cell's window to the next
RATIO = 0.709  # from level to level: half the area, as in the paper
GRID = 32  # the canvas's sides are multiples of this; 64 would have P-Net look at a tenth more
GRAY = 127  # what lies outside the picture; 0 after the networks' normalisation


@dataclass(frozen=True, slots=True)
class Level:
    """The picture at one size, and where on the canvas: corner and size in pixels, all even, so that P-Net's steps fall
    on the same pixels as if the level stood alone."""

    x: int
    y: int
    width: int
    height: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """The rows and columns of P-Net's output whose windows lie inside the level."""
        rows, columns = (self.height - WINDOW) // STEP + 1, (self.width - WINDOW) // STEP + 1
        top, left = self.y // STEP, self.x // STEP
        return slice(top, top + rows), slice(left, left + columns)


@dataclass(frozen=True, slots=True)
class Layout:
    """Levels, largest first, and the canvas's size in pixels. No levels: the picture is too small for any face."""

    levels: tuple[Level, ...]
    height: int
    width: int


@lru_cache(maxsize=64)
def layout(height: int, width: int, min_face: float) -> Layout:
    """Where the levels of a picture of that size go, so that P-Net finds faces from `min_face` pixels on.

    On shelves: each level goes beside the larger ones on the first shelf that has room, else on a new shelf below.
    """
    shelves: list[tuple[int, int]] = []  # top, width taken
    levels: list[Level] = []
    bottom = 0
    for level_height, level_width in _sizes(height, width, min_face):
        for i, (top, taken) in enumerate(shelves):
            if taken + level_width <= levels[0].width:
                levels.append(Level(taken, top, level_width, level_height))
                shelves[i] = (top, taken + level_width)
                break
        else:
            levels.append(Level(0, bottom, level_width, level_height))
            shelves.append((bottom, level_width))
            bottom += level_height
    return Layout(tuple(levels), -(-bottom // GRID) * GRID, -(-(levels[0].width if levels else 0) // GRID) * GRID)


def _sizes(height: int, width: int, min_face: float) -> Iterator[tuple[int, int]]:
    scale = WINDOW / min_face
    while min(height, width) * scale >= WINDOW:
        yield round(height * scale / STEP) * STEP, round(width * scale / STEP) * STEP
        scale *= RATIO


def halves(picture: Pixels) -> list[Pixels]:
    """The picture, and again and again half of it, down to some 48 pixels. A pixel of one is exactly four of the one
    before."""
    pictures = [picture]
    while min(pictures[-1].shape[:2]) >= 96:
        pictures.append(halve(pictures[-1]))
    return pictures


def canvas(pictures: list[Pixels], where: Layout) -> Pixels:
    """(h, w, 3): every level in its place. pictures: of `halves`."""
    sheet = np.zeros((where.height, where.width, 3), np.uint8)
    for level in where.levels:
        # Interpolating from the next larger half is as good as averaging over areas, and faster.
        source = next(p for p in reversed(pictures) if p is pictures[0] or _covers(p, level))
        place = sheet[level.y : level.y + level.height, level.x : level.x + level.width]
        cv2.resize(source, (level.width, level.height), dst=place, interpolation=cv2.INTER_LINEAR)
    return sheet


def _covers(picture: Pixels, level: Level) -> bool:
    return bool(picture.shape[0] >= level.height and picture.shape[1] >= level.width)


def cut(pictures: list[Pixels], squares: Floats, size: int) -> tuple[Pixels, Floats]:
    """Crops (n, size, size, 3) of the windows `squares` (n, 4), in pixels of the whole picture, and the windows (n, 4)
    that were really cut: moved onto whole pixels. What lies outside the picture is gray.

    Each is cut from the half in which it is one to two times `size`, so that interpolation suffices. One call of
    cv2.resize a window takes 1.2 ms for 300 windows of 24 pixels; one cv2.remap for all 2.2, cv2.warpAffine 3.5.
    """
    sides = np.maximum(squares[:, 2] - squares[:, 0], 1)
    depths = np.clip(np.log2(sides / size), 0, len(pictures) - 1).astype(int)
    pixel = np.exp2(depths)[:, None]
    corners = np.round(squares[:, :2] / pixel).astype(int)
    sides = np.maximum(np.round(sides / pixel[:, 0]), 1).astype(int)
    crops = np.full((len(squares), size, size, 3), GRAY, np.uint8)
    for crop, (x, y), side, depth in zip(crops, corners.tolist(), sides.tolist(), depths.tolist(), strict=True):
        source = pictures[depth]
        height, width = source.shape[:2]
        left, top, right, bottom = max(0, -x), max(0, -y), max(0, x + side - width), max(0, y + side - height)
        if left + right >= side or top + bottom >= side:
            continue
        part = source[y + top : y + side - bottom, x + left : x + side - right]
        if left or top or right or bottom:
            gray = (GRAY, GRAY, GRAY)
            part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT, value=gray).astype(np.uint8)
        cv2.resize(part, (size, size), dst=crop, interpolation=cv2.INTER_LINEAR)
    windows = np.concatenate([corners, corners + sides[:, None]], axis=1) * pixel
    return crops, windows.astype(np.float32)
