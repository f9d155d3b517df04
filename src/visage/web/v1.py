"""/v1: everything that was found, as JSON."""

from typing import Any

from flask import Response, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.amend import BEFORE
from visage.core.cards import EmbedderCard
from visage.core.errors import ModelError
from visage.core.values import Job, JobKind, MatchOptions
from visage.web import document
from visage.web.answers import Answered
from visage.web.asking import Service, fits
from visage.web.bodies import json_body, one_from_base64, takes, two_from_base64, with_body
from visage.web.parameters import (
    AskHeaders,
    CompareForm,
    CompareJson,
    CompareOptions,
    DetectForm,
    DetectJson,
    DetectOptions,
    RecognizeForm,
    RecognizeJson,
    RecognizeOptions,
)
from visage.web.uploads import form_files, picture_or_video

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
        openapi_extensions=takes(RecognizeForm, RecognizeJson, bare=True),
        **_ASK,
    )
    def recognize(query: RecognizeOptions, header: AskHeaders) -> Response:
        fits(service)
        body = json_body(request, RecognizeJson)
        sources = one_from_base64(body) if body else picture_or_video(request)
        options = with_body(query, request, body)
        job = Job(
            JobKind.RECOGNIZE,
            tuple(name for name, _ in sources),
            options.collection or service.collection,
            match=options.match(service.stranger_rate),
            sampling=options.sampling,
            limit=options.limit,
        )
        return service.ask(job, sources, header, vectors=options.vectors).response(_whole)

    @app.post(
        "/v1/detect",
        summary="Find the faces in a photo or video",
        operation_id="detect",
        openapi_extensions=takes(DetectForm, DetectJson, bare=True),
        **_ASK,
    )
    def detect(query: DetectOptions, header: AskHeaders) -> Response:
        fits(service)
        body = json_body(request, DetectJson)
        sources = one_from_base64(body) if body else picture_or_video(request)
        options = with_body(query, request, body)
        names = tuple(name for name, _ in sources)
        job = Job(JobKind.DETECT, names, sampling=options.sampling, limit=options.limit)
        return service.ask(job, sources, header).response(_whole)

    @app.post(
        "/v1/compare",
        summary="Say whether two photos show the same person",
        operation_id="compare",
        openapi_extensions=takes(CompareForm, CompareJson, bare=False),
        **_ASK,
    )
    def compare(query: CompareOptions, header: AskHeaders) -> Response:
        fits(service)
        body = json_body(request, CompareJson)
        sources = two_from_base64(body.first, body.second) if body else form_files(request, ["first", "second"])
        least = with_body(query, request, body).least(lambda: _embedder(service))
        match = MatchOptions(service.stranger_rate, least)
        job = Job(JobKind.COMPARE, tuple(name for name, _ in sources), match=match)
        return service.ask(job, sources, header).response(_whole)


def _embedder(service: Service) -> EmbedderCard:
    used = [one.card for one in service.facts.models() if one.in_use and isinstance(one.card, EmbedderCard)]
    if not used:
        raise ModelError("no embedder is in use; visage doctor says what is wrong")
    return used[0]


def _whole(result: dict[str, Any]) -> Response:
    head = {key: value for key, value in result.items() if key not in {"answer", BEFORE}}
    return jsonify(job=head, answer=result["answer"])
