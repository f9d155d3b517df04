"""What comes out of the serverless form: for each upload a text with the names, and the whole of it as JSON.

The JSON is the truth. It is replaced only if it is still what was read, and never by an older upload's; the text
follows it. So an event that comes twice, late or out of order changes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visage.core.errors import InputError, NoObjectError, StorageError, VisageError
from visage.core.ports.objects import Objects
from visage.core.serverless.uploads import Upload, is_later

VERSION = 1

_MP4 = ".mp4"
# What a video or picture may be called besides. `clip.mov.mp4` keeps its end, for `clip.mov` has `clip.mov.txt`.
_OTHERS = frozenset(
    {"avi", "avif", "bmp", "flv", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "m2ts", "m4v", "mkv", "mov"}
    | {"mp4", "mpeg", "mpg", "mts", "ogv", "png", "tif", "tiff", "ts", "webm", "webp", "wmv", "3gp"}
)
_TRIES = 100  # of which each loses to another writer that has succeeded


@dataclass(frozen=True, slots=True)
class Standing:
    """The result that there is for a key. status: done, partial or failed. chunks: of how many there are answers."""

    version: str
    order: str
    status: str
    chunks: int


def result_name(key: str) -> str:
    """`clip.mp4` -> `clip`, to which `.txt` and `.json` are added; any other end stays: `clip.mov` -> `clip.mov`."""
    stem = key.removesuffix(_MP4)
    name = stem.rpartition("/")[2]
    _, dot, suffix = name.rpartition(".")
    ambiguous = bool(dot) and suffix.lower() in _OTHERS
    return stem if stem != key and name and not ambiguous else key


def text_key(key: str) -> str:
    return result_name(key) + ".txt"


def json_key(key: str) -> str:
    return result_name(key) + ".json"


def done(upload: Upload, answer: Mapping[str, Any], *, chunks: int, **facts: Any) -> dict[str, Any]:
    """The result of an upload with at least one answer. missing: what of it failed, if anything."""
    status = "partial" if facts.get("missing") else "done"
    return {**_head(upload, status, chunks), "answer": answer, **facts}


def failed(upload: Upload, error: VisageError, **facts: Any) -> dict[str, Any]:
    """The result of an upload of which nothing could be recognized."""
    detail = f"{upload.key}: {error.reason}" if isinstance(error, InputError) else str(error)
    return {**_head(upload, "failed", 0), "error": {"kind": type(error).__name__, "detail": detail}, **facts}


def text_of(result: Mapping[str, Any]) -> str:
    """The names, most seen first, one a line; or one line that says what was wrong."""
    if result["status"] == "failed":
        return f"error: {' '.join(str(result['error']['detail']).split())}\n"
    return "".join(f"{name}\n" for name in result["answer"]["names"])


def standing(outputs: Objects, key: str) -> Standing | None:
    """Raises `StorageError` where something else than a result of this key is in its place."""
    try:
        return _standing(_read(outputs.get(json_key(key)), key))
    except NoObjectError:
        return None


def keep(outputs: Objects, key: str, result: Mapping[str, Any]) -> bool:
    """Make it the result of this key, unless there is one that is later or as good; whether it was made so.

    Of one upload the result with more chunks answered is the better. Raises `StorageError`.
    """
    data = json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()
    place, kept = json_key(key), False
    for _ in range(_TRIES):
        try:
            current, version = outputs.read(place)
        except NoObjectError:
            kept = outputs.create(place, data)
        else:
            if not _supersedes(_standing(result), _standing(_read(current, key))):
                break
            kept = outputs.replace(place, data, version)
        if kept:
            break
    level(outputs, key)
    return kept


def level(outputs: Objects, key: str) -> None:
    """See to it that the text says what the JSON does, whoever else is writing either.

    The text's version is read before the JSON. So if the text was written by then, it is of this JSON or of an earlier
    one; and if it is written later, by another, this replacing fails and all is read again.
    """
    for _ in range(_TRIES):
        try:
            present, version = outputs.read(text_key(key))
        except NoObjectError:
            present, version = None, ""
        raw, truth = outputs.read(json_key(key))
        text = text_of(_read(raw, key)).encode()
        if present is None:
            written = outputs.create(text_key(key), text)
        else:
            written = present == text or outputs.replace(text_key(key), text, version)
        if written and outputs.version(json_key(key)) == truth:
            return
    raise StorageError(f"{text_key(key)}: others write it again and again; try again")


def _head(upload: Upload, status: str, chunks: int) -> dict[str, Any]:
    return {
        "visage": VERSION,
        "status": status,
        "source": {"key": upload.key, "version": upload.version, "order": upload.order, "size": upload.size},
        "chunks": chunks,
    }


def _read(data: bytes, key: str) -> Mapping[str, Any]:
    try:
        result = json.loads(data)
        if result["visage"] == VERSION and result["source"]["key"] == key:
            return dict(result)
    except (ValueError, KeyError, TypeError):
        pass
    raise StorageError(f"{json_key(key)}: what lies there is not the result of {key}; move it away, or rename {key}")


def _standing(result: Mapping[str, Any]) -> Standing:
    source = result["source"]
    return Standing(str(source["version"]), str(source["order"]), str(result["status"]), int(result["chunks"]))


def _supersedes(new: Standing, old: Standing) -> bool:
    if new.version == old.version:
        return (new.chunks, new.status != "failed") > (old.chunks, old.status != "failed")
    return is_later(new.order, old.order)
