"""A worker's part in jobs that are many jobs: taking one apart, and sending a part when another has ended.

All of it may be done twice, by two workers at once, and broken off anywhere. A message is removed only after what it
led to was stored; what is stored again is the same; and of a part that ends twice the next is sent once, unless a
worker was killed in that very moment.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from visage.core.bulk.outcomes import Outcomes
from visage.core.bulk.plan import (
    ERASED,
    FAILED,
    WINDOW,
    Bundle,
    Bundles,
    Plan,
    end_key,
    erased_folder,
    erased_key,
    forget_parts,
    outcome_in,
    part_ids,
    plan_key,
    plan_of,
    plan_to_bytes,
    read_plan,
)
from visage.core.errors import InputError, MessageError, NoObjectError, NotFoundError, StorageError, UnreadableError
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Queue
from visage.core.tickets import (
    Ticket,
    failure_of,
    input_key,
    progress_key,
    result_key,
    result_to_bytes,
    ticket_from_text,
    ticket_key,
    ticket_to_text,
)

# Photos that are copied at the same time, where one takes longer than so many seconds; and those between two looks
# whether the job is still wanted.
_AT_ONCE = 8
_SLOW = 0.01
_CHUNK = 64


class Unpacking:
    """Used by the threads of a worker. inputs, outputs: the stores. now: seconds since 1970. Every call may raise
    `StorageError`."""

    def __init__(
        self, inputs: Objects, outputs: Objects, queue: Queue, bundles: Bundles, now: Callable[[], float]
    ) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._queue = queue
        self._bundles = bundles
        self._now = now
        self._outcomes = Outcomes(inputs, outputs, now)

    def take_apart(self, whole: Ticket, breath: Callable[[], None]) -> None:
        """Store the parts and send the first of them. breath: called every now and then. Raises `InputError` and
        `UsageError` where nothing can be made of it."""
        if self._outcomes.is_apart(whole.id):
            return
        try:
            with self._opened(whole) as bundle:
                plan, fresh = self._plan(whole, bundle)
                self._outcomes.planned(whole.id, plan, apart=False)
                heads = set(range(min(WINDOW, len(plan.parts))))
                if not self._store(whole, plan, bundle, fresh, heads, breath):
                    return
        except NoObjectError as error:
            if self._outcomes.is_apart(whole.id):  # by another worker, who needs the archive no more
                return
            raise NotFoundError(input_key(whole.id, 0), "it is not in the store any more; send it again") from error
        self._drop_erased(whole, plan)
        sent = [self._send_from(whole.id, plan, rank) for rank in sorted(heads)]
        self._outcomes.planned(whole.id, plan, apart=True)
        if not self._is_wanted(whole.id):
            self._outputs.delete([progress_key(whole.id)])
        self._inputs.delete([input_key(whole.id, 0)])
        if not any(sent):
            self._outcomes.fold(whole)  # where nothing was left to be sent, or all is over already

    def ended(self, ticket: Ticket, result: Mapping[str, Any] | None) -> Ticket | None:
        """See to what follows from the end of a part, whose result is in the store: it is to be called before its
        message is removed. The ticket of the whole where that is over now. result: None where somebody else stored it.
        """
        part = ticket.part
        if part is None:
            return None
        note = end_key(part.of, part.rank, outcome_in(result) if result is not None else self._outcome(ticket.id))
        if self._outputs.version(note) is None:
            sent = self._send_next(ticket)
            self._outputs.put(note, b"")
            if sent:
                return None
        whole = self._ticket(part.of)
        if whole is None or self._outcomes.is_settled(part.of):  # forgotten, or over
            forget_parts(self._inputs, self._outputs, [ticket.id])
            self._outputs.delete([note])
            return None
        return whole if self._outcomes.fold(whole) else None

    def _outcome(self, part_id: str) -> str:
        try:
            return outcome_in(json.loads(self._outputs.get(result_key(part_id))))
        except NoObjectError:
            return ERASED
        except ValueError:
            return FAILED

    @contextmanager
    def _opened(self, whole: Ticket) -> Iterator[Bundle]:
        """Raises `NoObjectError` where the archive is no more; that of a folder is empty."""
        source = input_key(whole.id, 0)
        with self._inputs.as_file(source) as path:
            named = whole.job.name
            opened = self._bundles.archive(path, source) if named is None else self._bundles.folder(named)
            with opened as bundle:
                yield bundle

    def _plan(self, whole: Ticket, bundle: Bundle) -> tuple[Plan, bool]:
        """The plan, and whether it was made just now: who is second takes the first one's."""
        plan = plan_of(bundle.files(), wrapped=whole.job.name is None)
        if not plan.parts:
            reason = "no photo in it lies in a folder that says whose it is; a folder per person is expected"
            raise UnreadableError(input_key(whole.id, 0), reason)
        fresh = self._inputs.create(plan_key(whole.id), plan_to_bytes(plan))
        return (plan if fresh else read_plan(self._inputs, whole.id) or plan), fresh

    def _store(
        self,
        whole: Ticket,
        plan: Plan,
        bundle: Bundle,
        fresh: bool,
        heads: set[int],
        breath: Callable[[], None],
    ) -> bool:
        """Store what the parts need; whether the job is still wanted. heads: the ranks of the first parts, which are
        sent as soon as they are stored, so that others can begin, and taken out of the set."""
        erased = self._erased(whole)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for start in range(0, len(plan.parts), _CHUNK):
                breath()
                parts = [plan.part(whole, rank) for rank in range(start, min(start + _CHUNK, len(plan.parts)))]
                wanted = [part for part in parts if not self._is_of(whole, part, erased)]
                self._store_parts(wanted, bundle, fresh, threads)
                if not self._is_wanted(whole.id):
                    self._drop(whole.id, plan)
                    return False
                if not fresh and self._outcomes.is_apart(whole.id):
                    return False
                if heads:
                    self._drop_erased(whole, plan)
                    stored = {rank for rank in heads if rank < start + len(parts)}
                    heads -= {rank for rank in stored if self._send(plan.part_id(whole.id, rank))}
        return True

    def _store_parts(self, parts: Sequence[Ticket], bundle: Bundle, fresh: bool, threads: Executor) -> None:
        """Side by side only where the store lets one wait: else threads would be in each other's way."""
        began = self._now()
        for part in parts[:1]:
            self._store_part(part, bundle, fresh)
        slow = self._now() - began > _SLOW
        for _ in (threads.map if slow else map)(lambda part: self._store_part(part, bundle, fresh), parts[1:]):
            pass

    def _is_wanted(self, whole_id: str) -> bool:
        """Whether it was neither forgotten nor brought to its end by another worker."""
        return self._inputs.version(ticket_key(whole_id)) is not None and not self._outcomes.is_settled(whole_id)

    def _drop(self, whole_id: str, plan: Plan) -> None:
        """Take back what was stored of it for nothing."""
        forget_parts(self._inputs, self._outputs, part_ids(plan, whole_id))
        if self._inputs.version(ticket_key(whole_id)) is None:
            self._inputs.delete([plan_key(whole_id)])
            self._outputs.delete([progress_key(whole_id)])

    def _store_part(self, part: Ticket, bundle: Bundle, fresh: bool) -> None:
        if not fresh and self._outputs.version(result_key(part.id)) is not None:
            return
        try:
            with bundle.open(part.names[0]) as file:
                self._inputs.put(input_key(part.id, 0), file)
        except InputError as error:
            self._outputs.create(result_key(part.id), result_to_bytes(failure_of(part, error, self._now())))
        self._inputs.put(ticket_key(part.id), ticket_to_text(part).encode())

    def _drop_erased(self, whole: Ticket, plan: Plan) -> None:
        """Whoever was erased while the parts were stored is not enrolled."""
        if erased := self._erased(whole):
            parts = [plan.part(whole, rank) for rank in range(len(plan.parts))]
            forget_parts(self._inputs, self._outputs, [part.id for part in parts if self._is_of(whole, part, erased)])

    def _erased(self, whole: Ticket) -> set[str]:
        return {stored.key for stored in self._inputs.list(erased_folder(whole.id))}

    def _is_of(self, whole: Ticket, part: Ticket, erased: set[str]) -> bool:
        return bool(erased) and erased_key(whole.id, whole.job.collection, part.job.name or "") in erased

    def _send_next(self, ticket: Ticket) -> bool:
        """Send the part that follows; whether there was one."""
        part = ticket.part
        if part is None or not part.then:
            return False
        if self._send(part.then):
            return True
        plan = read_plan(self._inputs, part.of)
        if plan is None:
            return False
        if not self._outcomes.is_apart(part.of):
            raise StorageError("the next part is not stored yet; try again")
        return self._send_from(part.of, plan, part.rank + WINDOW)

    def _send_from(self, whole_id: str, plan: Plan, rank: int) -> bool:
        """Send this part, or the next of its row whose ticket was not erased; whether there was one."""
        for place in range(rank, len(plan.parts), WINDOW):
            if self._send(plan.part_id(whole_id, place)):
                return True
            self._outputs.put(end_key(whole_id, place, ERASED), b"")
        return False

    def _send(self, part_id: str) -> bool:
        ticket = self._ticket(part_id)
        if ticket is None:
            return False
        # It has not waited any longer, whenever the whole was asked for.
        self._queue.send(ticket_to_text(replace(ticket, created=self._now())), key=part_id)
        return True

    def _ticket(self, ticket_id: str) -> Ticket | None:
        """None too for one that is damaged: nothing can be made of it."""
        try:
            return ticket_from_text(self._inputs.get(ticket_key(ticket_id)).decode())
        except (NoObjectError, MessageError, UnicodeDecodeError):
            return None
