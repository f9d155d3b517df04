"""JSON as `core.wire` writes it -> the answer it was, of the kinds that look at one source."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from visage.core.answers import Answer, Models
from visage.core.errors import MessageError
from visage.core.match import Rule
from visage.core.track import appearances, step_of
from visage.core.values import Face, JobKind, Match, Media, Quality, Sampling, Sighting


def answer_from_json(data: Mapping[str, Any], sampling: Sampling) -> Answer:
    """The answer, to the digits that were written; vectors are not read. sampling: of the job.

    Raises `MessageError` for what `answer_to_json` did not write of a recognition or a detection.
    """
    try:
        media = media_from_json(data["media"][0])
        rule = Rule(**data["rule"]) if "rule" in data else None
        frames = int(data["frames"])
        sightings = tuple(_sighting(seen) for seen in data["faces"])
        return Answer(
            kind=JobKind(data["kind"]),
            media=(media,),
            models=Models(**data["models"]),
            frames=frames,
            sightings=sightings,
            people=appearances(sightings, step_of(sampling, media, frames)) if rule else (),
            rotation=int(data["rotation"]),
            rule=rule,
            timings={str(stage): float(seconds) for stage, seconds in data["timings"].items()},
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MessageError("that is no answer of this version of Visage") from error


def media_from_json(data: Mapping[str, Any]) -> Media:
    """Raises `KeyError`, `TypeError` or `ValueError` for what `media_to_json` did not write."""
    duration, fps, problem = data["duration"], data["fps"], data["problem"]
    return Media(
        source=str(data["source"]),
        width=int(data["width"]),
        height=int(data["height"]),
        duration=None if duration is None else float(duration),
        fps=None if fps is None else float(fps),
        problem=None if problem is None else str(problem),
    )


def _sighting(data: Mapping[str, Any]) -> Sighting:
    x1, y1, x2, y2 = (float(value) for value in data["box"])
    return Sighting(
        frame=int(data["frame"]),
        time=float(data["time"]),
        face=Face((x1, y1, x2, y2), np.array(data["landmarks"], np.float32).reshape(5, 2), float(data["score"])),
        quality=Quality(**data["quality"]),
        match=_match(data.get("match")),
        nearest=_match(data.get("nearest")),
        runner_up=_match(data.get("runner_up")),
    )


def _match(data: Mapping[str, Any] | None) -> Match | None:
    return Match(**data) if data else None
