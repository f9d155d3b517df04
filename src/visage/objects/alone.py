"""A lock that one process holds on a folder, so that no other works there at the same time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visage.core.errors import UsageError
from visage.objects.faults import explained_file
from visage.objects.keys import RESERVED


@contextmanager
def alone(folder: Path, name: str, doing: str) -> Iterator[None]:
    """Hold the lock called `name` of the folder, which is made if need be, for the length of the block; it ends with
    the process. Raises `UsageError` at once where another has it, `StorageError`. doing: what the other is at."""
    own = folder.absolute() / RESERVED
    with explained_file(folder):
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(own / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with explained_file(folder):
            if not _take(held):
                raise UsageError(f"{folder}: another process {doing}; end it first, or name other folders")
        yield
    finally:
        os.close(held)


if sys.platform == "win32":
    import msvcrt

    def _take(held: int) -> bool:
        try:
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
else:
    import fcntl

    def _take(held: int) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
