"""The answers of an upload's chunks -> its result, by whoever sees that they are all there."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from visage.core.answers import Answer
from visage.core.cost.counting import add_took
from visage.core.cost.prices import US_EAST_1, Architecture, dollars
from visage.core.errors import FaultError, MessageError, NoObjectError
from visage.core.names import lookup_name
from visage.core.ports.objects import Objects
from visage.core.serverless.reread import answer_from_json
from visage.core.serverless.results import done, failed, keep
from visage.core.serverless.staging import (
    VERSION,
    Manifest,
    Plan,
    answer_key,
    answer_of,
    answers_folder,
    plan_from_bytes,
    plan_key,
)
from visage.core.serverless.struck import less, notes_in, strike
from visage.core.track import appearances, step_of
from visage.core.wire import answer_to_json

# Answers that are read at the same time.
AT_ONCE = 16


def answered(manifest: Manifest, answer: Answer, took: Mapping[str, float], collection: str) -> dict[str, Any]:
    """What is kept of a chunk that was recognized. No embeddings: nobody enrolled these faces. collection: in which
    people were looked for."""
    return {
        "visage": VERSION,
        "status": "done",
        "number": manifest.number,
        "collection": lookup_name(collection),
        "answer": answer_to_json(answer),
        "took": dict(took),
    }


def given_up(manifest: Manifest, reason: str) -> dict[str, Any]:
    """What is kept of a chunk that failed for good."""
    span = {"from": round(manifest.start, 3), "to": round(manifest.end, 3)}
    return {"visage": VERSION, "status": "failed", "number": manifest.number, **span, "error": reason}


def is_done(stage: Objects, folder: str, number: int) -> bool:
    """Whether the chunk of this number was recognized."""
    return _status(stage, answer_key(folder, number)) == "done"


def keep_answer(stage: Objects, folder: str, answer: Mapping[str, Any]) -> None:
    """Store the chunk's answer. The first one that is done stays; it takes the place of a failure."""
    key, data = answer_key(folder, int(answer["number"])), json.dumps(answer, separators=(",", ":")).encode()
    while not stage.create(key, data):
        if answer["status"] != "done":
            return
        found, version = stage.read(key)
        if json.loads(found)["status"] == "done" or stage.replace(key, data, version):
            return


def strike_erased(stage: Objects, key: str) -> None:
    """To be called after a chunk's answer was stored: whoever was erased meanwhile is struck out of it. key: of the
    chunk's manifest."""
    strike(stage, answer_of(key), notes_in(stage))


def fold(stage: Objects, outputs: Objects, folder: str, architecture: Architecture = Architecture.X86) -> bool:
    """Store the result if the plan and all answers are there; whether they were. Raises `StorageError`.

    architecture: of the functions, for what it cost."""
    try:
        plan = plan_from_bytes(stage.get(plan_key(folder)))
    except NoObjectError:
        return False
    wanted = [answer_key(folder, number) for number in range(1, plan.chunks + 1)]
    # All who recognize a chunk ask, and of a long video the listing has many pages. The last chunk is seldom early.
    if stage.version(wanted[-1]) is None:
        return False
    if not {stored.key for stored in stage.list(answers_folder(folder))}.issuperset(wanted):
        return False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [_chunk(data) for data in pool.map(stage.get, wanted)]
    if notes := notes_in(stage):  # whoever stored an answer may have died before striking them out
        answers = [less(one, notes) for one in answers]
    keep(outputs, plan.upload.key, result_of(plan, answers, architecture))
    return True


def result_of(plan: Plan, answers: Sequence[Mapping[str, Any]], architecture: Architecture) -> dict[str, Any]:
    """answers: one for each chunk, in their order. What it took says all but the making of the result itself."""
    good = [one for one in answers if one["status"] == "done"]
    missing = [{name: one[name] for name in ("from", "to", "error")} for one in answers if one["status"] != "done"]
    took = add_took(plan.took, *(one["took"] for one in good))
    facts: dict[str, Any] = {"took": took, **_cost(took, architecture)}
    if missing:
        facts["missing"] = missing
    if not good:
        reason = str(missing[0]["error"]) if missing else "nothing of it was recognized"
        return failed(plan.upload, FaultError(f"{plan.upload.key}: {reason}"), **facts)
    whole = _joined(plan, [answer_from_json(one["answer"], plan.sampling) for one in good])
    return done(plan.upload, answer_to_json(whole), chunks=len(good), **facts)


def _cost(took: Mapping[str, float], architecture: Architecture) -> dict[str, Any]:
    """Nothing where the functions' memory is not paid for, as on one machine."""
    if "gb_seconds" not in took:
        return {}
    parts = dollars(took, US_EAST_1, architecture)
    return {"dollars": {**parts, "total": sum(parts.values()), "region": US_EAST_1.region, "prices": US_EAST_1.date}}


def _joined(plan: Plan, parts: Sequence[Answer]) -> Answer:
    sightings = tuple(seen for part in parts for seen in part.sightings)
    frames = sum(part.frames for part in parts)
    timings: dict[str, float] = {}
    for part in parts:
        for stage, seconds in part.timings.items():
            timings[stage] = timings.get(stage, 0.0) + seconds
    return replace(
        parts[-1],
        media=(plan.media,),
        frames=frames,
        sightings=sightings,
        people=appearances(sightings, step_of(plan.sampling, plan.media, frames)),
        timings=timings,
    )


def _status(stage: Objects, key: str) -> str | None:
    try:
        return str(_chunk(stage.get(key))["status"])
    except NoObjectError:
        return None


def _chunk(data: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(data)
        if answer["visage"] == VERSION:
            return dict(answer)
    except (ValueError, KeyError, TypeError):
        pass
    raise MessageError("a chunk's answer in the stage is none of this version of Visage")
