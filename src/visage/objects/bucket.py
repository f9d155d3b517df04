"""Objects in a bucket of S3, or in memory: what obstore does, with the port's rules."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import IO

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, PreconditionError
from obstore.store import MemoryStore, S3Store

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Stored
from visage.objects.bucket_faults import explained, is_beyond
from visage.objects.faults import explained_file
from visage.objects.keys import check_key

_PART = 5 << 20  # bytes that travel at a time, the least S3 allows; what is no longer goes in one request
_AT_ONCE = 4  # parts of one object under way
_BATCH = 1000  # keys that S3 lists, and deletes, by one request
_SUFFIX = 16  # characters of a copy's extension, where there are so many


class BucketObjects:
    """`core.ports.objects.Objects` over an obstore store. name: what messages call it.

    A version is the store's ETag. That of S3 follows from the bytes, so that an object which is put back to what it was
    has its old version again; whoever replaces it loses nothing by that. A process that was forked from one that has
    used a store waits for ever: obstore's threads are not forked with it.
    """

    def __init__(self, store: S3Store | MemoryStore, name: str) -> None:
        self._store = store
        self._name = name

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        check_key(key)
        with explained(self._name, key):
            whole = data if isinstance(data, bytes) else _whole_or_pieces(data)
            obstore.put(self._store, key, whole, chunk_size=_PART, max_concurrency=_AT_ONCE)

    def create(self, key: str, data: bytes) -> bool:
        check_key(key)
        with explained(self._name, key):
            try:
                obstore.put(self._store, key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def replace(self, key: str, data: bytes, version: str) -> bool:
        check_key(key)
        with explained(self._name, key):
            try:
                obstore.put(self._store, key, data, mode={"e_tag": version})
            except PreconditionError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return False
        return True

    def get(self, key: str) -> bytes:
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, str]:
        check_key(key)
        with explained(self._name, key):
            found = obstore.get(self._store, key)
            return bytes(found.bytes()), self._tag(found.meta["e_tag"])

    def version(self, key: str) -> str | None:
        check_key(key)
        try:
            with explained(self._name, key):
                return self._tag(obstore.head(self._store, key)["e_tag"])
        except NoObjectError:
            return None

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        check_key(key)
        with explained(self._name, key):
            try:
                if not size:  # no range is so short
                    obstore.get(self._store, key, options={"head": True, "if_match": version})
                    return b""
                found = obstore.get(self._store, key, options={"range": (start, start + size), "if_match": version})
                return bytes(found.bytes())
            except PreconditionError:
                raise NoObjectError(f"{self._name}: the object {key!r} was replaced by another") from None
            except GenericError as error:
                if is_beyond(error):
                    return b""
                raise

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        check_key(key)
        with explained_file(f"a copy of {key}"):
            held, path = tempfile.mkstemp(prefix="visage-", suffix=Path(key).suffix[:_SUFFIX])
        try:
            with os.fdopen(held, "wb") as file, explained(self._name, key):
                for piece in obstore.get(self._store, key).stream(min_chunk_size=_PART):
                    with explained_file(path):
                        file.write(piece)
            yield path
        finally:
            Path(path).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        if prefix:
            check_key(prefix)
        with explained(self._name, prefix):
            for page in obstore.list(self._store, prefix or None, chunk_size=_BATCH):
                for found in page:
                    yield Stored(found["path"], found["size"], found["last_modified"].timestamp())

    def delete(self, keys: Iterable[str]) -> None:
        left = map(check_key, keys)
        while batch := [*islice(left, _BATCH)]:
            with explained(self._name, batch[0]):
                obstore.delete(self._store, batch)

    def _tag(self, tag: str | None) -> str:
        if tag is None:
            raise StorageError(f"{self._name}: it tells no versions (ETag); use a store that does")
        return tag


def _whole_or_pieces(file: IO[bytes]) -> bytes | Iterator[bytes]:
    """A short file's bytes, else an iterator: obstore sends what comes from one in three requests at least."""
    first = file.read(_PART)
    return first if len(first) < _PART else chain((first,), iter(lambda: file.read(_PART), b""))


def open_bucket(bucket: str, prefix: str, name: str) -> BucketObjects:
    """Credentials and region are those of the environment (AWS_ACCESS_KEY_ID, AWS_REGION, ...) or of the instance's
    role; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names another server than AWS."""
    with explained(name):
        store = S3Store(
            bucket,
            prefix=prefix or None,
            # Without this the endpoint could not be http://, as on one machine; AWS itself is asked by https alone.
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=5),
                "read_timeout": timedelta(seconds=30),
                "timeout": timedelta(hours=1),  # of a whole object on its way; one that stands still ends sooner
            },
            retry_config={
                "max_retries": 4,
                "retry_timeout": timedelta(seconds=20),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )
    return BucketObjects(store, name)
