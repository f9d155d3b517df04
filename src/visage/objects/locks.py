"""A lock between threads and between processes: a file that is held. It ends with the process that holds it."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.005  # seconds between tries, where the system cannot wait by itself


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock of the file at `path`, which is made if need be, for the length of the block.

    Alone among all threads and processes that ask for the same path. Raises `OSError`, also where the file system
    knows no locks.
    """
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(held)
        try:
            yield
        finally:
            _release(held)  # closing alone would not do, if a process was forked meanwhile: it holds the file too
    finally:
        os.close(held)


if sys.platform == "win32":
    import msvcrt

    def _take(held: int) -> None:
        while True:
            try:
                msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
                return
            except PermissionError:  # another has it
                time.sleep(_PAUSE)

    def _release(held: int) -> None:
        os.lseek(held, 0, os.SEEK_SET)
        msvcrt.locking(held, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _take(held: int) -> None:
        fcntl.flock(held, fcntl.LOCK_EX)

    def _release(held: int) -> None:
        fcntl.flock(held, fcntl.LOCK_UN)
