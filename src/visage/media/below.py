"""Files below a folder, and nowhere else: no link is followed on the way to them, whoever puts one there meanwhile."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

# Elsewhere a file cannot be opened beside an open folder; there the whole way is looked at beforehand.
_STEPS = os.open in os.supports_dir_fd and os.scandir in os.supports_fd


def open_below(root: Path, way: Sequence[str]) -> int:
    """A descriptor of the plain file there, to be read. Raises `OSError`, also where it is something else."""
    _check(way)
    if not _STEPS:
        held = os.open(_checked(root, way), _FILE)
    else:
        folder = _folder(root, way[:-1])
        try:
            held = os.open(way[-1], _FILE | _NO_LINK, dir_fd=folder)
        finally:
            os.close(folder)
    if not stat.S_ISREG(os.fstat(held).st_mode):
        os.close(held)
        raise OSError("it is no plain file")
    return held


def list_below(root: Path, way: Sequence[str]) -> list[tuple[str, int, int]]:
    """What is in the folder there: names, modes and sizes, those of links themselves. Raises `OSError`."""
    _check(way)
    if not _STEPS:
        return _list(str(_checked(root, way)))
    folder = _folder(root, way)
    try:
        return _list(folder)
    finally:
        os.close(folder)


def _check(way: Sequence[str]) -> None:
    if not {"", ".", ".."}.isdisjoint(way):
        raise OSError("that leads elsewhere")


def _folder(root: Path, way: Sequence[str]) -> int:
    held = os.open(root, _FOLDER)
    for name in way:
        try:
            inner = os.open(name, _FOLDER | _NO_LINK, dir_fd=held)
        finally:
            os.close(held)
        held = inner
    return held


def _list(folder: int | str) -> list[tuple[str, int, int]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            found.append((entry.name, status.st_mode, status.st_size))
    return found


def _checked(root: Path, way: Sequence[str]) -> Path:
    whole = root.resolve()
    path = whole.joinpath(*way)
    if path.resolve() != path:
        raise OSError("a link is on the way to it")
    return path
