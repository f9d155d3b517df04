"""What routes tell of what they do: changes with their way back, an entry in the audit log for everything, and answers
to be given again to who asks again.

    with service.journal.changing(kind, collection, people, steps):      around a change
    change = service.journal.changed(kind, collection, people, steps)    before one; `dropped(change)` where it failed
    service.journal.note(Action.ERASE, collection=..., people=[id])      for the audit log alone
    return service.journal.once(header.idempotency_key, lambda: ...)     the response of a route that changes something

The account and the request's id are those of the request in hand.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from flask import Response, g, request

from visage.core.errors import StorageError, VisageError
from visage.core.journal.audit import Action, Audit, Entry
from visage.core.journal.audit_log import AuditLog
from visage.core.journal.change import Change, ChangeKind
from visage.core.journal.history import History
from visage.core.journal.repeats import Kept, Repeats, Turn
from visage.core.journal.steps import Added, Denied, Moved, Pending, Step
from visage.core.tickets import Ticket
from visage.core.values import Job
from visage.web.problems import Problem

# Seconds for which who was shown in passing, as in a grid of pictures, is not noted again; and of how many it is known.
_PASSING = 300.0
_GLANCES = 50_000


class Journal:
    """Used by many threads. now: seconds since 1970."""

    def __init__(
        self, history: History, audit: Audit, log: AuditLog, repeats: Repeats, now: Callable[[], float]
    ) -> None:
        self.history = history
        self.audit = audit
        self.log = log
        self._repeats = repeats
        self._now = now
        self._lock = threading.Lock()
        self._folding = threading.Lock()
        self._glances: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        history.tells(self._added)

    def changed(
        self,
        kind: ChangeKind,
        collection: str,
        people: Sequence[tuple[str, str]],
        steps: Sequence[Step],
        *,
        key: str | None = None,
        at: float | None = None,
        jobs: Sequence[str] = (),
    ) -> Change:
        """Keep a change with its way back, and note it in the audit log; both are stored when it returns. people: (id,
        name) of those it is about, whom it is about first, as they are called before it; id empty where they are yet to
        be made. key (32 hex digits) and at (seconds since 1970): where it may be told twice. jobs: for the log. Raises
        `StorageError`."""
        change = self.history.add(kind, collection, people, steps, by=g.account.id, key=key, at=at)
        self._fold_if_crowded()
        ids = [person_id for person_id, _ in people if person_id]
        try:
            self.note(Action(kind.value), collection=collection, people=ids, faces=faces_in(steps), jobs=jobs)
        except StorageError:
            with suppress(StorageError):
                self.dropped(change)
            raise
        return change

    def handed_in(
        self, kind: ChangeKind, job: Job, tickets: Sequence[Ticket], known: Callable[[str], Ticket | None]
    ) -> Change:
        """`changed`, of photos that are to be enrolled: what is added is known once their jobs are done. known: the
        ticket that is kept, by its id; where the client asked the same before, it is that of then."""
        first = known(tickets[0].id) or tickets[0]
        jobs, name = tuple(ticket.id for ticket in tickets), job.name or ""
        steps, people = [Pending(jobs, name)], [("", name)]
        return self.changed(kind, job.collection, people, steps, key=first.id, at=first.created, jobs=jobs)

    def dropped(self, change: Change) -> None:
        """It was not made after all."""
        self.history.drop(change)

    @contextmanager
    def changing(
        self, kind: ChangeKind, collection: str, people: Sequence[tuple[str, str]], steps: Sequence[Step]
    ) -> Iterator[Change]:
        """`changed`, and `dropped` where the block raises."""
        change = self.changed(kind, collection, people, steps)
        try:
            yield change
        except BaseException:
            with suppress(StorageError):  # going back then finds that all is as it was
                self.dropped(change)
            raise

    def note(
        self,
        action: Action,
        *,
        collection: str = "",
        people: Sequence[str] = (),
        faces: int = 0,
        jobs: Sequence[str] = (),
        wait: bool = True,
    ) -> None:
        """An entry of the audit log. people, jobs: ids. wait: until it is stored; before a change, an erasure or an
        answer that shows somebody that is so, while a search goes on once its entry is on its way. Raises
        `StorageError`."""
        entry = Entry(self._now(), g.account.id, action, collection, tuple(people), faces, tuple(jobs), g.request_id)
        self.audit.note(entry, wait=wait)

    def searched(self, collection: str, job: str, result: Mapping[str, Any] | None) -> None:
        """Somebody's face was looked for, in that job. result: as it lies in the store, where it came in time."""
        found = ((result or {}).get("answer") or {}).get("people", ())
        people = [one["person_id"] for one in found if one["person_id"] is not None]
        self.note(Action.SEARCH, collection=collection, people=people, jobs=[job], wait=False)

    def glanced(self, collection: str, people: Sequence[str] = (), jobs: Sequence[str] = ()) -> None:
        """These people, or what was found in these jobs, are shown in passing, as in a grid of pictures or to a client
        that asks again and again: a look, noted once in a while."""
        fresh = [one for one in (*people, *jobs) if self._is_fresh((g.account.id, collection, one))]
        if fresh:
            seen = [one for one in people if one in fresh]
            self.note(Action.LOOK, collection=collection, people=seen, jobs=[*set(fresh).difference(seen)], wait=False)

    def _added(self, change: Change, jobs: Sequence[str]) -> None:
        """Whom the photos that were handed in with a change showed."""
        people, faces = tuple(person_id for person_id, _ in change.people), faces_in(change.steps)
        action = Action(change.kind.value)
        self.audit.note(
            Entry(self._now(), change.by, action, change.collection, people, faces, tuple(jobs)), wait=False
        )

    def _is_fresh(self, glance: tuple[str, str, str]) -> bool:
        """Whether it is the first of its kind for a while."""
        with self._lock:
            now = self._now()
            if self._glances.get(glance, float("-inf")) > now - _PASSING:
                return False
            self._glances[glance] = now
            self._glances.move_to_end(glance)
            while len(self._glances) > _GLANCES:
                self._glances.popitem(last=False)
            return True

    def _fold_if_crowded(self) -> None:
        if self.history.crowded and self._folding.acquire(blocking=False):
            threading.Thread(target=self._fold, name="visage-folding", daemon=True).start()

    def _fold(self) -> None:
        try:
            with suppress(VisageError):  # it is done with the next sweep
                self.history.fold()
        finally:
            self._folding.release()

    def forget(self, ids: Sequence[str]) -> None:
        """What was changed of people (and faces) who are erased, by their ids, goes with them, and so do answers."""
        if ids:
            about = self.history.about(ids)
            self._repeats.forget(about.ids)  # first: what is said of who is who goes last
            self.history.forget(about)

    def sweep(self, changes_before: float, entries_before: float) -> None:
        """Delete what was kept long enough, and put together the rest; the times are seconds since 1970. Raises
        `StorageError`."""
        self.history.sweep(changes_before)
        self.log.sweep(entries_before)
        self._repeats.sweep()
        # Afterwards, for it needs room: on a full disk what is old is deleted all the same.
        self.history.fold()
        self.log.gather()

    def once(self, key: str | None, respond: Callable[[], Response]) -> Response:
        """The response; where the account asked the very same with this key before, the one of then. What `respond`
        raises is not kept, since nothing was changed. Raises `Problem` 409 while the first is still at work, and
        `UsageError`."""
        if key is None:
            return respond()
        account, asked = g.account.id, b"\0".join([request.method.encode(), request.full_path.encode(), request.data])
        earlier = self._repeats.begin(account, key, asked)
        if isinstance(earlier, Kept):
            return _again(earlier)
        if earlier is Turn.BUSY:
            raise Problem(409, "a request with this Idempotency-Key is still at work; ask again in a moment")
        try:
            response = respond()
        except BaseException:
            with suppress(StorageError):
                self._repeats.give_up(account, key)
            raise
        kept = Kept(response.status_code, response.get_data(as_text=True), response.get_etag()[0])
        with suppress(StorageError):  # it is done all the same
            self._repeats.keep(account, key, asked, kept)
        return response


def faces_in(steps: Sequence[Step]) -> int:
    """How many faces it is about."""
    return sum(len(step.faces) for step in steps if isinstance(step, Added | Moved | Denied))


def _again(kept: Kept) -> Response:
    response = Response(kept.body, kept.status, content_type="application/json")
    if kept.tag is not None:
        response.set_etag(kept.tag)
    return response
