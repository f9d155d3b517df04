"""Silence for C code that writes to stderr by itself and cannot be told not to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_STDERR = 2
_lock = Lock()


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """While the block runs, what this process writes to the file descriptor of stderr is dropped.

    That holds for every thread: keep the block short, and use it only where there is no other way. One at a time.
    """
    with _lock:
        try:
            kept = os.dup(_STDERR)
        except OSError:
            # A service may run without stderr; then there is nothing to silence.
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
