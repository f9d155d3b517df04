"""One connection to the queue's file, for all threads of a process."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from visage.core.errors import StorageError, UsageError, VisageError
from visage.sqlite.queue_schema import connect, explained, is_busy, prepare, scrub

# SQLite's own way to wait for another writer is to sleep 1, 2, 5, 10 ... 100 ms: much longer than anybody writes here,
# and of three processes one is starved. Asking again after 0.2 ms is as fast as a lock that wakes its waiter (flock),
# fairer than SQLite, the same on every system, and cannot hang on a process that was stopped.
_PAUSE, _PAUSES = 0.0002, 0.005  # seconds; the longer one once the wait has become a long one
_LONG = 0.05
# Where several processes write all the time, SQLite hardly finds the moment to begin its log anew, and from a thousand
# pages on waits for the disk with every commit: on a disk that takes 3 ms to confirm, a thirtieth of the jobs a second.
# So it is done here: every so many statements where there is anything to gain, and sooner where messages are large.
_SELDOM, _OFTEN = 2048, 64  # statements
_LOG, _LONG_LOG = 4 * 1024**2, 64 * 1024**2  # bytes
# Seconds after which what removed messages left in the file and its log is erased, for it names people: once no more of
# them are removed, at the latest, and when somebody was in the way.
_QUIET, _LATE, _AGAIN = 2.0, 60.0, 5.0


class QueueFile:
    """Statements on the file, each whole or not at all. A thread that waits for messages does not wait in here.

    A file that was deleted or replaced under its users is opened anew, so that they all meet in the same one again.
    """

    def __init__(self, path: Path, wait: float = 10.0) -> None:
        """wait: seconds to wait for other writers before a `StorageError`."""
        self.path = path
        self._wait = wait
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closed = False
        self._statements = 0
        self._traces: tuple[float, float] | None = None  # of messages: when to erase them if it is quiet, and anyway
        with explained(path):
            self._log = Path(f"{path.resolve()}-wal")
            self._db, self._inode = self._open()

    def run(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        """The rows that one statement gives, in a transaction of its own."""
        try:
            with self._lock:
                rows = self._checked().execute(statement, values).fetchall()
                self._tidy()
                return rows
        except (sqlite3.Error, OSError):
            pass  # once more, with patience for others, and words for what cannot be done
        with self._use() as db:
            return self._patiently(db, statement, values)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements, all or nothing."""
        with self._use() as db:
            self._patiently(db, "BEGIN IMMEDIATE", {})
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # something was raised
                    db.execute("ROLLBACK")

    def removed(self) -> None:
        """Messages were, now or by somebody who was killed, so that there are traces of them."""
        now = time.monotonic()
        self._traces = now + _QUIET, self._traces[1] if self._traces else now + _LATE

    def scrub(self) -> None:
        """Erase the traces of what was removed. Raises `StorageError` where that takes longer than the wait for other
        writers: it is to be tried again."""
        end = time.monotonic() + self._wait
        while True:
            with self._use() as db:
                if self._scrubbed(db):
                    return
            if time.monotonic() > end:
                raise StorageError(
                    f"{self.path}: what was removed is not yet erased from the disk, since another program is "
                    "reading an earlier state of the file; end that program, and try again"
                )
            time.sleep(_PAUSES)

    def scrub_if_quiet(self) -> None:
        """The same where it is time to, and nobody is in the way."""
        if self._traces and time.monotonic() > self._traces[0]:
            with suppress(VisageError), self._use() as db:
                self._scrubbed(db)

    def close(self) -> None:
        """Twice is once."""
        with self._lock, explained(self.path):
            if self._traces and not self._closed and self._process == os.getpid():
                with suppress(sqlite3.Error):
                    self._scrubbed(self._db)
            self._closed = True
            self._db.close()

    def _scrubbed(self, db: sqlite3.Connection) -> bool:
        """Whether nobody was in the way. Called under the lock."""
        later = time.monotonic() + _AGAIN
        self._traces = later, later
        try:
            done = scrub(db)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            return False
        if done:
            self._traces = None
        return done

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self.path):
            yield self._checked()

    def _checked(self) -> sqlite3.Connection:
        """The connection, after a look at whether it may still be used. Called under the lock."""
        if self._process != os.getpid():  # SQLite's files must not be carried across a fork
            raise UsageError(f"{self.path}: opened by another process; open it again after forking")
        if self._closed:
            raise UsageError(f"{self.path}: it was closed; open it again")
        if _inode(self.path) != self._inode:
            db, self._inode = self._open()
            self._db.close()
            self._db = db
        return self._db

    def _open(self) -> tuple[sqlite3.Connection, object]:
        prepare(self.path, self._wait)
        inode = _inode(self.path)
        return connect(self.path, self._wait), inode

    def _tidy(self) -> None:
        """Begin the log anew where it has grown long, or names people for long. Called under the lock."""
        self._statements += 1
        late = self._traces and time.monotonic() > self._traces[1]
        if self._statements % _OFTEN and not late:
            return
        try:
            if late:
                self._scrubbed(self._db)
            size = self._log.stat().st_size
            if size > _LONG_LOG:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            elif size > _LOG and self._statements % _SELDOM == 0:
                self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        except (sqlite3.Error, OSError):
            pass  # somebody is writing, or the disk is full: it will be tried again, and nothing is lost meanwhile

    def _patiently(self, db: sqlite3.Connection, statement: str, values: Mapping[str, object]) -> list[Any]:
        started = time.monotonic()
        while True:
            try:
                return db.execute(statement, values).fetchall()
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if not is_busy(error) or waited > self._wait:
                    raise
            time.sleep(_PAUSE if waited < _LONG else _PAUSES)


def _inode(path: Path) -> tuple[int, int] | None:
    """Which file it is that lies there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
