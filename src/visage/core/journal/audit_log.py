"""The audit log as it lies in the store: read page by page, put together, and deleted when it is old."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import islice

from visage.core.errors import NoObjectError
from visage.core.journal.audit import PLACE, Entry, day_of, entry_from_json, group_key
from visage.core.ports.objects import Objects, Stored

_AT_ONCE = 16  # groups read together
_LOOKED_AT = 400  # groups looked at for one page, of which few may hold what is wanted

# Groups that are older than so many seconds are put together, until they have so many bytes.
_SETTLED = 600.0
_FULL = 1 << 18

GROUP = "[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{8}-[0-9]{6}-[0-9a-f]{8}"
_KEY = re.compile(f"{PLACE}/(?P<group>(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/.+)\\.jsonl")


class AuditLog:
    """Used by many threads. Every method may raise `StorageError`."""

    def __init__(self, objects: Objects, now: Callable[[], float]) -> None:
        """now: seconds since 1970."""
        self._objects = objects
        self._now = now

    def page(self, wanted: Callable[[Entry], bool], limit: int, after: str = "") -> tuple[list[Entry], str | None]:
        """The newest entries that are wanted, and after which to go on, if there are more to look at: a page may be
        short, or empty, and yet have a next one. after: what the page before said, or nothing. One that goes on while
        groups are put together may tell an entry again."""
        found: list[Entry] = []
        group, _, told = after.partition(":")
        groups, looked = self._groups(group), 0
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while batch := list(islice(groups, _AT_ONCE)):
                for name, entries in zip(batch, threads.map(self._read, batch), strict=True):
                    start = int(told) if name == group else 0
                    for number, entry in enumerate(entries[start:], start + 1):
                        if wanted(entry):
                            found.append(entry)
                        if len(found) == limit:
                            return found, f"{name}:{number}"
                looked += len(batch)
                if looked >= _LOOKED_AT:
                    return found, f"{batch[-1]}:{10**6}"
        return found, None

    def sweep(self, before: float) -> int:
        """Delete the days that were over before that time (seconds since 1970); how many groups."""
        first, old = day_of(before).isoformat(), []
        for stored in self._objects.list(PLACE):  # the oldest day comes first
            key = _KEY.fullmatch(stored.key)
            if key and key["day"] >= first:
                break
            if key:
                old.append(stored.key)
        self._objects.delete(old)
        return len(old)

    def gather(self) -> int:
        """Put together what was written a while ago: a busy service writes a group a second. How many groups went.

        The lines of several take the place of the oldest's, and only then the others go. Whoever is killed between
        leaves lines twice, which the next time makes one again. Of two processes at it one alone succeeds.
        """
        gone = 0
        for day in self._days():
            for run in _runs(self._settled(day)):
                gone += self._put_together(run)
        return gone

    def _put_together(self, run: Sequence[str]) -> int:
        """run: keys, the oldest first."""
        try:
            first, version = self._objects.read(run[0])
            lines = [line for data in (first, *map(self._objects.get, run[1:])) for line in data.splitlines()]
        except NoObjectError:  # another process is at it
            return 0
        whole = b"".join(line + b"\n" for line in dict.fromkeys(lines))
        if not self._objects.replace(run[0], whole, version):
            return 0
        self._objects.delete(run[1:])
        return len(run) - 1

    def _settled(self, day: date) -> list[Stored]:
        """The groups of a day that are old enough, the oldest first."""
        until = self._now() - _SETTLED
        if day > day_of(until):
            return []
        least = group_key(until, 0, "") if day == day_of(until) else ""
        return [one for one in self._listed(day) if one.key >= least][::-1]

    def _days(self) -> Iterator[date]:
        """From the oldest there is to the newest, which may be tomorrow's: clocks differ."""
        keys = (_KEY.fullmatch(stored.key) for stored in self._objects.list(PLACE))
        day = next((date.fromisoformat(key["day"]) for key in keys if key), None)
        while day and day <= day_of(self._now()) + timedelta(1):
            yield day
            day += timedelta(1)

    def _groups(self, after: str) -> Iterator[str]:
        """The newest first, from the one named on."""
        for day in reversed(list(self._days())):
            if after and day.isoformat() > after[:10]:
                continue
            for stored in self._listed(day):
                group = stored.key.removeprefix(f"{PLACE}/").removesuffix(".jsonl")
                if group >= after or group[:10] < after[:10]:
                    yield group

    def _listed(self, day: date) -> Iterator[Stored]:
        """The groups of a day, the newest first."""
        found = self._objects.list(f"{PLACE}/{day.isoformat()}")
        return (stored for stored in found if _KEY.fullmatch(stored.key))

    def _read(self, group: str) -> list[Entry]:
        """The newest first; none where it is gone or damaged."""
        try:
            lines = self._objects.get(f"{PLACE}/{group}.jsonl").splitlines()
            return [entry_from_json(json.loads(line)) for line in reversed(lines)]
        except (NoObjectError, ValueError, KeyError, TypeError):
            return []


def _runs(groups: Sequence[Stored]) -> Iterator[list[str]]:
    """Neighbors that together are not much larger than they should be; those that stand alone are left out."""
    run: list[str] = []
    size = 0
    for stored in groups:
        if size >= _FULL:
            if len(run) > 1:
                yield run
            run, size = [], 0
        run.append(stored.key)
        size += stored.size
    if len(run) > 1:
        yield run
