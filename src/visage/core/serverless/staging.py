"""What lies in the stage between the two functions, and under which keys.

Every key follows from the upload's key and version, so whoever does a piece of work twice writes the same again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from visage.core.errors import MessageError, UsageError
from visage.core.every import parse_every, spell_every
from visage.core.serverless.reread import media_from_json
from visage.core.serverless.uploads import CHUNK, PICTURES, REST, Upload
from visage.core.values import Media, Place, Sampling

VERSION = 1

_NOT_OURS = (KeyError, TypeError, AttributeError, ValueError, OverflowError, UsageError)  # what reading it may raise
_LONGEST = 250  # characters that an upload's key may have in those of the stage, where a part may have 255 bytes
_LONG = "long/"  # where the others lie
_ERASED = "erased/"  # where those are noted who were erased


@dataclass(frozen=True, slots=True)
class StagedFrame:
    """A frame as a JPEG in the stage: its number there (`frame_key`), and its place in the video."""

    number: int
    index: int
    time: float


@dataclass(frozen=True, slots=True)
class StagedSegment:
    """A piece of the video in the stage; `Segment` less its bytes."""

    start: Place
    last: Place
    before: Place | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A chunk of an upload: some frames, or one segment.

    number: from 1. media: the whole video's; its source is the upload's key. sampling: which frames were taken, or are
    to be taken of the segment. start, end: seconds of the video.
    """

    upload: Upload
    number: int
    media: Media
    sampling: Sampling
    start: float
    end: float
    frames: tuple[StagedFrame, ...] = ()
    segment: StagedSegment | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upload came to, once all of it is cut. took: what the cutting took, see `core.counting`."""

    upload: Upload
    media: Media
    sampling: Sampling
    chunks: int
    frames: int
    took: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rest:
    """An upload of which the chunks from `number` on are still to be cut. took: what was spent on those before."""

    upload: Upload
    number: int
    took: Mapping[str, float]


def folder_of(upload: Upload) -> str:
    """Where all of an upload lies in the stage, and nothing else: under its own key, as a rule.

    Nothing but a picture that somebody put there begins with `pictures/`, for that would ask for work.
    """
    key = upload.key
    if f"{key}/".lstrip("_").startswith((PICTURES, _LONG, _ERASED)):
        key = "_" + key
    if len(key) > _LONGEST:
        key = _LONG + sha256(key.encode()).hexdigest()
    return f"{key}/{upload.version}"


def frame_key(folder: str, number: int) -> str:
    """number: from 1, over all frames that were kept."""
    return f"{folder}/frame-{number:06d}.jpg"


def segment_key(folder: str, number: int) -> str:
    """number: its chunk's."""
    return f"{folder}/segment-{number:06d}.mkv"


def manifest_key(folder: str, number: int) -> str:
    return f"{folder}/{number:06d}{CHUNK}"


def rest_key(folder: str, number: int) -> str:
    return f"{folder}/{number:06d}{REST}"


def plan_key(folder: str) -> str:
    return f"{folder}/plan.json"


def answers_folder(folder: str) -> str:
    return f"{folder}/answers"


def answer_key(folder: str, number: int) -> str:
    return f"{answers_folder(folder)}/{number:06d}.json"


def answer_of(key: str) -> str:
    """The key of the answer to the chunk whose manifest has this key."""
    folder, _, name = key.rpartition("/")
    return f"{answers_folder(folder)}/{name.removesuffix(CHUNK)}.json"


def erased_key() -> str:
    """Of no upload: whom no answer is to name any more."""
    return f"{_ERASED}people.json"


def to_bytes(record: Manifest | Plan | Rest) -> bytes:
    """One line of JSON."""
    data = asdict(record)
    if "sampling" in data:
        data["sampling"] = spell_every(record.sampling)  # type: ignore[union-attr]
    return json.dumps({"visage": VERSION, **data}, separators=(",", ":")).encode()


def manifest_from_bytes(text: bytes) -> Manifest:
    """Raises `MessageError` for whatever `to_bytes` did not write."""
    data = _read(text)
    try:
        return Manifest(
            upload=_upload(data),
            number=int(data["number"]),
            media=media_from_json(data["media"]),
            sampling=parse_every(data["sampling"]),
            start=float(data["start"]),
            end=float(data["end"]),
            frames=tuple(StagedFrame(int(f["number"]), int(f["index"]), float(f["time"])) for f in data["frames"]),
            segment=_segment(data["segment"]) if data["segment"] else None,
        )
    except _NOT_OURS as error:
        raise MessageError("the manifest is none of this version of Visage") from error


def plan_from_bytes(text: bytes) -> Plan:
    """Raises `MessageError`."""
    data = _read(text)
    try:
        return Plan(
            upload=_upload(data),
            media=media_from_json(data["media"]),
            sampling=parse_every(data["sampling"]),
            chunks=int(data["chunks"]),
            frames=int(data["frames"]),
            took=_numbers(data["took"]),
        )
    except _NOT_OURS as error:
        raise MessageError("the plan is none of this version of Visage") from error


def rest_from_bytes(text: bytes) -> Rest:
    """Raises `MessageError`."""
    data = _read(text)
    try:
        return Rest(_upload(data), int(data["number"]), _numbers(data["took"]))
    except _NOT_OURS as error:
        raise MessageError("the note of what is left to be cut is none of this version of Visage") from error


def _read(text: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError("what lies in the stage there is no JSON") from error
    if not isinstance(data, dict) or data.get("visage") != VERSION:
        raise MessageError("what lies in the stage there is of another version of Visage")
    return data


def _upload(data: Mapping[str, Any]) -> Upload:
    one = data["upload"]
    return Upload(str(one["key"]), str(one["version"]), str(one["order"]), str(one["tag"]), int(one["size"]))


def _segment(one: Mapping[str, Any]) -> StagedSegment:
    before = one["before"]
    return StagedSegment(
        start=_place(one["start"]),
        last=_place(one["last"]),
        before=None if before is None else _place(before),
    )


def _place(one: Mapping[str, Any]) -> Place:
    return Place(int(one["index"]), float(one["time"]))


def _numbers(some: Mapping[str, Any]) -> Mapping[str, float]:
    return {str(name): float(number) for name, number in some.items()}
