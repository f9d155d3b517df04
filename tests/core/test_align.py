"""Five points -> crop: the right turn, size and place, without aliasing, also at the picture's edge."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import TEMPLATE, picture
from visage.core.align import crop_face, crop_faces, similarity_transform
from visage.core.values import Floats, Pixels

POINTS = np.array(TEMPLATE, np.float32)
SIZE = (112, 112)


def matrix(degrees: float, scale: float, x: float, y: float) -> np.ndarray:
    angle = np.radians(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def moved(points: Floats, by: np.ndarray) -> Floats:
    return np.asarray(points @ by[:, :2].T + by[:, 2], np.float32)


@given(
    st.floats(-180, 180), st.floats(0.05, 20), st.floats(-2000, 2000), st.floats(-2000, 2000),
)  # fmt: skip
def test_a_known_turn_scale_and_shift_is_found_again(degrees: float, scale: float, x: float, y: float) -> None:
    known = matrix(degrees, scale, x, y)
    found = similarity_transform(POINTS, moved(POINTS, known))
    assert np.allclose(found, known, atol=2e-3 * max(1.0, scale))


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=5, max_size=5))
def test_points_in_any_disorder_give_a_similarity_without_reflection(points: list[tuple[float, float]]) -> None:
    found = similarity_transform(np.array(points, np.float32), POINTS)
    assert np.isfinite(found).all()
    assert np.linalg.det(found[:, :2]) >= 0
    assert np.allclose(found[0, 0], found[1, 1])
    assert np.allclose(found[0, 1], -found[1, 0])


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = POINTS * [-1, 1] + [112, 0]
    assert np.linalg.det(similarity_transform(mirrored.astype(np.float32), POINTS)[:, :2]) > 0


def test_five_points_in_one_place_are_only_shifted() -> None:
    found = similarity_transform(np.full((5, 2), 10, np.float32), POINTS)
    assert np.allclose(found[:, :2], np.eye(2))
    assert np.allclose(found[:, 2], POINTS.mean(axis=0) - 10, atol=1e-4)


def test_a_face_where_the_template_wants_it_is_cut_out_as_it_is() -> None:
    photo = picture(1)
    (crop,) = crop_faces(photo, [POINTS + np.array([70, 40], np.float32)], POINTS, SIZE)
    assert np.array_equal(crop, photo[40:152, 70:182])


@pytest.mark.parametrize("degrees", [30, -75, 90, 180])
def test_a_turned_face_comes_out_upright(degrees: float) -> None:
    photo = picture(2)
    upright = crop_face(photo, POINTS + np.array([140, 90], np.float32), POINTS, SIZE)
    turn = cv2.getRotationMatrix2D((196, 146), -degrees, 1.0)
    turned = cv2.warpAffine(photo, turn, (400, 300)).astype(np.uint8)
    again = crop_face(turned, moved(POINTS + np.array([140, 90], np.float32), turn), POINTS, SIZE)
    assert np.abs(again.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("times", [2, 5, 9])
def test_the_same_face_in_a_larger_photo_gives_the_same_crop(times: int) -> None:
    photo = picture(3)
    large = cv2.resize(photo, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    points = POINTS + np.array([140, 90], np.float32)
    in_large = (points + 0.5) * times - 0.5  # the same places, a pixel's center being half a pixel in
    small, again = crop_face(photo, points, POINTS, SIZE), crop_face(large, in_large, POINTS, SIZE)
    assert np.abs(again.astype(int) - small).mean() < 2


@pytest.mark.parametrize("times", [1.8, 2.5, 4.0, 7.3, 17.0])
def test_a_large_face_is_averaged_down(times: float) -> None:
    """A checkerboard of single pixels becomes grey, not a moiré of black and white."""
    side = int(112 * times) + 200
    board = (np.indices((side, side)).sum(axis=0) % 2 * 255).astype(np.uint8)
    photo: Pixels = np.repeat(board[..., None], 3, axis=2)
    crop = crop_face(photo, POINTS * np.float32(times) + 100, POINTS, SIZE).astype(int)
    assert abs(crop.mean() - 127.5) < 3
    assert crop.std() < 40 if times < 4 else crop.std() < 12


@pytest.mark.parametrize("times", [0.3, 1.0, 1.8, 2.5, 7.3])
@pytest.mark.parametrize("degrees", [0, 25])
def test_a_face_inside_the_picture_has_no_dark_rim(times: float, degrees: float) -> None:
    white = np.full((1500, 1500, 3), 255, np.uint8)
    points = moved(POINTS - 56, matrix(degrees, times, 750, 750))
    assert crop_face(white, points, POINTS, SIZE).min() == 255


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0])
def test_over_the_pictures_edge_a_crop_is_black(times: float) -> None:
    white = np.full((600, 600, 3), 255, np.uint8)
    corner = moved(POINTS - 56, matrix(0, times, 0, 0))  # the face's middle in the picture's corner
    crop = crop_face(white, corner, POINTS, SIZE)
    assert crop[:50].max() == 0
    assert crop[:, :50].max() == 0
    assert crop[62:, 62:].min() == 255


def test_a_face_quite_outside_gives_a_black_crop() -> None:
    far = moved(POINTS, matrix(0, 4, 9000, -9000))
    assert crop_face(np.full((50, 50, 3), 255, np.uint8), far, POINTS, SIZE).max() == 0
