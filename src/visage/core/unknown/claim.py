"""One at a time, over threads and processes: whoever has a claim in the store is alone with what it is on.

A claim is written anew every second by who has it. Who finds one looks whether that is so, by a clock of their own,
since other machines' clocks may differ; one that is not renewed for a while is a dead one's, and is taken over. Writing
is always in place of what one has seen, so of several who take over one alone succeeds; and who was taken over, having
been stopped for so long, finds that out before the next step.
"""

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from visage.core.errors import StorageError, UsageError
from visage.core.ports.objects import Objects

DEAD = 4.0  # seconds without a sign, after which who has the claim is taken for dead
SIGN = 1.0  # seconds from sign to sign
_LOOK = 0.2  # seconds from look to look at another's


class Claims:
    """Used by many threads; several processes may share the store."""

    def __init__(self, objects: Objects, now: Callable[[], float], *, dead: float = DEAD) -> None:
        """now: seconds since 1970, for who reads the store. dead: see `DEAD`."""
        self._objects = objects
        self._now = now
        self._dead = dead
        self._lock = threading.Lock()

    @contextmanager
    def alone(self, key: str) -> Iterator[Callable[[], None]]:
        """Be alone with it. What is given is to be called before each step of what takes long: it raises `UsageError`
        where somebody else has taken over. Raises `UsageError` where somebody else is at it, and `StorageError`."""
        if not self._lock.acquire(timeout=self._dead):
            raise _others()
        try:
            claim = _Claim(self._objects, key, self._now, self._dead)
            try:
                yield claim.check
            finally:
                claim.end()
        finally:
            self._lock.release()


class _Claim:
    """A claim that is there, and renewed on a thread until its end. Raises `UsageError` where it cannot be had."""

    def __init__(self, objects: Objects, key: str, now: Callable[[], float], dead: float) -> None:
        self._objects = objects
        self._key = key
        self._now = now
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._version = self._have(dead)
        self._thread = threading.Thread(target=self._renew, name="visage-claim", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises `UsageError` where it is somebody else's by now."""
        with self._lock:
            if not self._is_ours():
                raise _others()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(StorageError):  # it is taken for dead soon
            if self._is_ours():
                self._objects.delete([self._key])

    def _is_ours(self) -> bool:
        return self._version is not None and self._objects.version(self._key) == self._version

    def _have(self, dead: float) -> str | None:
        """Its version once it is this one's."""
        if self._objects.create(self._key, self._said()):
            return self._objects.version(self._key)
        found = self._objects.version(self._key)
        for _ in range(math.ceil(dead / _LOOK)):
            threading.Event().wait(_LOOK)
            if found is None or self._objects.version(self._key) != found:
                break
        else:
            if found is not None and self._objects.replace(self._key, self._said(), found):
                return self._objects.version(self._key)
        # Whoever had it lives, or has just come to its end.
        if self._objects.create(self._key, self._said()):
            return self._objects.version(self._key)
        raise _others()

    def _renew(self) -> None:
        while not self._ended.wait(SIGN):
            with self._lock, suppress(StorageError):  # the next time, or it is taken for dead
                self._sign()

    def _sign(self) -> None:
        if self._version is None:
            return
        ours = self._objects.replace(self._key, self._said(), self._version)
        self._version = self._objects.version(self._key) if ours else None

    def _said(self) -> bytes:
        return json.dumps({"at": self._now()}).encode()


def _others() -> UsageError:
    return UsageError("somebody else is giving names in this collection just now; ask again in a moment")
