"""What a request brings: files out of a form, or a bare body. No name that a client chose is ever a path."""

import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO, Any

from flask import Request, g
from werkzeug.datastructures import FileStorage

from visage.web.problems import Problem

# A form has an upload or two and some options.
MAX_PARTS = 20
MAX_FIELDS_BYTES = 100_000

# Photos of somebody that are enrolled in one request.
MAX_PHOTOS = 100

# JSON is read into memory whole, several times over; a form and a bare body are not.
JSON = "application/json"
MAX_JSON = 32 * 1024**2

# Uploads up to this size are handled in memory, larger ones in a file without a name.
IN_MEMORY = 500_000
_CHUNK = 64 * 1024

MAX_NAME = 255

# Characters that break a line or turn the direction of what follows: a name is echoed before a colon.
_REFUSED_KINDS = {"Cc", "Cs", "Zl", "Zp"}
_TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

FORM = "multipart/form-data"
BARE_KINDS = ("image/", "video/")
BARE = "application/octet-stream"
ZIP = "application/zip"
_ZIPS = {ZIP, "application/x-zip-compressed", BARE}

Source = tuple[str, bytes | IO[bytes]]


class UploadRequest(Request):
    """Closes every file that it makes; werkzeug's own leaves those of a broken form to the garbage collector."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Raises `Problem` for what is too large, or nested too deeply, to be looked at."""
        check_json(self)
        try:
            return super().get_json(force, silent, cache)
        except RecursionError:
            raise Problem(400, "the body is no JSON of a kind that is taken here: it is nested too deeply") from None

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        made = super()._get_file_stream(total_content_length, content_type, filename, content_length)
        g.files.callback(made.close)
        return made


def check_json(request: Request) -> None:
    """Raises `Problem` for a body that is too large."""
    if request.mimetype == JSON and (request.content_length or 0) > MAX_JSON:
        raise Problem(413, f"as JSON {MAX_JSON} bytes are taken at most; send the file itself, or {FORM}")


def file_name(given: str | None) -> str:
    """The last part of what the client calls its file. Raises `Problem` for what is no name."""
    name = (given or "").replace("\\", "/").rpartition("/")[2].strip()
    if name in {"", ".", ".."}:
        raise Problem(400, "the upload has no file name; name it, as in filename=face.jpg")
    if len(name) > MAX_NAME:
        raise Problem(400, f"the file name is longer than {MAX_NAME} characters; shorten it")
    if any(unicodedata.category(c) in _REFUSED_KINDS or c in _TURNS for c in name):
        raise Problem(400, "the file name has control characters in it; rename the file")
    return name


def stem(name: str) -> str:
    """The name without its extension."""
    return PurePosixPath(name).stem


def form_files(request: Request, fields: Sequence[str]) -> list[Source]:
    """The files of a form, one in each of these fields and no other. Raises `Problem`."""
    if request.mimetype != FORM:
        raise Problem(415, f"send the picture as {FORM}, as `curl -F {fields[0]}=@face.jpg` does")
    given = list(request.files.items(multi=True))
    if [name for name, _ in given] != list(fields) and sorted(name for name, _ in given) != sorted(fields):
        wanted = " and ".join(f"one in the field {field!r}" for field in fields)
        raise Problem(400, f"send exactly {len(fields)} file{'s' * (len(fields) > 1)}, {wanted}; {_seen(given)}")
    return [_source(request.files[field]) for field in fields]


def photos(request: Request) -> list[Source]:
    """The files of a form in the field `photo`, as many as there are, also empty ones. Raises `Problem`."""
    if request.mimetype != FORM:
        raise Problem(415, f"send the photos as {FORM}, as `curl -F name=Ada -F photo=@ada.jpg` does")
    request.max_form_parts = MAX_PHOTOS + MAX_PARTS
    given = list(request.files.items(multi=True))
    if not 0 < len(given) <= MAX_PHOTOS or any(field != "photo" for field, _ in given):
        raise Problem(400, f"send 1 to {MAX_PHOTOS} files, each in a field 'photo'; {_seen(given)}")
    return [_kept(file_name(upload.filename), upload.stream) for _, upload in given]


def picture_or_video(request: Request) -> list[Source]:
    """The one file of a form, in the field `image`, `video` or `file`, or the request's bare body. Raises `Problem`."""
    kind = request.mimetype
    if kind == FORM:
        given = list(request.files.items(multi=True))
        if len(given) != 1 or given[0][0] not in {"image", "video", "file"}:
            raise Problem(400, f"send exactly one file, in the field 'image', 'video' or 'file'; {_seen(given)}")
        return [_source(given[0][1])]
    if kind == BARE or kind.startswith(BARE_KINDS):
        return [_bare(request, kind.partition("/")[0] if kind != BARE else "file")]
    raise Problem(
        415, f"send {FORM} with a file in the field 'image', or the file itself as image/*, video/* or {BARE}"
    )


def archive(request: Request) -> Source:
    """The ZIP of a form, in the field `archive`, or the request's bare body. Raises `Problem`."""
    if request.mimetype == FORM:
        given = list(request.files.items(multi=True))
        if len(given) != 1 or given[0][0] != "archive":
            raise Problem(400, f"send exactly one file, in the field 'archive'; {_seen(given)}")
        return _source(given[0][1])
    if request.mimetype in _ZIPS:
        return _bare(request, "archive.zip")
    raise Problem(415, f"send {FORM} with the ZIP in the field 'archive', the ZIP itself as {ZIP}, or JSON")


def _source(upload: FileStorage) -> Source:
    return filled(_kept(file_name(upload.filename), upload.stream))


def _bare(request: Request, name: str) -> Source:
    body = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed with the request
    g.files.callback(body.close)
    while chunk := request.stream.read(_CHUNK):
        body.write(chunk)
    return filled(_kept(name, body))


def _kept(name: str, stream: IO[bytes]) -> Source:
    """The file, in memory if it is short."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return name, stream.read() if size <= IN_MEMORY else stream


def filled(source: Source) -> Source:
    name, data = source
    if data == b"":
        raise Problem(422, f"{name}: the file is empty")
    return source


def _seen(given: list[tuple[str, FileStorage]]) -> str:
    if not given:
        return "there was none (a field without a file name is no file, and a form that is cut off is empty)"
    return f"there were {len(given)}"
