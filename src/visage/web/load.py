"""How busy the service is, and from when on it takes nothing more."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from visage.core.errors import NoObjectError
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Depth, Queue
from visage.web.problems import Problem

# Where the autoscaler writes down in the output store what it sees.
FLEET_KEY = "fleet.json"

# Seconds for which what was read is good enough.
_DEPTH_AGE = 0.2
_FLEET_AGE = 1.0

# What an autoscaler wrote longer ago says nothing any more; seconds.
_STALE = 60.0

# A fleet that cannot grow and needs longer than this for what waits takes nothing more; seconds.
MAX_WAIT = 600.0

_RETRY_LEAST, _RETRY_MOST, _RETRY_UNKNOWN = 1.0, 120.0, 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FleetState:
    """size: instances now. wanted: asked for. max: the cap. service: seconds of one instance that a job takes."""

    size: int
    wanted: int
    max: int
    service: float


class Load:
    """Used by many threads. What it reads is read by one of them at a time and kept for a moment."""

    def __init__(self, queue: Queue, outputs: Objects, max_backlog: int, now: Callable[[], float]) -> None:
        """now: seconds since 1970."""
        self._outputs = outputs
        self._max_backlog = max_backlog
        self._now = now
        self._depth = _Kept(queue.depth, _DEPTH_AGE)
        self._fleet = _Kept(self._read_fleet, _FLEET_AGE)

    def depth(self) -> Depth:
        """May raise `StorageError`."""
        return self._depth()

    def fleet(self) -> FleetState | None:
        """None where no autoscaler has written within the last minute. May raise `StorageError`."""
        return self._fleet()

    def refuse_if_full(self) -> None:
        """Raises `Problem` 503 with a time after which to try again, where a new job would wait too long."""
        waiting = self.depth().waiting
        fleet = self.fleet()
        wait = waiting * fleet.service / fleet.max if fleet and fleet.max else None
        at_cap = fleet is not None and fleet.size >= fleet.max and wait is not None and wait > MAX_WAIT
        if waiting < self._max_backlog and not at_cap:
            return
        # Until a tenth of it is done; everybody who waits longer than that comes back for nothing.
        retry = _RETRY_UNKNOWN if wait is None else min(max(wait / 10, _RETRY_LEAST), _RETRY_MOST)
        raise Problem(
            503, f"{waiting} jobs are waiting already; try again after the seconds in Retry-After", retry=retry
        )

    def _read_fleet(self) -> FleetState | None:
        try:
            data = json.loads(self._outputs.get(FLEET_KEY))
            return _fleet_state(data) if self._now() - float(data["at"]) < _STALE else None
        except (NoObjectError, ValueError, KeyError, TypeError):
            return None


def _fleet_state(data: dict[str, Any]) -> FleetState:
    return FleetState(
        size=int(data["size"]), wanted=int(data["wanted"]), max=int(data["max"]), service=float(data["service"] or 0)
    )


class _Kept(Generic[T]):
    """What a function gave, asked again once it is older than so many seconds."""

    def __init__(self, read: Callable[[], T], age: float) -> None:
        self._read = read
        self._age = age
        self._lock = threading.Lock()
        self._values: list[T] = []
        self._until = float("-inf")

    def __call__(self) -> T:
        known = self._values
        if known and time.monotonic() < self._until:
            return known[0]
        if not self._lock.acquire(blocking=not known):  # somebody else is asking already
            return known[0]
        try:
            if not self._values or time.monotonic() >= self._until:
                self._values = [self._read()]
                self._until = time.monotonic() + self._age
            return self._values[0]
        finally:
            self._lock.release()
