"""The main path: batches, turned pictures, crops and vectors in the right order, weak faces beside strong ones."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import CARD, FakeDetector, FakeEmbedder, face, looks, picture
from visage.core.align import crop_face
from visage.core.recognize import (
    BATCH_FRAMES,
    BATCH_PIXELS,
    Eyes,
    Finder,
    batches,
    largest,
    probes,
    turn_back,
)
from visage.core.values import Face, Floats, Frame, Pixels

COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)


def empty_frames(*sizes: tuple[int, int]) -> list[Frame]:
    """No pixel of them is ever touched, so they take no memory."""
    return [Frame(np.broadcast_to(np.uint8(0), (*size, 3)), i) for i, size in enumerate(sizes)]


def lengths(frames: Sequence[Frame]) -> list[int]:
    return [len(batch) for batch in batches(frames)]


def test_small_frames_go_in_batches_of_a_few() -> None:
    frames = empty_frames(*[(100, 100)] * (2 * BATCH_FRAMES + 3))
    assert lengths(frames) == [BATCH_FRAMES, BATCH_FRAMES, 3]
    assert [frame for batch in batches(frames) for frame in batch] == frames


def test_large_frames_share_a_batch_only_up_to_its_pixels() -> None:
    third = (1000, BATCH_PIXELS // 3000)
    assert lengths(empty_frames(third, third, third, third)) == [3, 1]
    huge = (6000, BATCH_PIXELS // 3000)
    assert lengths(empty_frames(third, huge, third, third)) == [1, 1, 2]


def test_no_frames_no_batches() -> None:
    assert lengths([]) == []


def test_a_batch_is_given_before_the_next_frames_are_asked_for() -> None:
    asked: list[int] = []

    def frames() -> object:
        for frame in empty_frames(*[(10, 10)] * 30):
            asked.append(frame.index)
            yield frame

    next(batches(frames()))  # type: ignore[arg-type]
    assert len(asked) == BATCH_FRAMES + 1


def marked(height: int = 300, width: int = 400) -> tuple[Pixels, Floats]:
    """A picture with a face of five colored points on black, and where their centers are."""
    pixels = np.zeros((height, width, 3), np.uint8)
    places = [(150, 80), (210, 86), (180, 120), (158, 150), (206, 156)]
    for (x, y), color in zip(places, COLORS, strict=True):
        pixels[y - 2 : y + 3, x - 2 : x + 3] = color
    return pixels, np.array(places, np.float32) + 0.5


def find_marks(pixels: Pixels) -> list[Face]:
    """The face, if its eyes are above its mouth and it stands upright."""
    points = []
    for color in COLORS:
        y, x = np.nonzero((pixels == color).all(axis=2))
        if not len(x):
            return []
        points.append((x.mean() + 0.5, y.mean() + 0.5))
    found = np.array(points, np.float32)
    down = found[3:].mean(axis=0) - found[:2].mean(axis=0)
    if down[1] < 3 * abs(down[0]):
        return []
    box = (*(found.min(axis=0) - [20, 30]), *(found.max(axis=0) + 20))
    return [Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), found, 0.95)]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_face_in_a_turned_picture_is_found_at_its_place(quarters: int) -> None:
    """The picture lies on its side by so many quarters; the points come back in the pixels of the picture as it is."""
    upright, _ = marked()
    lying = np.ascontiguousarray(np.rot90(upright, quarters))  # against the clock, so that clockwise mends it
    detector = FakeDetector(find_marks)
    finder = Finder(detector, video=False)
    ((found,),) = finder.find([Frame(lying)])
    assert finder.rotations[-1] == 90 * quarters
    for (x, y), color in zip(found.landmarks, COLORS, strict=True):
        assert (lying[int(y), int(x)] == color).all()
    x1, y1, x2, y2 = found.box
    points = found.landmarks
    assert ([x1, y1] < points.min(axis=0)).all()
    assert (points.max(axis=0) < [x2, y2]).all()
    assert len(detector.seen) == (1 if quarters == 0 else 4)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turning_back_is_the_inverse_of_rot90(quarters: int) -> None:
    upright, points = marked(200, 320)
    turned = np.ascontiguousarray(np.rot90(upright, -quarters))
    seen = np.array([np.argwhere((turned == color).all(axis=2)).mean(axis=0)[::-1] for color in COLORS]) + 0.5
    back = turn_back(Face((10, 20, 30, 60), seen.astype(np.float32), 0.9), quarters, 320, 200)
    assert np.allclose(back.landmarks, points)
    width, height = back.box[2] - back.box[0], back.box[3] - back.box[1]
    assert (width, height) == ((20, 40) if quarters == 2 else (40, 20))
    assert back.score == 0.9


def test_a_sure_face_saves_the_turning_and_a_doubtful_one_does_not() -> None:
    pixels, _ = marked()
    sure, doubtful = FakeDetector(lambda _: [face(score=0.9)]), FakeDetector(lambda _: [face(score=0.7)])
    finder = Finder(sure, video=False)
    assert len(finder.find([Frame(pixels)])[0]) == 1
    assert len(sure.seen) == 1
    finder = Finder(doubtful, video=False)
    assert finder.find([Frame(pixels)])[0][0].score == 0.7  # turned it is no surer, so it stays as it was
    assert finder.rotations[-1] == 0
    assert doubtful.seen == [(300, 400), (400, 300), (300, 400), (400, 300)]


def test_a_turn_must_make_it_clearly_surer() -> None:
    def find(pixels: Pixels, gain: float) -> list[Face]:
        return [face(score=0.7 + (gain if pixels.shape[0] > pixels.shape[1] else 0))]

    pixels, _ = marked()
    for gain, rotation in ((0.01, 0), (0.2, 90)):
        finder = Finder(FakeDetector(lambda pixels, gain=gain: find(pixels, gain)), video=False)  # type: ignore[misc]
        finder.find([Frame(pixels)])
        assert finder.rotations[-1] == rotation


def test_where_no_turn_helps_there_is_no_face() -> None:
    finder = Finder(FakeDetector(lambda _: []), video=False)
    assert finder.find([Frame(picture(1))]) == [[]]
    assert finder.rotations[-1] == 0


def test_a_video_is_never_turned() -> None:
    detector = FakeDetector(lambda _: [])
    assert Finder(detector, video=True).find([Frame(picture(1)), Frame(picture(2), 1, 0.1)]) == [[], []]
    assert len(detector.seen) == 2


def filmed(*scores: float, apart: float = 0.1, moves: float = 0.0) -> list[list[float]]:
    """The scores that are kept of one face seen with these scores in frames `apart` seconds, in batches of three."""
    faces = [face(100 + i * moves, score=score) for i, score in enumerate(scores)]
    frames = [Frame(np.full((300, 400, 3), i, np.uint8), i, i * apart) for i in range(len(scores))]
    finder = Finder(FakeDetector(lambda pixels: [faces[pixels[0, 0, 0]]]), video=True)
    found = [faces for start in range(0, len(frames), 3) for faces in finder.find(frames[start : start + 3])]
    return [[one.score for one in faces] for faces in found]


def test_in_a_video_a_weak_face_counts_beside_a_strong_one() -> None:
    assert filmed(0.5, 0.9, 0.5) == [[0.5], [0.9], [0.5]]
    assert filmed(0.5, 0.5, 0.9, 0.5, 0.5) == [[0.5], [0.5], [0.9], [0.5], [0.5]]  # over the end of a batch too


def test_in_a_video_a_weak_face_alone_elsewhere_or_long_after_does_not_count() -> None:
    assert filmed(0.5, 0.5, 0.5) == [[], [], []]
    assert filmed(0.9, 0.5, 0.5, moves=90) == [[0.9], [], []]
    assert filmed(0.9, 0.5, apart=1.0) == [[0.9], []]
    assert filmed(0.9, 0.2) == [[0.9], []]


def test_two_weak_faces_in_one_box_are_no_error() -> None:
    weak = [face(score=0.5), replace(face(score=0.5), landmarks=face(101).landmarks)]
    frames = [Frame(np.full((300, 400, 3), i, np.uint8), i, i / 10) for i in range(2)]
    finder = Finder(FakeDetector(lambda pixels: weak if pixels[0, 0, 0] else [face()]), video=True)
    assert [len(faces) for faces in finder.find(frames)] == [1, 2]


def test_every_face_gets_its_own_vector_whatever_goes_with_it() -> None:
    frames = [Frame(picture(seed), seed, seed / 10) for seed in range(4)]
    places: list[list[Face]] = [[face(10, 20), face(200, 150)], [], [face(90, 60, 80)], [face(0, 0), face(30, 99)]]
    embedder = FakeEmbedder()
    found = probes(frames, places, Eyes(FakeDetector(), embedder, CARD, lambda stage: nullcontext()))
    assert embedder.batches == [5]
    assert [len(each) for each in found] == [2, 0, 1, 2]
    for frame, faces, each in zip(frames, places, found, strict=True):
        for wanted, probe in zip(faces, each, strict=True):
            assert (probe.frame, probe.time, probe.face) == (frame.index, frame.time, wanted)
            crop = crop_face(frame.pixels, wanted.landmarks, CARD.points, CARD.size)
            assert np.array_equal(probe.vector, looks(crop))
            assert probe.quality.size == wanted.size


def test_no_faces_nothing_to_embed() -> None:
    assert probes([Frame(picture(1))], [[]], Eyes(FakeDetector(), FakeEmbedder(), CARD, lambda _: nullcontext())) == [
        []
    ]


def test_only_the_largest_faces_where_so_many_are_asked_for() -> None:
    points = np.zeros((5, 2), np.float32)
    faces = [Face((0, 0, side, side), points, score) for side, score in ((20, 0.9), (60, 0.8), (40, 0.99), (10, 1.0))]
    assert [face.box[2] for face in largest(faces, 2)] == [60, 40]
    assert [face.box[2] for face in largest(faces, 3)] == [20, 60, 40]  # in their order
    assert largest(faces, 0) == largest(faces, 4) == largest(faces, 9) == faces
    assert largest([], 1) == []
