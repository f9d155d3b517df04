"""A photo of somebody -> what was done with it, and why not; and the crop that is kept."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import face, looks, picture, quality
from visage.core.answers import Enrollment, Outcome
from visage.core.enroll import CROP_SIZE, LEAST_SIZE, SAME_PICTURE, Registrar, enroll, keepsake
from visage.core.errors import NoPersonError
from visage.core.recognize import Probe
from visage.core.values import EnrolledFace, EnrollOptions, Face, Floats, Frame, Person, Pixels
from visage.sqlite.gallery import SqliteGallery

ADA = picture(1)


def probe(pixels: Pixels = ADA, where: Face | None = None, vector: Floats | None = None) -> Probe:
    found = where or face()
    return Probe(0, 0.0, found, replace(quality(), size=found.size), looks(pixels) if vector is None else vector)


def near(vector: Floats, cosine: float) -> Floats:
    """A unit vector of that cosine to `vector`."""
    other = np.roll(vector, 1)
    other = other - (other @ vector) * vector
    mixed = cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)
    return np.asarray(mixed, np.float32)


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    gallery = SqliteGallery(tmp_path / "gallery.sqlite", create=True)
    ids = itertools.count(1)
    yield Registrar(gallery, "fake", 0.8, lambda pixels: b"a jpeg", lambda: 5.0, lambda _: f"{next(ids):032x}")
    gallery.close()


def enrolled(
    registrar: Registrar, *probes: Probe, pixels: Pixels = ADA, name: str = "Ada", options: EnrollOptions | None = None
) -> Enrollment:
    return enroll(Frame(pixels), probes, ("default", name), f"{name}.jpg", options or EnrollOptions(), registrar)


def test_a_good_face_is_enrolled(registrar: Registrar) -> None:
    done = enrolled(registrar, probe())
    assert done.outcome is Outcome.ENROLLED
    assert "1 face now" in done.detail
    assert done.person is not None
    assert (done.person.name, done.person.faces) == ("Ada", 1)
    (kept,) = registrar.gallery.faces("default", done.person.id)
    assert (kept.id, kept.source, kept.crop, kept.created) == (done.face_id, "Ada.jpg", b"a jpeg", 5.0)
    assert np.array_equal(kept.vector, looks(ADA))


def test_no_face(registrar: Registrar) -> None:
    assert enrolled(registrar).outcome is Outcome.NO_FACE
    assert registrar.gallery.people("default") == []


def test_several_faces_are_skipped_unless_the_largest_is_wanted(registrar: Registrar) -> None:
    small, large = probe(where=face(size=60)), probe(picture(2), face(size=120))
    skipped = enrolled(registrar, small, large)
    assert skipped.outcome is Outcome.SEVERAL_FACES
    assert "2 faces" in skipped.detail
    assert "--largest" in skipped.detail
    assert enrolled(registrar, small, large, options=EnrollOptions(largest=True)).outcome is Outcome.ENROLLED
    assert np.array_equal(next(registrar.gallery.faces("default")).vector, large.vector)


@pytest.mark.parametrize(
    ("poor", "outcome"),
    [
        ({"size": LEAST_SIZE - 1}, Outcome.TOO_SMALL), ({"sharpness": 0.05}, Outcome.TOO_BLURRED),
        ({"yaw": 80.0}, Outcome.EXTREME_POSE), ({"yaw": -80.0}, Outcome.EXTREME_POSE),
        ({"pitch": 80.0}, Outcome.EXTREME_POSE),
    ],
)  # fmt: skip
def test_a_poor_face_is_skipped_unless_forced(poor: dict[str, float], outcome: Outcome, registrar: Registrar) -> None:
    bad = replace(probe(), quality=replace(quality(), **poor))
    skipped = enrolled(registrar, bad)
    assert skipped.outcome is outcome
    assert "--force" in skipped.detail
    assert skipped.person is None
    assert enrolled(registrar, bad, options=EnrollOptions(force=True)).outcome is Outcome.ENROLLED


def test_a_tilted_head_is_no_extreme_pose(registrar: Registrar) -> None:
    assert enrolled(registrar, replace(probe(), quality=replace(quality(), roll=170.0))).outcome is Outcome.ENROLLED


def test_the_same_picture_again_is_a_duplicate(registrar: Registrar) -> None:
    enrolled(registrar, probe())
    again = enrolled(registrar, probe(vector=near(looks(ADA), 0.1)))  # the same pixels, whatever the vector
    assert again.outcome is Outcome.DUPLICATE
    assert "Ada.jpg" in again.detail
    assert again.person is not None
    assert again.person.faces == 1


def test_a_copy_of_a_picture_is_a_duplicate_too_and_another_picture_is_not(registrar: Registrar) -> None:
    enrolled(registrar, probe())
    copy, other = near(looks(ADA), SAME_PICTURE + 0.005), near(looks(ADA), SAME_PICTURE - 0.01)
    assert enrolled(registrar, probe(vector=copy), pixels=picture(2)).outcome is Outcome.DUPLICATE
    second = enrolled(registrar, probe(vector=other), pixels=picture(3))
    assert second.outcome is Outcome.ENROLLED
    assert "2 faces now" in second.detail
    assert second.resembles is None  # of course they look like themselves


def test_who_looks_like_somebody_else_is_enrolled_with_a_warning(registrar: Registrar) -> None:
    enrolled(registrar, probe())
    done = enrolled(registrar, probe(), name="Eve")  # even by the very same picture
    assert done.outcome is Outcome.ENROLLED
    assert "looks like Ada (similarity 1.00)" in done.detail
    assert done.resembles is not None
    assert done.resembles[0] == "Ada"
    stranger = enrolled(registrar, probe(vector=near(looks(ADA), 0.5)), pixels=picture(2), name="Bo")
    assert stranger.resembles is None


def test_without_crops_none_is_kept(registrar: Registrar) -> None:
    enrolled(replace(registrar, to_jpeg=None), probe())
    assert next(registrar.gallery.faces("default")).crop is None


def test_a_name_of_a_file_that_is_no_text_is_kept_spelled_out(registrar: Registrar) -> None:
    enroll(Frame(ADA), [probe()], ("default", "Ada"), "\udcff.jpg", EnrollOptions(), registrar)
    assert next(registrar.gallery.faces("default")).source == r"\udcff.jpg"


@given(st.floats(-40, 380), st.floats(-40, 280), st.floats(5, 400))
def test_the_keepsake_holds_the_five_points(x: float, y: float, size: float) -> None:
    """Whatever of the picture there is around them: each point shows the same place as in the picture."""
    photo = cv2.resize(picture(5), (400, 300))
    found = face(x, y, size)
    crop, points = keepsake(photo.astype(np.uint8), found.box, found.landmarks)
    assert max(crop.shape[:2]) <= CROP_SIZE
    assert crop.size
    inside = (found.landmarks > 2).all() and (found.landmarks < [397, 297]).all()
    if inside:
        assert (points >= 0).all()
        assert (points < [crop.shape[1], crop.shape[0]]).all()


def test_the_keepsake_shows_at_the_points_what_the_picture_showed() -> None:
    photo = np.zeros((900, 1200, 3), np.uint8)
    found = face(400, 200, 400)
    for x, y in found.landmarks:
        cv2.circle(photo, (round(float(x)), round(float(y))), 9, (255, 255, 255), -1)
    crop, points = keepsake(photo, found.box, found.landmarks)
    assert max(crop.shape[:2]) == CROP_SIZE
    for x, y in points:
        assert crop[round(float(y)), round(float(x))].min() > 200


def test_a_small_face_is_kept_as_it_is() -> None:
    found = face(100, 100, 80)
    crop, points = keepsake(ADA, found.box, found.landmarks)
    left, top = np.round(found.landmarks[0] - points[0]).astype(int)
    assert np.array_equal(crop, ADA[top : top + crop.shape[0], left : left + crop.shape[1]])
    assert crop.shape[0] >= 80 * 2


def denied(registrar: Registrar, person: Person) -> list[EnrolledFace]:
    return registrar.gallery.denials("default", person.id)


def test_a_face_is_kept_as_one_that_is_not_theirs(registrar: Registrar) -> None:
    ada = enrolled(registrar, probe()).person
    assert ada
    small = replace(probe(picture(2)), quality=replace(quality(), size=LEAST_SIZE - 9, sharpness=0.0, yaw=80.0))
    for called in ("Ada", ada.id):
        done = enrolled(registrar, small, pixels=picture(2), name=called, options=EnrollOptions(deny=True))
        assert (done.outcome, done.person, done.resembles) == (Outcome.DENIED, ada, None)
        assert "not Ada" in done.detail
    kept = denied(registrar, ada)
    assert (kept[1].id, kept[0].source, kept[0].crop, kept[0].created) == (done.face_id, "Ada.jpg", b"a jpeg", 5.0)
    assert np.array_equal(kept[0].vector, looks(picture(2)))
    assert registrar.gallery.size("default") == 1


def test_denied_a_second_time_it_is_kept_once(registrar: Registrar) -> None:
    own = replace(registrar, new_id=lambda digest: digest[:32])
    ada = enrolled(own, probe()).person
    assert ada
    deny = EnrollOptions(deny=True)
    first, second = (enrolled(own, probe(picture(2)), pixels=picture(2), options=deny) for _ in range(2))
    assert first == second
    assert len(denied(own, ada)) == 1


def test_who_is_not_enrolled_cannot_be_denied(registrar: Registrar) -> None:
    enrolled(registrar, probe())
    with pytest.raises(NoPersonError, match="Eve"):
        enrolled(registrar, probe(), name="Eve", options=EnrollOptions(deny=True))
    several = enrolled(registrar, probe(), probe(picture(2)), options=EnrollOptions(deny=True))
    assert several.outcome is Outcome.SEVERAL_FACES


def test_whoever_enrolls_a_face_that_was_denied_has_thought_better_of_it(registrar: Registrar) -> None:
    ada = enrolled(registrar, probe()).person
    assert ada
    other = looks(picture(2))
    for seed, vector in ((2, other), (3, near(other, 0.9)), (4, near(other, 0.999)), (5, looks(ADA))):
        one = probe(picture(seed), vector=vector)
        enrolled(registrar, one, pixels=picture(seed), options=EnrollOptions(deny=True))
    assert len(denied(registrar, ada)) == 4
    assert enrolled(registrar, probe(picture(2)), pixels=picture(2)).outcome is Outcome.ENROLLED
    assert len(denied(registrar, ada)) == 2
    assert enrolled(registrar, probe()).outcome is Outcome.DUPLICATE
    assert [np.array_equal(kept.vector, near(other, 0.9)) for kept in denied(registrar, ada)] == [True]


def test_nobody_is_warned_of_who_is_hidden_or_ruled_out(registrar: Registrar) -> None:
    ada = enrolled(registrar, probe()).person
    assert ada
    registrar.gallery.hide("default", ada.id, True)
    assert enrolled(registrar, probe(), name="Bo").resembles is None
    registrar.gallery.hide("default", ada.id, False)
    alike = near(looks(ADA), 0.95)
    eve = probe(vector=alike)
    enrolled(registrar, eve, pixels=picture(2), options=EnrollOptions(deny=True))
    registrar.gallery.remove("default", registrar.gallery.person("default", "Bo").id)
    assert enrolled(registrar, eve, pixels=picture(3), name="Eve").resembles is None


def test_done_a_second_time_it_is_no_duplicate_of_itself(registrar: Registrar) -> None:
    own = replace(registrar, new_id=lambda digest: digest[:32])
    first, second = enrolled(own, probe()), enrolled(own, probe())
    assert first == second
    assert first.outcome is Outcome.ENROLLED
    assert len(list(registrar.gallery.faces("default"))) == 1
    assert enrolled(registrar, probe()).outcome is Outcome.DUPLICATE
