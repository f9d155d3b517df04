"""The queue's file: its tables, and how it is made and opened."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visage.core.errors import GalleryError, StorageError, UsageError
from visage.sqlite import faults

APPLICATION = 0x56535131  # "VSQ1" in the file's header says that it is ours
SCHEMA = 1

_FEW = 2048  # pages, of 4 kB each

# Times are those of a clock that all processes of the machine share and that nobody sets; `died` alone is wall time.
# A message is ready (timed 0), or it is leased or put off until `turn` (timed 1); a ready one's `turn` is when it was
# sent, so that one index orders both. held: the latest lease may still be spoken of. since: when one of these last
# changed. A lease is named by the message and its count. Numbers are never given twice.
# bells: who waits for a message, one row for each wait. mailboxes: who waits for replies.
_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    timed INTEGER NOT NULL,
    turn REAL NOT NULL,
    held INTEGER NOT NULL,
    since REAL NOT NULL,
    count INTEGER NOT NULL,
    sent REAL NOT NULL,
    key TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_turn ON messages (queue, timed, turn);
CREATE UNIQUE INDEX messages_by_key ON messages (queue, key) WHERE key IS NOT NULL;
CREATE TABLE dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    died REAL NOT NULL,
    key TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX dead_by_queue ON dead (queue, id);
CREATE TABLE bells (
    port INTEGER PRIMARY KEY,
    queue TEXT NOT NULL
) STRICT;
CREATE TABLE mailboxes (
    name TEXT PRIMARY KEY,
    port INTEGER NOT NULL,
    refreshed REAL NOT NULL
) STRICT;
"""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What is raised about this kind of file in the project's words: `StorageError`."""
    try:
        with faults.explained(path):
            yield
    except GalleryError as error:
        raise StorageError(
            f"{path}: it is damaged, or not a queue of Visage; name another file, or move this one away to begin anew "
            f"(SQLite: {error.__cause__})"
        ) from error.__cause__


def connect(path: Path, wait: float) -> sqlite3.Connection:
    """A connection to an existing file; once it is there, within `wait` seconds, it never waits for a lock. Any thread
    may use it, one at a time."""
    address = path.absolute().as_uri() + "?mode=rw"
    db = sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = NORMAL")  # the first look at the file, which others may just be making
        db.execute("PRAGMA wal_autocheckpoint = 0")  # see queue_file
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA temp_store = MEMORY")  # what `scrub` copies, which is not to lie about elsewhere
    except BaseException:
        db.close()
        raise
    return db


# Closing a file gives up all locks of this process on it, SQLite's too: another process would then take itself for the
# last one and delete the log under us. So a file that may be in use is never opened but by SQLite.
_making = threading.Lock()


def prepare(path: Path, wait: float) -> None:
    """See to it that `path` is a queue's file of this schema, making it where there is none.

    wait: seconds to wait for others who do the same. Raises `UsageError` where it is a file of another kind.
    """
    if path.is_dir():
        raise UsageError(f"{path}: it is a folder; name a file in it, such as {path / 'queue.sqlite'}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = connect(path, wait)
    try:
        deadline = time.monotonic() + wait
        while True:  # SQLite does not wait by itself for the lock that changing the journal needs
            try:
                _make(db)
                break
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        _check(db, path)
    finally:
        db.close()


def scrub(db: sqlite3.Connection) -> bool:
    """Erase from the file and its log what removed messages left there; False where a reader is in the way.

    Deleting overwrites rows with zeros, but the log holds older pages, and a page may hold older copies of its rows. So
    the file is rewritten, unless many messages wait in it, and the log emptied. Nobody can write meanwhile, for some
    milliseconds. Raises what SQLite raises."""
    (pages,) = db.execute("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count").fetchone()
    if pages <= _FEW:
        db.execute("VACUUM")
    (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else is writing just now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _make(db: sqlite3.Connection) -> None:
    """Make the tables, unless another process was faster; whatever fails is undone."""
    if not _is_empty(db):
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(db):
            for statement in _TABLES.split(";\n")[:-1]:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _is_empty(db: sqlite3.Connection) -> bool:
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    return int(tables) == 0 and int(application) == 0


def _check(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise UsageError(f"{path}: an SQLite file, but not a queue of Visage; name another file")
    if version != SCHEMA:
        raise UsageError(
            f"{path}: made by another Visage (schema {version}, this one knows {SCHEMA}); "
            "use that one, or name another file"
        )
