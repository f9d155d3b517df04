"""Logging in on the page: an API key becomes a cookie that no script can read."""

from typing import Annotated, Any

from flask import Response, g, jsonify, request
from flask_openapi3.openapi import OpenAPI
from pydantic import Field

from visage.core.service.keyring import Role
from visage.web import document
from visage.web.access import COOKIE, SESSION_SECONDS, refuse_foreign
from visage.web.answers import Shape
from visage.web.asking import Service
from visage.web.parameters import Parameters
from visage.web.problems import Problem


class SessionOut(Shape):
    """name, role: whoever is logged in; null where nobody is. keys: whether one has to log in at all."""

    name: str | None
    role: Role | None
    keys: bool


class LogIn(Parameters):
    key: Annotated[str, Field(max_length=200, description="An API key.")]


_LOG_IN: dict[str, Any] = {"responses": document.responses(401, 415, 422, s204=None)}
_SESSION: dict[str, Any] = {"responses": document.responses(s200=SessionOut)}
_LOG_OUT: dict[str, Any] = {"responses": document.responses(s204=None)}


def add_login(app: OpenAPI, service: Service) -> None:
    @app.post("/v1/session", summary="Log in with an API key", operation_id="log_in", **_LOG_IN)
    def log_in(body: LogIn) -> Response:
        # A form of another page's cannot send JSON; what it can send is not looked at.
        if request.mimetype != "application/json":
            raise Problem(415, 'send the key as application/json, as in {"key": "vsg_..."}')
        g.account, token = service.access.log_in(request, body.key.strip())
        response = Response(status=204)
        _set_cookie(response, service, token, SESSION_SECONDS)
        return response

    @app.get("/v1/session", summary="Who is logged in", operation_id="session", **_SESSION)
    def session() -> Response:
        visitor = service.access.visitor(request)
        name, role = (visitor.name, visitor.role.value) if visitor else (None, None)
        return jsonify(name=name, role=role, keys=service.access.wants_keys())

    @app.delete("/v1/session", summary="Log out", operation_id="log_out", **_LOG_OUT)
    def log_out() -> Response:
        refuse_foreign(request)
        response = Response(status=204)
        _set_cookie(response, service, "", 0)
        return response


def _set_cookie(response: Response, service: Service, token: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=service.access.secure(request),
    )
