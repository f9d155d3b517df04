"""Errors as RFC 9457 problems: one JSON shape for everything that goes wrong, and nothing raw in it."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response

from visage.core.errors import UsageError, VisageError

MEDIA_TYPE = "application/problem+json"

# Seconds after which to try again where nothing better is known.
RETRY = 5

# The status of every error that Visage raises on purpose, by its name, since results in the store name it too. What is
# not here is a fault of ours. A class stands before what it inherits from.
STATUSES: dict[str, int] = {
    "UsageError": 422,
    "NotFoundError": 404,
    "TooLargeError": 413,
    "UnreadableError": 422,
    "InputError": 422,
    "DeadlyError": 422,
    "NoGalleryError": 409,
    "OtherModelError": 409,
    "PublishedError": 409,
    "NoPersonError": 404,
    "NoFaceError": 404,
    "StorageError": 503,
    "FleetError": 503,
    "NoObjectError": 404,
    "NoKeyError": 401,
    "AccessError": 403,
}

# Errors whose message speaks of what the client sent. The others' messages speak of the service's insides (paths,
# buckets): they are for the log.
_FOR_CLIENTS = {"UsageError", "NotFoundError", "TooLargeError", "UnreadableError", "InputError", "NoPersonError",
    "NoFaceError",
    "DeadlyError",
                "NoKeyError", "AccessError"}  # fmt: skip
_INSTEAD = {
    "NoGalleryError": "nobody has been enrolled yet; enroll people first",
    "OtherModelError": "the enrolled people were measured with another model than the one in use; change them over",
    "PublishedError": "this service has a published copy of its people, which is only read; change the gallery that it "
    "is made from",
    "StorageError": "a store or the queue of the service does not answer; try again",
    "FleetError": "the service's fleet does not answer; try again",
    "NoObjectError": "that is not kept any more; send the picture again",
}
_FAULT = "a fault of the service; its log says more under this request id"


class Problem(Exception):  # noqa: N818 (it is the RFC's word)
    """Raised anywhere in a request to answer it with this status. retry: seconds for Retry-After. more: members to add.
    headers: to add."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry: float | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry = retry
        self.more = more or {}
        self.headers = headers or {}


def problem_of(kind: str, detail: str, **more: Any) -> Problem:
    """What a client is told of an error of Visage. kind: the name of its class."""
    status = STATUSES.get(kind, 500)
    if kind not in _FOR_CLIENTS:
        detail = _INSTEAD.get(kind, _FAULT)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Problem(status, detail, retry=RETRY if status == 503 else None, more=more, headers=headers)


def problem_for(error: VisageError) -> Problem:
    """The same, of an error that was raised here; a kind that has no status of its own takes its parent's."""
    kind = next((base.__name__ for base in type(error).__mro__ if base.__name__ in STATUSES), type(error).__name__)
    return problem_of(kind, str(error))


def to_response(problem: Problem, request_id: str) -> Response:
    headers = dict(problem.headers)
    if problem.retry is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry)))
    body = to_bytes(problem.status, problem.detail, request_id, problem.more)
    return Response(body, problem.status, headers, content_type=MEDIA_TYPE)


def to_bytes(status: int, detail: str, request_id: str, more: Mapping[str, Any] | None = None) -> bytes:
    whole = {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": detail,
        **(more or {}),
        "request_id": request_id,
    }
    return json.dumps(whole).encode()


def title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def usage(detail: str) -> Problem:
    return problem_for(UsageError(detail))
