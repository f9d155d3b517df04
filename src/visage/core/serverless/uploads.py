"""What S3 says of an object that was put: a notification -> what is to be done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from visage.core.errors import MessageError

# Beginnings and ends of the keys that ask for something; template.yaml has the same, as S3's filters.
CHUNK, REST, PICTURES = ".chunk.json", ".rest.json", "pictures/"
PICTURE_SUFFIXES = tuple(
    sorted(
        {
            spelled
            for suffix in (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
            for spelled in (suffix, suffix.upper())
        }
    )
)

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_VERSION = re.compile(r"[A-Za-z0-9-]{1,150}")


@dataclass(frozen=True, slots=True)
class Upload:
    """One putting of a video (or photo) into the input store.

    key: where. version: names this very putting among all under the key; letters, digits and `-`. order: hex digits;
    of two puttings under one key the later has the greater (`is_later`). tag: the store's
    version of the bytes, as `Objects.version` tells it. size: bytes.
    """

    key: str
    version: str
    order: str
    tag: str
    size: int


class Ask(StrEnum):
    """split: an upload. rest: go on with one. chunk: recognize what a manifest lists. picture: one in the stage."""

    SPLIT = "split"
    REST = "rest"
    CHUNK = "chunk"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Task:
    """What an object that was put asks for. key: its key, in the input store where an upload is to be split, else in
    the stage. upload: of what is to be split, or the picture; else None."""

    ask: Ask
    key: str
    upload: Upload | None = None


def ask_of_stage(key: str) -> Ask | None:
    """What an object in the stage asks for: most ask for nothing."""
    if key.startswith(PICTURES) and key.endswith(PICTURE_SUFFIXES):
        return Ask.PICTURE
    if key.endswith(CHUNK):
        return Ask.CHUNK
    return Ask.REST if key.endswith(REST) else None


def is_later(order: str, than: str) -> bool:
    """Whether one sequencer is later than another of the same key, as S3 has it: the shorter is filled up with zeros on
    the right, then they are compared as text."""
    length = max(len(order), len(than))
    return order.upper().ljust(length, "0") > than.upper().ljust(length, "0")


def tasks_of_event(event: Mapping[str, Any], inputs: str, stage: str) -> list[Task]:
    """S3's notification of objects that were created in the buckets called `inputs` and `stage`.

    Folders' placeholders, removals and S3's test message ask for nothing. Raises `MessageError` for what is no
    notification, or one of another bucket.
    """
    try:
        if event.get("Event") == "s3:TestEvent":
            return []
        return [task for record in event["Records"] if (task := _task(record, inputs, stage))]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise MessageError("the event is no notification of S3 that an object was created") from error


def _task(record: Mapping[str, Any], inputs: str, stage: str) -> Task | None:
    if not str(record["eventName"]).startswith("ObjectCreated:"):
        return None
    bucket, found = str(record["s3"]["bucket"]["name"]), record["s3"]["object"]
    key = _decoded(found["key"])
    if bucket not in {inputs, stage}:
        raise MessageError(f"the event is of the bucket {bucket}, which is neither {inputs} nor {stage}")
    if key.endswith("/"):
        return None
    upload = upload_of(key, str(found["eTag"]), str(found.get("sequencer", "")), int(found.get("size", 0)))
    if bucket == inputs:
        return Task(Ask.SPLIT, key, upload)
    ask = ask_of_stage(key)
    return Task(ask, key, upload if ask is Ask.PICTURE else None) if ask else None


def _decoded(key: str) -> str:
    """A key as S3 spells it in a notification: as in a form, `+` for a space and `%E9` for a byte of UTF-8."""
    text = key.replace("+", " ").encode()
    return _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), text).decode()


def upload_of(key: str, etag: str, sequencer: str, size: int) -> Upload:
    """An upload as S3 tells of it. Raises `ValueError` for what is no ETag or no sequencer.

    The version is made of the sequencer too: the same bytes, put again, are another upload, which may find other
    people enrolled.
    """
    bare = etag.strip('"')
    version = "-".join(part for part in (sequencer, bare) if part)
    if not bare or not _VERSION.fullmatch(version):
        raise ValueError("a version is made of letters, digits and `-`")
    return Upload(key, version, sequencer, f'"{bare}"', size)
