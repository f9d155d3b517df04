"""Answers that were given are put right: faces named or unnamed in a stored result, and all that follows from it.

What a face was called before is kept in the result itself, under `before`, so that it can be taken back exactly: for
each place and each who amended it, what they found there, in the order in which they did.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from visage.core.answers import names_of
from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.tickets import result_key, result_to_bytes
from visage.core.track import appearances, step_of
from visage.core.values import Face, Match, Media, Quality, Sampling, Sighting

BEFORE = "before"
MATCHES = ("match", "nearest", "runner_up")

_TRIES = 20  # each that fails means that somebody else wrote the result anew meanwhile


def amend(
    result: Mapping[str, Any],
    changes: Mapping[int, Mapping[str, Any] | None],
    sampling: Sampling | None = None,
    by: str = "",
) -> dict[str, Any]:
    """The result with other names on some faces. changes: by place in the answer's `faces`, the match as JSON, or None
    for nobody; places that are not there are nothing. sampling: of the job, where it is known; else the pictures are
    taken to be evenly spread over the video. by: who says so, for `restore`; said again after somebody else has amended
    the face, it is nothing new.

    Whoever was thought nearest before is the runner-up now, unless it is the same person. A result in which nobody was
    to be named is returned as it is.
    """
    faces, before = _faces(result), dict(result.get(BEFORE) or {})
    places = [place for place in changes if 0 <= place < len(faces)]
    if not places or "rule" not in result["answer"]:
        return dict(result)
    for place in places:
        face, said = faces[place], _said(before, place)
        if _mark(place, by) in said[:-1]:
            continue
        before.setdefault(_mark(place, by), {key: face[key] for key in MATCHES})
        faces[place] = _called(face, changes[place])
    return {**result, "answer": _answer(result["answer"], faces, sampling), BEFORE: before}


def restore(
    result: Mapping[str, Any], places: Collection[int], sampling: Sampling | None = None, by: str = ""
) -> dict[str, Any]:
    """Take back what `amend` did to these faces in the name of `by`. What others said of them before holds again, and
    what others said of them since still does."""
    faces, before = _faces(result), dict(result.get(BEFORE) or {})
    kept = [place for place in places if _mark(place, by) in before and place < len(faces)]
    if not kept:
        return dict(result)
    for place in kept:
        mark, said = _mark(place, by), _said(before, place)
        since, was = said[said.index(mark) + 1 :], before.pop(mark)
        if since:
            before[since[0]] = was
        else:
            faces[place] = {**faces[place], "name": _name(was["match"]), **was}
    whole = {**result, "answer": _answer(result["answer"], faces, sampling), BEFORE: before}
    if not before:
        del whole[BEFORE]
    return whole


def without(result: Mapping[str, Any], people: Collection[str], sampling: Sampling | None = None) -> dict[str, Any]:
    """The result without these people (ids of theirs, or of their faces): whoever was seen as one of them is unknown,
    and nobody was weighed against them; nor can that be taken back."""
    if "rule" not in (result.get("answer") or {}):
        return dict(result)
    faces = [_less(face, people) for face in _faces(result)]
    whole = {**result, "answer": _answer(result["answer"], faces, sampling)}
    if BEFORE in whole:
        whole[BEFORE] = {place: _less(was, people) for place, was in whole[BEFORE].items()}
    return whole


def said_in(result: Mapping[str, Any]) -> dict[int, list[str]]:
    """Who amended which of the answer's faces (their `by`), by place; of each the first of them first."""
    said: dict[int, list[str]] = {}
    for mark in result.get(BEFORE) or {}:
        place, _, by = mark.partition(" ")
        said.setdefault(int(place), []).append(by)
    return said


def rewrite(outputs: Objects, job: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> bool:
    """Change a job's stored result, whoever else changes it at the same time; whether anything was changed. False too
    where there is none, where it is an error, or where it is damaged. Raises `StorageError`."""
    for _ in range(_TRIES):
        try:
            data, version = outputs.read(result_key(job))
        except NoObjectError:
            return False
        try:
            result = json.loads(data)
            if result["status"] != "done":
                return False
            changed = result_to_bytes(change(result))
        except (ValueError, KeyError, TypeError):
            return False
        if changed == result_to_bytes(result):
            return False
        if outputs.replace(result_key(job), changed, version):
            return True
    raise StorageError(f"{result_key(job)}: it is written again and again; try again")


def _mark(place: int, by: str) -> str:
    return f"{place} {by}"


def _said(before: Mapping[str, Any], place: int) -> list[str]:
    """The marks of all who amended the face in this place, the first of them first."""
    return [mark for mark in before if mark.startswith(f"{place} ")]


def _faces(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((result.get("answer") or {}).get("faces") or [])


def _name(match: Mapping[str, Any] | None) -> str:
    return Sighting(0, 0.0, _FACE, _QUALITY, _match(match)).name


def _called(face: dict[str, Any], match: Mapping[str, Any] | None) -> dict[str, Any]:
    seen = [one for one in (face["match"], face["nearest"], face["runner_up"]) if one]
    if match is None:
        # Whom it is not is not weighed either.
        denied = face["match"]["person_id"] if face["match"] else None
        others = _others(seen, denied)
        nearest, runner_up = [*others, None, None][:2]
    else:
        nearest, runner_up = match, next(iter(_others(seen, match["person_id"])), None)
    return {**face, "name": _name(match), "match": match, "nearest": nearest, "runner_up": runner_up}


def _others(seen: Sequence[Mapping[str, Any]], person: str | None) -> list[Mapping[str, Any]]:
    """Each of them once, less that person."""
    return list({one["person_id"]: one for one in seen if one["person_id"] != person}.values())


def _less(face: Mapping[str, Any], people: Collection[str]) -> dict[str, Any]:
    kept = {key: None if _is_of(face[key], people) else face[key] for key in MATCHES}
    name = {"name": _name(kept["match"])} if "name" in face else {}
    return {**face, **name, **kept}


def _is_of(match: Mapping[str, Any] | None, people: Collection[str]) -> bool:
    return match is not None and (match["person_id"] in people or match["face_id"] in people)


def _answer(answer: Mapping[str, Any], faces: list[dict[str, Any]], sampling: Sampling | None) -> dict[str, Any]:
    """The answer with these faces, and who appears in it when."""
    seen = [_sighting(face) for face in faces]
    found = appearances(seen, _step(answer, sampling))
    places = {id(sighting): place for place, sighting in enumerate(seen)}
    people = [
        {
            "person_id": person.person_id,
            "name": person.name,
            "sightings": person.sightings,
            "intervals": [[round(start, 3), round(end, 3)] for start, end in person.intervals],
            "best": {key: value for key, value in faces[places[id(person.best)]].items() if key != "vector"},
        }
        for person in found
    ]
    return {**answer, "faces": faces, "names": names_of(found), "people": people}


def _step(answer: Mapping[str, Any], sampling: Sampling | None) -> float:
    """Seconds between the pictures that were looked at."""
    media = Media(**answer["media"][0])
    frames = int(answer["frames"])
    return step_of(sampling or Sampling(count=frames), media, frames) if media.is_video else 0.0


# What is not needed to tell who appears when.
_FACE = Face((0.0, 0.0, 0.0, 0.0), np.zeros((5, 2), np.float32), 0.0)
_QUALITY = Quality(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _sighting(face: Mapping[str, Any]) -> Sighting:
    return Sighting(int(face["frame"]), float(face["time"]), _FACE, Quality(**face["quality"]), _match(face["match"]))


def _match(match: Mapping[str, Any] | None) -> Match | None:
    return Match(**match) if match else None
