"""Where a worker process works: under a fleet that listens at its pipes, or started by hand."""

import contextlib
import os
import threading

from visage.processes import pipes


class LoneStation:
    """A worker that nobody but its user starts and ends."""

    def __init__(self) -> None:
        self._leaving = threading.Event()

    def ready(self) -> None:
        """There is nobody to be told."""

    def busy(self, working: bool) -> None:
        """There is nobody to be told."""

    def leaving(self) -> bool:
        return self._leaving.is_set()

    def leave(self) -> None:
        """For the handler of a signal."""
        self._leaving.set()

    def close(self) -> None:
        """It has left."""


class PipeStation:
    """A worker of a `ProcessFleet`. It says `ready`, `busy` and `idle` on one pipe, a line each; when the other ends,
    because the fleet wants it gone or is gone itself, it leaves.

    listening, speaking: descriptors of the two pipes, which are the station's from now on. A fleet that hears no more
    is one that is gone.
    """

    def __init__(self, listening: int, speaking: int) -> None:
        self._leaving = threading.Event()
        self._speaking = speaking
        self._lock = threading.Lock()
        self._working = False
        threading.Thread(target=self._listen, args=(listening,), name="station", daemon=True).start()

    @classmethod
    def standard(cls) -> "PipeStation":
        """At standard input and output, which are taken away from everybody else in this process and its children."""
        return cls(*pipes.take_standard())

    def ready(self) -> None:
        with self._lock:
            self._say(b"ready\n")

    def busy(self, working: bool) -> None:
        with self._lock:
            if working != self._working:
                self._working = working
                self._say(b"busy\n" if working else b"idle\n")

    def leaving(self) -> bool:
        return self._leaving.is_set()

    def leave(self) -> None:
        """For the handler of a signal."""
        self._leaving.set()

    def close(self) -> None:
        """It has left; the fleet sees that by itself."""

    def _say(self, line: bytes) -> None:
        try:
            os.write(self._speaking, line)
        except OSError:
            self._leaving.set()

    def _listen(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 1024):
                pass
            os.close(descriptor)
        self._leaving.set()
