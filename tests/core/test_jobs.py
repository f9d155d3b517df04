"""`perform`: every kind of job, with fakes at the ports and a clock that ticks."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import CARD, FakeDecoder, FakeDetector, FakeEmbedder, face, picture
from visage.core.answers import Enrollment, Outcome
from visage.core.engine import Engine
from visage.core.errors import (
    GalleryError,
    NoGalleryError,
    NoPersonError,
    NotFoundError,
    OtherModelError,
    UnreadableError,
    UsageError,
)
from visage.core.jobs import perform
from visage.core.kit import Kit
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrollOptions, Face, Frame, Job, JobKind, MatchOptions, Media, Pixels, Sampling, Sighting
from visage.core.wire import answer_to_json
from visage.sqlite.gallery import SqliteGallery

ADA, BO, TWO, NOBODY = picture(1), picture(2), picture(3), np.zeros((300, 400, 3), np.uint8)


def find(pixels: Pixels) -> list[Face]:
    """One face in each picture, two in one, none in black."""
    if not pixels.any():
        return []
    if np.array_equal(pixels, TWO):
        return [face(200, 100, score=0.95), face(10, 10, 150, score=0.9)]
    return [face()]


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    files: dict[str, Pixels | list[Pixels]] = {
        "ada.jpg": ADA, "bo.jpg": BO, "two.jpg": TWO, "nobody.jpg": NOBODY,
        "film.mp4": [ADA] * 5 + [NOBODY] * 30 + [BO] * 3 + [ADA] * 2,
    }  # fmt: skip

    def open_gallery(create: bool) -> Gallery:
        return SqliteGallery(tmp_path / "gallery.sqlite", create=create)

    ticks, ids = itertools.count(), itertools.count(1)
    return Kit(
        decoder=FakeDecoder(files),
        card=CARD,
        make_detector=lambda: FakeDetector(find),
        make_embedder=FakeEmbedder,
        open_gallery=open_gallery,
        runtime=lambda: "fake CPU",
        to_jpeg=lambda pixels: b"a jpeg",
        from_jpeg=lambda data: ADA,
        clock=lambda: float(next(ticks)),
        now=lambda: 1000.0,
        new_id=lambda: f"{next(ids):032x}",
    )


@pytest.fixture
def both(kit: Kit) -> Kit:
    for name, photo in (("Ada", "ada.jpg"), ("Bo", "bo.jpg")):
        answer = perform(Job(JobKind.ENROLL, (photo,), name=name), kit)
        assert answer.enrollment
        assert answer.enrollment.outcome is Outcome.ENROLLED
    return kit


def test_recognize_a_photo(both: Kit) -> None:
    answer = perform(Job(JobKind.RECOGNIZE, ("bo.jpg",)), both)
    assert (answer.source, answer.frames, answer.names, answer.text) == ("bo.jpg", 1, ["Bo"], "Bo")
    assert answer.models.detector == "fake detector"
    assert answer.models.embedder == "fake"
    assert answer.models.runtime == "fake CPU"
    (seen,) = answer.sightings
    assert seen.match is not None
    assert seen.match.similarity == pytest.approx(1)
    assert seen.runner_up is not None
    assert seen.runner_up.name == "Ada"
    assert answer.rule is not None
    assert answer.rule.enrolled == 2


def test_recognize_a_video(both: Kit) -> None:
    answer = perform(Job(JobKind.RECOGNIZE, ("film.mp4",)), both)
    assert answer.frames == 40
    assert {person.name: person.intervals for person in answer.people} == {
        "Ada": ((0.0, 0.4), (3.8, 3.9)),
        "Bo": ((3.5, 3.7),),
    }
    assert answer.names == ["Ada", "Bo"]
    assert [seen.frame for seen in answer.sightings] == [*range(5), *range(35, 40)]


def test_sampled_frames_lie_further_apart_and_their_intervals_are_joined(both: Kit) -> None:
    answer = perform(Job(JobKind.RECOGNIZE, ("film.mp4",), sampling=Sampling(frames=19)), both)
    assert answer.frames == 3
    assert [(person.name, person.intervals) for person in answer.people] == [("Ada", ((0.0, 3.8),))]


def test_strangers_are_unknown_and_an_empty_picture_has_no_text(both: Kit) -> None:
    answer = perform(Job(JobKind.RECOGNIZE, ("two.jpg",)), both)
    assert answer.names == ["unknown"]
    assert len(answer.sightings) == 2
    assert perform(Job(JobKind.RECOGNIZE, ("nobody.jpg",)), both).text == ""


def test_the_callers_rule_counts(both: Kit) -> None:
    job = Job(JobKind.RECOGNIZE, ("two.jpg",), match=MatchOptions(nearest=True))
    assert "unknown" not in perform(job, both).names
    strict = Job(JobKind.RECOGNIZE, ("two.jpg",), match=MatchOptions(threshold=1.0))
    assert perform(strict, both).names == ["unknown"]


def test_a_watcher_sees_every_frame_with_its_own_faces(both: Kit) -> None:
    seen: list[tuple[int, list[str]]] = []

    def watch(frame: Frame, sightings: Sequence[Sighting], media: Media) -> None:
        assert media.source == "film.mp4"
        seen.append((frame.index, [sighting.name for sighting in sightings]))

    perform(Job(JobKind.RECOGNIZE, ("film.mp4",)), both, watch)
    assert [index for index, _ in seen] == list(range(40))
    assert seen[0][1] == ["Ada"]
    assert seen[20][1] == []
    assert seen[35][1] == ["Bo"]


def test_detect_asks_neither_gallery_nor_embedder(kit: Kit, tmp_path: Path) -> None:
    answer = perform(Job(JobKind.DETECT, ("two.jpg",)), kit)
    assert [seen.face.score for seen in answer.sightings] == [0.95, 0.9]
    assert answer.models.embedder is None
    assert answer.rule is None
    assert answer.people == ()
    assert "embedder" not in vars(kit)
    assert not (tmp_path / "gallery.sqlite").exists()


def test_compare_takes_the_largest_face_of_the_first_and_the_nearest_of_the_second(kit: Kit) -> None:
    same = perform(Job(JobKind.COMPARE, ("two.jpg", "two.jpg")), kit).comparison
    assert same is not None
    assert same.same
    assert same.first.box == same.second.box == (10, 10, 160, 160)
    assert same.similarity == pytest.approx(1)
    assert same.probability > 0.99
    other = perform(Job(JobKind.COMPARE, ("ada.jpg", "bo.jpg")), kit).comparison
    assert other is not None
    assert not other.same
    assert other.threshold == CARD.threshold
    given = perform(Job(JobKind.COMPARE, ("ada.jpg", "bo.jpg"), match=MatchOptions(threshold=-1)), kit).comparison
    assert given is not None
    assert given.same


@pytest.mark.parametrize("sources", [("ada.jpg", "nobody.jpg"), ("nobody.jpg", "ada.jpg")])
def test_compare_without_a_face_names_the_photo_without(sources: tuple[str, str], kit: Kit) -> None:
    with pytest.raises(UnreadableError, match=r"nobody\.jpg: no face"):
        perform(Job(JobKind.COMPARE, sources), kit)


def test_enroll_keeps_the_face(kit: Kit) -> None:
    answer = perform(Job(JobKind.ENROLL, ("ada.jpg",), name="  Ada "), kit)
    assert answer.enrollment
    assert answer.enrollment.person is not None
    assert answer.enrollment.person.name == "Ada"
    (kept,) = kit.gallery().faces("default")
    assert (kept.id, kept.model, kept.source, kept.crop, kept.created) == (
        answer.enrollment.face_id, "fake", "ada.jpg", b"a jpeg", 1000.0,
    )  # fmt: skip


def enrolled_at(kit: Kit, source: str, name: str, sampling: Sampling | None = None, **options: Any) -> Enrollment:
    job = Job(JobKind.ENROLL, (source,), name=name, sampling=sampling or Sampling(), enroll=EnrollOptions(**options))
    done = perform(job, kit).enrollment
    assert done
    return done


@pytest.mark.parametrize("number", [0, 1])
def test_the_face_that_an_answer_told_of_is_enrolled(number: int, kit: Kit) -> None:
    kit.gallery(create=True)
    seen = perform(Job(JobKind.RECOGNIZE, ("two.jpg",)), kit).sightings[number]
    x1, y1, x2, y2 = seen.face.box
    assert enrolled_at(kit, "two.jpg", "Two", box=(x1 + 5, y1 - 3, x2, y2 + 4)).outcome is Outcome.ENROLLED
    (kept,) = kit.gallery().faces("default")
    assert seen.vector is not None
    np.testing.assert_array_equal(kept.vector, seen.vector)


def test_where_no_face_is_none_is_enrolled(both: Kit) -> None:
    for box in (
        (300.0, 200.0, 380.0, 280.0),
        (0.0, 0.0, 400.0, 300.0),
        (5.0, 5.0, 5.0, 5.0),
        (160.0, 160.0, 10.0, 10.0),
    ):
        done = enrolled_at(both, "two.jpg", "Two", box=box)
        assert done.outcome is Outcome.NO_FACE
        assert "from an answer" in done.detail
    assert enrolled_at(both, "nobody.jpg", "Two", box=(0.0, 0.0, 100.0, 100.0)).outcome is Outcome.NO_FACE
    assert both.gallery().size("default") == 2


def test_a_frame_of_a_video_is_enrolled(kit: Kit) -> None:
    box = face().box
    assert enrolled_at(kit, "film.mp4", "Bo", box=box, frame=36).outcome is Outcome.ENROLLED
    assert enrolled_at(kit, "film.mp4", "Ada", Sampling(frames=19), box=box, frame=38).outcome is Outcome.ENROLLED
    assert enrolled_at(kit, "film.mp4", "First", box=box).outcome is Outcome.ENROLLED
    kept = {person.name: next(kit.gallery().faces("default", person.id)) for person in kit.gallery().people("default")}
    photos = perform(Job(JobKind.RECOGNIZE, ("bo.jpg",)), kit).sightings
    photos += perform(Job(JobKind.RECOGNIZE, ("ada.jpg",)), kit).sightings
    for name, seen in zip(("Bo", "Ada"), photos, strict=True):
        assert seen.vector is not None
        np.testing.assert_array_equal(kept[name].vector, seen.vector)
    np.testing.assert_array_equal(kept["First"].vector, kept["Ada"].vector)
    assert enrolled_at(kit, "film.mp4", "Bo", frame=37).outcome is Outcome.DUPLICATE  # the only face there
    assert enrolled_at(kit, "film.mp4", "Bo", frame=20).outcome is Outcome.NO_FACE


@pytest.mark.parametrize(("frame", "sampling"), [(40, Sampling()), (37, Sampling(frames=19)), (-1, Sampling())])
def test_a_frame_that_is_not_looked_at_is_said_to_be_none(frame: int, sampling: Sampling, kit: Kit) -> None:
    with pytest.raises(UnreadableError, match=rf"film\.mp4: frame {frame} is none of those looked at"):
        enrolled_at(kit, "film.mp4", "Bo", sampling, box=face().box, frame=frame)


def test_a_face_that_was_weakly_seen_in_a_video_may_be_meant(kit: Kit) -> None:
    kit.make_detector = lambda: FakeDetector(lambda pixels: [face(score=0.45)] if pixels.any() else [])
    assert enrolled_at(kit, "film.mp4", "Bo", box=face().box, frame=36).outcome is Outcome.ENROLLED
    assert enrolled_at(kit, "bo.jpg", "Bo", box=face().box).outcome is Outcome.NO_FACE


def test_a_face_that_is_denied_is_not_taken_for_them_again(both: Kit) -> None:
    both.gallery().remove("default", both.gallery().person("default", "Bo").id)
    everybody = Job(JobKind.RECOGNIZE, ("two.jpg",), match=MatchOptions(nearest=True))
    before = perform(everybody, both).sightings
    assert [seen.name for seen in before] == ["Ada", "Ada"]
    ada = both.gallery().person("default", "Ada")
    done = enrolled_at(both, "two.jpg", ada.id, box=before[1].face.box, deny=True)
    assert (done.outcome, done.person) == (Outcome.DENIED, ada)
    second = perform(everybody, both).sightings[1]
    assert (second.match, second.nearest, second.withheld) == (None, None, False)
    assert perform(Job(JobKind.RECOGNIZE, ("ada.jpg",)), both).names == ["Ada"]
    with pytest.raises(NoPersonError):
        enrolled_at(both, "two.jpg", "Nobody", box=before[1].face.box, deny=True)


def test_somebody_hidden_is_seen_and_not_named(both: Kit) -> None:
    ada = both.gallery().person("default", "Ada")
    both.gallery().hide("default", ada.id, True)
    answer = perform(Job(JobKind.RECOGNIZE, ("film.mp4",)), both)
    assert answer.names == ["Bo"]
    assert {seen.withheld for seen in answer.sightings if seen.name == "unknown"} == {True}
    assert {seen.withheld for seen in answer.sightings if seen.name == "Bo"} == {False}
    told = json.dumps(answer_to_json(answer, vectors=True))
    assert not [word for word in ("Ada", ada.id, "withheld") if word in told]
    both.gallery().hide("default", ada.id, False)
    assert perform(Job(JobKind.RECOGNIZE, ("film.mp4",)), both).names == ["Ada", "Bo"]


def test_a_missing_file_is_named(both: Kit) -> None:
    for kind in (JobKind.RECOGNIZE, JobKind.DETECT, JobKind.ENROLL):
        with pytest.raises(NotFoundError, match=r"gone\.jpg"):
            perform(Job(kind, ("gone.jpg",), name="Ada"), both)


def test_a_damaged_photo_is_recognized_as_far_as_it_goes_but_not_enrolled(both: Kit) -> None:
    both.decoder = FakeDecoder({"half.jpg": ADA}, problem="it is cut off")
    answer = perform(Job(JobKind.RECOGNIZE, ("half.jpg",)), both)
    assert answer.media[0].problem == "it is cut off"
    with pytest.raises(UnreadableError, match="cut off; enroll from an undamaged copy"):
        perform(Job(JobKind.ENROLL, ("half.jpg",), name="Cleo"), both)
    assert [person.name for person in both.gallery().people("default")] == ["Ada", "Bo"]


@pytest.mark.parametrize(
    "job",
    [
        Job(JobKind.COMPARE, ("ada.jpg",)), Job(JobKind.RECOGNIZE, ()), Job(JobKind.DETECT, ("ada.jpg", "bo.jpg")),
        Job(JobKind.ENROLL, ("ada.jpg",)), Job(JobKind.ENROLL, ("ada.jpg",), name="a/b"),
        Job(JobKind.ENROLL, ("ada.jpg",), name="Ada", collection=" "),
        Job(JobKind.RECOGNIZE, ("ada.jpg",), collection="a\nb"),
        Job(JobKind.RECOGNIZE, ("ada.jpg",), match=MatchOptions(stranger_rate=0)),
    ],
)  # fmt: skip
def test_a_job_that_makes_no_sense_is_wrong_usage(job: Job, both: Kit) -> None:
    with pytest.raises(UsageError):
        perform(job, both)


def test_without_a_gallery_recognition_says_how_to_make_one(kit: Kit) -> None:
    with pytest.raises(NoGalleryError, match="visage enroll"):
        perform(Job(JobKind.RECOGNIZE, ("ada.jpg",)), kit)


def test_vectors_of_another_model_are_refused_with_the_two_ways_out(both: Kit) -> None:
    both.embedder.name = "other"  # type: ignore[misc]
    with pytest.raises(OtherModelError, match="visage people migrate"):
        perform(Job(JobKind.RECOGNIZE, ("ada.jpg",)), both)


def test_timings_are_those_of_the_kits_clock(both: Kit) -> None:
    """Every look at the clock is a second, so a stage that ran once took one and the whole all of them."""
    timings = perform(Job(JobKind.RECOGNIZE, ("ada.jpg",)), both).timings
    assert {stage: timings[stage] for stage in ("detect", "crop", "embed", "match")} == dict.fromkeys(
        ("detect", "crop", "embed", "match"), 1.0
    )
    assert timings["decode"] == 1.0  # a photo is decoded as it is opened
    assert timings["total"] > sum(timings[stage] for stage in timings if stage != "total")
    assert "store" in perform(Job(JobKind.ENROLL, ("two.jpg",), name="Two"), both).timings


def test_the_engine_speaks_the_same_jobs_and_closes_its_gallery(both: Kit) -> None:
    with Engine(both) as engine:
        assert engine.recognize("ada.jpg").names == ["Ada"]
        assert len(engine.detect("two.jpg").sightings) == 2
        found = engine.compare("ada.jpg", "bo.jpg").comparison
        assert found is not None
        assert not found.same
        enrolled = engine.enroll("ada.jpg", "Ada", collection="others").enrollment
        assert enrolled is not None
        assert enrolled.person is not None
        assert enrolled.person.collection == "others"
        assert engine.recognize("ada.jpg", match=MatchOptions(threshold=1.1)).names == ["unknown"]
        assert engine.runtime() == "fake CPU"
        gallery = engine.gallery()
    with pytest.raises(GalleryError, match="closed"):
        gallery.size("default")
    assert engine.recognize("ada.jpg").names == ["Ada"]  # and opens another when used again
    engine.close()
