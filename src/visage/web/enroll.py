"""POST /v1/people: photos of somebody through the queue, each of them a job of its own."""

import time
from collections.abc import Sequence
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.journal.change import ChangeKind
from visage.core.names import check_name
from visage.core.service.reception import Asked
from visage.core.tickets import Ticket
from visage.core.values import EnrollOptions, Job, JobKind
from visage.web import document
from visage.web.answers import AcceptedJobs, Enrolled
from visage.web.asking import Service, fits, job_of
from visage.web.bodies import from_base64, json_body, takes, with_body
from visage.web.parameters import AskHeaders, EnrollChoices, EnrollForm, EnrollJson
from visage.web.problems import RETRY, Problem, problem_of, usage
from visage.web.uploads import MAX_PHOTOS, Source, file_name, photos


def add_enrollment(app: OpenAPI, service: Service) -> None:
    @app.post(
        "/v1/people",
        summary="Enroll somebody from photos",
        description="Each photo is a job of its own: what is wrong with one is told in its place and leaves the others "
        "as they are.",
        operation_id="enroll",
        security=document.KEYS,
        openapi_extensions=takes(EnrollForm, EnrollJson, bare=False),
        responses=document.responses(401, 409, 415, 422, s200=Enrolled, s202=AcceptedJobs),
    )
    def enroll(query: EnrollChoices, header: AskHeaders) -> Response:
        fits(service)
        body = json_body(request, EnrollJson)
        sources = _from_json(body) if body else photos(request)
        choices = with_body(query, request, body)
        job = Job(
            JobKind.ENROLL,
            (),
            check_name(choices.collection or service.collection),
            name=check_name(body.name if body else _name()),
            enroll=EnrollOptions(largest=choices.largest, force=choices.force),
        )
        at_once, seconds = header.wish(service.request_seconds)
        end = time.monotonic() + seconds
        tickets = _hand_in(service, job, sources, header.idempotency_key)
        change = service.journal.handed_in(ChangeKind.ENROLL, job, tickets, service.reception.ticket)
        results = [] if at_once else _results(service, tickets, end)
        if len(results) < len(tickets):
            return _accepted(tickets, applied=at_once)
        service.journal.history.settle(change)
        for result in results:
            service.telemetry.result(result)
        return _enrolled(tickets, results)


def _from_json(body: EnrollJson) -> list[Source]:
    if not 0 < len(body.photos) <= MAX_PHOTOS:
        raise usage(f"send 1 to {MAX_PHOTOS} photos; there were {len(body.photos)}")
    return [
        from_base64(file_name(photo.name or f"photo {number}"), photo.data)
        for number, photo in enumerate(body.photos, 1)
    ]


def _name() -> str:
    if "name" not in request.form:
        raise usage("say who is in the photos, in the field 'name'")
    return request.form["name"]


def _hand_in(service: Service, job: Job, sources: Sequence[Source], key: str | None) -> list[Ticket]:
    """key: the request's idempotency key; each photo's follows from it, and is none that a client can give."""
    asked = [
        Asked(job, [source], owner=g.account.id, request=g.request_id, key=f"{key} {number}" if key else None)
        for number, source in enumerate(sources)
    ]
    tickets = [service.reception.submit(one) for one in asked]
    g.job = tickets[0].id
    return tickets


def _results(service: Service, tickets: Sequence[Ticket], end: float) -> list[dict[str, Any]]:
    """The jobs' results in their order; fewer where the time is over. end: monotonic."""
    results: list[dict[str, Any]] = []
    for ticket in tickets:
        result = service.reception.wait(ticket.id, max(0.0, end - time.monotonic()))
        if result is None:
            break
        results.append(result)
    return results


def _accepted(tickets: Sequence[Ticket], *, applied: bool) -> Response:
    response = jsonify(jobs=[job_of(ticket, "queued") for ticket in tickets])
    response.status_code = 202
    response.headers["Retry-After"] = str(RETRY if not applied else 1)
    if applied:
        response.headers["Preference-Applied"] = "respond-async"
    return response


def _enrolled(tickets: Sequence[Ticket], results: Sequence[dict[str, Any]]) -> Response:
    """Raises the `Problem` that kept every single photo from being looked at, as a gallery of another model does."""
    failures = [problem_of(**result["error"]) for result in results if "error" in result]
    if len(failures) == len(results) and all(failure.status == 409 for failure in failures):
        raise failures[0]
    people = [result["answer"]["enrollment"]["person"] for result in results if "answer" in result]
    # Photos are done in any order: who has most faces is as it was in the end.
    person = max(filter(None, people), key=lambda one: one["faces"], default=None)
    return jsonify(person=person, photos=[_photo(*pair) for pair in zip(tickets, results, strict=True)])


def _photo(ticket: Ticket, result: dict[str, Any]) -> dict[str, Any]:
    if "error" in result:
        problem: Problem = problem_of(**result["error"])
        told = {"outcome": "failed", "detail": problem.detail, "face_id": None, "resembles": None}
    else:
        told = {name: value for name, value in result["answer"]["enrollment"].items() if name != "person"}
    return {"source": ticket.names[0], **told, "job": ticket.id}
