"""The gallery in PostgreSQL: the truth where many write."""

from collections.abc import Iterator
from contextlib import contextmanager

from visage.core.errors import StorageError
from visage.core.galleries.gallery import TableGallery
from visage.core.galleries.tables import Tables
from visage.postgres.line import Address, Line
from visage.postgres.rows import PostgresTables
from visage.postgres.schema import prepare

# What removing somebody leaves dead rows in, the smallest first.
_EMPTIED = ("visage.people", "visage.faces", "visage.denials", "visage.crops", "visage.collections")


class PostgresGallery(TableGallery):
    """`core.ports.gallery.Gallery` in the schema `visage` of a database; vectors are searched in this process's memory.

    Any number of threads, processes and machines may use it at once: reading never waits for writing, and who wants to
    write waits `wait` seconds for others before a `StorageError`. It uses two connections. While the database is away
    every call raises `StorageError`; when it is back, the next one works.
    """

    def __init__(self, url: str, *, create: bool, wait: float = 30.0, limit: float = 120.0) -> None:
        """limit: seconds a statement may take. Raises `UsageError` for what is no URL of PostgreSQL, `NoGalleryError`
        where there is no gallery and `create` is false, `GalleryError` where it was made by a newer Visage,
        `StorageError` where the database cannot be reached."""
        super().__init__()
        self._place = Address(url)
        self._reader = Line(self._place, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", wait=wait, limit=limit)
        self._writer = Line(self._place, "BEGIN ISOLATION LEVEL READ COMMITTED", wait=wait, limit=limit)
        try:
            prepare(self._writer, str(self._place), create=create)
        except BaseException:
            self.close()
            raise

    def _scrub(self, what: str) -> None:
        """VACUUM frees the rows' room, to be written over by others.

        Until then their bytes are in PostgreSQL's files, though no query finds them; `VACUUM FULL` on the schema's
        tables rewrites these without them, and locks everybody out while it does. The write-ahead log holds what was
        enrolled until it is recycled; archived logs, standbys and backups keep it as long as they are kept.
        """
        try:
            with self._writer.alone() as db:
                for table in _EMPTIED:
                    db.execute(f"VACUUM {table}".encode())
        except StorageError as error:
            raise StorageError(
                f"{what} is removed, but the room is not yet freed; PostgreSQL makes that up by itself. "
                f"The reason: {error}"
            ) from error

    def close(self) -> None:
        """Hang up; a second time, nothing happens."""
        self._reader.close()
        self._writer.close()

    @contextmanager
    def _read(self) -> Iterator[Tables]:
        with self._reader.transaction() as db:
            yield PostgresTables(db)

    @contextmanager
    def _write(self) -> Iterator[Tables]:
        with self._writer.transaction() as db:
            db.execute("SELECT FROM visage.gallery FOR UPDATE")
            yield PostgresTables(db)
