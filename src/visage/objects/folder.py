"""Objects as files in a folder, by the operating system's own calls.

obstore's folder store would not do: it has no replace-if-unchanged, refuses names such as `photo#1`, follows links out
of the folder, makes files that everybody may read, lists in no order, and tells versions apart by the clock's tick.
"""

import os
import shutil
import stat
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from visage.core.errors import NoObjectError, StorageError, UsageError
from visage.core.ports.objects import Stored
from visage.objects.faults import explained_file
from visage.objects.keys import RESERVED, check_key
from visage.objects.locks import locked

_LOCKS = 64  # so that writers of different keys seldom wait for each other
_STEP = 1000  # ns by which versions of one object differ at least; local disks keep time at least so finely
_ABANDONED = 24 * 3600.0  # seconds after which a draft's writer is taken for dead
_TRIES = 100  # a folder that is made for a file may be gone again: whoever empties it removes it
_GONE = (FileNotFoundError, NotADirectoryError)

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class FolderObjects:
    """`core.ports.objects.Objects` in a folder on a local disk.

    An object is the file at its key's path. It is written as a draft under `.visage`, then renamed into its place under
    a lock that every writer of the key takes, in whatever process; reading takes none. Whoever is killed leaves at most
    a draft, which is removed a day later. Files are their owner's alone (0600, folders 0700); a folder that was there
    keeps its rights. After a power cut the last writes may be missing, save those of `replace`.

    Files that came by other means are objects too, unless their name can be no key. Links are none, and none is
    followed.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is made before the first write."""
        self._root = root.absolute()
        self._own = self._root / RESERVED
        self._tidy = False

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        self._write(key, data, lambda _: True)

    def create(self, key: str, data: bytes) -> bool:
        return self.version(key) is None and self._write(key, data, lambda old: old is None)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """As the port says; it is on the disk when it returns."""
        return self.version(key) == version and self._write(key, data, lambda old: old == version, lasting=True)

    def get(self, key: str) -> bytes:
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, str]:
        with self._opened(key) as (file, found):
            return file.read(), _version(found)

    def version(self, key: str) -> str | None:
        found = _look(self._path(key))
        return _version(found) if found else None

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        with self._opened(key) as (file, _):
            file.seek(start)
            data = file.read(size)
            # Afterwards: what came by other means than `put` may have been written to while it was read.
            if _version(os.fstat(file.fileno())) != version:
                raise NoObjectError(f"{self._root / key}: the object was replaced by another")
            return data

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        path = self._path(key)
        if not _look(path):
            raise _absent(path)
        yield str(path)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """As the port says. At any time the names of a folder and of those above it are held, no more."""
        if not prefix:
            yield from self._walk(self._root, "")
        elif not (folder := self._path(prefix)).is_symlink():
            yield from self._walk(folder, prefix + "/")

    def delete(self, keys: Iterable[str]) -> None:
        """As the port says; folders that become empty go as well."""
        for key in keys:
            path = self._path(key)
            if not _look(path):
                continue
            with explained_file(path):
                _make(self._own)
                with locked(self._lock(key)):
                    path.unlink(missing_ok=True)
                self._prune(path.parent)

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
        """The object's file and its state: of this very file, while another may stand in its place by now."""
        path = self._path(key)
        with explained_file(path):
            try:
                held = os.open(path, _READ)
            except _GONE:
                raise _absent(path) from None
            found = os.fstat(held)
            if not stat.S_ISREG(found.st_mode):
                os.close(held)
                raise _absent(path)
            with os.fdopen(held, "rb") as file:
                yield file, found

    def _write(
        self, key: str, data: bytes | IO[bytes], allowed: Callable[[str | None], bool], *, lasting: bool = False
    ) -> bool:
        """Put `data` into the object's place if its version (None: there is none) is allowed; whether it was."""
        path = self._path(key)
        with explained_file(path), self._draft(data, lasting) as draft:
            with locked(self._lock(key)):
                old = _look(path)
                if not allowed(_version(old) if old else None):
                    return False
                # The clock's tick may be coarse, and a new file may get an old one's number; this tells them apart.
                stamp = max(time.time_ns(), old.st_mtime_ns + _STEP if old else 0)
                os.utime(draft, ns=(stamp, stamp))
                _place(draft, path)
            if lasting:
                _sync_folder(path.parent)
        return True

    @contextmanager
    def _draft(self, data: bytes | IO[bytes], lasting: bool) -> Iterator[Path]:
        """A file of `data` on the store's own disk; what is still there afterwards is deleted."""
        if not self._tidy:
            self._remove_abandoned()
        draft = self._own / f"draft-{uuid.uuid4().hex}"
        try:
            held = os.open(draft, _DRAFT, 0o600)
        except FileNotFoundError:
            _make(self._own)
            held = os.open(draft, _DRAFT, 0o600)
        try:
            with os.fdopen(held, "wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    shutil.copyfileobj(data, file, 1 << 20)
                if lasting:
                    file.flush()
                    os.fsync(held)
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        """Drafts whose writers were killed."""
        before = time.time() - _ABANDONED
        for draft in self._own.glob("draft-*"):
            found = _look(draft)
            if found and found.st_mtime < before:
                draft.unlink(missing_ok=True)
        self._tidy = True

    def _walk(self, folder: Path, head: str) -> Iterator[Stored]:
        """head: the folder's key and a slash."""
        with explained_file(folder):
            try:
                with os.scandir(folder) as entries:
                    # With its slash a folder's name sorts as the keys in it do.
                    names = sorted(e.name + "/" * e.is_dir(follow_symlinks=False) for e in entries)
            except _GONE:
                return
        for name in names:
            if not _is_key(head + name.rstrip("/")):
                continue
            if name.endswith("/"):
                yield from self._walk(folder / name, head + name)
            elif found := _look(folder / name):
                yield Stored(head + name, found.st_size, found.st_mtime)

    def _prune(self, folder: Path) -> None:
        """Remove the folder, and those above it, as far as they are empty."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone
                return
            folder = folder.parent

    def _lock(self, key: str) -> str:
        return f"{self._own}/lock-{zlib.crc32(key.encode()) % _LOCKS}"

    def _path(self, key: str) -> Path:
        """Where the object lies. Raises `UsageError`, and `StorageError` where a link is on the way to it."""
        path = folder = self._root / check_key(key)
        for _ in range(key.count("/")):
            folder = folder.parent
            with explained_file(folder):
                if folder.is_symlink():
                    raise StorageError(f"{folder}: it is a link, which may lead out of the store; put a folder there")
        return path


def _look(path: Path) -> os.stat_result | None:
    """The file's state; None where there is none, or something else than a file."""
    with explained_file(path):
        try:
            found = path.lstat()
        except _GONE:
            return None
    return found if stat.S_ISREG(found.st_mode) else None


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _place(draft: Path, path: Path) -> None:
    for _ in range(_TRIES):
        try:
            draft.replace(path)
            return
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                _make(path.parent)
    draft.replace(path)


def _make(folder: Path) -> None:
    """The folder and those above it, as far as they are missing, for their owner alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileNotFoundError:
        _make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    except FileExistsError:
        if _look(folder):  # a file
            raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def _is_key(text: str) -> bool:
    try:
        return bool(check_key(text))
    except UsageError:
        return False


def _absent(path: Path) -> NoObjectError:
    return NoObjectError(f"{path}: there is no such object")
