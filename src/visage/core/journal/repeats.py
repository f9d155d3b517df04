"""Answers to changes that were asked for with an idempotency key: asked again with it, they get the same answer again,
and nothing is done twice."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from visage.core.errors import NoObjectError, UsageError
from visage.core.ports.objects import Objects

PLACE = "answered"
KEEP = 24 * 3600.0  # seconds for which an answer is kept
_AT_WORK = 60.0  # seconds after which who began is taken for dead


class Turn(Enum):
    """What to do: it is the first time, so do it; or it is being done just now, so let the client ask again."""

    FIRST = 1
    BUSY = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was sent. tag: its ETag, if it had one."""

    status: int
    body: str
    tag: str | None = None


class Repeats:
    """Used by many threads; several processes may share a store. Every method may raise `StorageError`."""

    def __init__(self, objects: Objects, now: Callable[[], float]) -> None:
        """now: seconds since 1970."""
        self._objects = objects
        self._now = now

    def begin(self, account: str, key: str, asked: bytes) -> Kept | Turn:
        """What was answered when the account asked this with this key before, or whose turn it is. asked: all that was
        asked. Raises `UsageError` where the key was used for something else."""
        place, print_ = _place(account, key), hashlib.sha256(asked).hexdigest()
        claim = json.dumps({"print": print_, "at": self._now(), "kept": None}).encode()
        for _ in range(2):
            if self._objects.create(place, claim):
                return Turn.FIRST
            try:
                data, version = self._objects.read(place)
            except NoObjectError:  # given up just now
                continue
            said = json.loads(data)
            if said["at"] < self._now() - (_AT_WORK if said["kept"] is None else KEEP):
                return Turn.FIRST if self._objects.replace(place, claim, version) else Turn.BUSY
            if said["print"] != print_:
                raise UsageError("this Idempotency-Key was used for another request; take a new one")
            return Turn.BUSY if said["kept"] is None else Kept(*said["kept"])
        return Turn.BUSY

    def keep(self, account: str, key: str, asked: bytes, kept: Kept) -> None:
        said = {
            "print": hashlib.sha256(asked).hexdigest(),
            "at": self._now(),
            "kept": [kept.status, kept.body, kept.tag],
        }
        self._objects.put(_place(account, key), json.dumps(said).encode())

    def give_up(self, account: str, key: str) -> None:
        """Nothing was changed: asked again, it is tried again."""
        self._objects.delete([_place(account, key)])

    def forget(self, ids: Iterable[str]) -> None:
        """Delete the answers that speak of these people or faces."""
        wanted = [one.encode() for one in ids]
        for stored in self._objects.list(PLACE):
            try:
                data = self._objects.get(stored.key)
            except NoObjectError:
                continue
            if any(one in data for one in wanted):
                self._objects.delete([stored.key])

    def sweep(self) -> int:
        """Delete the answers that were kept long enough; how many."""
        old = [stored.key for stored in self._objects.list(PLACE) if stored.modified < self._now() - KEEP]
        self._objects.delete(old)
        return len(old)


def _place(account: str, key: str) -> str:
    whole = f"{account}\0{key}".encode()
    return f"{PLACE}/{hashlib.sha256(whole).hexdigest()}.json"
