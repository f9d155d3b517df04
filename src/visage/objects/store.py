"""URL -> object store."""

import re
from pathlib import Path

from visage.core.errors import UsageError
from visage.core.ports.objects import Objects
from visage.objects.folder import FolderObjects
from visage.objects.keys import check_key

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")


def open_store(url: str) -> Objects:
    """The store at `file:///PATH`, `s3://BUCKET` or `s3://BUCKET/PREFIX`, or a new one in memory: `memory:///`.

    Nothing is made or asked before the first call. Raises `UsageError` for any other URL, and `ModuleNotFoundError`
    where obstore is needed, for all but folders, and not installed.
    """
    scheme, found, rest = url.partition("://")
    if found and scheme == "memory" and not rest.strip("/"):
        from obstore.store import MemoryStore

        from visage.objects.bucket import BucketObjects

        return BucketObjects(MemoryStore(), "memory")
    if found and scheme == "file" and rest.strip("/") and rest.startswith("/"):
        return FolderObjects(_path(rest))
    bucket, _, prefix = rest.partition("/")
    if found and scheme == "s3" and _BUCKET.fullmatch(bucket):
        from visage.objects.bucket import open_bucket

        prefix = prefix.rstrip("/")
        return open_bucket(bucket, check_key(prefix) if prefix else "", f"s3://{bucket}")
    raise UsageError(  # without the URL, which may hold a password
        "a URL of objects is none; they are file:///PATH, s3://BUCKET, s3://BUCKET/PREFIX or memory:///"
    )


def is_missing(url: str) -> bool:
    """Whether it is the URL of a folder that is not there, in which nothing can be."""
    scheme, _, rest = url.partition("://")
    return scheme == "file" and not _path(rest).is_dir()


def _path(rest: str) -> Path:
    """/PATH, //PATH, /~/PATH or /C:/PATH as a path."""
    path = rest.lstrip("/")
    if path.startswith("~"):
        try:
            return Path(path).expanduser()
        except RuntimeError as error:
            raise UsageError(f"file:///{path}: there is no such user; write the whole path") from error
    return Path(path) if Path(path).is_absolute() else Path("/" + path)
