"""Answers from their JSON."""

import json
from dataclasses import replace

import pytest

from tests.fakes import sighting
from visage.core.answers import Answer, Models
from visage.core.errors import MessageError
from visage.core.match import Rule
from visage.core.serverless.reread import answer_from_json
from visage.core.track import appearances
from visage.core.values import JobKind, Media, Sampling
from visage.core.wire import answer_to_json

SEEN = (sighting("Ada", 0.0), sighting(None, 1.0), sighting("Ada", 2.0), sighting("Bo", 2.0))
ANSWER = Answer(
    kind=JobKind.RECOGNIZE,
    media=(Media("clip.mp4", 640, 480, 3.0, 10.0, "the file breaks off after 3.0 s"),),
    models=Models("yunet", "resnet", "fake CPU"),
    frames=3,
    sightings=SEEN,
    people=appearances(SEEN, 1.0),
    rule=Rule(0.5, "false matches", False, 0.01, 2),
    timings={"total": 1.5},
)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        replace(ANSWER, sightings=(), people=()),
        replace(ANSWER, kind=JobKind.DETECT, rule=None, people=(), sightings=(replace(SEEN[1], nearest=None),)),
        replace(ANSWER, media=(Media("a.jpg", 640, 480),), rotation=90),
    ],
)
def test_written_and_read_it_is_the_same(answer: Answer) -> None:
    data = json.loads(json.dumps(answer_to_json(answer)))
    assert answer_to_json(answer_from_json(data, Sampling(seconds=1.0))) == data


@pytest.mark.parametrize(
    "change", [{"media": []}, {"faces": [{}]}, {"kind": "guess"}, {"rule": {"x": 1}}, {"frames": None}]
)
def test_what_is_no_answer_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MessageError):
        answer_from_json({**answer_to_json(ANSWER), **change}, Sampling())
