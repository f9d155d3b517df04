"""A connection that is made when it is needed, and made again when the database went away and came back."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from visage.core.errors import GalleryError, UsageError
from visage.postgres.faults import explained

Db = psycopg.Connection[tuple[Any, ...]]

# What libpq takes where the URL does not say: seconds, and milliseconds for tcp_user_timeout. A server whose machine
# vanished is given up after that.
_DEFAULTS = {
    "application_name": "visage",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


class Address:
    """Where a database is. `str` names it without user and password."""

    def __init__(self, url: str) -> None:
        """Raises `UsageError` for what is no URL of PostgreSQL."""
        try:
            given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        except psycopg.ProgrammingError:  # it repeats the URL
            raise UsageError(
                "the gallery's URL is none of PostgreSQL; it looks like postgresql://USER:PASSWORD@HOST:5432/DATABASE"
            ) from None
        self.conninfo = make_conninfo(**{**_DEFAULTS, **given})
        place = f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}"
        self._name = f"postgresql://{place}/{given.get('dbname') or ''}"

    def __str__(self) -> str:
        return self._name


class Line:
    """One connection, for one thread at a time."""

    def __init__(self, address: Address, begin: str, *, wait: float, limit: float) -> None:
        """begin: how a transaction starts. wait: seconds to wait for others' locks; limit: seconds of a statement."""
        self._address = address
        self._begin = begin
        self._settings = (
            f"SET lock_timeout = {int(wait * 1000)}; SET statement_timeout = {int(limit * 1000)}; "
            f"SET idle_in_transaction_session_timeout = {int(limit * 1000)}; SET client_encoding = 'UTF8'"
        )
        self._lock = Lock()
        self._db: Db | None = None
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[Db]:
        """All or nothing. A connection that was lost meanwhile is made anew first; one lost in the middle is an error,
        and `StorageError` does not say whether what was written is kept. Raises `GalleryError` after `close`."""
        with self._lock, explained(str(self._address)):
            db = self._started()
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                self._undo(db)
                raise

    @contextmanager
    def alone(self) -> Iterator[Db]:
        """The connection outside of any transaction, without a limit to how long a statement takes."""
        with self._lock, explained(str(self._address)):
            db = self._started()
            db.execute("ROLLBACK")
            db.execute("SET statement_timeout = 0")
            try:
                yield db
            finally:
                self._hang_up()  # its settings go with it

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._hang_up()

    def _started(self) -> Db:
        if self._closed:
            raise GalleryError(f"{self._address}: this gallery was closed; open it again")
        if self._db:
            try:
                self._db.execute(self._begin)
                return self._db
            except psycopg.OperationalError:  # lost since it was last used: nothing was begun
                self._hang_up()
        self._db = psycopg.connect(self._address.conninfo, autocommit=True)
        try:
            self._db.execute(self._settings)
            self._db.execute(self._begin)
        except psycopg.Error:
            self._hang_up()
            raise
        return self._db

    def _undo(self, db: Db) -> None:
        try:
            db.execute("ROLLBACK")
        except psycopg.Error:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._db:
            self._db.close()
        self._db = None
