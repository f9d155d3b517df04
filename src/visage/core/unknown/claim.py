"""One at a time, over threads and processes: whoever has a claim in the store is alone with what it is on."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from visage.core.errors import NoObjectError, StorageError, UsageError
from visage.core.ports.objects import Objects

DEAD = 20.0  # seconds without a sign, after which who has the claim is taken for dead
_SIGN = 5.0


class Claims:
    """Used by many threads; several processes may share the store."""

    def __init__(self, objects: Objects, now: Callable[[], float]) -> None:
        """now: seconds since 1970."""
        self._objects = objects
        self._now = now
        self._lock = threading.Lock()

    @contextmanager
    def alone(self, key: str) -> Iterator[Callable[[], None]]:
        """Be alone with it; what is given is to be called every now and then by who takes long. Raises `UsageError`
        where somebody else is at it, also if that is found only later, and `StorageError`."""
        with self._lock:
            claim = _Claim(self._objects, key, self._now)
            try:
                yield claim.sign
            finally:
                claim.end()


class _Claim:
    def __init__(self, objects: Objects, key: str, now: Callable[[], float]) -> None:
        self._objects = objects
        self._key = key
        self._now = now
        self._signed = now()
        if not objects.create(key, self._said()) and not self._inherited():
            raise _others()
        self._version = objects.version(key)

    def sign(self) -> None:
        if self._now() - self._signed < _SIGN:
            return
        self._signed = self._now()
        if self._version is None or not self._objects.replace(self._key, self._said(), self._version):
            self._version = None
            raise _others()
        self._version = self._objects.version(self._key)

    def end(self) -> None:
        if self._version is not None:
            with suppress(StorageError):  # it is taken for dead soon
                self._objects.delete([self._key])

    def _inherited(self) -> bool:
        """Whether the claim of somebody dead is this one's now."""
        try:
            data, version = self._objects.read(self._key)
        except NoObjectError:
            return self._objects.create(self._key, self._said())
        try:
            signed = float(json.loads(data)["at"])
        except (ValueError, KeyError, TypeError):
            signed = 0.0
        alive = abs(self._signed - signed) < DEAD
        return not alive and self._objects.replace(self._key, self._said(), version)

    def _said(self) -> bytes:
        return json.dumps({"at": self._signed}).encode()


def _others() -> UsageError:
    return UsageError("somebody else is giving names in this collection just now; ask again in a moment")
