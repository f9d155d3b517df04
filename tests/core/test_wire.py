"""Answers as JSON: everything plain, everything there."""

import json
from dataclasses import replace

import numpy as np

from tests.fakes import CARD, face, match, sighting
from visage.core.answers import Answer, Comparison, Enrollment, Models, Outcome
from visage.core.match import rule_for
from visage.core.track import appearances
from visage.core.values import Embeddings, JobKind, MatchOptions, Media, Person
from visage.core.wire import answer_to_json

MEDIA = Media("été \udcff.jpg", 400, 200)
MODELS = Models("finder", "fake", "openvino CPU bf16")
SEEN = replace(sighting(), runner_up=match("Bo", 0.3), vector=np.full(4, 0.5, np.float32))


def test_a_recognition() -> None:
    unknown = replace(sighting(None), nearest=match("Bo", 0.2))
    seen = (SEEN, unknown)
    answer = Answer(
        JobKind.RECOGNIZE, (MEDIA,), MODELS, 1, seen, appearances(seen), 90,
        rule_for(CARD, MatchOptions(), 2), timings={"total": 0.12345678},
    )  # fmt: skip
    data = answer_to_json(answer)
    assert json.loads(json.dumps(data)) == data
    assert (data["kind"], data["source"], data["frames"], data["rotation"]) == ("recognize", MEDIA.source, 1, 90)
    assert data["names"] == ["Ada"]
    assert [one["name"] for one in data["people"]] == ["Ada", "unknown"]
    first, second = data["faces"]
    assert first["box"] == [100, 100, 212, 212]
    assert first["box_ratio"] == [0.25, 0.5, 0.53, 1.06]
    assert first["match"]["name"] == "Ada"
    assert first["runner_up"]["similarity"] == 0.3
    assert second["name"] == "unknown"
    assert second["match"] is None
    assert second["nearest"]["name"] == "Bo"
    assert data["rule"]["basis"] == "false matches"
    assert data["timings"] == {"total": 0.123457}
    assert "vector" not in first
    assert answer_to_json(answer, vectors=True)["faces"][0]["vector"] == [0.5] * 4


def test_a_detection_has_no_names() -> None:
    data = answer_to_json(Answer(JobKind.DETECT, (MEDIA,), MODELS, 1, (SEEN,)))
    assert {"names", "people", "rule"}.isdisjoint(data)
    assert {"name", "match", "nearest"}.isdisjoint(data["faces"][0])


def test_a_recognition_without_faces_has_empty_lists() -> None:
    data = answer_to_json(Answer(JobKind.RECOGNIZE, (MEDIA,), MODELS, 1, rule=rule_for(CARD, MatchOptions(), 1)))
    assert (data["faces"], data["names"], data["people"]) == ([], [], [])


def test_a_comparison_places_each_face_in_its_own_picture() -> None:
    other = Media("b.jpg", 1000, 1000)
    comparison = Comparison(True, 0.91234567, 0.99, 0.5, face(), face())
    data = answer_to_json(Answer(JobKind.COMPARE, (MEDIA, other), MODELS, 2, comparison=comparison))
    assert [one["source"] for one in data["media"]] == [MEDIA.source, "b.jpg"]
    assert data["comparison"]["similarity"] == 0.9123
    assert [one["box_ratio"][0] for one in data["comparison"]["faces"]] == [0.25, 0.1]
    assert "faces" not in data


def test_an_enrollment() -> None:
    person = Person("1", "Ada", "default", 1, 5.0)
    enrollment = Enrollment(Outcome.ENROLLED, "enrolled", person, "2", ("Bo", 0.87654321))
    data = answer_to_json(Answer(JobKind.ENROLL, (MEDIA,), MODELS, 1, enrollment=enrollment))
    assert data["enrollment"]["outcome"] == "enrolled"
    assert data["enrollment"]["person"]["name"] == "Ada"
    assert data["enrollment"]["resembles"] == {"name": "Bo", "similarity": 0.8765}
    refused = answer_to_json(
        Answer(JobKind.ENROLL, (MEDIA,), MODELS, 1, enrollment=Enrollment(Outcome.NO_FACE, "none", None))
    )
    assert refused["enrollment"]["person"] is refused["enrollment"]["resembles"] is None


def test_vectors_never_part_from_their_model() -> None:
    assert len(Embeddings(np.zeros((3, 4), np.float32), "fake")) == 3
