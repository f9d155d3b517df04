"""SQLite's errors in the project's words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visage.core.errors import GalleryError, StorageError

_STORAGE = {
    sqlite3.SQLITE_BUSY: "another program kept it locked; try again when that is done",
    sqlite3.SQLITE_LOCKED: "another program kept it locked; try again when that is done",
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_READONLY: "it cannot be written to; make the file and its folder writable, or use another",
    sqlite3.SQLITE_PERM: "access is denied; use an account that may read and write it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; the folder must exist, and you must be allowed to write to it",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written (full, gone or failing); look after it and try again",
}
_DAMAGED = "it is damaged, or not a gallery of Visage; name another file, or put a copy of this one back"


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn what SQLite and the file system raise about `path` into `StorageError` and `GalleryError`."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # a mistake in our own statements
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if primary in _STORAGE:
            raise StorageError(f"{path}: {_STORAGE[primary]} (SQLite: {error})") from error
        raise GalleryError(f"{path}: {_DAMAGED} (SQLite: {error})") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}; name a file in a folder you may write to") from error
