"""Changes as they lie in the store: each is an object of its own at first, and later one line among those of its hour.

So a week of changes is some 170 objects, however many they are, and whoever is erased is found in all of them within a
second or two. Nothing but a line's own text is looked at for that: no object is parsed that does not speak of them.

Folding and forgetting may meet, in several processes, and whoever is forgotten is not to come back with a line that was
read a moment before. So whoever folds reads the hour first, then the changes, and replaces the hour only if unchanged;
whoever forgets deletes the changes first, and then changes the hour even where it says nothing of them.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from visage.core.errors import NoObjectError, StorageError
from visage.core.journal.change import ID, moment_of, new_change_id
from visage.core.journal.hour import Hour, Words, hour_from_bytes, hour_to_bytes, lines_in
from visage.core.journal.together import together
from visage.core.ports.objects import Objects

PLACE = "history"
HOURS = f"{PLACE}/hours"

_KEY = re.compile(f"{PLACE}/(?P<id>{ID})\\.(?P<what>json|undone)")
_HOUR_KEY = re.compile(f"{HOURS}/(?P<hour>[0-9]{{7}})\\.jsonl")
_HOUR = 3_600_000  # milliseconds
_TRIES = 20  # each that fails means that another process changed the hour meanwhile


@dataclass(frozen=True, slots=True)
class Kept:
    """A change as it is kept. data: as JSON; None where it lies by itself and was not read. undone: whether it was."""

    id: str
    data: bytes | None
    undone: bool


class Shelf:
    """Used by many threads; several processes may share a store. Every method may raise `StorageError`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def add(self, change_id: str, data: bytes) -> None:
        self._objects.create(_key(change_id), data)

    def get(self, change_id: str) -> bytes | None:
        """None where it is gone."""
        try:
            return self._objects.get(_key(change_id))
        except NoObjectError:
            return self._hour(_hour_of(change_id)).changes.get(change_id)

    def replace(self, change_id: str, data: bytes) -> bool:
        """Of one that is not folded yet; whether it was still there."""
        try:
            return self._objects.replace(_key(change_id), data, self._objects.read(_key(change_id))[1])
        except NoObjectError:
            return False

    def mark(self, change_id: str, said: bytes) -> None:
        """That it was undone; told twice it stays as it is."""
        self._objects.create(_undone(change_id), said)

    def mark_of(self, change_id: str) -> bytes | None:
        """What `mark` was told, if it was."""
        try:
            return self._objects.get(_undone(change_id))
        except NoObjectError:
            return None

    def walk(self, after: str = "") -> Iterator[Kept]:
        """The changes, newest first; after: an id, which they come after."""
        ids, undone, hours = self._listed()
        alone = {hour: list(some) for hour, some in groupby(ids, _hour_of)}
        for hour in sorted({*alone, *hours}):
            if after and hour < _hour_of(after):
                continue
            folded = self._hour(hour).changes if hour in hours else {}
            for one in sorted({*alone.get(hour, ()), *folded}):
                if one > after:
                    yield Kept(one, folded.get(one), one in undone)

    def alone(self) -> list[str]:
        """The ids of those that lie by themselves, newest first."""
        return self._listed()[0]

    def speaking_of(self, texts: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """The changes in which one of these texts stands.

        Those that lie by themselves come first, so that one that is folded meanwhile is met in its hour."""
        words = Words(texts)
        ids = self.alone()
        for one, data in zip(ids, together(self._alone, ids), strict=True):
            if data is not None and words.are_in(data):
                yield one, data
        hours = sorted(self._listed()[2])
        for found in together(lambda hour: lines_in(self._lines(hour), words), hours):
            yield from found.items()

    def remove(self, ids: Sequence[str]) -> None:
        """For good."""
        self._objects.delete([key for one in ids for key in (_key(one), _undone(one))])
        gone = set(ids)
        for _ in together(lambda hour: self._less(hour, gone), sorted({_hour_of(one) for one in ids})):
            pass

    def fold(self, ids: Sequence[str]) -> int:
        """Put changes that change no more, newest first, together with those of their hour; how many went."""
        return sum(self._fold(hour, list(some)) for hour, some in groupby(ids, _hour_of))

    def sweep(self, before: float) -> int:
        """Delete the changes of before that time (seconds since 1970); how many."""
        ids, undone, hours = self._listed()
        old = [one for one in ids if moment_of(one) < before]
        marks = [one for one in sorted(undone) if moment_of(one) < before]
        edge = _hour_of(new_change_id(before, ""))  # the hour in which that time is
        over = sorted(hour for hour in hours if hour > edge)
        folded = sum(len(there.changes) for there in together(self._hour, over))
        self._objects.delete([*map(_key, old), *map(_undone, marks), *map(_hour_key, over)])
        late = {one for one in self._hour(edge).changes if moment_of(one) < before}
        if late:
            self._less(edge, late)
        return len(old) + folded + len(late)

    def _fold(self, hour: int, ids: Sequence[str]) -> int:
        if self._objects.version(_hour_key(hour)) is None:
            self._objects.create(_hour_key(hour), hour_to_bytes(Hour(0, {})))
        try:
            data, version = self._objects.read(_hour_key(hour))
        except NoObjectError:
            return 0
        there = hour_from_bytes(data)
        # Not before the hour was read: see above.
        new = {one: found for one, found in zip(ids, together(self._alone, ids), strict=True) if found is not None}
        whole = Hour(there.turn + 1, {**there.changes, **new})
        if not self._objects.replace(_hour_key(hour), hour_to_bytes(whole), version):
            return 0
        self._objects.delete(map(_key, new))
        return len(new)

    def _less(self, hour: int, gone: Collection[str]) -> None:
        """Take these out of the hour. It is changed even where they are not in it."""
        for _ in range(_TRIES):
            try:
                data, version = self._objects.read(_hour_key(hour))
            except NoObjectError:
                return
            there = hour_from_bytes(data)
            left = {one: found for one, found in there.changes.items() if one not in gone}
            if self._objects.replace(_hour_key(hour), hour_to_bytes(Hour(there.turn + 1, left)), version):
                return
        raise StorageError(f"{_hour_key(hour)}: it is written again and again; try again")

    def _alone(self, change_id: str) -> bytes | None:
        try:
            return self._objects.get(_key(change_id))
        except NoObjectError:
            return None

    def _hour(self, hour: int) -> Hour:
        return hour_from_bytes(self._lines(hour))

    def _lines(self, hour: int) -> bytes:
        """Nothing where there is no such hour."""
        try:
            return self._objects.get(_hour_key(hour))
        except NoObjectError:
            return b""

    def _listed(self) -> tuple[list[str], set[str], set[int]]:
        """The ids of those that lie by themselves, newest first; of those that were undone; and the hours."""
        ids, undone, hours = list[str](), set[str](), set[int]()
        for stored in self._objects.list(PLACE):
            if hour := _HOUR_KEY.fullmatch(stored.key):
                hours.add(int(hour["hour"]))
            elif key := _KEY.fullmatch(stored.key):
                if key["what"] == "undone":
                    undone.add(key["id"])
                else:
                    ids.append(key["id"])
        return ids, undone, hours


def _key(change_id: str) -> str:
    return f"{PLACE}/{change_id}.json"


def _undone(change_id: str) -> str:
    return f"{PLACE}/{change_id}.undone"


def _hour_key(hour: int) -> str:
    return f"{HOURS}/{hour:07d}.jsonl"


def _hour_of(change_id: str) -> int:
    """Like the ids, the newest first."""
    return int(change_id[:13]) // _HOUR
