"""A change of the enrolled people: what it was, and its way back."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from visage.core.answers import Outcome
from visage.core.errors import MessageError
from visage.core.journal.steps import Added, Denied, Pending, Step, present, somebody, step_from_json, step_to_json
from visage.core.ports.gallery import Gallery

VERSION = 1

# A change's id: what is left of the time until then, so that the newest comes first, and 32 hex digits.
ID = "[0-9]{13}-[0-9a-f]{32}"
_END = 10**13 - 1


class ChangeKind(StrEnum):
    ENROLL = "enroll"
    BULK = "bulk"
    RENAME = "rename"
    MERGE = "merge"
    MOVE = "move"
    HIDE = "hide"
    UNHIDE = "unhide"
    NAME = "name"
    IGNORE = "ignore"
    RESTORE = "restore"
    NOT_A_FACE = "not-a-face"
    DENY = "deny"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. people: (id, name) of those it is about, as they were called before it. steps: the way there; back
    one goes from the last to the first. by: the account. at: seconds since 1970. undone: when it was undone and by
    which account, if it was."""

    id: str
    kind: ChangeKind
    collection: str
    people: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    by: str
    at: float
    undone: tuple[float, str] | None = None

    @property
    def pending(self) -> tuple[Pending, ...]:
        """Of jobs that may not be done."""
        return tuple(step for step in self.steps if isinstance(step, Pending))


def new_change_id(moment: float, digits: str) -> str:
    """moment: seconds since 1970. digits: 32 hex digits."""
    return f"{_END - int(min(max(moment, 0.0) * 1000, _END)):013d}-{digits}"


def moment_of(change_id: str) -> float:
    """When it was, in seconds since 1970."""
    return (_END - int(change_id[:13])) / 1000


def change_to_bytes(change: Change) -> bytes:
    said = {
        "visage": VERSION,
        "kind": change.kind.value,
        "collection": change.collection,
        "people": change.people,
        "steps": [step_to_json(step) for step in change.steps],
        "by": change.by,
        "at": change.at,
    }
    return json.dumps(said, separators=(",", ":")).encode()


def change_from_bytes(change_id: str, data: bytes) -> Change:
    said = json.loads(data)
    if said["visage"] != VERSION:
        raise MessageError("it is no change of this version of Visage")
    return Change(
        id=change_id,
        kind=ChangeKind(said["kind"]),
        collection=said["collection"],
        people=tuple((person_id, name) for person_id, name in said["people"]),
        steps=tuple(step_from_json(step) for step in said["steps"]),
        by=said["by"],
        at=float(said["at"]),
    )


# A face that a job left behind: as what, whose it is or is not (id, name), and its id.
Left = tuple[type[Added | Denied], str, str, str]
_LEFT: dict[str | None, type[Added | Denied]] = {Outcome.ENROLLED.value: Added, Outcome.DENIED.value: Denied}


def enrollments_in(results: Iterable[Mapping[str, Any]]) -> Iterator[Left]:
    """What jobs of one photo left behind."""
    for result in results:
        said = (result.get("answer") or {}).get("enrollment") or {}
        kind = _LEFT.get(said.get("outcome"))
        if kind and said["face_id"] and said["person"]:
            yield kind, said["person"]["id"], said["person"]["name"], said["face_id"]


def enrollments_of_many(
    results: Iterable[Mapping[str, Any]], gallery: Callable[[], Gallery], collection: str
) -> Iterator[Left]:
    """What jobs of many photos left behind; their reports tell the faces, and people by name alone."""
    rows = [row for result in results for row in (result.get("report") or {}).get("photos", ())]
    faces = [row["face_id"] for row in rows if row["outcome"] == Outcome.ENROLLED and row["face_id"]]
    owners = present(gallery(), collection, faces) if faces else {}
    names = {person_id: somebody(gallery(), collection, person_id) for person_id in set(owners.values())}
    for face in faces:
        if person := names.get(owners.get(face, "")):
            yield Added, person.id, person.name, face


def steps_of(left: Iterable[Left]) -> tuple[list[Step], list[tuple[str, str]]]:
    """What was left behind as steps, and of whom: (id, name)."""
    kept: dict[tuple[type[Added | Denied], str, str], list[str]] = {}
    for kind, person_id, name, face in left:
        kept.setdefault((kind, person_id, name), []).append(face)
    steps: list[Step] = [kind(person_id, tuple(faces)) for (kind, person_id, _), faces in kept.items()]
    return steps, [(person_id, name) for _, person_id, name in kept]


def is_about(change: Change, collection: str | None, person_id: str | None) -> bool:
    if collection is not None and change.collection != collection:
        return False
    return person_id is None or person_id in texts_in(change)


def texts_in(change: Change) -> set[str]:
    """Every text in it, among which are the ids of people and faces."""
    found: set[str] = set()
    left: list[Any] = [change.people, *(step_to_json(step) for step in change.steps)]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.add(one)
        elif isinstance(one, Mapping):
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
    return found
