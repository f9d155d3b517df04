"""The queue in an SQLite file: several processes of one machine, nothing else to be run."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visage.core.errors import UsageError
from visage.core.messages import check_body
from visage.core.ports.queue import DeadLetter, Delivery, Depth
from visage.sqlite.bell import Bell, ring
from visage.sqlite.queue_file import QueueFile

_LOOK = 0.5  # seconds after which a waiting process looks for itself: it may not have heard the bell
_MOMENT = 0.001  # seconds; under load the next message comes sooner than a bell is hung up and rung
_BOOT = 5.0  # what was written so many seconds from now was written before the machine started

_READY = "EXISTS (SELECT 1 FROM messages WHERE queue = :queue AND timed = 0)"
_DUE = "EXISTS (SELECT 1 FROM messages WHERE queue = :queue AND timed = 1 AND turn <= :now)"
_SEND = """INSERT INTO messages (queue, timed, turn, held, since, count, sent, key, body)
    VALUES (:queue, 0, :now, 0, :now, 0, :now, :key, :body) ON CONFLICT DO NOTHING RETURNING id"""
# Those whose lease ran out or whose delay is over go first: they were sent before the others.
_LEASE = """UPDATE messages SET timed = 1, held = 1, turn = :until, since = :now, count = count + 1
    WHERE id IN (
        SELECT id FROM (SELECT id FROM messages WHERE queue = :queue AND timed = 1 AND turn <= :now
                        ORDER BY turn LIMIT :limit)
        UNION ALL
        SELECT id FROM (SELECT id FROM messages WHERE queue = :queue AND timed = 0 ORDER BY turn LIMIT :limit)
        LIMIT :limit)
    RETURNING id, count, body"""
# The plus keeps SQLite from walking through the whole queue: a message is found by its number.
_LEASED = """id IN (SELECT CAST(value AS INTEGER) FROM json_each(:receipts))
    AND id || '.' || count IN (SELECT value FROM json_each(:receipts)) AND +queue = :queue AND held = 1"""
_EXTEND = f"""UPDATE messages SET timed = 1, turn = :until, since = :now
    WHERE {_LEASED} RETURNING id || '.' || count"""
_DONE = f"DELETE FROM messages WHERE {_LEASED} RETURNING id || '.' || count"
_RELEASE = f"""UPDATE messages SET held = 0, timed = :delayed, turn = iif(:delayed, :until, sent), since = :now
    WHERE {_LEASED} RETURNING id"""
_BURY = f"""INSERT INTO dead (queue, reason, count, died, key, body)
    SELECT queue, :reason, count, :died, key, body FROM messages WHERE {_LEASED}"""
_LOOK_AROUND = f"""SELECT {_READY} OR {_DUE},
    (SELECT min(turn) FROM messages WHERE queue = :queue AND timed = 1),
    EXISTS (SELECT 1 FROM messages WHERE queue = :queue AND timed = 1 AND since > :now + {_BOOT}),
    EXISTS (SELECT 1 FROM bells WHERE port = :port AND queue = :queue)"""
_AFTER_BOOT = f"""UPDATE messages SET timed = 0, turn = :now, since = :now, sent = :now
    WHERE queue = :queue AND since > :now + {_BOOT}"""
_HANG = f"INSERT OR REPLACE INTO bells SELECT :port, :queue WHERE NOT ({_READY} OR {_DUE}) RETURNING port"
_TAKE_DOWN = "DELETE FROM bells WHERE port = :port AND queue = :queue RETURNING port"
_BELLS = "SELECT 1 FROM bells WHERE queue = :queue LIMIT 1"
_NEXT_BELL = "DELETE FROM bells WHERE port = (SELECT port FROM bells WHERE queue = :queue LIMIT 1) RETURNING port"
_DEPTH = """SELECT (SELECT count(*) FROM messages WHERE queue = :queue),
    (SELECT count(*) FROM messages WHERE queue = :queue AND timed = 1 AND turn > :now AND held = 1),
    (SELECT min(sent) FROM messages WHERE queue = :queue AND timed = 1 AND turn <= :now),
    (SELECT min(turn) FROM messages WHERE queue = :queue AND timed = 0)"""
_DEAD = "SELECT id, body, reason, count, died FROM dead WHERE queue = :queue ORDER BY id LIMIT :limit"
_CHOSEN = "queue = :queue AND (:ids IS NULL OR CAST(id AS TEXT) IN (SELECT value FROM json_each(:ids)))"
_REPLAY = f"""INSERT INTO messages (queue, timed, turn, held, since, count, sent, key, body)
    SELECT queue, 0, :now, 0, :now, 0, :now, key, body FROM dead WHERE {_CHOSEN} ORDER BY id ON CONFLICT DO NOTHING"""
_FORGET = f"DELETE FROM dead WHERE {_CHOSEN} RETURNING id"


class _Seen(NamedTuple):
    """What a look around found. next: when a leased or delayed message is next due. hanging: whether our bell is."""

    something: bool
    next: float | None
    from_before: bool
    hanging: bool


class SqliteQueue:
    """`core.ports.queue.Queue` in a file that only its owner may read; several queues may lie in it, each with a name.

    A lease that ran out may still be extended or done as long as nobody else has taken the message. After a restart of
    the machine all leases are over. The file must not lie on a network share. A message on its way to a receiver that
    waits in another container, or one that cannot be heard for another reason, takes half a second.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str = "requests",
        lease: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: seconds, the same in all processes, never set. Raises `UsageError` where the file is of another kind,
        `StorageError` where it cannot be read or written."""
        self._file = QueueFile(path)
        self._name = name
        self._lease = lease
        self._clock = clock
        self._waiting = threading.Lock()
        self._bells: set[Bell] = set()
        self._closed = False
        self._file.removed()
        self._run(_AFTER_BOOT)

    def send(self, body: str, *, key: str | None = None) -> None:
        check_body(body)
        if self._run(_SEND, body=body, key=key):
            self._ring(1)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        if limit < 1:
            raise UsageError(f"cannot receive {limit} messages; ask for one at least")
        taken = self._take(limit)
        if taken or wait <= 0:
            return taken
        bell = Bell()
        try:
            with self._waiting:
                self._bells.add(bell)
            return self._wait(bell, limit, self._clock() + wait)
        except UsageError:
            if self._closed:  # in the middle of the wait, which ends it
                return []
            raise
        finally:
            with self._waiting:
                self._bells.discard(bell)
            bell.close()

    def extend(self, receipts: Sequence[str]) -> list[str]:
        now = self._clock()
        return self._lost(receipts, _EXTEND, now=now, until=now + self._lease)

    def done(self, receipts: Sequence[str]) -> list[str]:
        try:
            return self._lost(receipts, _DONE)
        finally:
            self._file.removed()

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None:
        until = self._clock() + delay
        # Also a delayed one rings: whoever waits has to know by when to look again.
        self._ring(len(self._run(_RELEASE, receipts=json.dumps(receipts), delayed=int(delay > 0), until=until)))

    def bury(self, receipt: str, reason: str) -> bool:
        values = {"queue": self._name, "receipts": json.dumps([receipt]), "reason": reason, "died": time.time()}
        with self._file.transaction() as db:
            db.execute(_BURY, values)
            buried = bool(db.execute(_DONE, values).fetchall())
        self._file.removed()
        return buried

    def depth(self) -> Depth:
        now = self._clock()
        ((everything, in_flight, due, ready),) = self._run(_DEPTH, now=now)
        oldest = min((sent for sent in (due, ready) if sent is not None), default=None)
        return Depth(everything - in_flight, in_flight, None if oldest is None else max(0.0, now - oldest))

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        return [DeadLetter(str(row[0]), *row[1:]) for row in self._run(_DEAD, limit=limit)]

    def discard(self, ids: Sequence[str]) -> int:
        """As the port says: when it returns, neither the file nor its log holds a trace of them, nor of any message
        that is done."""
        count = len(self._run(_FORGET, ids=json.dumps(list(ids))))
        self._file.scrub()
        return count

    def replay(self, ids: Sequence[str] | None = None) -> int:
        chosen = None if ids is None else json.dumps(ids)
        values = {"queue": self._name, "ids": chosen, "now": self._clock()}
        with self._file.transaction() as db:
            db.execute(_REPLAY, values)
            count = len(db.execute(_FORGET, values).fetchall())
        self._ring(count)
        return count

    def close(self) -> None:
        """A `receive` on another thread ends with what it has, which is nothing. Later calls raise `UsageError`."""
        with self._waiting:
            if self._closed:
                return
            self._closed = True
            ports = [bell.port for bell in self._bells]
        for port in ports:
            ring(port)
        self._file.close()

    def _take(self, limit: int) -> list[Delivery]:
        now = self._clock()
        rows = self._run(_LEASE, now=now, until=now + self._lease, limit=limit)
        return [Delivery(body, f"{number}.{count}", count) for number, count, body in sorted(rows)]

    def _wait(self, bell: Bell, limit: int, deadline: float) -> list[Delivery]:
        bell.wait(_MOMENT)
        while not self._closed:
            seen = _Seen(*self._run(_LOOK_AROUND, port=bell.port)[0])
            if seen.from_before:
                self._run(_AFTER_BOOT)
            taken = self._take(limit) if seen.something or seen.from_before else []
            now = self._clock()
            if taken or now >= deadline:
                return self._leave(bell, limit, taken)
            self._file.scrub_if_quiet()
            if seen.hanging or self._run(_HANG, port=bell.port):
                bell.wait(min(deadline, now + _LOOK, deadline if seen.next is None else seen.next) - now)
        return []

    def _leave(self, bell: Bell, limit: int, taken: list[Delivery]) -> list[Delivery]:
        """Take the bell down. Where it rang for a message that this receiver does not take, another gets to know."""
        rung = not self._run(_TAKE_DOWN, port=bell.port)
        if rung and not taken:
            return self._take(limit)
        if rung and len(taken) == limit:
            self._ring(1)
        return taken

    def _ring(self, messages: int) -> None:
        """Wake as many of those who wait as there are messages for them, after these were written.

        Whoever waits hangs up a bell in the same step in which it sees that there is nothing; who rings it, takes it
        down. So a message either is seen or rings, and one message does not wake twenty."""
        for _ in range(messages):
            while self._run(_BELLS):
                rows = self._run(_NEXT_BELL)
                if rows and ring(rows[0][0]):
                    break  # else whoever hung it up was killed: on to the next
            else:
                return

    def _lost(self, receipts: Sequence[str], statement: str, **values: object) -> list[str]:
        if not receipts:
            return []
        kept = {receipt for (receipt,) in self._run(statement, receipts=json.dumps(receipts), **values)}
        return [receipt for receipt in receipts if receipt not in kept]

    def _run(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return self._file.run(statement, {"queue": self._name, "now": self._clock(), **values})
