"""Erasing somebody: from the gallery, and every job that is kept and names them, with the pictures that came in.

A job names a person where its result says that they were seen or enrolled, or that somebody enrolled looks like them,
and where it was handed in to enroll them. Where they were merely weighed and another name was given, or none, the job
is kept and they are struck out of it.
"""

import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from visage.core.bulk.outcomes import without
from visage.core.bulk.plan import erased_key
from visage.core.errors import MessageError, NoObjectError, StorageError, UsageError
from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.ports.queue import DeadLetter, Queue
from visage.core.serverless.struck import speaks_of
from visage.core.serverless.unstage import Stage, unstage
from visage.core.service.deleting import Unknowns
from visage.core.service.weighed import less
from visage.core.tickets import Ticket, result_key, result_to_bytes, ticket_from_text, ticket_key
from visage.core.values import JobKind, Person

# Jobs looked at together: most of the time is spent on waiting for the store.
_TOGETHER = 8
_TRIES = 10  # each that fails means that a worker wrote the result anew meanwhile

_RESULT = re.compile(r"([0-9a-f]{32})/result\.json")
_TICKET = re.compile(r"([0-9a-f]{32})/ticket\.json")

_LETTERS = 10_000  # that are looked at


@dataclass(frozen=True, slots=True)
class Erased:
    """How much went. crops: of the faces. jobs: with all that came in and was found. uploads: of the serverless form,
    out of whose stage they were taken. results: of these uploads, which still name them: they are the user's own."""

    faces: int
    crops: int
    jobs: int
    uploads: int = 0
    results: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is sought in jobs. ids: of a person and their faces, since an old answer may go by a face that was somebody
    else's then. name: of the person; None where it is a face alone, which only its own enrollment is about."""

    collection: str
    ids: frozenset[str]
    name: str | None

    def are_in(self, data: bytes) -> bool:
        return speaks_of(data, self.ids)


class Eraser:
    """Used by many threads. forget: deletes a job by its id (`Reception.forget`).

    Every call may raise `StorageError`; it is worth a retry, for jobs go first and the gallery's part goes at once.
    What a worker has in hand meanwhile is not among the jobs yet: the worker itself leaves out of it who is no more
    (`core/service/keeper.py`).
    """

    def __init__(
        self,
        gallery: Gallery,
        inputs: Objects,
        outputs: Objects,
        forget: Callable[[str], None],
        *,
        queue: Queue | None,
        inbox: Unknowns | None,
        stages: Callable[[], Iterable[Stage]] = tuple,
    ) -> None:
        """queue: with the dead letters, if there is one. inbox: with the unknown faces that were named, if such are
        kept. stages: of the serverless form, those that there are now."""
        self._gallery = gallery
        self._queue = queue
        self._inbox = inbox
        self._stages = stages
        self._inputs = inputs
        self._outputs = outputs
        self._forget = forget

    def person(self, person: Person) -> Erased:
        """Raises `NoPersonError` where they are gone already."""
        self._gallery.undeny(person.collection, [])  # a copy, which cannot be changed, says so before anything goes
        crops = {face.id: face.crop is not None for face in self._gallery.faces(person.collection, person.id)}
        wanted = _Wanted(person.collection, frozenset({person.id, *crops}), person.name)
        jobs, seen = self._sweep(wanted, set())
        self._discard(wanted)
        if self._inbox:
            self._inbox.forget_person(person.collection, person.id, crops)
        unstaged = unstage(self._stages(), person.collection, person.id, wanted.ids)
        faces = self._gallery.remove(person.collection, person.id)
        late, _ = self._sweep(wanted, seen)  # that were done while the others were looked through
        return Erased(faces, sum(crops.values()), jobs + late, unstaged.uploads, unstaged.results)

    def face(self, collection: str, face_id: str) -> Erased:
        """With the job that enrolled it; and with its person, where it is their last. Raises `NoFaceError`."""
        face = self._gallery.face(collection, face_id)
        person = self._gallery.person(collection, face.person_id)
        if person.faces == 1:
            return self.person(person)
        jobs, _ = self._sweep(_Wanted(person.collection, frozenset({face.id}), None), set())
        if self._inbox:
            self._inbox.forget_person(collection, None, [face.id])
        faces = self._gallery.remove_faces(collection, [face.id])
        return Erased(faces, faces if face.crop is not None else 0, jobs)

    def _discard(self, wanted: _Wanted) -> None:
        """Letters that were given up and would enroll whom is wanted, should they be sent again."""
        if self._queue is None:
            return
        try:
            letters = self._queue.dead(_LETTERS)
        except UsageError:  # there are none with this queue
            return
        self._queue.discard([letter.id for letter in letters if _is_to_enroll(_ticket_in(letter), wanted)])

    def _sweep(self, wanted: _Wanted, seen: set[str]) -> tuple[int, set[str]]:
        """Forget the jobs that name whom is wanted; how many, and the keys that were looked at, `seen` and more."""
        done = _jobs(self._outputs, _RESULT)
        undone = _jobs(self._inputs, _TICKET) - done
        results, tickets = {result_key(job): job for job in done}, {ticket_key(job): job for job in undone}
        with ThreadPoolExecutor(_TOGETHER) as threads:
            named = threads.map(lambda key: self._done(results[key], wanted), results.keys() - seen)
            asked = threads.map(lambda key: self._asked(tickets[key], wanted), tickets.keys() - seen)
            return sum(named) + sum(asked), seen | results.keys() | tickets.keys()

    def _done(self, job: str, wanted: _Wanted) -> bool:
        """See to a job with a result; whether it was forgotten."""
        for _ in range(_TRIES):
            try:
                data, version = self._outputs.read(result_key(job))
            except NoObjectError:
                return False
            kept = self._without(job, data, wanted)
            if kept is None:
                self._forget(job)
                return True
            if kept == data or self._outputs.replace(result_key(job), kept, version):
                return False
        raise StorageError(f"{result_key(job)}: it is written again and again; try again")

    def _asked(self, job: str, wanted: _Wanted) -> bool:
        """The same of one that has none yet: it is the name it was handed in with that counts."""
        ticket = self._ticket(job)
        if ticket and ticket.job.kind is JobKind.BULK:
            self._spare(ticket, wanted)
            return False
        if not _is_to_enroll(ticket, wanted):
            return False
        self._forget(job)
        return True

    def _spare(self, ticket: Ticket, wanted: _Wanted) -> None:
        """Have a job of many photos enroll all but whom is wanted; what it has stored of them goes as jobs of its own
        do."""
        if wanted.name is not None and lookup_name(ticket.job.collection) == wanted.collection:
            self._inputs.put(erased_key(ticket.id, wanted.collection, wanted.name), b"")

    def _without(self, job: str, data: bytes, wanted: _Wanted) -> bytes | None:
        """The result less whom is wanted; None where it cannot be without them."""
        there = wanted.are_in(data)
        if not there and b'"enroll"' not in data and b'"bulk"' not in data:
            return data
        try:
            result = json.loads(data)
            kind = result["kind"]
        except (ValueError, KeyError, TypeError):  # damaged, and it may be about them
            return None if there else data
        ticket = self._ticket(job)
        if ticket is not None and lookup_name(ticket.job.collection) != wanted.collection:
            return data
        if kind == JobKind.BULK:
            return self._of_many(ticket, data, result, wanted)
        if kind == JobKind.ENROLL:
            return None if there or _is_to_enroll(ticket, wanted) or _resembles(result, wanted) else data
        # A match may go by a face that is no more: the person is still there.
        return data if wanted.name is None else _of_one(result, wanted)

    def _of_many(self, ticket: Ticket | None, data: bytes, result: dict[str, Any], wanted: _Wanted) -> bytes:
        if "report" in result:
            names = frozenset() if wanted.name is None else {wanted.name}
            return result_to_bytes(without(result, names, wanted.ids))
        if ticket is not None:  # it failed, and may be done once more
            self._spare(ticket, wanted)
        return data

    def _ticket(self, job: str) -> Ticket | None:
        try:
            return ticket_from_text(self._inputs.get(ticket_key(job)).decode())
        except (NoObjectError, MessageError, UnicodeDecodeError):
            return None


def _jobs(objects: Objects, kept: re.Pattern[str]) -> set[str]:
    """The ids of the jobs of which that is kept."""
    return {found[1] for stored in objects.list() if (found := kept.fullmatch(stored.key))}


def _ticket_in(letter: DeadLetter) -> Ticket | None:
    try:
        return ticket_from_text(letter.body)
    except MessageError:
        return None


def _is_to_enroll(ticket: Ticket | None, wanted: _Wanted) -> bool:
    if ticket is None or wanted.name is None or ticket.job.kind is not JobKind.ENROLL:
        return False
    job = ticket.job
    return (lookup_name(job.collection), lookup_name(job.name or "")) == (wanted.collection, wanted.name)


def _resembles(result: dict[str, Any], wanted: _Wanted) -> bool:
    """Whether it says of somebody else, who was enrolled, that they look like whom is wanted."""
    enrollment = (result.get("answer") or {}).get("enrollment") or {}
    return wanted.name is not None and (enrollment.get("resembles") or {}).get("name") == wanted.name


def _of_one(result: dict[str, Any], wanted: _Wanted) -> bytes | None:
    struck = result_to_bytes(less(result, wanted.ids))
    return None if wanted.are_in(struck) else struck
