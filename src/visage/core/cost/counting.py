"""Counting what work takes: requests as S3 bills them, bytes, seconds, memory held for seconds."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from visage.core.ports.objects import Objects, Stored

PAGE = 1000  # keys that S3 lists, or deletes, by one request
PIECE = 5 << 20  # bytes; what is longer travels in pieces, each by a request of its own


@dataclass(slots=True)
class Tally:
    """What was asked of the stores so far. Several threads may add to it.

    puts: PUT and POST. gets: GET and HEAD, those that found nothing too. lists: pages of a listing, priced as a put.
    deletes: requests, which cost nothing. sent, received: bytes of objects.
    """

    puts: int = 0
    gets: int = 0
    lists: int = 0
    deletes: int = 0
    sent: int = 0
    received: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(
        self, *, puts: int = 0, gets: int = 0, lists: int = 0, deletes: int = 0, sent: int = 0, received: int = 0
    ) -> None:
        with self._lock:
            self.puts += puts
            self.gets += gets
            self.lists += lists
            self.deletes += deletes
            self.sent += sent
            self.received += received

    def took(self, seconds: float, *, invocations: int = 1, memory_gb: float | None = None) -> dict[str, float]:
        """All of it by name, for a result's record. seconds: of all the invocations together. memory_gb: what each of
        them held (1 GB is 1,024 MB here, as Lambda bills it); where it is None, as on one machine, there are no
        `gb_seconds`."""
        held = {} if memory_gb is None else {"gb_seconds": seconds * memory_gb}
        with self._lock:
            return {
                "invocations": invocations,
                "seconds": seconds,
                **held,
                "puts": self.puts,
                "gets": self.gets,
                "lists": self.lists,
                "sent": self.sent,
                "received": self.received,
            }


def add_took(*some: Mapping[str, float]) -> dict[str, float]:
    """The sums, name by name; a name that is missing somewhere counts nothing there."""
    total: dict[str, float] = {}
    for one in some:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total


class CountingObjects:
    """`core.ports.objects.Objects` that counts into a tally what its calls would cost on S3, wherever the objects lie.

    A request is counted whether or not it succeeds, for S3 bills it. Requests that the store repeats by itself after a
    fault of the network are not seen, nor are the bytes of `as_file`.
    """

    def __init__(self, objects: Objects, tally: Tally) -> None:
        self._objects = objects
        self._tally = tally

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        if isinstance(data, bytes):
            self._tally.add(puts=requests_of_put(len(data)), sent=len(data))
            self._objects.put(key, data)
            return
        start = data.tell()
        try:
            self._objects.put(key, data)
        finally:
            size = data.tell() - start
            # Where a file ends is not known before it is read, so one of just a piece goes as if there were more.
            self._tally.add(puts=3 if size == PIECE else requests_of_put(size), sent=size)

    def create(self, key: str, data: bytes) -> bool:
        self._tally.add(puts=1, sent=len(data))
        return self._objects.create(key, data)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        self._tally.add(puts=1, sent=len(data))
        return self._objects.replace(key, data, version)

    def get(self, key: str) -> bytes:
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, str]:
        self._tally.add(gets=1)
        data, version = self._objects.read(key)
        self._tally.add(received=len(data))
        return data, version

    def version(self, key: str) -> str | None:
        self._tally.add(gets=1)
        return self._objects.version(key)

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        self._tally.add(gets=1)
        data = self._objects.part(key, start, size, version)
        self._tally.add(received=len(data))
        return data

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        self._tally.add(gets=1)
        with self._objects.as_file(key) as path:
            yield path

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self._tally.add(lists=1)
        for number, stored in enumerate(self._objects.list(prefix)):
            if number and number % PAGE == 0:
                self._tally.add(lists=1)
            yield stored

    def delete(self, keys: Iterable[str]) -> None:
        self._objects.delete(self._counted(keys))

    def _counted(self, keys: Iterable[str]) -> Iterator[str]:
        for number, key in enumerate(keys):
            if number % PAGE == 0:
                self._tally.add(deletes=1)
            yield key


def requests_of_put(size: int) -> int:
    """How many requests store that many bytes: in pieces, one begins and one completes them."""
    return 1 if size <= PIECE else -(-size // PIECE) + 2
