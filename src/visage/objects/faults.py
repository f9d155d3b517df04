"""What the file system raises, in the project's words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from visage.core.errors import StorageError

_IN_THE_WAY = "there is a file where a folder should be; move it away, or choose another key"
_FILES = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "your quota of the disk is used up; make room and try again",
    errno.EROFS: "the disk is read-only; make it writable, or name another folder",
    errno.EACCES: "access is denied; use an account that may read and write there",
    errno.EPERM: "access is denied; use an account that may read and write there",
    errno.EIO: "the disk cannot be read or written (gone or failing); look after it and try again",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or ask for less at once",
    errno.ENFILE: "too many files are open on this machine; close other programs, and try again",
    errno.ENAMETOOLONG: "the path is too long for this disk; name a folder with a shorter path",
    errno.ENOENT: "a folder is gone; put it back and try again",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "there is a folder of that name; a key cannot be both; choose another",
    errno.ENOTEMPTY: "there is a folder of that name; a key cannot be both; choose another",
    errno.ENOLCK: "this disk knows no locks; keep the store on a local one",
    errno.ENOTSUP: "this disk knows no locks; keep the store on a local one",
}


@contextmanager
def explained_file(path: object) -> Iterator[None]:
    """Turn what the operating system raises about `path` into `StorageError`."""
    try:
        yield
    except OSError as error:
        reason = _FILES.get(error.errno or 0) or f"{error.strerror or error}; mend that and try again"
        raise StorageError(f"{path}: {reason}") from error
