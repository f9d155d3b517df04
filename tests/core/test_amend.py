"""Answers put right: what is amended by hand is what the engine would have answered, and can be taken back exactly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import face, match, quality
from visage.core.amend import BEFORE, amend, restore, rewrite, without
from visage.core.answers import Answer, Models
from visage.core.match import Rule
from visage.core.tickets import Ticket, result_key, result_of, result_to_bytes
from visage.core.track import appearances, step_of
from visage.core.values import Job, JobKind, Match, Media, Sampling, Sighting
from visage.core.wire import match_to_json
from visage.objects.folder import FolderObjects

ADA, BO, CY = match("Ada", 0.71), match("Bo", 0.42), match("Cy", 0.31)
FILM = Media("film.mp4", 400, 300, duration=60.0, fps=10.0)
JOB = "a" * 32


def seen(time: float, who: Match | None, *weighed: Match, score: float = 0.9) -> Sighting:
    nearest, runner_up = [*weighed, None, None][:2] if who is None else [who, *weighed, None][:2]
    return Sighting(int(time * 10), time, face(), quality(score), who, nearest, runner_up)


def result(*sightings: Sighting, sampling: Sampling | None = None, media: Media = FILM) -> dict[str, Any]:
    """As a worker stores it, read again."""
    sampling = sampling or Sampling()
    answer = Answer(
        kind=JobKind.RECOGNIZE,
        media=(media,),
        models=Models("detector", "embedder", "runtime"),
        frames=13,
        sightings=sightings,
        people=appearances(sightings, step_of(sampling, media, 13)),
        rule=Rule(0.5, "given", limited=False, stranger_rate=0.01, enrolled=3),
    )
    job = Job(JobKind.RECOGNIZE, (f"{JOB}/0",), sampling=sampling, id=JOB)
    ticket = Ticket(JOB, job, ("film.mp4",), None, "req", "me", "", vectors=False, created=1.0)
    return dict(json.loads(result_to_bytes(result_of(ticket, answer, 2.0))))


def test_an_amended_answer_is_the_one_that_would_have_been_given() -> None:
    before = [seen(0.0, None, BO, CY), seen(0.5, ADA, BO), seen(9.0, None, ADA, BO), seen(9.1, None, CY)]
    after = [seen(0.0, ADA, BO), seen(0.5, ADA, BO), seen(9.0, ADA, BO), seen(9.1, None, CY)]
    amended = amend(result(*before), {0: match_to_json(ADA), 2: match_to_json(ADA)}, Sampling())
    assert {key: value for key, value in amended.items() if key != BEFORE} == result(*after)
    assert amended["answer"]["people"][0]["intervals"] == [[0.0, 0.5], [9.0, 9.0]]


def test_who_is_denied_is_not_weighed_either() -> None:
    amended = amend(result(seen(0.0, ADA, BO), seen(0.1, None, CY)), {0: None}, Sampling())
    assert {key: value for key, value in amended.items() if key != BEFORE} == result(
        seen(0.0, None, BO), seen(0.1, None, CY)
    )
    assert amended["answer"]["names"] == ["unknown"]


@pytest.mark.parametrize("sampling", [Sampling(seconds=5.0), None])
def test_intervals_are_joined_by_the_sampling_of_the_job(sampling: Sampling | None) -> None:
    """Of every second picture the person is missed."""
    job = Sampling(seconds=5.0)
    times = [0.0, 10.0, 20.0]
    whole = result(*[seen(time, None, BO) for time in times], sampling=job)
    amended = amend(whole, dict.fromkeys(range(3), match_to_json(ADA)), sampling)
    (person,) = amended["answer"]["people"]
    assert person["intervals"] == ([[0.0, 20.0]] if sampling else [[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])


def test_what_was_amended_can_be_taken_back_exactly() -> None:
    whole = result(seen(0.0, None, BO, CY), seen(0.5, ADA, BO), seen(1.0, BO))
    once = amend(whole, {0: match_to_json(ADA), 1: None})
    twice = amend(once, {0: match_to_json(CY), 2: match_to_json(CY)})
    assert restore(twice, [0, 1, 2], Sampling()) == whole
    assert restore(restore(twice, [2]), [1, 0], Sampling()) == whole
    assert restore(whole, [0, 1]) == whole


def test_of_what_several_said_each_can_be_taken_back_in_any_order() -> None:
    whole = result(seen(0.0, None))
    ada = amend(whole, {0: match_to_json(ADA)}, by="one")
    bo = amend(ada, {0: match_to_json(BO)}, by="two")
    assert restore(bo, [0], by="two") == ada
    left = restore(bo, [0], by="one")
    assert left["answer"] == bo["answer"]
    assert restore(left, [0], by="two") == restore(ada, [0], by="one") == whole
    assert amend(bo, {0: match_to_json(ADA)}, by="one") == bo  # by who comes late, and was there before
    assert restore(bo, [0], by="nobody") == bo


def test_places_that_are_not_there_are_nothing() -> None:
    whole = result(seen(0.0, None, BO))
    assert amend(whole, {1: match_to_json(ADA), -1: None}) == whole
    assert amend({**whole, "answer": {"faces": whole["answer"]["faces"]}}, {0: None}).keys() == whole.keys()


def test_without_somebody_nothing_speaks_of_them() -> None:
    whole = amend(result(seen(0.0, ADA, BO), seen(0.1, BO, ADA), seen(0.2, CY, ADA)), {2: match_to_json(ADA)})
    left = without(whole, [ADA.person_id])
    assert ADA.person_id not in json.dumps(left)
    assert [one["name"] for one in left["answer"]["faces"]] == ["unknown", "Bo", "unknown"]
    assert left["answer"]["names"] == ["Bo"]
    assert restore(left, [2])["answer"]["faces"][2]["match"]["name"] == "Cy"


def test_a_stored_result_is_changed_whoever_else_changes_it(tmp_path: Path) -> None:
    class Crowded(FolderObjects):
        others = 3

        def replace(self, key: str, data: bytes, version: str) -> bool:
            self.others -= 1
            if self.others >= 0:
                now = json.loads(self.get(key))
                self.put(key, result_to_bytes(amend(now, {self.others: match_to_json(BO)})))
            return super().replace(key, data, version)

    outputs = Crowded(tmp_path)
    outputs.put(result_key(JOB), result_to_bytes(result(*[seen(i / 10, None, CY) for i in range(4)])))
    assert rewrite(outputs, JOB, lambda found: amend(found, {3: match_to_json(ADA)}))
    stored = json.loads(outputs.get(result_key(JOB)))
    assert [one["name"] for one in stored["answer"]["faces"]] == ["Bo", "Bo", "Bo", "Ada"]


@pytest.mark.parametrize("data", [None, b"no JSON", b"[]", b'{"status":"failed","error":{}}', b'{"status":"done"}'])
def test_what_is_no_answer_is_left_alone(tmp_path: Path, data: bytes | None) -> None:
    outputs = FolderObjects(tmp_path)
    if data is not None:
        outputs.put(result_key(JOB), data)
    assert not rewrite(outputs, JOB, lambda found: amend(found, {0: match_to_json(ADA)}))
    assert data is None or outputs.get(result_key(JOB)) == data


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    outputs = FolderObjects(tmp_path)
    outputs.put(result_key(JOB), result_to_bytes(result(seen(0.0, replace(ADA, probability=0.5)))))
    version = outputs.version(result_key(JOB))
    assert not rewrite(outputs, JOB, lambda found: restore(found, [0]))
    assert outputs.version(result_key(JOB)) == version
