"""Pose off five points, sharpness off the crop, and the score made of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fakes import face, picture
from visage import Engine
from visage.core.align import crop_face
from visage.core.quality import measure_quality, measure_sharpness, pose
from visage.core.values import Face, Floats

FRONTAL = np.array([[-30, 0], [30, 0], [0, 27], [-20, 50], [20, 50]], np.float32)


def turned(points: Floats, degrees: float) -> Floats:
    """Clockwise, as one sees it: y runs down."""
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ rotation.T, np.float32)


def with_nose(x: float, y: float) -> Floats:
    points = FRONTAL.copy()
    points[2] = x, y
    return points


def test_a_frontal_face_has_no_angle() -> None:
    assert pose(FRONTAL) == pytest.approx((0, 0, 0), abs=0.1)


def test_the_nose_tells_where_a_face_looks() -> None:
    assert pose(with_nose(14, 27))[0] > 20
    assert pose(with_nose(-14, 27))[0] == pytest.approx(-pose(with_nose(14, 27))[0])
    assert pose(with_nose(0, 40))[1] > 20
    assert pose(with_nose(0, 14))[1] < -20


@pytest.mark.parametrize("nose", [(0, 27), (12, 24), (-9, 35)])
@pytest.mark.parametrize("degrees", [30, -45, 90, 170])
def test_a_tilt_is_roll_alone(nose: tuple[float, float], degrees: float) -> None:
    upright = pose(with_nose(*nose))
    assert pose(turned(with_nose(*nose), degrees)) == pytest.approx((upright[0], upright[1], degrees), abs=0.1)


@given(st.floats(0.1, 40), st.floats(-9000, 9000), st.floats(-9000, 9000))
def test_neither_size_nor_place_changes_the_pose(scale: float, x: float, y: float) -> None:
    points = (with_nose(9, 30).astype(np.float64) * scale + [x, y]).astype(np.float32)
    assert pose(points) == pytest.approx(pose(with_nose(9, 30)), abs=3)


@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), min_size=5, max_size=5))
def test_any_five_points_have_a_pose(points: list[tuple[float, float]]) -> None:
    yaw, pitch, roll = pose(np.array(points, np.float32))
    assert -90 <= yaw <= 90
    assert -90 <= pitch <= 90
    assert -180 <= roll <= 180


def test_a_real_face_gets_less_sharp_with_every_blur(samples: Path, engine: Engine) -> None:
    photo = np.asarray(Image.open(samples / "obama.jpg").convert("RGB"))
    (found,) = engine.detector.detect([photo])[0]
    card = engine.kit.card
    sharpness = []
    for width in (0, 2, 4, 8, 16):
        blurred = cv2.GaussianBlur(photo, (0, 0), width).astype(np.uint8) if width else photo
        sharpness.append(measure_sharpness(crop_face(blurred, found.landmarks, card.points, card.size)))
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 0.7
    assert sharpness[-1] < 0.1
    whole = measure_quality(found, crop_face(photo, found.landmarks, card.points, card.size))
    assert abs(whole.yaw) < 20
    assert abs(whole.roll) < 10
    assert whole.score > 0.8


def test_no_detail_no_sharpness() -> None:
    assert measure_sharpness(np.full((150, 150, 3), 90, np.uint8)) == 0


def test_small_and_turned_faces_score_less() -> None:
    crop = picture(1, 112, 112)
    best = measure_quality(face(size=200), crop)
    assert 0 < measure_quality(face(size=30), crop).score < best.score <= 1
    aside = Face((0, 0, 200, 200), with_nose(27, 27) * 3, 0.99)
    assert measure_quality(aside, crop).score < best.score / 2


def test_an_empty_box_scores_nothing() -> None:
    assert measure_quality(Face((5, 5, 5, 5), np.zeros((5, 2), np.float32), 0.5), picture(1, 112, 112)).score == 0
