"""The classic form: a file in, one line out, `<file name without extension>:<name>`."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request
from flask_openapi3.openapi import OpenAPI

from visage.core.values import UNKNOWN, Job, JobKind
from visage.web import document
from visage.web.asking import Service, fits
from visage.web.pages import front_door
from visage.web.parameters import AskHeaders, ClassicForm, RecognizeOptions
from visage.web.uploads import form_files, stem

FIELD = "inputFile"

HELP = """Visage: who is in a photo or a video.

  curl -F inputFile=@face.jpg {root}            one line: face:NAME
  curl -F image=@party.jpg {root}v1/recognize   everything, as JSON
  curl -F first=@a.jpg -F second=@b.jpg {root}v1/compare

A long video: add -H 'Prefer: respond-async' and ask for the job where Location says.
Where there are API keys: add -H 'Authorization: Bearer KEY'.
All of it in words for machines: {root}openapi.json
"""


def add_classic(app: OpenAPI, service: Service) -> None:
    @app.get(
        "/",
        summary="What to do: words; to a browser, the page",
        operation_id="help",
        responses=document.responses(s200=document.text("Words.")),
    )
    def help_page() -> Response:
        return front_door(service, lambda: _text(HELP.format(root=request.url_root)))

    @app.post(
        "/",
        summary="Name the person in a picture",
        description="The answer is the file's name without extension, a colon, and the most prominent face's name; "
        "`unknown` where nobody enrolled resembles it and where there is no face.",
        operation_id="classic",
        security=document.KEYS,
        openapi_extensions=document.body(ClassicForm, bare=False),
        responses=document.responses(
            401, 409, 415, 422, s200=document.text("NAME OF THE FILE:NAME"), s202=document.accepted()
        ),
    )
    def classic(header: AskHeaders) -> Response:
        fits(service)
        [source] = form_files(request, [FIELD])
        options = RecognizeOptions()
        job = Job(JobKind.RECOGNIZE, (source[0],), service.collection, match=options.match(service.stranger_rate))
        outcome = service.ask(job, [source], header)
        return outcome.response(lambda result: _text(f"{stem(source[0])}:{prominent(result['answer']['faces'])}"))


def prominent(faces: Sequence[Mapping[str, Any]]) -> str:
    """The name of the face with the largest box; `unknown` where there is none."""
    largest = max(faces, key=lambda face: _area(face["box"]), default=None)
    return UNKNOWN if largest is None else str(largest["name"])


def _area(box: Sequence[float]) -> float:
    x1, y1, x2, y2 = box
    return max(0.0, x2 - x1) * max(0.0, y2 - y1)


def _text(words: str) -> Response:
    return Response(words, content_type="text/plain; charset=utf-8")
