"""The gallery's tables in PostgreSQL, in a schema of their own, and how they are made."""

from psycopg import errors, sql

from visage.core.errors import GalleryError, NoGalleryError, StorageError
from visage.postgres.line import Db, Line

_LOCK = 0x56534731  # the advisory lock of who makes the tables

# As in SQLite (sqlite/schema.py), but for `gallery`: it has one row, which a writer locks first. So writers come one
# after the other, and versions grow in the order in which they are committed: a reader who has seen one has seen all
# before it. Vectors and crops are compressed already, or cannot be.
_FIRST = """
CREATE SCHEMA IF NOT EXISTS visage;
CREATE TABLE visage.gallery (
    schema integer NOT NULL,
    id text NOT NULL,
    changes bigint NOT NULL
);
INSERT INTO visage.gallery VALUES (1, gen_random_uuid()::text, 0);
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

# As in SQLite. Everybody comes by `gallery` and `collections` first, so that no two wait for each other.
_SECOND = """
SELECT FROM visage.gallery FOR UPDATE;
ALTER TABLE visage.collections ADD COLUMN denied bigint NOT NULL DEFAULT 0;
ALTER TABLE visage.people ADD COLUMN hidden boolean NOT NULL DEFAULT false;
CREATE TABLE visage.denials (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection bigint NOT NULL REFERENCES visage.collections,
    person bigint NOT NULL REFERENCES visage.people ON DELETE CASCADE,
    id text NOT NULL,
    vector bytea NOT NULL,
    landmarks bytea NOT NULL,
    source text NOT NULL,
    digest text NOT NULL,
    quality text NOT NULL,
    created double precision NOT NULL,
    jpeg bytea,
    UNIQUE (person, id)
);
ALTER TABLE visage.denials ALTER COLUMN vector SET STORAGE EXTERNAL, ALTER COLUMN jpeg SET STORAGE EXTERNAL;
CREATE INDEX denials_by_collection ON visage.denials (collection, number);
"""

# A gallery of schema n has gone through the first n of these; a new one goes through all.
_STEPS = (_FIRST, _SECOND)
SCHEMA = len(_STEPS)


def prepare(line: Line, place: str, *, create: bool) -> None:
    """See to it that there is a gallery of this schema, bringing an older one up to it; where there is none, make one
    or raise `NoGalleryError`."""
    with line.transaction() as db:
        if not _is_there(db):
            if not create:
                raise NoGalleryError(
                    f"{place}: nobody has been enrolled yet; enroll people with `visage enroll FOLDER`"
                )
            _upgrade(db, place)
        version = _schema(db)
        if 1 <= version < SCHEMA:
            _upgrade(db, place)
            version = _schema(db)
    if version != SCHEMA:
        raise GalleryError(
            f"{place}: made by a newer Visage (schema {version or 'none'}, this one knows {SCHEMA}); "
            "update Visage to open it"
        )


def _upgrade(db: Db, place: str) -> None:
    """Make the tables, or what an older Visage did not make; another process may be faster, at any point."""
    row = db.execute("SHOW server_encoding").fetchone()
    if row != ("UTF8",):
        raise GalleryError(f"{place}: a database for names must be made with the encoding UTF8 (createdb -E UTF8)")
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    version = _schema(db) if _is_there(db) else 0
    try:
        for step in _STEPS[version:]:
            for statement in step.split(";\n")[:-1]:
                db.execute(statement.encode())
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as error:
        if not version:
            raise
        raise StorageError(
            f"{place}: an older Visage made it (schema {version}, this one needs {SCHEMA}), and this user may not "
            "change that; open it once as its owner, such as with `visage people list`"
        ) from error
    if version < SCHEMA:
        db.execute("UPDATE visage.gallery SET schema = %s", (SCHEMA,))
        _grant(db)


def _grant(db: Db) -> None:
    """Whoever may read or change faces may do so with negative examples."""
    rows = db.execute(
        """SELECT grantee, privilege_type FROM information_schema.role_table_grants
        WHERE table_schema = 'visage' AND table_name = 'faces' AND grantee <> current_user"""
    ).fetchall()
    for grantee, privilege in rows:
        whom = sql.SQL("PUBLIC") if grantee == "PUBLIC" else sql.Identifier(grantee)
        db.execute(sql.SQL("GRANT {} ON visage.denials TO {}").format(sql.SQL(privilege), whom))


def _schema(db: Db) -> int:
    row = db.execute("SELECT schema FROM visage.gallery").fetchone()
    return int(row[0]) if row else 0


def _is_there(db: Db) -> bool:
    # Asked of the catalog's rows: to_regclass may go by what this connection remembers from before it had the lock.
    query = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'visage' AND tablename = 'gallery'"
    return db.execute(query).fetchone() is not None
