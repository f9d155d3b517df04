"""The gallery's tables in PostgreSQL, in a schema of their own, and how they are made."""

from visage.core.errors import GalleryError, NoGalleryError
from visage.postgres.line import Db, Line

SCHEMA = 1
_LOCK = 0x56534731  # the advisory lock of who makes the tables

# As in SQLite (sqlite/schema.py), but for `gallery`: it has one row, which a writer locks first. So writers come one
# after the other, and versions grow in the order in which they are committed: a reader who has seen one has seen all
# before it. Vectors and crops are compressed already, or cannot be.
_TABLES = """
CREATE SCHEMA IF NOT EXISTS visage;
CREATE TABLE visage.gallery (
    schema integer NOT NULL,
    id text NOT NULL,
    changes bigint NOT NULL
);
INSERT INTO visage.gallery VALUES (%(schema)s, gen_random_uuid()::text, 0);
CREATE TABLE visage.collections (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    model text NOT NULL,
    dimension integer NOT NULL,
    size bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE visage.people (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL REFERENCES visage.collections,
    id text NOT NULL,
    name text NOT NULL,
    created double precision NOT NULL,
    UNIQUE (collection, id),
    UNIQUE (collection, name)
);
CREATE TABLE visage.faces (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL REFERENCES visage.collections,
    person bigint NOT NULL REFERENCES visage.people,
    id text NOT NULL,
    changed bigint NOT NULL,
    vector bytea NOT NULL,
    landmarks bytea NOT NULL,
    source text NOT NULL,
    digest text NOT NULL,
    quality text NOT NULL,
    created double precision NOT NULL,
    UNIQUE (collection, id)
);
ALTER TABLE visage.faces ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE INDEX faces_by_collection ON visage.faces (collection, number);
CREATE INDEX faces_by_person ON visage.faces (person, number);
CREATE INDEX faces_by_change ON visage.faces (collection, changed);
CREATE TABLE visage.crops (
    face bigint PRIMARY KEY REFERENCES visage.faces ON DELETE CASCADE,
    jpeg bytea NOT NULL
);
ALTER TABLE visage.crops ALTER COLUMN jpeg SET STORAGE EXTERNAL;
"""


def prepare(line: Line, place: str, *, create: bool) -> None:
    """See to it that there is a gallery of this schema; where there is none, make one or raise `NoGalleryError`."""
    with line.transaction() as db:
        if not _is_there(db):
            if not create:
                raise NoGalleryError(
                    f"{place}: nobody has been enrolled yet; enroll people with `visage enroll FOLDER`"
                )
            _make(db, place)
        row = db.execute("SELECT schema FROM visage.gallery").fetchone()
    if row != (SCHEMA,):
        version = row[0] if row else "none"
        raise GalleryError(
            f"{place}: made by a newer Visage (schema {version}, this one knows {SCHEMA}); update Visage to open it"
        )


def _make(db: Db, place: str) -> None:
    row = db.execute("SHOW server_encoding").fetchone()
    if row != ("UTF8",):
        raise GalleryError(f"{place}: a database for names must be made with the encoding UTF8 (createdb -E UTF8)")
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if not _is_there(db):  # else another process was faster
        for statement in _TABLES.split(";\n")[:-1]:
            db.execute(statement, {"schema": SCHEMA} if "%(schema)s" in statement else None)


def _is_there(db: Db) -> bool:
    # Asked of the catalog's rows: to_regclass may go by what this connection remembers from before it had the lock.
    query = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'visage' AND tablename = 'gallery'"
    return db.execute(query).fetchone() is not None
