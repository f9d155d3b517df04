"""A file that a client sent, given back: as what it is where that is a picture, else as bytes that nobody opens."""

from collections.abc import Iterator
from urllib.parse import quote

from flask import Response

from visage.core.errors import NoObjectError
from visage.core.ports.objects import Objects

# Bytes read at a time.
_PIECE = 4 * 1024**2

# For the OpenAPI document.
FILE = {
    "description": "The file.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("image/jpeg", "image/png", "image/gif", "image/webp", "application/octet-stream")
    },
}

_STARTS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def kept_file(store: Objects, key: str, name: str) -> Response:
    """The object under the key. name: what the client called it. Raises `NoObjectError`, `StorageError`."""
    version = store.version(key)
    folder = key.rpartition("/")[0]
    size = next((found.size for found in store.list(folder) if found.key == key), None)
    if version is None or size is None:
        raise NoObjectError(key)
    kind = _kind(store.part(key, 0, 16, version))
    response = Response(_pieces(store, key, size, version), content_type=kind or "application/octet-stream")
    response.headers.set("Content-Disposition", "inline" if kind else "attachment", **_called(name))
    response.content_length = size
    return response


def _called(name: str) -> dict[str, str]:
    """The name as a header may have it (RFC 6266): other letters than Latin ones go as percents of UTF-8."""
    if name.isascii() and name.isprintable():
        return {"filename": name}
    return {"filename*": f"UTF-8''{quote(name, safe='', errors='replace')}"}


def _pieces(store: Objects, key: str, size: int, version: str) -> Iterator[bytes]:
    for start in range(0, size, _PIECE):
        yield store.part(key, start, _PIECE, version)


def _kind(head: bytes) -> str | None:
    """By its first bytes, whatever it is called: what a browser shows must be nothing that it runs, as SVG is."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _STARTS.items() if head.startswith(start)), None)
