"""The application: routes, and what happens before and after each of them."""

import logging
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from flask import Response, g, request
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from visage.core.errors import VisageError
from visage.core.service.keyring import Role
from visage.web import document
from visage.web.access import NOBODY
from visage.web.answers import ProblemOut
from visage.web.asking import Service
from visage.web.bulk import add_bulk
from visage.web.classic import add_classic
from visage.web.corrections import add_corrections
from visage.web.enroll import add_enrollment
from visage.web.history import add_history
from visage.web.jobs import add_jobs
from visage.web.login import add_login
from visage.web.logs import EXTRA
from visage.web.pages import PAGE_ROLES, add_pages, told_in_html, wants_html
from visage.web.parameters import refused
from visage.web.people import add_people
from visage.web.problems import Problem, problem_for, title, to_response
from visage.web.system import add_system
from visage.web.unknown import add_unknown
from visage.web.uploads import MAX_FIELDS_BYTES, MAX_PARTS, UploadRequest
from visage.web.v1 import add_recognition
from visage.web.watch import add_watch

log = logging.getLogger("visage.web")

# The least role that a route asks for, by its endpoint. A route that is not here is open to everybody.
ROLES = {
    "classic": Role.RECOGNIZE,
    "recognize": Role.RECOGNIZE,
    "detect": Role.RECOGNIZE,
    "compare": Role.RECOGNIZE,
    "job": Role.READ,
    "job_text": Role.READ,
    "forget": Role.RECOGNIZE,
    "enroll": Role.ENROLL,
    "bulk": Role.ENROLL,
    "bulk_places": Role.ENROLL,
    "jobs": Role.READ,
    "job_events": Role.READ,
    "job_source": Role.READ,
    "retry": Role.RECOGNIZE,
    "people": Role.READ,
    "person": Role.READ,
    "face_crop": Role.READ,
    "collections": Role.READ,
    "rename_person": Role.ENROLL,
    "merge_people": Role.ENROLL,
    "move_faces": Role.ENROLL,
    "hide_person": Role.ENROLL,
    "unhide_person": Role.ENROLL,
    "history": Role.READ,
    "undo": Role.ENROLL,
    "audit": Role.ADMIN,
    "erase_person": Role.ADMIN,
    "erase_face": Role.ADMIN,
    "correct": Role.ENROLL,
    "unknown": Role.READ,
    "unknown_person": Role.READ,
    "unknown_crop": Role.READ,
    "name_unknown": Role.ENROLL,
    "deny_unknown": Role.ENROLL,
    "ignore_unknown": Role.ENROLL,
    "not_a_face": Role.ENROLL,
    "restore_unknown": Role.ENROLL,
    "erase_unknown": Role.ADMIN,
    "metrics": Role.READ,
    "models": Role.READ,
    "system": Role.READ,
    **PAGE_ROLES,
}

# Asked by machines that know nothing but the port.
PROBES = {"healthz", "readyz"}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def create_app(service: Service, *, new_id: Callable[[], str]) -> OpenAPI:
    """The WSGI application. new_id: for requests that bring no id of their own."""
    app = OpenAPI(
        "visage.web",
        info=document.INFO,
        security_schemes=document.SECURITY,
        # The document gets a response of the library's own on every route that does not speak of this status; all do.
        validation_error_status=400,
        validation_error_model=ProblemOut,
        validation_error_callback=_refuse,
        doc_ui=False,
        static_folder=None,
    )
    app.request_class = UploadRequest
    app.config.update(
        MAX_CONTENT_LENGTH=service.max_upload,
        MAX_FORM_PARTS=MAX_PARTS,
        MAX_FORM_MEMORY_SIZE=MAX_FIELDS_BYTES,
        # A handler of errors is to see every one.
        PROPAGATE_EXCEPTIONS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    add_classic(app, service)
    add_recognition(app, service)
    add_people(app, service)
    add_history(app, service)
    add_enrollment(app, service)
    add_bulk(app, service)
    add_jobs(app, service)
    add_corrections(app, service)
    add_unknown(app, service)
    add_watch(app, service)
    add_system(app, service)
    add_login(app, service)
    add_pages(app, service)
    _add_frame(app, service, new_id)
    _add_errors(app, service)
    return app


def _add_frame(app: OpenAPI, service: Service, new_id: Callable[[], str]) -> None:
    """What comes before and after every route."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.files = ExitStack()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        g.account = NOBODY
        if request.endpoint not in PROBES:
            g.account = service.access.admit(request, ROLES.get(request.endpoint or ""))

    @app.after_request
    def end(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = g.request_id
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "none"
        service.telemetry.request(route, response.status_code, seconds)
        log.info("request", extra={EXTRA: _line(response, seconds)})
        return response

    @app.teardown_request
    def drop(_error: BaseException | None) -> None:
        g.files.close()


def _add_errors(app: OpenAPI, service: Service) -> None:
    @app.errorhandler(Problem)
    def told(problem: Problem) -> AnyResponse:
        return _told(problem)

    @app.errorhandler(VisageError)
    def known(error: VisageError) -> AnyResponse:
        problem = problem_for(error)
        if problem.status >= 500:
            service.telemetry.error(type(error).__name__)
            log.error("%s", error, exc_info=error, extra={EXTRA: {"request": g.request_id}})
        return _told(problem)

    @app.errorhandler(HTTPException)
    def refused_by_flask(error: HTTPException) -> AnyResponse:
        status = error.code or 500
        headers = {"Allow": ", ".join(sorted(allowed))} if (allowed := getattr(error, "valid_methods", None)) else {}
        return _told(Problem(status, _PLAIN.get(status, title(status)), headers=headers))

    @app.errorhandler(Exception)
    def fault(error: Exception) -> AnyResponse:
        service.telemetry.error("fault")
        log.error("a fault", exc_info=error, extra={EXTRA: {"request": g.request_id}})
        return _told(Problem(500, "a fault of the service; its log says more under this request id"))


def _told(problem: Problem) -> AnyResponse:
    return told_in_html(problem) if wants_html() else to_response(problem, g.request_id)


# Instead of werkzeug's words.
_PLAIN = {
    400: "the request is broken",
    404: "there is nothing at this address",
    405: "this address is not asked with this method; Allow names those it is asked with",
    413: "the request is too large, or has too many parts; send a smaller one",
}


def _refuse(error: ValidationError) -> Response:
    raise refused(error)


def _line(response: Response, seconds: float) -> dict[str, Any]:
    """What the log tells of a request: no name of a person or a file, no key."""
    said = {
        "request": g.request_id,
        "method": request.method,
        "path": request.path[:200],
        "status": response.status_code,
        "ms": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
        "bytes_out": response.content_length or 0,
        "account": g.account.id,
        "job": g.get("job", ""),
    }
    return {key: value for key, value in said.items() if value != ""}
