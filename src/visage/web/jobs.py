"""/v1/jobs: what was handed in, how it stands, and what came in for it."""

from contextlib import suppress
from typing import Any

from flask import Response, g, jsonify, url_for
from flask_openapi3.openapi import OpenAPI

from visage.core.amend import BEFORE
from visage.core.errors import NoObjectError, VisageError
from visage.core.service.joblist import JobList, Summary
from visage.core.service.keyring import Role
from visage.core.service.noted import answer_of
from visage.core.service.records import forget_failure
from visage.core.tickets import Ticket, input_key
from visage.core.values import JobKind
from visage.web import document
from visage.web.asking import Service, accepted, answered, fits, job_of, own_ticket
from visage.web.bulk import report_out, result_of_many
from visage.web.events import EVENTS, Events
from visage.web.jobs_types import JobPage, KnownJob
from visage.web.kept import FILE, kept_file
from visage.web.parameters import JobPath, JobsOptions, SourceOptions, SourcePath, WaitOptions
from visage.web.people_types import KeyHeaders
from visage.web.pictures import small_picture
from visage.web.problems import Problem, problem_of, title


def add_jobs(app: OpenAPI, service: Service) -> None:
    """The routes that ask for what was handed in before."""
    _add_list(app, service)
    _add_answers(app, service)
    _add_changes(app, service)
    _add_sources(app, service)


def _add_list(app: OpenAPI, service: Service) -> None:
    joblist = JobList(service.inputs, service.outputs)

    @app.get(
        "/v1/jobs",
        summary="One's own jobs, newest first; to an admin, everybody's",
        operation_id="jobs",
        security=document.KEYS,
        responses=document.responses(401, 422, s200=JobPage),
    )
    def jobs(query: JobsOptions) -> Response:
        owner = None if g.account.role is Role.ADMIN else g.account.id
        with suppress(VisageError):  # the list is told all the same, and each answer puts itself right when asked for
            service.corrections.settle_all()
        found, after = joblist.page(owner, query.limit, query.cursor or "")
        # One look for all of them: their pictures, which are asked for next, are none then.
        service.journal.glanced("", jobs=[one.ticket.id for one in found])
        return jsonify(jobs=[_row(service, one) for one in found], next=after)


def _add_answers(app: OpenAPI, service: Service) -> None:
    events = Events()

    @app.get(
        "/v1/jobs/<id>",
        summary="How a job stands, and its answer",
        operation_id="job",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=KnownJob),
    )
    def job(path: JobPath, query: WaitOptions) -> Response:
        ticket = own_ticket(service, path.id)
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
        ticket = own_ticket(service, path.id)
        result = _result(service, ticket, query)
        if result is None:
            return accepted(ticket, applied=False)
        names = answered(result).get("answer", {}).get("names", [])
        return Response("".join(f"{name}\n" for name in names), content_type="text/plain; charset=utf-8")

    @app.get(
        "/v1/jobs/<id>/events",
        summary="How a job stands, again and again until it is over (server-sent events)",
        description="Each event is called `state` and holds what /v1/jobs/ID says. After a while the stream ends, and "
        "a client that asks again goes on with it.",
        operation_id="job_events",
        security=document.KEYS,
        responses=document.responses(401, 404, s200=EVENTS),
    )
    def job_events(path: JobPath) -> Response:
        ticket = own_ticket(service, path.id)

        def state(seconds: float) -> dict[str, Any]:
            return _state(service, ticket, _result(service, ticket, WaitOptions(wait=seconds)))

        return events.response(state, service.request_seconds)


def _add_changes(app: OpenAPI, service: Service) -> None:
    @app.post(
        "/v1/jobs/<id>/retry",
        summary="Do a job that failed once more",
        operation_id="retry",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s202=document.accepted()),
    )
    def retry(path: JobPath, header: KeyHeaders) -> Response:
        fits(service)
        response = service.journal.once(header.idempotency_key, lambda: sent_again(path.id))
        response.headers.setdefault("Location", url_for("job", id=path.id))
        return response

    def sent_again(job_id: str) -> Response:
        ticket = own_ticket(service, job_id)
        result = service.reception.result(ticket.id)
        if result is None or result["status"] != "failed":
            raise Problem(409, "only a job that failed is done once more")
        if answer_of(service.outputs, ticket):  # the answer waits for it no more
            raise Problem(409, "a correction is not done once more; say it again")
        if any(service.inputs.version(key) is None for key in ticket.job.sources):
            raise _gone()
        forget_failure(service.outputs, ticket.id)
        service.reception.resend(ticket)
        return accepted(ticket, applied=False)

    @app.delete(
        "/v1/jobs/<id>",
        summary="Forget what came in and what was found",
        operation_id="forget",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s204=None),
    )
    def forget(path: JobPath, header: KeyHeaders) -> Response:
        return service.journal.once(header.idempotency_key, lambda: forgotten(path.id))

    def forgotten(job_id: str) -> Response:
        service.forget(own_ticket(service, job_id).id)
        return Response(status=204)


def _add_sources(app: OpenAPI, service: Service) -> None:
    @app.get(
        "/v1/jobs/<id>/source/<n>",
        summary="A file that came in for a job",
        description="A photo as what it is (JPEG, PNG, WebP, GIF); anything else as bytes to be saved. With a size, of "
        "a photo of any kind: a small JPEG.",
        operation_id="job_source",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=FILE, s304=None),
    )
    def job_source(path: SourcePath, query: SourceOptions) -> Response:
        ticket = own_ticket(service, path.id)
        if path.n >= len(ticket.names):
            raise Problem(404, f"the job has {len(ticket.names)} files; they are counted from 0")
        key, name = input_key(ticket.id, path.n), ticket.names[path.n]
        try:
            if query.size is not None:
                return small_picture(service, key, name, query.size)
            return kept_file(service.inputs, key, name)
        except NoObjectError:
            raise _gone() from None


def _gone() -> Problem:
    return Problem(404, "what came in for this job is not kept any more; send it again")


def _result(service: Service, ticket: Ticket, query: WaitOptions) -> dict[str, Any] | None:
    if query.wait > 0:
        result = service.reception.wait(ticket.id, min(query.wait, service.request_seconds))
    else:
        result = service.reception.result(ticket.id)
    if ticket.job.kind is JobKind.BULK:
        return result_of_many(service, ticket, result)
    if result is None or ticket.job.kind not in {JobKind.RECOGNIZE, JobKind.ENROLL}:
        return result
    if ticket.job.kind is JobKind.ENROLL:
        service.corrections.settle_after(ticket)
        return result
    return service.reception.result(ticket.id) if service.corrections.settle(ticket) else result


def _state(service: Service, ticket: Ticket, result: dict[str, Any] | None) -> dict[str, Any]:
    corrects = _correction(ticket, answer_of(service.outputs, ticket))
    known = {"corrects": corrects} if corrects else {}
    if result is None:
        progress = _progress(service, ticket)
        if progress is None:
            return {**job_of(ticket, "queued"), **known}
        return {**job_of(ticket, "running"), **known, "progress": progress}
    state = {key: value for key, value in result.items() if key not in {"error", BEFORE}}
    if "error" in result:
        state["error"] = _why(result["error"])
    if "report" in result:
        state["report"] = report_out(result["report"])
    return {**state, **known}


def _correction(ticket: Ticket, answer: str | None) -> dict[str, Any] | None:
    """answer: the job whose answer it corrects, if it is a correction."""
    if answer is None:
        return None
    return {"job": answer, "person": ticket.job.name, "denied": ticket.job.enroll.deny}


def _progress(service: Service, ticket: Ticket) -> dict[str, Any] | None:
    many = ticket.job.kind is JobKind.BULK
    return service.outcomes.progress(ticket.id) if many else service.reception.progress(ticket.id)


def _row(service: Service, one: Summary) -> dict[str, Any]:
    progress = _progress(service, one.ticket) if one.progress else None
    if one.result is None:
        head = job_of(one.ticket, "queued" if progress is None else "running")
    else:
        head = {key: value for key, value in one.result.items() if key not in {"error", BEFORE}}
    return {
        **head,
        "names": one.ticket.names,
        "people": one.people,
        "progress": progress,
        "error": _why(one.result["error"]) if one.result and "error" in one.result else None,
        "corrects": _correction(one.ticket, one.corrects),
    }


def _why(error: dict[str, str]) -> dict[str, Any]:
    """A failed job's error as a problem."""
    problem = problem_of(error["kind"], error["detail"])
    return {
        "type": "about:blank",
        "title": title(problem.status),
        "status": problem.status,
        "detail": problem.detail,
    }
