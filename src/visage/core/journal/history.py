"""What was changed among the enrolled people, with the way back, kept for a while.

A change is written before it is made, so nothing is changed that cannot be undone. One that was then not made after all
is taken out again; should that fail, going back finds that everything is as it was.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from visage.core.errors import MessageError, NoFaceError, NoPersonError, UsageError
from visage.core.journal.change import (
    ID,
    Change,
    ChangeKind,
    change_from_bytes,
    change_to_bytes,
    enrollments_in,
    enrollments_of_many,
    is_about,
    moment_of,
    new_change_id,
    steps_of,
    texts_in,
)
from visage.core.journal.shelf import Kept, Shelf
from visage.core.journal.steps import PENDING, Pending, Step, somebody
from visage.core.journal.together import THREADS, together
from visage.core.journal.ways import Way, Ways
from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects

_LOOKED_AT = 1000  # changes looked at for one page, of which few may be about whom is wanted
_SETTLED = 60.0  # seconds after which a change that waits for nothing is folded: whoever made it is done with it
_MANY = 5000  # new changes that are too many to lie by themselves until the next sweep

_CHANGED = "something was changed since"


@dataclass(frozen=True, slots=True)
class About:
    """All that is known of somebody here. ids: theirs, and of those who became one with them, for they are the same
    people wherever else they are kept. changes: ids, in rounds: each was found by what is said in the one before."""

    ids: frozenset[str]
    changes: tuple[tuple[str, ...], ...]


class History:
    """Used by many threads; several processes may share a store. Every method may raise `StorageError`."""

    def __init__(
        self,
        objects: Objects,
        gallery: Callable[[], Gallery],
        *,
        ended: Callable[[str], Mapping[str, Any] | None],
        now: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """ended: a job's result by its id, None while it is not done, nothing in it where there is no such job. now:
        seconds since 1970. new_id: 32 hex digits."""
        self._shelf = Shelf(objects)
        self._gallery = gallery
        self._ended = ended
        self._now = now
        self._new_id = new_id
        self._ways = Ways()
        self._tell: Callable[[Change, Sequence[str]], None] = lambda _change, _jobs: None
        self._undoing = threading.Lock()
        self._over: set[str] = set()  # the ids of those that wait for no job, as far as they are known
        self._folding = threading.Lock()
        self._added = 0  # since they were folded last

    def knows(self, place: str, way: Way) -> None:
        """The steps `Elsewhere(place, ...)` are gone back by it."""
        self._ways.knows(place, way)

    def tells(self, tell: Callable[[Change, Sequence[str]], None]) -> None:
        """Whenever it is known what jobs added, `tell` is called with the change and the jobs' ids."""
        self._tell = tell

    def add(
        self,
        kind: ChangeKind,
        collection: str,
        people: Sequence[tuple[str, str]],
        steps: Sequence[Step],
        *,
        by: str,
        key: str | None = None,
        at: float | None = None,
    ) -> Change:
        """Keep a change. key (32 hex digits) and at (seconds): where it may be told twice; the second time it stays as
        it is."""
        collection, moment = lookup_name(collection), self._now() if at is None else at
        id_ = new_change_id(moment, key or self._new_id())
        change = Change(id_, kind, collection, tuple(people), tuple(steps), by, moment)
        if key is None or self._shelf.get(change.id) is None:
            self._shelf.add(change.id, change_to_bytes(change))
            self._added += 1
        return change

    def drop(self, change: Change) -> None:
        """It was not made after all."""
        self._shelf.remove([change.id])

    def settle(self, change: Change) -> Change | None:
        """The change with the faces that its jobs added, as far as they are done; None where they added none."""
        if not change.pending:
            return change
        jobs = [job for step in change.pending for job in step.jobs]
        results = [self._ended(job) for job in jobs]
        if None in results:
            return change
        found = [result for result in results if result]
        steps, people = steps_of(
            [*enrollments_in(found), *enrollments_of_many(found, self._gallery, change.collection)]
        )
        rest = [step for step in change.steps if not isinstance(step, Pending)]
        known = [person for person in change.people if person[0]]  # less those who were yet to be made
        settled = replace(change, steps=(*rest, *steps), people=tuple({one[0]: one for one in people + known}.values()))
        if not settled.steps:
            self.drop(change)
            return None
        if self._shelf.replace(change.id, change_to_bytes(settled)):  # else it was forgotten meanwhile, and stays so
            self._tell(settled, jobs)
        return settled

    def get(self, change_id: str) -> Change | None:
        """None for anything that is no change's id, too."""
        return self._read(Kept(change_id, None, undone=True)) if re.fullmatch(ID, change_id) else None

    def page(
        self, collection: str | None, person_id: str | None, limit: int, after: str = ""
    ) -> tuple[list[Change], str | None]:
        """The newest changes, of one collection and about one person where that is said, and after which to go on,
        if there are more to look at: a page may be short, or empty, and yet have a next one."""
        collection = None if collection is None else lookup_name(collection)
        found: list[Change] = []
        looked, last = 0, ""
        entries = self._shelf.walk(after)
        while len(found) < limit and looked < _LOOKED_AT:
            batch = list(islice(entries, min(THREADS, limit - len(found))))
            if not batch:
                return found, None
            looked, last = looked + len(batch), batch[-1].id
            changes = together(self._settled, batch)
            found += [one for one in changes if one and is_about(one, collection, person_id)]
        return found, last if next(entries, None) else None

    def undo(self, change: Change, by: str) -> str | None:
        """Go back; None once that is done, else why it cannot be, in words for who asks: nothing is changed then."""
        with self._undoing:
            known = self.get(change.id)
            there = known and self.settle(known)
            if there is None:
                return "nothing was changed, or it was erased"
            if there.undone:
                return "it was undone already"
            try:
                reason = self._ways.go_back(there, self._gallery())
            except (NoPersonError, NoFaceError, UsageError):  # by another process, just now
                return _CHANGED
            if reason is None:
                said = {"at": self._now(), "by": by}
                self._shelf.mark(change.id, json.dumps(said).encode())
            return reason

    def about(self, ids: Sequence[str]) -> About:
        """What is known of these people or faces, and of those who became one with them."""
        known, rounds, seen = set(ids), list[tuple[str, ...]](), set[str]()
        sought = known
        while sought:
            found = {one: change for one, change in self._speaking_of(sought) if one not in seen}
            seen.update(found)
            rounds.append(tuple(found))
            joined = [one for one in found.values() if one and one.kind in {ChangeKind.MERGE, ChangeKind.MOVE}]
            sought = {person for one in joined for person in self._gone(one)} - known
            known |= sought
        return About(frozenset(known), tuple(rounds))

    def forget(self, about: About) -> None:
        """Delete all of it. What leads to the others goes last: broken off, it is found again."""
        for found in reversed(about.changes):
            self._shelf.remove(found)

    def sweep(self, before: float) -> int:
        """Delete the changes of before that time; how many."""
        return self._shelf.sweep(before)

    @property
    def crowded(self) -> bool:
        """Whether it is time to fold: each change that lies by itself is read whenever somebody is erased."""
        return self._added >= _MANY

    def fold(self) -> None:
        """Settle those whose jobs are done, while their results are kept, and put together what waits for nothing."""
        with self._folding:
            self._added, ids = 0, self._shelf.alone()
            new = [Kept(one, None, undone=False) for one in ids if one not in self._over]
            settled = [one for one in together(self._settled, new) if one]
            self._over = self._over.intersection(ids).union(one.id for one in settled if not one.pending)
            until = self._now() - _SETTLED
            self._shelf.fold([one for one in ids if one in self._over and moment_of(one) < until])

    def _speaking_of(self, texts: set[str]) -> Iterator[tuple[str, Change | None]]:
        """Also what is settled only now, and what is damaged and may speak of them (None)."""
        for change_id, data in self._shelf.speaking_of({*texts, PENDING}):
            change = self._settled(Kept(change_id, data, undone=False))
            if change is None or not texts.isdisjoint(texts_in(change)):
                yield change_id, change

    def _gone(self, change: Change) -> list[str]:
        """Those it is about who are not there any more."""
        return [one for one, _ in change.people if somebody(self._gallery(), change.collection, one) is None]

    def _settled(self, kept: Kept) -> Change | None:
        change = self._read(kept)
        return change and self.settle(change)

    def _read(self, kept: Kept) -> Change | None:
        """None where it is gone, or damaged."""
        data = kept.data or self._shelf.get(kept.id)
        mark = self._shelf.mark_of(kept.id) if kept.undone and data else None
        try:
            change = change_from_bytes(kept.id, data or b"")
            if mark:
                said = json.loads(mark)
                change = replace(change, undone=(float(said["at"]), str(said["by"])))
        except (MessageError, ValueError, KeyError, TypeError):
            return None
        return change
