"""Who did what: an entry for every search, look, change and erasure, kept for a while.

Entries hold ids and counts alone, no names of people or files, so they may outlive whom they speak of. They are written
in groups, one object each, by a thread: who waits for an entry waits for one writing, whatever else is noted meanwhile.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from visage.core.errors import StorageError
from visage.core.ports.objects import Objects

PLACE = "audit"
LINGER = 1.0  # seconds after which what nobody waits for is written
_LOOK = 5.0  # seconds after which who waits looks whether there is still somebody who writes
_MOST = 10_000  # entries that wait at most, while the store does not answer
_DAY = 86_400_000  # milliseconds


class Action(StrEnum):
    """Every kind of change, and what changes nobody."""

    ENROLL = "enroll"
    BULK = "bulk"
    SEARCH = "search"
    LOOK = "look"
    RENAME = "rename"
    MERGE = "merge"
    MOVE = "move"
    HIDE = "hide"
    UNHIDE = "unhide"
    NAME = "name"
    IGNORE = "ignore"
    RESTORE = "restore"
    NOT_A_FACE = "not-a-face"
    DENY = "deny"
    CORRECT = "correct"
    UNDO = "undo"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Entry:
    """at: seconds since 1970. account: its id, empty where there are no keys. people: ids of those it is about, or who
    were found. faces: how many. jobs: ids. request: the HTTP request's id."""

    at: float
    account: str
    action: Action
    collection: str = ""
    people: tuple[str, ...] = ()
    faces: int = 0
    jobs: tuple[str, ...] = ()
    request: str = ""


@dataclass(slots=True)
class _Waiting:
    """An entry that is not written yet. urgent: somebody waits and is told; hurry: somebody waits."""

    entry: Entry
    urgent: bool
    hurry: bool = False
    written: threading.Event = field(default_factory=threading.Event)
    error: StorageError | None = None


class Audit:
    """Used by many threads; several processes may share a store, each with an Audit of its own."""

    def __init__(
        self,
        objects: Objects,
        *,
        now: Callable[[], float],
        new_id: Callable[[], str],
        report: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        """now: seconds since 1970. new_id: hex digits of chance, eight or more. report: is told of errors that a store
        should not raise."""
        self._objects = objects
        self._report = report
        self._now = now
        self._writer = new_id()[:8]
        self._count = 0
        self._ring = threading.Condition()
        self._queue: list[_Waiting] = []
        self._writing: list[_Waiting] = []
        self._thread: threading.Thread | None = None
        self._open = True

    def note(self, entry: Entry, *, wait: bool) -> None:
        """Keep an entry; wait: until it is stored, else within a second or so. Raises `StorageError` where it is not
        kept: it could not be stored, or too much waits for a store that does not answer."""
        waiting = _Waiting(entry, wait)
        with self._ring:
            if not self._open or len(self._queue) >= _MOST:
                raise StorageError("the audit log cannot be written; see whether its store answers")
            self._queue.append(waiting)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="visage-audit", daemon=True)
                self._thread.start()
            if wait or len(self._queue) == 1:
                self._ring.notify_all()
        if wait:
            self._await(waiting)
            if waiting.error:
                raise waiting.error

    def flush(self) -> None:
        """Wait until what was noted by now is written, or could not be."""
        with self._ring:
            for waiting in self._queue:
                waiting.hurry = True
            last = self._queue[-1:] or self._writing[-1:]
            self._ring.notify_all()
        for waiting in last:
            self._await(waiting)

    def close(self) -> None:
        """Write what waits. Twice is once."""
        with self._ring:
            self._open = False
            self._ring.notify_all()
        if self._thread:
            self._thread.join()

    def _await(self, waiting: _Waiting) -> None:
        while not waiting.written.wait(_LOOK):
            if not (self._thread and self._thread.is_alive()) and not waiting.written.is_set():
                raise StorageError("the audit log is not written any more; start the service again")

    def _work(self) -> None:
        while group := self._next():
            try:
                self._write([waiting.entry for waiting in group])
            except BaseException as found:  # noqa: BLE001  whatever it is: who waits is told, who comes is served
                error = found if isinstance(found, StorageError) else self._reported(found)
                kept = [waiting for waiting in group if not waiting.urgent]  # who waits is told, and did nothing
                with self._ring:
                    if self._open:
                        self._queue[:0] = kept
                for waiting in group:
                    waiting.error = error if waiting.urgent else None
                    waiting.written.set()
                threading.Event().wait(LINGER)
            for waiting in group:
                waiting.written.set()

    def _reported(self, found: BaseException) -> StorageError:
        with suppress(Exception):
            self._report(found)
        return StorageError(
            f"the audit log cannot be written; the log of the service says why ({type(found).__name__})"
        )

    def _next(self) -> list[_Waiting]:
        """What is to be written next, at the right time; nothing once all is closed and written."""
        with self._ring:
            self._ring.wait_for(lambda: self._queue or not self._open)
            self._ring.wait_for(lambda: not self._open or any(one.urgent or one.hurry for one in self._queue), LINGER)
            self._writing, self._queue = self._queue, []
        return self._writing

    def _write(self, entries: list[Entry]) -> None:
        self._count += 1
        lines = [json.dumps(entry_to_json(entry), separators=(",", ":")) for entry in entries]
        data = "".join(f"{line}\n" for line in lines).encode()
        self._objects.put(group_key(self._now(), self._count, self._writer), data)


def group_key(moment: float, count: int, writer: str) -> str:
    """Where a group is kept that was written then: the newest of a day comes first. count: of the writer's groups."""
    passed = int(moment * 1000) % _DAY
    day = day_of(moment).isoformat()
    return f"{PLACE}/{day}/{_DAY - passed:08d}-{999_999 - count % 10**6:06d}-{writer}.jsonl"


def day_of(moment: float) -> date:
    """UTC. moment: seconds since 1970."""
    return datetime.fromtimestamp(moment, UTC).date()


def entry_to_json(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "action": entry.action.value, "at": round(entry.at, 3)}


def entry_from_json(data: dict[str, Any]) -> Entry:
    """Raises `ValueError`, `KeyError` or `TypeError` for what is none."""
    return Entry(
        at=float(data["at"]),
        account=str(data["account"]),
        action=Action(data["action"]),
        collection=str(data["collection"]),
        people=tuple(map(str, data["people"])),
        faces=int(data["faces"]),
        jobs=tuple(map(str, data["jobs"])),
        request=str(data["request"]),
    )
