"""Pictures of faces, and small ones of photos: a browser keeps them, and asks each time whether it still may."""

import hashlib

from flask import Response, request

from visage.core.errors import NoObjectError
from visage.web.asking import Service
from visage.web.problems import Problem

# Asked each time: who may not see a picture any more, or whose picture was erased, is not to find it kept.
_ASK_AGAIN = "private, no-cache"
# Larger files are no photos that somebody sent to a page, and are not read into memory for its sake.
_MOST = 64 * 1024**2


def picture(data: bytes) -> Response:
    """A JPEG, or 304 for who has it already."""
    response = Response(data, content_type="image/jpeg")
    return kept(response, hashlib.sha256(data).hexdigest()[:32])


def small_picture(service: Service, key: str, name: str, side: int) -> Response:
    """Of the photo under the key in the input store, what fits into `side` x `side` pixels. name: what the client
    called it. Raises `NoObjectError`, and what `Service.thumbnail` raises."""
    version = service.inputs.version(key)
    if version is None:
        raise NoObjectError(key)
    tag = hashlib.sha256(f"{key} {version} {side}".encode()).hexdigest()[:32]
    if request.if_none_match.contains(tag):
        return kept(Response(content_type="image/jpeg"), tag)
    data = service.inputs.part(key, 0, _MOST + 1, version)
    if len(data) > _MOST:
        raise Problem(413, f"{name}: it has more than {_MOST} bytes; ask for it without a size")
    return kept(Response(service.thumbnail(data, name, side), content_type="image/jpeg"), tag)


def kept(response: Response, tag: str) -> Response:
    """The response, to be kept under the tag; 304 for who has it already."""
    response.headers["Cache-Control"] = _ASK_AGAIN
    response.set_etag(tag)
    response.make_conditional(request)
    return response
