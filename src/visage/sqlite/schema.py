"""The gallery's file: its tables, and how it is made, opened and wiped."""

import os
import sqlite3
import time
from pathlib import Path

from visage.core.errors import GalleryError, NoGalleryError, StorageError

APPLICATION = 0x56534731  # "VSG1" in the file's header says that it is ours
# A collection exists as long as it has a face: it then has exactly one model. Its version counts its changes; `changed`
# is the version that wrote a face's vector. Numbers are never given twice. Crops are apart so that reading the vectors
# does not read them. wipe.owed counts removals whose traces may still be in the file.
_FIRST = """
CREATE TABLE collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    size INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE TABLE people (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (collection, id),
    UNIQUE (collection, name)
) STRICT;
CREATE TABLE faces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections,
    person INTEGER NOT NULL REFERENCES people,
    id TEXT NOT NULL,
    changed INTEGER NOT NULL,
    vector BLOB NOT NULL,
    landmarks BLOB NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    quality TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (collection, id)
) STRICT;
CREATE INDEX faces_by_collection ON faces (collection);
CREATE INDEX faces_by_person ON faces (person);
CREATE INDEX faces_by_change ON faces (collection, changed);
CREATE TABLE crops (
    face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    jpeg BLOB NOT NULL
) STRICT;
CREATE TABLE wipe (owed INTEGER NOT NULL) STRICT;
INSERT INTO wipe VALUES (0);
"""

# Who is hidden, and who a face is not: negative examples, with their crops so that their vectors can be made anew.
# collections.denied is the version that last changed them. A Visage of the first schema that has the file open goes on
# undisturbed, and takes them along when it removes somebody.
_SECOND = """
ALTER TABLE people ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collections ADD COLUMN denied INTEGER NOT NULL DEFAULT 0;
CREATE TABLE denials (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    id TEXT NOT NULL,
    vector BLOB NOT NULL,
    landmarks BLOB NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    quality TEXT NOT NULL,
    created REAL NOT NULL,
    jpeg BLOB,
    UNIQUE (person, id)
) STRICT;
CREATE INDEX denials_by_collection ON denials (collection);
"""

# A file of schema n has gone through the first n of these; a new one goes through all.
_STEPS = (_FIRST, _SECOND)
SCHEMA = len(_STEPS)


def connect(path: Path, wait: float) -> sqlite3.Connection:
    """A connection to an existing file. wait: seconds to wait for a lock. Any thread may use it, one at a time."""
    address = path.absolute().as_uri() + "?mode=rw"
    db = sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")
    return db


def prepare(path: Path, *, create: bool, portable: bool, wait: float) -> None:
    """See to it that `path` is a gallery of this schema, bringing an older one up to it; where there is none, make one
    or raise `NoGalleryError`."""
    if path.is_dir():
        raise GalleryError(f"{path}: it is a folder; name a file in it, such as {path / 'gallery.sqlite'}")
    if not path.exists():
        if not create:
            raise _none_yet(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = connect(path, wait)
    try:
        if _is_empty(db):
            if not create:
                raise _none_yet(path)
            _create(db, portable=portable, wait=wait)
        if check(db, path) < SCHEMA:
            db.execute("BEGIN IMMEDIATE")
            upgrade(db)
            db.execute("COMMIT")
    finally:
        db.close()


def wipe(db: sqlite3.Connection, path: Path) -> None:
    """Erase from the file and its log what removed people left there, if anything is owed.

    Deleting overwrites rows with zeros, but the log holds older pages, and a page may hold older copies of its rows:
    so the file is rewritten and the log emptied. Neither can be done under a reader who looks at an earlier state.
    Then, or where the disk is too full to rewrite the file, `StorageError` is raised and the debt stays on record.
    """
    (owed,) = db.execute("SELECT owed FROM wipe").fetchone()
    if not owed:
        return
    _empty_log(db, path)
    db.execute("VACUUM")
    _empty_log(db, path)
    db.execute("UPDATE wipe SET owed = 0 WHERE owed = ?", (owed,))  # another removal may have come since


def _empty_log(db: sqlite3.Connection, path: Path) -> None:
    (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StorageError(f"{path}: another program is reading an earlier state of it; end that program")


def _is_empty(db: sqlite3.Connection) -> bool:
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    return int(tables) == 0 and int(application) == 0


def _create(db: sqlite3.Connection, *, portable: bool, wait: float) -> None:
    """Make the tables, unless another process was faster."""
    db.execute("BEGIN IMMEDIATE")  # whatever fails from here on is undone as the connection is closed
    if _is_empty(db):
        upgrade(db)
    db.execute("COMMIT")
    deadline = time.monotonic() + wait
    while not portable:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # SQLite does not wait for this lock by itself
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def upgrade(db: sqlite3.Connection) -> None:
    """Bring an empty database, or a gallery of an older schema, to this one; for one of this schema it is nothing."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for step in _STEPS[version:]:
        for statement in step.split(";\n")[:-1]:
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def check(db: sqlite3.Connection, path: Path | str) -> int:
    """The schema. Raises `GalleryError` where it is not a gallery, or made by a newer Visage. path: for the message."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise GalleryError(f"{path}: an SQLite file, but not a gallery of Visage; name another file")
    if not 1 <= version <= SCHEMA:
        raise GalleryError(
            f"{path}: made by a newer Visage (schema {version}, this one knows {SCHEMA}); update Visage to open it"
        )
    return int(version)


def _none_yet(path: Path) -> NoGalleryError:
    return NoGalleryError(f"{path}: nobody has been enrolled yet; enroll people with `visage enroll FOLDER`")
