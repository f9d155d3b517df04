"""Who was erased is noted in the stage, and struck out of every answer there, whoever stored it and whenever.

Erasing notes first and looks through the answers then; whoever recognizes a chunk stores its answer first and reads the
notes then. So one of them sees the other, whichever comes first.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visage.core.amend import without
from visage.core.errors import NoObjectError, StorageError
from visage.core.names import lookup_name
from visage.core.ports.objects import Objects
from visage.core.serverless.staging import erased_key

VERSION = 1

# Seconds for which a note counts: longer than AWS keeps an event that failed, which may be played again until then.
KEPT = 15 * 24 * 3600.0

_TRIES = 20  # each that fails means that somebody else wrote it anew meanwhile
_IDS = re.compile(r'id":"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Note:
    """Who was erased from which collection: ids, of the person and their faces, and no name. at: seconds since 1970."""

    collection: str
    person: str
    ids: frozenset[str]
    at: float


def speaks_of(data: bytes, ids: Collection[str]) -> bool:
    """Whether JSON, as Visage writes it, holds one of these ids. Read as bytes: a long video has much of it."""
    return not set(ids).isdisjoint(_IDS.findall(data.decode("utf-8", "replace")))


def notes_in(stage: Objects) -> list[Note]:
    """Who was erased lately. Raises `StorageError`."""
    try:
        return _notes(stage.get(erased_key()))
    except NoObjectError:
        return []


def note(stage: Objects, new: Note) -> None:
    """Have it heeded from now on. Notes that are too old are dropped. Raises `StorageError`."""
    _change(stage, lambda notes: [*(one for one in notes if one.at > new.at - KEPT and one != new), new])


def drop_notes(stage: Objects, collection: str, people: Collection[str]) -> None:
    """These people (ids) are enrolled again, and may be named. Raises `StorageError`."""
    if any(_is_of(one, collection, people) for one in notes_in(stage)):
        _change(stage, lambda notes: [one for one in notes if not _is_of(one, collection, people)])


def strike(stage: Objects, key: str, notes: Sequence[Note]) -> bool:
    """Strike whoever is noted out of the chunk's answer that lies there; whether it spoke of them. An answer that is
    damaged is deleted. Raises `StorageError`."""
    if not notes:
        return False
    for _ in range(_TRIES):
        try:
            data, version = stage.read(key)
        except NoObjectError:
            return False
        struck = _struck(data, notes)
        if struck == data:
            return False
        if struck is None:
            stage.delete([key])
            return True
        if stage.replace(key, struck, version):
            return True
    raise StorageError(f"{key}: it is written again and again; try again")


def less(record: Mapping[str, Any], notes: Sequence[Note]) -> dict[str, Any]:
    """A chunk's answer, as it is kept, less whoever is noted: where they were seen somebody unknown is."""
    ids = _ids(notes, record.get("collection"))
    return without(record, ids) if ids else dict(record)


def _struck(data: bytes, notes: Sequence[Note]) -> bytes | None:
    """The answer less whoever is noted; None where that cannot be told."""
    if not speaks_of(data, _ids(notes, None)):
        return data
    try:
        record = json.loads(data)
        if not speaks_of(data, _ids(notes, record.get("collection"))):
            return data
        return json.dumps(less(record, notes), separators=(",", ":")).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _ids(notes: Sequence[Note], collection: str | None) -> frozenset[str]:
    """collection: None: of whichever; an answer of an earlier Visage does not say."""
    wanted = None if collection is None else lookup_name(collection)
    return frozenset().union(*(one.ids for one in notes if wanted in {None, one.collection}))


def _is_of(one: Note, collection: str, people: Collection[str]) -> bool:
    return one.collection == collection and one.person in people


def _change(stage: Objects, change: Callable[[list[Note]], list[Note]]) -> None:
    key = erased_key()
    for _ in range(_TRIES):
        try:
            data, version = stage.read(key)
        except NoObjectError:
            if stage.create(key, _to_bytes(change([]))):
                return
        else:
            if stage.replace(key, _to_bytes(change(_notes(data))), version):
                return
    raise StorageError(f"{key}: it is written again and again; try again")


def _to_bytes(notes: Sequence[Note]) -> bytes:
    people = [[one.collection, one.person, sorted(one.ids), round(one.at, 3)] for one in notes]
    return json.dumps({"visage": VERSION, "erased": people}, separators=(",", ":")).encode()


def _notes(data: bytes) -> list[Note]:
    try:
        record = json.loads(data)
        if record["visage"] != VERSION:
            raise ValueError("another version")
        return [
            Note(str(collection), str(person), frozenset(map(str, ids)), float(at))
            for collection, person, ids, at in record["erased"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{erased_key()}: what is stored there is damaged; delete it") from error
