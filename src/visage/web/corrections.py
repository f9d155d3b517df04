"""POST /v1/jobs/ID/faces/N: say who a face of an answer is, or who it is not; Visage learns from it."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from flask import Response, g, jsonify
from flask_openapi3.openapi import OpenAPI
from pydantic import Field, model_validator

from visage.core.errors import NoObjectError, NoPersonError
from visage.core.journal.change import Change as Undoable
from visage.core.journal.change import ChangeKind
from visage.core.journal.steps import Elsewhere, Pending, Step
from visage.core.names import check_name
from visage.core.service.correct import same_face
from visage.core.service.reception import Asked
from visage.core.tickets import Ticket, input_key
from visage.core.values import EnrollOptions, Job, JobKind
from visage.web import document
from visage.web.answers import AnswerOut, EnrollmentOut, JobOut, Shape
from visage.web.asking import Service, accepted, answered, fits, own_ticket
from visage.web.changes import person_by_id
from visage.web.parameters import AskHeaders, JobPath
from visage.web.people_types import Change, Id, Name
from visage.web.problems import Problem

# Who knows the way back of what was corrected in an answer, in the history.
_PLACE = "answer"


class AnswerFacePath(JobPath):
    n: Annotated[int, Field(ge=0, le=10**9, description="Which of the answer's faces, from 0.")]


class Correction(Change):
    """One of `name` and `deny`."""

    name: Annotated[Name | None, Field(description="Who it is: somebody enrolled already, or somebody new.")] = None
    deny: Annotated[Id | None, Field(description="The id of a person who it is not.")] = None
    force: Annotated[bool, Field(description="Learn from a small, blurred or turned face too.")] = False

    @model_validator(mode="after")
    def _one_of_them(self) -> "Correction":
        if (self.name is None) == (self.deny is None):
            raise ValueError("say one of 'name' and 'deny'")
        return self


class Corrected(Shape):
    """job: the one that learned from the face. enrollment: what came of that. answer: as it is now. change: its id in
    the history, where it can be undone; None where nothing was changed."""

    job: JobOut
    enrollment: EnrollmentOut
    answer: AnswerOut
    change: str | None


def add_corrections(app: OpenAPI, service: Service) -> None:
    service.journal.history.knows(_PLACE, lambda _collection, data: _back(service, data))

    @app.post(
        "/v1/jobs/<id>/faces/<n>",
        summary="Say who a face of an answer is, or who it is not",
        description="The face is enrolled, or kept as an example of who is not that person, and the answer is put "
        "right. Of a video, that goes for the face as long as it can be followed from picture to picture.",
        operation_id="correct",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=Corrected, s202=document.accepted()),
    )
    def correct(path: AnswerFacePath, header: AskHeaders, body: Correction) -> Response:
        fits(service)
        ticket = own_ticket(service, path.id)
        answer = _answer(service, ticket)
        if path.n >= len(answer["faces"]):
            raise Problem(404, f"the answer has {len(answer['faces'])} faces; they are counted from 0")
        person = _whom(service, ticket.job.collection, body)
        learning = _handed_in(service, ticket, _job(ticket, answer, path.n, person[1], body), header)
        change = _keep(service, ticket, learning, person, same_face(answer["faces"], path.n))
        at_once, seconds = header.wish(service.request_seconds)
        result = None if at_once else service.reception.wait(learning.id, seconds)
        if result is None:
            return accepted(learning, applied=at_once)
        service.telemetry.result(result)
        return _corrected(service, ticket, result, change)


def _answer(service: Service, ticket: Ticket) -> dict[str, Any]:
    """The answer that is to be corrected. Raises `Problem`."""
    if ticket.job.kind is not JobKind.RECOGNIZE:
        raise Problem(409, "only an answer that says who is there can be corrected")
    service.corrections.settle(ticket)
    result = service.reception.result(ticket.id)
    if result is None:
        raise Problem(409, "the job is not done yet; correct its answer once there is one")
    answer: dict[str, Any] = answered(result)["answer"]
    return answer


def _whom(service: Service, collection: str, body: Correction) -> tuple[str, str]:
    """Id and name of who is meant; the id empty for somebody new. Raises `NoPersonError`, `UsageError`."""
    if body.deny is not None:
        person = person_by_id(service.gallery(), collection, body.deny)
        return person.id, person.name
    name = check_name(body.name or "")
    with suppress(NoPersonError):
        there = service.gallery().person(collection, name)
        if there.name == name:  # and not one of whom it is the id
            return there.id, name
    return "", name


def _job(ticket: Ticket, answer: dict[str, Any], place: int, name: str, body: Correction) -> Job:
    """What learns from the face."""
    face, video = answer["faces"][place], answer["media"][0]["duration"] is not None
    options = EnrollOptions(
        force=body.force,
        box=tuple(face["box"]),
        frame=face["frame"] if video else None,
        deny=body.deny is not None,
    )
    return Job(JobKind.ENROLL, (), ticket.job.collection, name=name, sampling=ticket.job.sampling, enroll=options)


def _handed_in(service: Service, ticket: Ticket, job: Job, header: AskHeaders) -> Ticket:
    """With a copy of what came in for the answer, since the answer's own job may be forgotten before. Raises
    `Problem` 404 where it is not kept any more."""
    try:
        with service.inputs.as_file(input_key(ticket.id, 0)) as path, Path(path).open("rb") as file:
            asked = Asked(
                job, [(ticket.names[0], file)], owner=g.account.id, request=g.request_id, key=header.idempotency_key
            )
            learning = service.reception.submit(asked)
    except NoObjectError:
        raise Problem(404, "what came in for this job is not kept any more; send it again") from None
    g.job = learning.id
    again = service.reception.ticket(learning.id) if header.idempotency_key else None
    return again or learning  # which knows when it was first asked


def _keep(service: Service, ticket: Ticket, learning: Ticket, person: tuple[str, str], places: list[int]) -> Undoable:
    """See to it that the answer is put right, and that all of it can be undone."""
    steps: list[Step] = [
        Elsewhere(_PLACE, {"job": ticket.id, "learning": learning.id, "places": places}),
        Pending((learning.id,), person[1]),
    ]
    overruled = [] if learning.job.enroll.deny else service.corrections.overruled(ticket, places)
    change = service.journal.changed(
        ChangeKind.CORRECT,
        ticket.job.collection,
        [person, *(one for one in overruled if one[0] != person[0])],
        steps,
        key=learning.id,
        at=learning.created,
        jobs=[ticket.id, learning.id],
    )
    known = service.journal.history.get(change.id)
    if known is None or known.undone is None:  # asked again by its key after it was undone, it stays so
        service.corrections.note(ticket.id, learning, places)
    return known or change


def _back(service: Service, data: Mapping[str, Any]) -> str | None:
    return service.corrections.take_back(data["job"], data["learning"], data["places"])


def _corrected(service: Service, ticket: Ticket, result: dict[str, Any], change: Undoable) -> Response:
    service.corrections.settle(ticket)
    service.journal.history.settle(change)
    learned, now = answered(result), service.reception.result(ticket.id)
    if now is None:
        raise Problem(404, "the job was deleted meanwhile")
    head = {key: value for key, value in learned.items() if key != "answer"}
    enrollment = learned["answer"]["enrollment"]
    if enrollment["person"] is None:
        service.journal.dropped(change)  # nothing was learned, and nobody named
    return jsonify(
        job=head,
        enrollment=enrollment,
        answer=answered(now)["answer"],
        change=change.id if enrollment["person"] else None,
    )
