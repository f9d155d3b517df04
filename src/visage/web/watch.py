"""What watches the service: is it alive, can it work, how does it do; and the OpenAPI document."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify
from flask_openapi3.openapi import OpenAPI

from visage.core.errors import StorageError
from visage.web import document
from visage.web.answers import Health
from visage.web.asking import Service
from visage.web.problems import RETRY, Problem
from visage.web.telemetry import CONTENT_TYPE

# A key that nothing is ever stored under: whether a store answers is all that is asked.
_PROBE = "readyz"

_HEALTH: dict[str, Any] = {"responses": document.responses(s200=Health)}
_FIGURES: dict[str, Any] = {"responses": document.responses(401, s200=document.text("The figures."))}
_DOCUMENT: dict[str, Any] = {
    "responses": document.responses(s200={"description": "OpenAPI 3.1", "content": {"application/json": {}}})
}


def add_watch(app: OpenAPI, service: Service) -> None:
    @app.get("/healthz", summary="Whether the process lives", operation_id="healthz", **_HEALTH)
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/readyz", summary="Whether queue and stores answer", operation_id="readyz", **_HEALTH)
    def readyz() -> Response:
        asked: dict[str, Callable[[], object]] = {
            "queue": service.queue.depth,
            "input store": lambda: service.inputs.version(_PROBE),
            "output store": lambda: service.outputs.version(_PROBE),
        }
        silent = [name for name, ask in asked.items() if not _answers(ask)]
        if silent:
            raise Problem(503, f"no answer from: {', '.join(silent)}", retry=RETRY, more={"silent": silent})
        return jsonify(status="ok")

    @app.get("/metrics", summary="Figures for Prometheus", operation_id="metrics", security=document.KEYS, **_FIGURES)
    def metrics() -> Response:
        return Response(service.telemetry.page(), content_type=CONTENT_TYPE)

    @app.get("/openapi.json", summary="This document", operation_id="openapi", **_DOCUMENT)
    def openapi() -> dict[str, Any]:
        return app.api_doc


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except StorageError:
        return False
    return True
