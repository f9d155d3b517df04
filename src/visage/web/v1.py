"""/v1: everything that was found, as JSON; and jobs that take longer than a request."""

from typing import Any, TypeVar

from flask import Response, g, jsonify, request
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError

from visage.core.keyring import Role
from visage.core.tickets import Ticket
from visage.core.values import Job, JobKind, MatchOptions
from visage.web import document
from visage.web.answers import Answered, JobState
from visage.web.asking import Service, accepted, answered, fits, job_of
from visage.web.parameters import (
    AskHeaders,
    CompareForm,
    CompareOptions,
    DetectForm,
    DetectOptions,
    JobPath,
    Parameters,
    RecognizeForm,
    RecognizeOptions,
    WaitOptions,
    refused,
)
from visage.web.problems import Problem, problem_of, title
from visage.web.uploads import form_files, picture_or_video

P = TypeVar("P", bound=Parameters)

_ASK: dict[str, Any] = {
    "security": document.KEYS,
    "responses": document.responses(401, 409, 415, 422, s200=Answered, s202=document.accepted()),
}


def add_recognition(app: OpenAPI, service: Service) -> None:
    """The routes that take pictures and videos."""

    @app.post(
        "/v1/recognize",
        summary="Say who is in a photo or video",
        operation_id="recognize",
        openapi_extensions=document.body(RecognizeForm, bare=True),
        **_ASK,
    )
    def recognize(query: RecognizeOptions, header: AskHeaders) -> Response:
        fits(service)
        sources = picture_or_video(request)
        options = _with_form(query)
        job = Job(
            JobKind.RECOGNIZE,
            tuple(name for name, _ in sources),
            options.collection or service.collection,
            match=options.match(service.stranger_rate),
            sampling=options.sampling,
        )
        return service.ask(job, sources, header, vectors=options.vectors).response(_whole)

    @app.post(
        "/v1/detect",
        summary="Find the faces in a photo or video",
        operation_id="detect",
        openapi_extensions=document.body(DetectForm, bare=True),
        **_ASK,
    )
    def detect(query: DetectOptions, header: AskHeaders) -> Response:
        fits(service)
        sources = picture_or_video(request)
        job = Job(JobKind.DETECT, tuple(name for name, _ in sources), sampling=_with_form(query).sampling)
        return service.ask(job, sources, header).response(_whole)

    @app.post(
        "/v1/compare",
        summary="Say whether two photos show the same person",
        operation_id="compare",
        openapi_extensions=document.body(CompareForm, bare=False),
        **_ASK,
    )
    def compare(query: CompareOptions, header: AskHeaders) -> Response:
        fits(service)
        sources = form_files(request, ["first", "second"])
        match = MatchOptions(service.stranger_rate, _with_form(query).threshold)
        job = Job(JobKind.COMPARE, tuple(name for name, _ in sources), match=match)
        return service.ask(job, sources, header).response(_whole)


def add_jobs(app: OpenAPI, service: Service) -> None:
    """The routes that ask for what was handed in before."""

    @app.get(
        "/v1/jobs/<id>",
        summary="How a job stands, and its answer",
        operation_id="job",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=JobState),
    )
    def job(path: JobPath, query: WaitOptions) -> Response:
        ticket = _own(service, path.id)
        return jsonify(_state(service, ticket, _result(service, ticket, query)))

    @app.get(
        "/v1/jobs/<id>/text",
        summary="The names a job found, one a line, most seen first",
        operation_id="job_text",
        security=document.KEYS,
        responses=document.responses(
            401,
            404,
            409,
            422,
            s200=document.text("The names; nothing where no face was found."),
            s202=document.accepted(),
        ),
    )
    def job_text(path: JobPath, query: WaitOptions) -> Response:
        ticket = _own(service, path.id)
        result = _result(service, ticket, query)
        if result is None:
            return accepted(ticket, applied=False)
        names = answered(result)["answer"].get("names", [])
        return Response("".join(f"{name}\n" for name in names), content_type="text/plain; charset=utf-8")

    @app.delete(
        "/v1/jobs/<id>",
        summary="Forget what came in and what was found",
        operation_id="forget",
        security=document.KEYS,
        responses=document.responses(401, 404, s204=None),
    )
    def forget(path: JobPath) -> Response:
        service.reception.forget(_own(service, path.id).id)
        return Response(status=204)


def _with_form(query: P) -> P:
    """The options with those that stand in the form, which go first."""
    if not request.form:
        return query
    try:
        return type(query).model_validate({**query.model_dump(exclude_unset=True), **request.form.to_dict()})
    except ValidationError as error:
        raise refused(error) from None


def _whole(result: dict[str, Any]) -> Response:
    return jsonify(job={key: value for key, value in result.items() if key != "answer"}, answer=result["answer"])


def _own(service: Service, job_id: str) -> Ticket:
    """The ticket of a job that whoever asks may see; another's is as good as none."""
    ticket = service.reception.ticket(job_id)
    if ticket is None or (ticket.owner != g.account.id and g.account.role is not Role.ADMIN):
        raise Problem(404, "there is no such job, or it is not kept any more")
    g.job = ticket.id
    return ticket


def _result(service: Service, ticket: Ticket, query: WaitOptions) -> dict[str, Any] | None:
    if query.wait > 0:
        return service.reception.wait(ticket.id, min(query.wait, service.request_seconds))
    return service.reception.result(ticket.id)


def _state(service: Service, ticket: Ticket, result: dict[str, Any] | None) -> dict[str, Any]:
    if result is None:
        progress = service.reception.progress(ticket.id)
        if progress is None:
            return job_of(ticket, "queued")
        return {**job_of(ticket, "running"), "progress": progress}
    state = {key: value for key, value in result.items() if key != "error"}
    if "error" in result:
        problem = problem_of(result["error"]["kind"], result["error"]["detail"])
        state["error"] = {
            "type": "about:blank",
            "title": title(problem.status),
            "status": problem.status,
            "detail": problem.detail,
        }
    return state
