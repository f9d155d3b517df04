"""Answers to changes that were asked for with an idempotency key: asked again with it, they get the same answer again,
and nothing is done twice."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from visage.core.errors import NoObjectError, UsageError
from visage.core.journal.together import together
from visage.core.ports.objects import Objects

PLACE = "answered"
KEEP = 24 * 3600.0  # seconds for which an answer is kept
VOID = "void"  # in a claim: its answer is not to be kept
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
            age, is_kept = self._now() - said["at"], said["kept"] is not None
            # A claim of tomorrow was made before the clock was set back.
            if age > (KEEP if is_kept else _AT_WORK) or (age < -_AT_WORK and not is_kept):
                return Turn.FIRST if self._objects.replace(place, claim, version) else Turn.BUSY
            if said["print"] != print_:
                raise UsageError("this Idempotency-Key was used for another request; take a new one")
            return Turn.BUSY if said["kept"] is None else Kept(*said["kept"])
        return Turn.BUSY

    def keep(self, account: str, key: str, asked: bytes, kept: Kept) -> None:
        """Unless somebody was erased since it was begun, whom the answer may speak of: then it is as if it had been
        asked without the key."""
        place, print_ = _place(account, key), hashlib.sha256(asked).hexdigest()
        said = {"print": print_, "at": self._now(), "kept": [kept.status, kept.body, kept.tag]}
        try:
            claim, version = self._objects.read(place)
        except NoObjectError:
            return
        if VOID in json.loads(claim) or not self._objects.replace(place, json.dumps(said).encode(), version):
            self._objects.delete([place])

    def give_up(self, account: str, key: str) -> None:
        """Nothing was changed: asked again, it is tried again."""
        self._objects.delete([_place(account, key)])

    def forget(self, ids: Iterable[str]) -> None:
        """Delete the answers that speak of these people or faces, and have those that are on their way not kept."""
        wanted = [one.encode() for one in ids]

        def speaks_of_them(key: str) -> bool:
            while True:
                try:
                    data, version = self._objects.read(key)
                except NoObjectError:
                    return False
                if any(one in data for one in wanted):
                    return True
                claim = json.loads(data)
                if claim["kept"] is not None or VOID in claim:
                    return False
                if self._objects.replace(key, json.dumps({**claim, VOID: True}).encode(), version):
                    return False  # and what is answered after this is not kept

        keys = [stored.key for stored in self._objects.list(PLACE)]
        self._objects.delete([key for key, gone in zip(keys, together(speaks_of_them, keys), strict=True) if gone])

    def sweep(self) -> int:
        """Delete the answers that were kept long enough; how many."""
        old = [stored.key for stored in self._objects.list(PLACE) if stored.modified < self._now() - KEEP]
        self._objects.delete(old)
        return len(old)


def _place(account: str, key: str) -> str:
    whole = f"{account}\0{key}".encode()
    return f"{PLACE}/{hashlib.sha256(whole).hexdigest()}.json"
