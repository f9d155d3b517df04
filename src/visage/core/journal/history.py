"""What was changed among the enrolled people, with the way back, kept for a while.

A change is written before it is made, so nothing is changed that cannot be undone. One that was then not made after all
is taken out again; should that fail, going back finds that everything is as it was.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

from visage.core.errors import MessageError, NoFaceError, NoObjectError, NoPersonError, UsageError
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
from visage.core.journal.steps import Added, Back, Elsewhere, Pending, Step, somebody
from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects

PLACE = "history"
_KEY = re.compile(f"{PLACE}/(?P<id>{ID})\\.(?P<what>json|undone)")

_AT_ONCE = 16  # changes read together: in a bucket each takes some ten milliseconds
_LOOKED_AT = 1000  # changes looked at for one page, of which few may be about whom is wanted

_CHANGED = "something was changed since"


# Goes back outside the gallery: (collection, the step's data) -> why that cannot be done, None once it is. Twice is
# once.
Way = Callable[[str, Mapping[str, Any]], str | None]


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
        self._objects = objects
        self._gallery = gallery
        self._ended = ended
        self._now = now
        self._new_id = new_id
        self._ways: dict[str, Way] = {}
        self._tell: Callable[[Change, Sequence[str]], None] = lambda _change, _jobs: None
        self._undoing = threading.Lock()
        self._over: set[str] = set()  # the ids of those that wait for no job, as the last sweep knew them

    def knows(self, place: str, way: Way) -> None:
        """The steps `Elsewhere(place, ...)` are gone back by it."""
        self._ways[place] = way

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
        self._objects.create(_key(change.id), change_to_bytes(change))
        return change

    def drop(self, change: Change) -> None:
        """It was not made after all."""
        self._objects.delete([_key(change.id)])

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
        with suppress(NoObjectError):  # forgotten meanwhile, and to stay so
            if self._objects.replace(_key(change.id), change_to_bytes(settled), self._objects.read(_key(change.id))[1]):
                self._tell(settled, jobs)
        return settled

    def get(self, change_id: str) -> Change | None:
        """None for anything that is no change's id, too."""
        return self._read(change_id, self._is_undone(change_id)) if re.fullmatch(ID, change_id) else None

    def page(
        self, collection: str | None, person_id: str | None, limit: int, after: str = ""
    ) -> tuple[list[Change], str | None]:
        """The newest changes, of one collection and about one person where that is said, and after which to go on,
        if there are more to look at: a page may be short, or empty, and yet have a next one."""
        collection = None if collection is None else lookup_name(collection)
        found: list[Change] = []
        looked, last = 0, ""
        entries = (entry for entry in self._entries() if entry[0] > after)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while len(found) < limit and looked < _LOOKED_AT:
                batch = list(islice(entries, min(_AT_ONCE, limit - len(found))))
                if not batch:
                    return found, None
                looked, last = looked + len(batch), batch[-1][0]
                changes = threads.map(lambda entry: self._settled(*entry), batch)
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
                reason = self._go_back(there)
            except (NoPersonError, NoFaceError, UsageError):  # by another process, just now
                return _CHANGED
            if reason is None:
                said = {"at": self._now(), "by": by}
                self._objects.create(f"{PLACE}/{change.id}.undone", json.dumps(said).encode())
            return reason

    def forget(self, ids: Sequence[str]) -> set[str]:
        """Delete every change that is about these people or faces, or about somebody who became one with them. Returns
        the ids with those of whoever did, for they are the same people's wherever else they are kept."""
        changes = self._all()
        wanted, gone = set(ids), set[str]()
        while True:
            more = [one for one in changes if one.id not in gone and not wanted.isdisjoint(texts_in(one))]
            if not more:
                break
            gone.update(one.id for one in more)
            for one in more:
                if one.kind in {ChangeKind.MERGE, ChangeKind.MOVE}:
                    wanted.update(self._gone(one))
        self._objects.delete([key for one in gone for key in (_key(one), f"{PLACE}/{one}.undone")])
        return wanted

    def sweep(self, before: float) -> int:
        """Delete the changes of before that time, and settle the others while their jobs' results are kept; how many
        went."""
        ids = [change_id for change_id, _ in self._entries()]
        old = [one for one in ids if moment_of(one) < before]
        self._objects.delete([key for one in old for key in (_key(one), f"{PLACE}/{one}.undone")])
        left = [one for one in ids if one not in self._over and moment_of(one) >= before]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            settled = [one for one in threads.map(lambda one: self._settled(one, undone=False), left) if one]
        waiting = {one.id for one in settled if one.pending}
        self._over = set(ids).difference(old, waiting)
        return len(old)

    def _go_back(self, change: Change) -> str | None:
        if change.pending:
            return "the photos are still being looked at; wait until that is done"
        gallery, collection = self._gallery(), change.collection
        outside = [step for step in reversed(change.steps) if isinstance(step, Elsewhere)]
        back = [step for step in reversed(change.steps) if isinstance(step, Back)]
        back = [step for step in back if not step.undone(gallery, collection)]
        if not outside and not back:
            return "everything is as it was before"
        for step in back:
            if reason := step.obstacle(gallery, collection):
                return reason
        for other in outside:  # first: whoever knows the way says only then that it cannot be gone
            way = self._ways.get(other.place)
            if reason := way(collection, other.data) if way else "this service does not know the way back":
                return reason
        added = [face for step in back if isinstance(step, Added) for face in step.faces]
        if added:  # of however many people, at once: erasing is what takes long
            gallery.remove_faces(collection, added)
        for step in back:
            if not isinstance(step, Added):
                step.undo(gallery, collection)
        return None

    def _all(self) -> list[Change]:
        """Every change, settled as far as that can be."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return [one for one in threads.map(lambda entry: self._settled(*entry), self._entries()) if one]

    def _gone(self, change: Change) -> list[str]:
        """Those it is about who are not there any more."""
        return [one for one, _ in change.people if somebody(self._gallery(), change.collection, one) is None]

    def _entries(self) -> Iterator[tuple[str, bool]]:
        """The ids of the changes, newest first, and whether each was undone."""
        held: tuple[str, bool] | None = None
        for stored in self._objects.list(PLACE):
            key = _KEY.fullmatch(stored.key)
            if not key:
                continue
            if key["what"] == "undone":
                if held and held[0] == key["id"]:
                    held = (held[0], True)
                continue
            if held:
                yield held
            held = (key["id"], False)
        if held:
            yield held

    def _settled(self, change_id: str, undone: bool) -> Change | None:
        change = self._read(change_id, undone)
        return change and self.settle(change)

    def _is_undone(self, change_id: str) -> bool:
        return self._objects.version(f"{PLACE}/{change_id}.undone") is not None

    def _read(self, change_id: str, undone: bool) -> Change | None:
        """None where it is gone, or damaged."""
        try:
            change = change_from_bytes(change_id, self._objects.get(_key(change_id)))
            if undone:
                said = json.loads(self._objects.get(f"{PLACE}/{change_id}.undone"))
                change = replace(change, undone=(float(said["at"]), str(said["by"])))
        except (NoObjectError, MessageError, ValueError, KeyError, TypeError):
            return None
        return change


def _key(change_id: str) -> str:
    return f"{PLACE}/{change_id}.json"
