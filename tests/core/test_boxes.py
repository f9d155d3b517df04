"""Boxes against the slow and obvious way of saying the same."""

import numpy as np
import pytest
from numpy.typing import NDArray

from visage.core.boxes import (
    iou,
    nms,
    nms_of_smaller,
    search_scale,
    shrink,
    to_be_searched,
    to_faces,
    to_square,
)
from visage.core.values import Floats


def some(count: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Boxes in heaps, as detectors give them, and scores."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 200, (max(1, count // 5), 2)).repeat(5, axis=0)[:count] + random.normal(0, 4, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(15, 40, (count, 2))], axis=1)
    return boxes.astype(np.float32), random.uniform(0.1, 1, count).astype(np.float32)


def shared_over(one: Floats, other: Floats, *, smaller: bool) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = float(max(0.0, width) * max(0.0, height))
    sizes = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return shared / (min(sizes) if smaller else sum(sizes) - shared)


def greedy(boxes: Floats, scores: Floats, threshold: float, *, smaller: bool) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(shared_over(boxes[i], boxes[j], smaller=smaller) <= threshold for j in kept):
            kept.append(i)
    return kept


def test_iou_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    wanted = np.array([[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], np.float32)
    assert np.abs(iou(boxes, boxes) - wanted).max() < 1e-6
    assert iou(boxes, boxes[:0]).shape == (4, 0)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_suppression_is_the_greedy_one(threshold: float) -> None:
    for seed in range(5):
        boxes, scores = some(120, seed)
        assert nms(boxes, scores, threshold).tolist() == greedy(boxes, scores, threshold, smaller=False)
        assert nms_of_smaller(boxes, scores, threshold).tolist() == greedy(boxes, scores, threshold, smaller=True)


def test_suppression_of_nothing_and_of_one() -> None:
    boxes, scores = some(1)
    for suppress in (nms, nms_of_smaller):
        assert suppress(boxes[:0], scores[:0], 0.5).tolist() == []
        assert suppress(boxes, scores, 0.5).tolist() == [0]


def test_a_box_inside_another_goes_only_by_the_smaller() -> None:
    boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 60]], np.float32)
    scores = np.array([0.8, 0.9], np.float32)
    assert nms(boxes, scores, 0.5).tolist() == [1, 0]
    assert nms_of_smaller(boxes, scores, 0.5).tolist() == [1]


def test_equal_boxes_leave_the_first() -> None:
    boxes = np.array([[1, 2, 11, 12]] * 3, np.float32)
    assert nms(boxes, np.full(3, 0.5, np.float32), 0.99).tolist() == [0]


def test_squares_keep_their_center_and_take_the_longer_side() -> None:
    squares = to_square(np.array([[0, 0, 10, 20], [5, 5, 25, 9]], np.float32))
    np.testing.assert_array_equal(squares, [[-5, 0, 15, 20], [5, -3, 25, 17]])


def test_a_picture_is_never_enlarged() -> None:
    assert search_scale(100, 200, 20_000) == 1.0
    assert search_scale(10, 20, 20_000) == 1.0
    assert search_scale(200, 400, 20_000) == 0.5
    small = np.zeros((10, 20, 3), np.uint8)
    assert to_be_searched(small, 20_000) is small


@pytest.mark.parametrize("size", [(100, 200), (301, 403), (1, 5000), (5, 2000), (1, 1), (3000, 7)])
@pytest.mark.parametrize("scale", [1.0, 0.9, 0.5, 0.31, 0.01])
def test_shrunk_sizes_are_rounded_and_at_least_one(size: tuple[int, int], scale: float) -> None:
    shrunk = shrink(np.zeros((*size, 3), np.uint8), scale)
    assert shrunk.shape == (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)), 3)
    assert shrunk.dtype == np.uint8


def test_fine_patterns_fade_instead_of_making_new_ones() -> None:
    stripes: NDArray[np.uint8] = np.zeros((1200, 1600, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = shrink(stripes, 0.13).astype(float)
    assert abs(shrunk.mean() - 127.5) < 2
    assert shrunk.std() < 5


def test_a_shrunken_picture_keeps_everything_in_its_place() -> None:
    picture = np.zeros((1003, 1501, 3), np.uint8)
    picture[600:640, 1200:1240] = 255
    shrunk = shrink(picture, 0.2)[..., 0].astype(float)
    rows, columns = np.mgrid[: shrunk.shape[0], : shrunk.shape[1]] + 0.5
    assert (rows * shrunk).sum() / shrunk.sum() * 1003 / len(shrunk) == pytest.approx(620, abs=0.5)
    assert (columns * shrunk).sum() / shrunk.sum() * 1501 / shrunk.shape[1] == pytest.approx(1220, abs=0.5)


def test_faces_come_back_in_the_frames_pixels() -> None:
    frame, searched = np.zeros((200, 400, 3), np.uint8), np.zeros((100, 100, 3), np.uint8)
    points = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    boxes, scores = np.array([[1, 2, 3, 4]], np.float32), np.array([0.5], np.float32)
    (face,) = to_faces(boxes, points, scores, searched, frame)
    assert face.box == (4, 4, 12, 8)
    assert face.score == 0.5
    np.testing.assert_array_equal(face.landmarks, points[0] * [4, 2])
    assert face.landmarks.dtype == np.float32
