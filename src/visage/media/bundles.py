"""Archives and folders of photos, opened to be read one file at a time. Nothing is unpacked onto a disk."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from visage.core.bulk.plan import Bundle, Packed
from visage.core.errors import NotFoundError, UsageError
from visage.media.archive import open_archive
from visage.media.below import list_below, open_below
from visage.media.limits import Limits
from visage.media.packed import copied, is_hidden, printable, problem_of


class FileBundles:
    """`core.bulk.plan.Bundles` of this machine. root: the folder below which folders may be read; None: there is none.
    max_bytes: of a photo or video."""

    def __init__(self, root: Path | None, max_bytes: int) -> None:
        self._root = root
        self._limits = Limits(bytes=max_bytes, pixels=0, seconds=0)

    @contextmanager
    def archive(self, file: str | IO[bytes], source: str) -> Iterator[Bundle]:
        """See `core.bulk.plan.Bundles`."""
        with open_archive(file, source, self._limits) as opened:
            yield opened

    @contextmanager
    def folder(self, name: str) -> Iterator[Bundle]:
        """See `core.bulk.plan.Bundles`."""
        if self._root is None:
            raise UsageError("no folder of the server may be read; VISAGE_BULK_FOLDER names one that may")
        yield _Folder(self._root, name, self._limits)

    def folders(self) -> list[str] | None:
        if self._root is None:
            return None
        try:
            found = list_below(self._root, ())
        except OSError:
            return []
        return sorted(name for name, mode, _ in found if stat.S_ISDIR(mode) and not is_hidden(name))


class _Folder:
    def __init__(self, root: Path, name: str, limits: Limits) -> None:
        self._root = root
        self._way = _way(name)
        self._limits = limits
        try:
            list_below(root, self._way)
        except OSError as error:
            raise NotFoundError(name, "there is no such folder among those that may be read") from error

    def files(self) -> Sequence[Packed]:
        return sorted(self._below(()), key=lambda one: one.path)

    def _below(self, way: tuple[str, ...]) -> Iterator[Packed]:
        try:
            found = list_below(self._root, (*self._way, *way))
        except OSError:  # gone, or it may not be read
            return
        for name, mode, size in found:
            if is_hidden(name):
                continue
            path = "/".join((*way, name))
            if stat.S_ISDIR(mode):
                yield from self._below((*way, name))
            elif not stat.S_ISREG(mode):
                yield Packed(printable(path), "it is a link or no plain file; put the photo itself there")
            else:
                yield Packed(printable(path), problem_of(path, size, self._limits))

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        way = (*self._way, *path.split("/"))
        with copied(path, lambda: os.fdopen(open_below(self._root, way), "rb")) as file:
            yield file


def _way(name: str) -> tuple[str, ...]:
    """The folders that lead there. Raises `UsageError` for a name that leads elsewhere."""
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or (parts and ":" in parts[0]):
        raise UsageError("give a folder below the one that may be read, as in 2026/people")
    return parts
