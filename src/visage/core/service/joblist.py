"""The jobs there are, newest first, out of the stores: a page of the list reads the jobs on it and no other.

The input store lists them under keys that sort by time and tell the owner (`tickets.index_key`). An entry may be left
behind by a job that is no more, and is passed over.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from visage.core.answers import Outcome
from visage.core.bulk.outcomes import names_in
from visage.core.errors import MessageError, NoObjectError
from visage.core.ports.objects import Objects
from visage.core.service.noted import answer_of
from visage.core.tickets import INDEX, Ticket, index_key, progress_key, result_key, ticket_from_text, ticket_key

# Jobs that are read at the same time: in a bucket each read takes some ten milliseconds.
_AT_ONCE = 16

# Jobs that are done and whose summaries are kept in memory: the result of a long video is large.
_REMEMBERED = 2000

# Names that are told of a job that enrolled many.
_MOST_NAMES = 100

# What tells where a page ended; and an entry of the list.
PLACE = "[0-9]{13}-[0-9a-f]{32}"
_ENTRY = re.compile(f"{INDEX}/(?P<place>{PLACE})(?:-(?P<owner>.+))?")


@dataclass(frozen=True, slots=True)
class Summary:
    """A job in the list. result: as it lies in the store, less the faces; None where there is none yet. progress: what
    a worker noted of a video it is at. people: whom it found, most seen first, or enrolled. corrects: of a correction,
    the job whose answer it is of."""

    ticket: Ticket
    result: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None
    people: tuple[str, ...] = ()
    corrects: str | None = None


class JobList:
    """Used by many threads at once."""

    def __init__(self, inputs: Objects, outputs: Objects) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._lock = threading.Lock()
        self._done: OrderedDict[str, tuple[str, Summary]] = OrderedDict()

    def page(self, owner: str | None, limit: int, after: str = "") -> tuple[list[Summary], str | None]:
        """The next `limit` jobs of an account (None: everybody's), and after which the next page begins, if there is
        one. after: what an earlier page said, else nothing. Raises `StorageError`."""
        found: list[Summary] = []
        entries = self._entries(owner, after)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while batch := list(islice(entries, limit + 1 - len(found))):
                found += filter(None, threads.map(self._summary, batch))
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], _place(last.ticket) if last else None

    def _entries(self, owner: str | None, after: str) -> Iterator[str]:
        for stored in self._inputs.list(INDEX):
            entry = _ENTRY.fullmatch(stored.key)
            if entry and entry["place"] > after and owner in {None, entry["owner"] or ""}:
                yield stored.key

    def _summary(self, entry: str) -> Summary | None:
        """The job that this entry is of; None where there is none, or another one under the same id."""
        job_id = entry.partition("-")[2][:32]
        version = self._outputs.version(result_key(job_id))
        with self._lock:
            known, summary = self._done.get(job_id, ("", None))
        if summary and known == version:
            return summary if index_key(summary.ticket) == entry else None
        try:
            ticket = ticket_from_text(self._inputs.get(ticket_key(job_id)).decode())
        except (NoObjectError, MessageError, UnicodeDecodeError):
            return None
        if index_key(ticket) != entry:
            return None
        result = self._json(result_key(job_id)) if version else None
        corrects = answer_of(self._outputs, ticket)
        if result is None:
            return Summary(ticket, None, self._json(progress_key(job_id)), corrects=corrects)
        head = {name: value for name, value in result.items() if name not in {"answer", "report"}}
        summary = Summary(ticket, head, None, _people(result), corrects)
        if version and head.get("status") == "done":
            self._remember(job_id, version, summary)
        return summary

    def _remember(self, job_id: str, version: str, summary: Summary) -> None:
        with self._lock:
            self._done[job_id] = (version, summary)
            while len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)

    def _json(self, key: str) -> dict[str, Any] | None:
        """None too where it is damaged: who asks for the job itself is told."""
        try:
            data = json.loads(self._outputs.get(key))
        except (NoObjectError, ValueError):
            return None
        return data if isinstance(data, dict) else None


def _place(ticket: Ticket) -> str:
    found = _ENTRY.fullmatch(index_key(ticket))
    return found["place"] if found else ""


def _people(result: Mapping[str, Any]) -> tuple[str, ...]:
    if report := result.get("report"):
        return tuple(names_in(report)[:_MOST_NAMES])
    answer = result.get("answer", {})
    if enrollment := answer.get("enrollment"):
        added = enrollment["outcome"] in {Outcome.ENROLLED, Outcome.DUPLICATE}
        return (enrollment["person"]["name"],) if added and enrollment["person"] else ()
    return tuple(person["name"] for person in answer.get("people", ()) if person["person_id"] is not None)
