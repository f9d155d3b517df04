"""What the classic form and /v1 share: a request becomes a job, and what came of it an answer or a problem."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Response, g, jsonify, request, url_for

from visage.core.bulk.outcomes import Outcomes
from visage.core.bulk.plan import Bundles
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Queue
from visage.core.serverless.unstage import Stage
from visage.core.service.correct import Corrections
from visage.core.service.keyring import Role
from visage.core.service.reception import Asked, Reception
from visage.core.tickets import Ticket
from visage.core.unknown.inbox import Inbox
from visage.core.values import Job, JobKind
from visage.web.access import Access
from visage.web.directory import Directory
from visage.web.facts import Facts
from visage.web.journal import Journal
from visage.web.load import Load
from visage.web.parameters import AskHeaders
from visage.web.problems import RETRY, Problem, problem_of
from visage.web.telemetry import Telemetry
from visage.web.uploads import Source


@dataclass(frozen=True)
class Service:
    """Everything that routes need. collection, stranger_rate: where a request names none. request_seconds: how long a
    request waits for its answer. max_upload: bytes. thumbnail: a photo's bytes, its name and a side -> a JPEG that fits
    into that square. gallery: opened when it is first asked for. inbox: None
    where faces that match nobody are not kept. stages: of the serverless form, those that there are now."""

    reception: Reception
    queue: Queue
    inputs: Objects
    outputs: Objects
    gallery: Callable[[], Gallery]
    journal: Journal
    bundles: Bundles
    thumbnail: Callable[[bytes, str, int], bytes]
    access: Access
    load: Load
    telemetry: Telemetry
    facts: Facts
    collection: str
    stranger_rate: float
    request_seconds: float
    max_upload: int
    inbox: Inbox | None = None
    stages: Callable[[], Iterable[Stage]] = tuple

    @cached_property
    def directory(self) -> Directory:
        """Of everybody in the gallery, as lists of people need them."""
        return Directory(self.gallery)

    @property
    def outcomes(self) -> Outcomes:
        """Of jobs that are many jobs."""
        return Outcomes(self.inputs, self.outputs, time.time)

    @property
    def corrections(self) -> Corrections:
        """What was said of answers."""
        return Corrections(self.reception, self.inputs, self.outputs, self.gallery, self.inbox)

    def forget(self, job_id: str) -> None:
        """Delete a job: what came in, what was found, and the unknown faces in it. Those last, for a worker that has
        the job in hand looks for it once more after it has stored them."""
        self.reception.forget(job_id)
        if self.inbox:
            self.inbox.forget_job(job_id)

    def ask(self, job: Job, sources: Sequence[Source], header: AskHeaders, *, vectors: bool = False) -> "Outcome":
        """Hand the work in, and wait for its result as long as the client and the service allow."""
        prefers_async, seconds = header.wish(self.request_seconds)
        asked = Asked(
            job=job,
            sources=sources,
            owner=g.account.id,
            request=g.request_id,
            key=header.idempotency_key,
            vectors=vectors,
        )
        if prefers_async:
            ticket, result = self.reception.submit(asked), None
        else:
            ticket, result = self.reception.answer(asked, seconds)
        g.job = ticket.id
        if result is not None:
            self.telemetry.result(result)
        if job.kind is JobKind.RECOGNIZE:
            self.journal.searched(job.collection, ticket.id, result)
        return Outcome(ticket, result, prefers_async)


@dataclass(frozen=True)
class Outcome:
    """A job that was handed in. result: as it lies in the store, or None where it did not come in time."""

    ticket: Ticket
    result: dict[str, Any] | None
    preferred_async: bool

    def response(self, done: Callable[[dict[str, Any]], Response]) -> Response:
        """done: makes the response out of a result that is an answer. Raises `Problem` for one that is an error."""
        if self.result is None:
            return accepted(self.ticket, applied=self.preferred_async)
        return done(answered(self.result))


def own_ticket(service: Service, job_id: str) -> Ticket:
    """The ticket of a job that whoever asks may see; another's is as good as none."""
    ticket = service.reception.ticket(job_id)
    if ticket is None or (ticket.owner != g.account.id and g.account.role is not Role.ADMIN):
        raise Problem(404, "there is no such job, or it is not kept any more")
    g.job = ticket.id
    return ticket


def answered(result: dict[str, Any]) -> dict[str, Any]:
    """The result if it is an answer. Raises the `Problem` that it stands for otherwise."""
    if result["status"] != "done":
        raise problem_of(result["error"]["kind"], result["error"]["detail"], job=result["id"])
    return result


def job_of(ticket: Ticket, status: str) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "status": status,
        "kind": ticket.job.kind.value,
        "request": ticket.request,
        "created": round(ticket.created, 3),
    }


def accepted(ticket: Ticket, *, applied: bool) -> Response:
    """202: the job is kept, and where to ask for it."""
    response = jsonify(job=job_of(ticket, "queued"))
    response.status_code = 202
    response.headers["Location"] = url_for("job", id=ticket.id)
    response.headers["Retry-After"] = str(RETRY if not applied else 1)
    if applied:
        response.headers["Preference-Applied"] = "respond-async"
    return response


def fits(service: Service) -> None:
    """Before a body is read: refuse it while too much is waiting. Raises `Problem` 413 or 503."""
    if request.content_length is not None and request.content_length > service.max_upload:
        raise Problem(413, f"the request is larger than {service.max_upload} bytes; send a smaller one")
    try:
        service.load.refuse_if_full()
    except Problem:
        service.telemetry.refusal()
        raise
