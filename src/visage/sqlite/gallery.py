"""The gallery in one SQLite file: the truth on one machine."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visage.core.errors import GalleryError, StorageError, VisageError
from visage.core.galleries.gallery import TableGallery
from visage.core.galleries.tables import Tables
from visage.sqlite.faults import explained
from visage.sqlite.rows import SqliteTables
from visage.sqlite.schema import connect, prepare, wipe


class SqliteGallery(TableGallery):
    """`core.ports.gallery.Gallery` in a file that only its owner may read.

    Any number of threads and processes may use the file at once: reading never waits for writing, and who wants to
    write waits `wait` seconds for others before a `StorageError`. The file must not lie on a network share.

    A `portable` file is made for handing on: it is one file at any time, with no log beside it, and safe against a
    power cut once it is closed. A file that exists is taken as it was made.
    """

    def __init__(self, path: Path, *, create: bool, portable: bool = False, wait: float = 30.0) -> None:
        """Raises `NoGalleryError` where there is no file and `create` is false, `GalleryError` where it is not a
        gallery or made by a newer Visage, `StorageError` where it cannot be read."""
        super().__init__()
        self._path = path
        self._portable = portable
        self._wait = wait
        self._closed = False
        # Two connections, so that a writer who waits for another process does not hold up this one's readers.
        self._reading, self._writing = threading.Lock(), threading.Lock()
        with explained(path):
            prepare(path, create=create, portable=portable, wait=wait)
            self._reader, self._writer = connect(path, wait), connect(path, wait)
            if portable:
                self._writer.execute("PRAGMA synchronous = OFF")
        self._settle()

    def _scrub(self, what: str) -> None:
        """What a `StorageError` left on the disk is erased when a gallery next opens the file, or this one removes
        somebody or closes. Copies that the disk itself or a backup keeps are beyond reach."""
        try:
            with self._writing, explained(self._path):
                wipe(self._writer, self._path)
        except StorageError as error:
            raise StorageError(
                f"{what} is removed, but not yet erased from the disk; "
                f"that is made up for when the gallery is next opened. The reason: {error}"
            ) from error

    def close(self) -> None:
        """Let go of the file; a second time, nothing happens."""
        with self._reading, self._writing, explained(self._path):
            if self._closed:
                return
            self._settle()
            self._closed = True
            self._reader.close()
            self._writer.close()
            if self._portable:
                with self._path.open("rb") as file:
                    os.fsync(file.fileno())

    @contextmanager
    def _read(self) -> Iterator[Tables]:
        with self._reading, explained(self._path):
            self._check_open()
            self._reader.execute("BEGIN")
            try:
                yield SqliteTables(self._reader)
            finally:
                self._reader.execute("ROLLBACK")

    @contextmanager
    def _write(self) -> Iterator[Tables]:
        with self._writing, explained(self._path):
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteTables(self._writer)
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:  # something was raised
                    self._writer.execute("ROLLBACK")

    def _settle(self) -> None:
        """Erase what an earlier removal had to leave, if that can be done at once."""
        self._writer.execute("PRAGMA busy_timeout = 0")
        try:
            with explained(self._path):
                wipe(self._writer, self._path)
        except VisageError:
            pass  # it stays on record, and a damaged file is reported by whoever reads it
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {int(self._wait * 1000)}")

    def _check_open(self) -> None:
        if self._closed:
            raise GalleryError(f"{self._path}: this gallery was closed; open it again")
