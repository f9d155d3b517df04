"""Replies between processes of one machine: datagrams, and a list in the queue's file of who listens where."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from visage.core.errors import StorageError, UsageError
from visage.sqlite.bell import bound, ring
from visage.sqlite.queue_file import QueueFile

MAX_REPLY = 200  # characters
_DATAGRAM = 8000  # bytes that go in one on every system
_REFRESH, _ABANDONED = 60.0, 300.0  # seconds
_KNOWN = 10.0  # seconds for which a mailbox is not looked up again
_SLACK = 5.0  # a time so many seconds from now was written before the machine started

_REGISTER = "INSERT OR REPLACE INTO mailboxes (name, port, refreshed) VALUES (:name, :port, :now)"
_REMOVE = "DELETE FROM mailboxes WHERE name = :name"
_FIND = "SELECT port FROM mailboxes WHERE name = :name"
_ALL = "SELECT name, port, refreshed FROM mailboxes"
_SWEEP = "DELETE FROM mailboxes WHERE name = :name AND refreshed = :refreshed RETURNING name"


class SqliteReplies:
    """`core.ports.queue.Replies` for the processes that share the queue's file. Not between containers."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, the same in all processes, never set."""
        self._file = QueueFile(path)
        self._clock = clock
        self._known: dict[str, tuple[int, float]] = {}  # port, and until when it may be taken for granted

    def open(self) -> "SqliteMailbox":
        return SqliteMailbox(self._file, self._clock)

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        for body in bodies:
            if len(body) > MAX_REPLY:
                raise UsageError(f"a reply of {len(body)} characters; it may have {MAX_REPLY}")
        port = self._port(mailbox)
        if port is None:
            return
        for datagram in _datagrams(mailbox, bodies):
            if not ring(port, datagram):
                self._known.pop(mailbox, None)
                return

    def sweep(self) -> int:
        """Those whose port nobody listens at, and those not refreshed for five minutes."""
        count, now = 0, self._clock()
        for name, port, refreshed in self._file.run(_ALL, {}):
            fresh = now - _ABANDONED < refreshed < now + _SLACK
            if not fresh or not ring(port, b""):
                count += len(self._file.run(_SWEEP, {"name": name, "refreshed": refreshed}))
        return count

    def close(self) -> None:
        self._file.close()

    def _port(self, mailbox: str) -> int | None:
        now = self._clock()
        port, until = self._known.get(mailbox, (0, now))
        if until > now:
            return port
        rows = self._file.run(_FIND, {"name": mailbox}) if _is_name(mailbox) else []
        if not rows:
            self._known.pop(mailbox, None)
            return None
        if len(self._known) > 1000:
            self._known.clear()
        self._known[mailbox] = (rows[0][0], now + _KNOWN)
        return int(rows[0][0])


class SqliteMailbox:
    """`core.ports.queue.Mailbox`: a port of 127.0.0.1. What arrives there without the mailbox's name is not heard."""

    def __init__(self, file: QueueFile, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._name = uuid.uuid4().hex
        self._socket = bound()
        self._port = int(self._socket.getsockname()[1])
        self._reading = threading.Lock()
        self._closed = False
        self._refreshed = clock()
        self._register()

    @property
    def name(self) -> str:
        return self._name

    def receive(self, wait: float) -> list[str]:
        deadline = self._clock() + wait
        with self._reading:
            while not self._closed:
                if self._clock() > self._refreshed + _REFRESH:
                    self._refresh()
                left = deadline - self._clock()
                bodies = self._hear(min(max(left, 0.001), _REFRESH))
                if bodies or left <= 0:
                    return bodies
        return []

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        ring(self._port, b"")  # wakes the reader
        with self._reading:
            self._socket.close()
        self._file.run(_REMOVE, {"name": self._name})

    def _hear(self, seconds: float) -> list[str]:
        """What arrives within `seconds`, and all that has arrived by then."""
        bodies: list[str] = []
        try:
            self._socket.settimeout(seconds)
            while not self._closed:
                bodies += _bodies(self._socket.recv(65536), self._name)
                self._socket.settimeout(0.0)
        except OSError:
            pass  # nothing (more) there
        return bodies

    def _refresh(self) -> None:
        self._refreshed = self._clock()
        try:
            self._register()
        except StorageError:
            pass  # replies still arrive; it is tried again in a minute

    def _register(self) -> None:
        self._file.run(_REGISTER, {"name": self._name, "port": self._port, "now": self._clock()})


def _datagrams(mailbox: str, bodies: Sequence[str]) -> Iterator[bytes]:
    batch: list[str] = []
    size = 0
    for body in bodies:
        more = len(json.dumps(body)) + 2
        if batch and size + more > _DATAGRAM:
            yield json.dumps([mailbox, *batch]).encode()
            batch, size = [], 0
        batch.append(body)
        size += more
    if batch:
        yield json.dumps([mailbox, *batch]).encode()


def _bodies(datagram: bytes, name: str) -> list[str]:
    """The replies in a datagram; none where it is not addressed to this mailbox."""
    try:
        words: Any = json.loads(datagram)
    except (ValueError, RecursionError):
        return []
    if not isinstance(words, list) or words[:1] != [name] or not all(isinstance(word, str) for word in words):
        return []
    return words[1:]


def _is_name(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
