"""Photos of several jobs through the networks together: the same answers as one by one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.service_fakes import PICTURES, enroll_both, make_kit
from tests.fakes import FakeDecoder, FakeEmbedder
from visage.core.answers import Answer
from visage.core.errors import NotFoundError, UsageError, VisageError
from visage.core.jobs import perform
from visage.core.kit import Kit
from visage.core.photos import Photo, Stopwatch, open_photo, perform_photos
from visage.core.values import Job, JobKind, MatchOptions
from visage.core.wire import answer_to_json

JOBS = [
    Job(JobKind.RECOGNIZE, ("ada",)),
    Job(JobKind.DETECT, ("bo",)),
    Job(JobKind.RECOGNIZE, ("sideways",)),
    Job(JobKind.RECOGNIZE, ("nobody",), match=MatchOptions(nearest=True)),
    Job(JobKind.RECOGNIZE, ("bo",), collection="others"),
    Job(JobKind.RECOGNIZE, ("bo",), match=MatchOptions(threshold=0.99)),
]


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def kit(tmp_path: Path, embedder: FakeEmbedder) -> Kit:
    enroll_both(tmp_path)
    return make_kit(tmp_path, FakeDecoder(PICTURES), embedder=embedder)


def opened(jobs: list[Job], kit: Kit) -> list[Photo]:
    photos = [open_photo(job, kit) for job in jobs]
    assert all(photos)
    return [photo for photo in photos if photo]


def untimed(answer: Answer | VisageError) -> dict[str, object]:
    assert isinstance(answer, Answer), answer
    return answer_to_json(replace(answer, timings={}), vectors=True)


def test_the_answers_are_those_of_one_by_one(kit: Kit, embedder: FakeEmbedder) -> None:
    together = perform_photos(opened(JOBS, kit), kit)
    assert embedder.batches == [4]  # one face in each picture of those to be recognized that have one
    apart = [perform(job, kit) for job in JOBS]
    assert [untimed(one) for one in together] == [untimed(one) for one in apart]
    assert [one.names for one in apart] == [["Ada"], [], ["unknown"], [], ["unknown"], ["Bo"]]


def test_each_photo_has_the_turn_that_it_needed(kit: Kit) -> None:
    answers = perform_photos(opened(JOBS[:3], kit), kit)
    assert [answer.rotation for answer in answers if isinstance(answer, Answer)] == [0, 0, 90]


@pytest.mark.parametrize(
    "bad",
    [
        Job(JobKind.RECOGNIZE, ("bo",), collection="a/b"),
        Job(JobKind.RECOGNIZE, ("bo",), match=MatchOptions(stranger_rate=0)),
    ],
)
def test_a_job_that_makes_no_sense_hurts_nobody_else(bad: Job, kit: Kit) -> None:
    first, wrong, last = perform_photos(opened([JOBS[0], bad, JOBS[0]], kit), kit)
    assert isinstance(wrong, UsageError)
    assert untimed(first) == untimed(last) == untimed(perform(JOBS[0], kit))


def test_without_a_gallery_detection_goes_on(tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "empty", FakeDecoder(PICTURES))
    recognized, detected = perform_photos(opened(JOBS[:2], kit), kit)
    assert isinstance(recognized, VisageError)
    assert isinstance(detected, Answer)
    assert len(detected.sightings) == 1


def test_detection_alone_asks_no_embedder(kit: Kit, embedder: FakeEmbedder) -> None:
    perform_photos(opened([JOBS[1], JOBS[1]], kit), kit)
    assert embedder.batches == []
    assert perform_photos([], kit) == []


def test_what_was_done_together_counts_for_each(kit: Kit) -> None:
    ticks = iter(range(1000))
    kit.clock = lambda: float(next(ticks))
    photos = opened([JOBS[0], JOBS[0]], kit)
    photos[1].watch.timings["decode"] = 100.0
    first, second = perform_photos(photos, kit)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    for stage in ("detect", "crop", "embed", "match"):
        assert first.timings[stage] == second.timings[stage] == 1.0
    assert (first.timings["decode"], second.timings["decode"]) == (1.0, 100.0)
    for answer in (first, second):  # opened (3 ticks), together (7), its own part (3)
        assert answer.timings["total"] == 13.0


def test_what_cannot_be_decoded_ahead(kit: Kit) -> None:
    assert open_photo(Job(JobKind.RECOGNIZE, ("film",)), kit) is None
    assert open_photo(Job(JobKind.ENROLL, ("ada",), name="Ada"), kit) is None
    assert open_photo(Job(JobKind.COMPARE, ("ada", "bo")), kit) is None
    assert open_photo(Job(JobKind.RECOGNIZE, ()), kit) is None
    with pytest.raises(NotFoundError, match="gone"):
        open_photo(Job(JobKind.DETECT, ("gone",)), kit)


def test_a_stopwatch_adds_up_also_when_a_stage_fails() -> None:
    ticks = iter([0.0, 1.0, 10.0, 12.0])
    watch = Stopwatch(lambda: next(ticks))
    with watch.lap("detect"):
        pass
    with pytest.raises(ValueError, match="no"), watch.lap("detect"):
        raise ValueError("no")
    assert watch.timings == {"detect": 3.0}
