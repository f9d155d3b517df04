"""PostgreSQL's errors in the project's words. None of them repeats the URL, which may hold a password."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from visage.core.errors import GalleryError, StorageError

_REASONS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.QueryCanceled, "it took too long; try again when there is less to do"),
    (errors.LockNotAvailable, "another program kept it locked; try again when that is done"),
    (errors.DiskFull, "its disk is full; make room and try again"),
    (errors.TooManyConnections, "all its connections are in use; try again, or raise max_connections"),
    (errors.ReadOnlySqlTransaction, "it only reads (a standby?); name the server that writes"),
    (errors.InsufficientPrivilege, "access is denied; allow this user to use the schema visage, or to make it"),
    (errors.InvalidCatalogName, "there is no such database; make it with createdb, or name another"),
    (errors.InvalidPassword, "the password is wrong; look at the URL, PGPASSWORD or ~/.pgpass"),
    (errors.InvalidAuthorizationSpecification, "this user may not enter; look at the URL and the server's pg_hba.conf"),
    (errors.SerializationFailure, "others changed the same rows; try again"),
    (errors.DeadlockDetected, "others changed the same rows; try again"),
)
_TABLES = "its tables in the schema visage are not those of this Visage; update Visage, or name another database"
_AWAY = "it cannot be reached; start it, look at host and port, and try again"


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn what psycopg raises into `StorageError` and `GalleryError`. place: the database, without a password."""
    try:
        yield
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.DatatypeMismatch) as error:
        raise GalleryError(f"{place}: {_TABLES} (PostgreSQL: {_line(error)})") from error
    except psycopg.OperationalError as error:
        raise StorageError(f"{place}: {_reason(error)} (PostgreSQL: {_line(error)})") from error
    except (psycopg.errors.InsufficientPrivilege, psycopg.InternalError) as error:
        raise StorageError(f"{place}: {_reason(error)} (PostgreSQL: {_line(error)})") from error


def _reason(error: psycopg.Error) -> str:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    text = str(error)  # while a connection is being made, there is no code to go by
    for kind, sign in ((errors.InvalidPassword, "password"), (errors.InvalidCatalogName, "does not exist")):
        if error.sqlstate is None and "FATAL" in text and sign in text:
            return dict(_REASONS)[kind]
    return _AWAY if error.sqlstate is None or error.sqlstate[:2] in {"08", "57"} else "it failed; look at its log"


def _line(error: psycopg.Error) -> str:
    """The first line of the server's or the library's words; neither repeats a password."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
