"""ZIP archives of photos. What one says of itself is checked before any of it is unpacked."""

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from visage.core.bulk.plan import Packed
from visage.core.errors import NotFoundError, TooLargeError, UnreadableError
from visage.media.limits import Limits, spelled
from visage.media.packed import BROKEN, copied, is_hidden, printable, problem_of

# Of an archive: files in it, bytes of its table of contents, and bytes it unpacks to, of which photos are most of what
# they are packed to.
MOST_FILES = 20_000
TABLE = 400 * MOST_FILES
MOST_BYTES = 32 * 1024**3
MOST_RATIO = 50
_HARMLESS = 64 * 1024**2

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_UTF8, _ENCRYPTED = 0x800, 0x1


@contextmanager
def open_archive(file: str | IO[bytes], source: str, limits: Limits) -> Iterator["Archive"]:
    """As `core.bulk.plan.Bundles.archive`. limits: of each file."""
    try:
        opened = zipfile.ZipFile(_Table(file))
    except BROKEN as error:
        raise UnreadableError(source, "it is no ZIP archive, or a damaged one; make it anew") from error
    with closing(opened):
        yield Archive(opened, source, limits)


class Archive:
    """`core.bulk.plan.Bundle`."""

    def __init__(self, opened: zipfile.ZipFile, source: str, limits: Limits) -> None:
        self._opened = opened
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._files: list[Packed] = []
        infos = [(_path(info), info) for info in opened.infolist() if not info.is_dir()]
        _check(source, opened, [info for _, info in infos])
        for path, info in infos:
            _check_path(source, path)
            if is_hidden(path):
                continue
            problem = _entry_problem(path, info, limits)
            if path in self._entries:
                problem = "there are two files of this name in the archive"
            self._files.append(Packed(printable(path), problem))
            self._entries.setdefault(path, info)

    def files(self) -> Sequence[Packed]:
        return sorted(self._files, key=lambda one: one.path)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        info = self._entries.get(path)
        if info is None:
            raise NotFoundError(path, "it is not in the archive any more")
        with copied(path, lambda: self._opened.open(info)) as file:
            yield file


class _Table(io.RawIOBase):
    """The file of an archive whose table of contents is not read at any length: it is read in one piece, before
    anything that it says can be checked."""

    def __init__(self, file: str | IO[bytes]) -> None:
        self._file = Path(file).open("rb") if isinstance(file, str) else file  # noqa: SIM115  closed below
        self._own = isinstance(file, str)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, TABLE + 1) if size >= 0 else TABLE + 1)
        if len(data) > TABLE:
            raise zipfile.BadZipFile("the table of contents is too long")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if self._own:
            self._file.close()
        super().close()


def _check(source: str, opened: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Raises `InputError` for an archive of which nothing is to be unpacked."""
    if len(infos) > MOST_FILES:
        raise TooLargeError(source, f"it holds {len(infos)} files; {MOST_FILES} are taken. Divide it")
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise UnreadableError(source, "it is encrypted; make one without a password")
    held, unpacked = _size(opened), sum(info.file_size for info in infos)
    if sum(info.compress_size for info in infos) > held:
        raise UnreadableError(source, "its files lie one over the other, as in no honest archive; make it anew")
    if unpacked > MOST_BYTES or unpacked > max(_HARMLESS, MOST_RATIO * held):
        raise TooLargeError(source, f"it unpacks to {spelled(unpacked)}, more than photos would. Divide it")


def _size(opened: zipfile.ZipFile) -> int:
    file = opened.fp
    return 0 if file is None else file.seek(0, os.SEEK_END)


def _path(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: some programs write UTF-8 and do not say so, some write backslashes."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name.replace("\\", "/")


def _check_path(source: str, path: str) -> None:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or (len(parts[0]) == 2 and parts[0].endswith(":")):
        raise UnreadableError(source, "it holds names that lead out of it, such as ../x; make it anew from a folder")


def _entry_problem(path: str, info: zipfile.ZipInfo, limits: Limits) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link; pack the photo itself"
    if info.compress_type not in _METHODS:
        return "it is packed in a way that is not read; pack it as an ordinary ZIP"
    return problem_of(path, info.file_size, limits)
