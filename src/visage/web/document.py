"""What the OpenAPI document says beside the types: which problems can occur, what a body may be, how keys are sent."""

from typing import Any

from flask_openapi3.models.info import Info
from pydantic import BaseModel

from visage.web.answers import Accepted
from visage.web.problems import MEDIA_TYPE, title
from visage.web.uploads import BARE, FORM

INFO = Info(
    title="Visage",
    version="1",
    description="Who is in a photo or a video. Every answer that is no success is a problem (RFC 9457).",
)
SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key. Where there are none, none is needed."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}
KEYS: list[dict[str, list[Any]]] = [{"bearer": []}, {"header": []}]

_PROBLEM = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
_RETRY = {"Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}}
_WHY = {
    400: "The request is broken: no file, several files, no file name, a broken form.",
    401: "No API key, or a wrong one.",
    403: "The key's role does not suffice; or, without any keys, another Host or Origin than this machine.",
    404: "There is no such thing, or it is somebody else's.",
    405: "Not with this method.",
    408: "The request came too slowly.",
    409: "Nobody is enrolled yet, or with another model, or in a copy; the job is none that failed; or something was "
    "changed since, or is being changed.",
    412: "It was changed since it was read.",
    413: "The request, the picture or the video is too large.",
    415: "Neither a form nor a picture or video.",
    422: "No picture or video, a damaged one, a parameter out of range, or an Idempotency-Key of another request.",
    429: "Too many wrong keys from this address.",
    500: "A fault of the service.",
    503: "Too many jobs are waiting, or a store does not answer.",
}
_EVERYWHERE = (400, 403, 405, 408, 413, 429, 500, 503)


def responses(*statuses: int, **successes: type[BaseModel] | dict[str, Any] | None) -> dict[Any, Any]:
    """The responses of a route: the problems that can occur on every route, these, and successes as `s200=...`."""
    said: dict[Any, Any] = {int(name[1:]): shape for name, shape in successes.items()}
    return said | {status: _problem(status) for status in sorted({*_EVERYWHERE, *statuses})}


def text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def jpeg(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}


def tagged(shape: type[BaseModel]) -> dict[str, Any]:
    """What comes with a tag of its state; another route has to give the same shape, for the document to have it."""
    schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
    tag = {"ETag": {"description": "Of this state, for If-Match.", "schema": {"type": "string"}}}
    return {"description": "OK", "headers": tag, "content": {"application/json": {"schema": schema}}}


def accepted() -> dict[str, Any]:
    """202, with where to ask."""
    schema = dict(Accepted.model_json_schema(ref_template="#/components/schemas/{model}"))
    del schema["$defs"]  # it is among the components already, for the answers that have it
    where = {"Location": {"description": "Where to ask for the job.", "schema": {"type": "string"}}}
    return {
        "description": "The job is kept and not done yet.",
        "headers": {**where, **_RETRY},
        "content": {"application/json": {"schema": schema}},
    }


def body(form: type[BaseModel], *, bare: bool) -> dict[str, Any]:
    """What to tell of a route that takes uploads. bare: whether the body may be the file itself."""
    content: dict[str, Any] = {FORM: {"schema": form.model_json_schema()}}
    if bare:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", "video/*", BARE)}
    return {"requestBody": {"required": True, "content": content}}


def _problem(status: int) -> dict[str, Any]:
    said: dict[str, Any] = {"description": f"{title(status)}. {_WHY[status]}", "content": {MEDIA_TYPE: _PROBLEM}}
    if status in {429, 503}:
        said["headers"] = _RETRY
    if status == 401:
        said["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return said
