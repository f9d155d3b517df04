"""What archives and folders of photos have in common: which files in them may be photos, and how those are read."""

import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from visage.core.errors import InputError, StorageError, UnreadableError
from visage.media.kinds import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from visage.media.limits import Limits

# What reading a damaged archive, or a file that is gone, may raise.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, struct.error)

_LONGEST = 1000  # characters of a path
_IN_MEMORY = 4 * 1024**2  # a larger file lies in one without a name while it is copied
_STEP = 1 << 20

_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
# What the makers of archives and folders leave in them, beside what begins with a dot.
_LEFTOVERS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@contextmanager
def copied(path: str, opened: Callable[[], IO[bytes]]) -> Iterator[IO[bytes]]:
    """A copy of what is read, so that whatever is wrong with it is found before a store is half-way through it. Raises
    `UnreadableError`, and `StorageError` where there is no room for the copy."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        for piece in _pieces(path, opened):
            with _room():
                copy.write(piece)
        with _room():  # what a buffer still holds is written now
            copy.seek(0)
        yield copy


def _pieces(path: str, opened: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    try:
        with opened() as file:
            while piece := file.read(_STEP):
                yield piece
    except BROKEN as error:
        raise UnreadableError(path, "it is damaged or gone; send an undamaged copy") from error


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = tempfile.gettempdir()
        raise StorageError(f"{place}: a file cannot be copied to it ({error}); free some space") from error


def is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part.lower() in _LEFTOVERS for part in path.split("/") if part != ".")


def problem_of(path: str, size: int, limits: Limits) -> str:
    """Why this file is not to be opened; empty where it may be a photo."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _ARCHIVES:
        return "it is an archive in itself, which is not opened; unpack it first"
    if suffix not in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
        return "it is no photo, by its name"
    if printable(path) != path or len(path) > _LONGEST:
        return "its name is too long, or has control characters in it; rename it"
    try:
        limits.check_bytes(path, size)
    except InputError as error:
        return error.reason
    return "" if size else "it is empty (0 bytes); copy it again"


def printable(path: str) -> str:
    return "".join("\ufffd" if unicodedata.category(one) in {"Cc", "Zl", "Zp"} else one for one in path)
