"""Frames -> pictures to look at: boxes and names drawn in, and written to disk."""

import io
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from visage.core.errors import StorageError, UsageError
from visage.core.values import Pixels
from visage.media.fonts import font_for

_NAMED = (0, 168, 107)
_UNNAMED = (214, 84, 40)
_INK = (255, 255, 255)
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


class Mark(NamedTuple):
    """A box (x1, y1, x2, y2) in pixels with its label; an empty label draws the box alone.

    named: whether the label is a person's name; the unknown have another color.
    """

    box: tuple[float, float, float, float]
    label: str
    named: bool = True


def annotate(pixels: Pixels, marks: Sequence[Mark]) -> Pixels:
    """A copy of (h, w, 3) with every mark drawn in; lines and letters grow with the picture.

    A label stands above its box, below it where there is no room, and never leaves the picture if it fits at all.
    """
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    side = min(picture.size)
    line = max(1, round(side / 300))
    for mark in marks:
        pen.rectangle(_corners(mark, line), outline=_color(mark), width=line)
    # Labels in a second round: a neighbor's box never crosses a name.
    for mark in marks:
        if mark.label.strip():
            _label(pen, mark, max(11, round(side / 32)), line, picture.size)
    return np.array(picture, np.uint8)


def save_picture(path: Path, pixels: Pixels) -> None:
    """Write (h, w, 3) RGB as JPEG or PNG, by the extension; the file appears whole or not at all.

    Raises `UsageError` for another extension, `StorageError` where it cannot be written.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write a picture called {path.name}; end its name in .jpg or .png")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=92)
    temporary = temporary_beside(path)
    try:
        try:
            temporary.write_bytes(stream.getbuffer())
            os.replace(temporary, path)  # noqa: PTH105  the name says that it replaces
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def temporary_beside(path: Path) -> Path:
    """A name in the same folder, hidden and nobody else's, to write to before the file takes its place."""
    return path.with_name(f".{uuid.uuid4().hex}.part")


def not_written(path: Path, error: OSError) -> StorageError:
    """The error for a file that could not be written."""
    return StorageError(f"cannot write {path}: {(error.strerror or str(error)).lower()}; free or choose another place")


def _color(mark: Mark) -> tuple[int, int, int]:
    return _NAMED if mark.named else _UNNAMED


def _corners(mark: Mark, line: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(edge) for edge in mark.box)
    return x1, y1, max(x1 + line, x2), max(y1 + line, y2)


def _label(pen: ImageDraw.ImageDraw, mark: Mark, height: int, line: int, size: tuple[int, int]) -> None:
    width, bottom = size
    font, text = font_for(mark.label, height)
    left, top, right, low = pen.textbbox((0, 0), text, font=font)
    pad = max(2, height // 5)
    wide, high = right - left + 2 * pad, low - top + 2 * pad
    x1, y1, _, y2 = _corners(mark, line)
    x = min(max(0, x1), max(0, width - wide))
    y = y1 - high
    if y < 0:
        y = y2 if y2 + high <= bottom else max(0, y1)
    y = max(0, min(y, bottom - high))
    pen.rectangle((x, y, x + wide, y + high), fill=_color(mark))
    pen.text((x + pad - left, y + pad - top), text, fill=_INK, font=font)
