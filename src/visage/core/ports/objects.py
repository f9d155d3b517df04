"""What is asked of a store of bytes; kept by `objects/`."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a store, less its bytes. size: bytes. modified: seconds since 1970."""

    key: str
    size: int
    modified: float


class Objects(Protocol):
    """Bytes under keys, in a folder, a bucket or memory. Several threads and processes may use one store.

    A key is parts joined by `/`, at most 512 characters long. A part is made of letters, digits, `.`, `_`, `-`, and of
    what else is printable and no backslash; it is at most 255 bytes long in UTF-8, and neither empty nor `.`, `..` nor
    `.visage`, which a folder keeps for itself. Any other key is a `UsageError`, so no key leads out of the store. In a
    folder a key cannot be both an object and a folder of others. Every call may raise `StorageError`, which is worth a
    retry.
    """

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        """Store, whole or not at all, in place of what was there. A file is read from where it stands to its end."""

    def create(self, key: str, data: bytes) -> bool:
        """Store if there is nothing under the key; whether that was so. Of several at once one alone succeeds."""

    def replace(self, key: str, data: bytes, version: str) -> bool:
        """Store if the object still has this version; whether that was so. False too where there is none."""

    def get(self, key: str) -> bytes:
        """Raises `NoObjectError`."""

    def read(self, key: str) -> tuple[bytes, str]:
        """The bytes and their version, an opaque text that changes with every change. Raises `NoObjectError`."""

    def version(self, key: str) -> str | None:
        """The version, without reading the object; None where there is none."""

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        """`size` bytes from the `start`-th on, fewer at the object's end, none beyond it. Raises `NoObjectError` too
        where the object has another version by now."""

    def as_file(self, key: str) -> AbstractContextManager[str]:
        """The path of a file with these bytes, for the length of the block, only to be read. Raises `NoObjectError`.

        In a folder it is the object itself, elsewhere a copy that is deleted afterwards."""

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects under the folder `prefix` and those below it (everything where it is empty), sorted by key.

        None where there is no such folder. One stored or deleted meanwhile may or may not be seen."""

    def delete(self, keys: Iterable[str]) -> None:
        """For good. A key without an object is nothing."""
