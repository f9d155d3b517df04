"""MTCNN: the packed pyramid against a plain one, and real faces with their points."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from visage.core.boxes import iou
from visage.core.errors import ModelError
from visage.core.values import Face, Floats, Pixels
from visage.nets.library import SHIPPED, files_of, read_card
from visage.nets.mtcnn import PNet, load_onet, load_pnet, load_rnet
from visage.nets.mtcnn_detector import MtcnnDetector
from visage.nets.mtcnn_pyramid import canvas, cut, halves, layout
from visage.nets.mtcnn_weights import read_weights
from visage.nets.runtime import Net, Network
from visage.nets.torch_runtime import TorchRuntime

PHOTOS = ("32bit.png", "biden.jpg", "obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face2.jpg")


@pytest.fixture(scope="module")
def folder() -> Path:
    return files_of(read_card(SHIPPED / "mtcnn.json"), Path("none"))[0].parent


@pytest.fixture(scope="module")
def pnet(folder: Path) -> PNet:
    return load_pnet(folder)


@pytest.fixture(scope="module")
def nets(folder: Path) -> list[Net]:
    runtime = TorchRuntime(device="cpu", precision="fp32", threads=1)
    loaders = (("p", load_pnet, None), ("r", load_rnet, (24, 24)), ("o", load_onet, (48, 48)))
    return [runtime.compile(Network(key, module=partial(load, folder), size=size)) for key, load, size in loaders]


def detector(nets: Sequence[Net], *, search_area: int = 600_000, min_face: float = 20) -> MtcnnDetector:
    return MtcnnDetector(
        *nets, name="mtcnn", search_area=search_area, min_face=min_face, thresholds=(0.7, 0.5, 0.8), sure=0.96
    )  # fmt: skip


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def same(one: list[Face], other: list[Face]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=0.05)
        np.testing.assert_allclose(a.landmarks, b.landmarks, atol=0.05)
        assert abs(a.score - b.score) < 1e-3


@pytest.mark.parametrize("name", PHOTOS)
def test_a_face_is_found_with_its_points_where_they_belong(name: str, samples: Path, nets: list[Net]) -> None:
    picture = read(samples / name)
    faces = detector(nets).detect([picture])[0]
    assert faces
    for better, worse in pairwise(faces):
        assert better.score >= worse.score
    best = faces[0]
    x1, y1, x2, y2 = best.box
    assert 0.8 <= best.score <= 1
    assert x1 < x2
    assert y1 < y2
    left_eye, right_eye, nose, left_mouth, right_mouth = best.landmarks
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert (best.landmarks > [x1, y1]).all()
    assert (best.landmarks < [x2, y2]).all()


def test_half_the_digits_find_the_same_face(samples: Path, folder: Path, nets: list[Net]) -> None:
    runtime = TorchRuntime(device="cpu", precision="bf16", threads=1)
    coarse = [runtime.compile(Network("", module=partial(load, folder))) for load in (load_pnet, load_rnet, load_onet)]
    picture = read(samples / "biden.jpg")
    (exact, *_), (rough, *_) = (detector(each).detect([picture])[0] for each in (nets, coarse))
    assert np.abs(exact.landmarks - rough.landmarks).max() < 0.03 * exact.size


def test_frames_together_give_what_each_gives_alone(samples: Path, nets: list[Net]) -> None:
    frames = [read(samples / name) for name in ("obama2.jpg", "biden.jpg")]
    frames.insert(1, np.zeros((9, 9, 3), np.uint8))
    found = detector(nets)
    for together, frame in zip(found.detect(frames), frames, strict=True):
        same(together, found.detect([frame])[0])


def test_a_mirrored_photo_gives_mirrored_faces(samples: Path, nets: list[Net]) -> None:
    picture = read(samples / "biden.jpg")
    face = detector(nets).detect([picture])[0][0]
    mirrored = detector(nets).detect([np.ascontiguousarray(picture[:, ::-1])])[0][0]
    expected = face.landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [picture.shape[1], 0]
    assert np.abs(mirrored.landmarks - expected).max() < 0.03 * face.size


def test_a_shrunken_search_finds_the_same_face(samples: Path, nets: list[Net]) -> None:
    picture = read(samples / "obama.jpg")
    full, small = (detector(nets, search_area=area).detect([picture])[0][0] for area in (600_000, 100_000))
    assert iou(np.array([full.box], np.float32), np.array([small.box], np.float32))[0, 0] > 0.8
    assert np.abs(full.landmarks - small.landmarks).max() < 0.05 * full.size


@pytest.mark.parametrize("size", [(1, 1), (12, 12), (19, 300), (5, 2000), (2000, 5), (64, 64)])
def test_pictures_without_a_face_give_none(size: tuple[int, int], nets: list[Net]) -> None:
    assert detector(nets).detect([np.full((*size, 3), 90, np.uint8)]) == [[]]


def test_tiny_pictures_may_be_searched_for_tiny_faces(nets: list[Net]) -> None:
    assert detector(nets, min_face=12).detect([np.full((12, 12, 3), 90, np.uint8)]) == [[]]


def test_no_frames_no_lists(nets: list[Net]) -> None:
    assert detector(nets).detect([]) == []


def test_noise_gives_no_confident_face(nets: list[Net]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    assert detector(nets).detect([noise]) == [[]]


class Recorder:
    """R-Net that throws everything away and remembers what it was shown."""

    def __init__(self) -> None:
        self.crops: list[Pixels] = []

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        self.crops += [crop for crops in inputs for crop in crops]
        return [(np.zeros(len(x), np.float32), np.zeros((len(x), 4), np.float32)) for x in inputs]


def suppressed(found: list[tuple[float, Floats]], threshold: float) -> list[tuple[float, Floats]]:
    kept: list[tuple[float, Floats]] = []
    for score, box in sorted(found, key=lambda pair: -pair[0]):
        if not kept or iou(box[None], np.stack([other for _, other in kept])).max() <= threshold:
            kept.append((score, box))
    return kept


def plain_proposals(picture: Pixels, pnet: PNet, min_face: float, threshold: float) -> list[Floats]:
    """The squares of a plain pyramid: one level after the other, one window after the other."""
    everything = []
    height, width = picture.shape[:2]
    for level in layout(height, width, min_face).levels:
        source = next(p for p in reversed(halves(picture)) if p.shape[1] >= level.width and p.shape[0] >= level.height)
        small = cv2.resize(source, (level.width, level.height), interpolation=cv2.INTER_LINEAR)
        with torch.inference_mode():
            probability, edges = pnet(torch.from_numpy(small).permute(2, 0, 1)[None].float())
        stretch = np.array([width / level.width, height / level.height] * 2)
        found = []
        for i, j in np.argwhere(probability[0].numpy() >= threshold):
            window = np.array([2 * j, 2 * i, 2 * j + 12, 2 * i + 12])
            box = (window + 12 * edges[0, :, i, j].numpy()) * stretch
            found.append((float(probability[0, i, j]), box.astype(np.float32)))
        everything += suppressed(found, 0.5)
    squares = []
    for _, (x1, y1, x2, y2) in suppressed(everything, 0.7):
        half = max(x2 - x1, y2 - y1) / 2
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        squares.append(np.array([x - half, y - half, x + half, y + half], np.float32))
    return squares


def test_the_packed_pyramid_proposes_what_a_plain_one_does(samples: Path, nets: list[Net], pnet: PNet) -> None:
    picture = cv2.resize(read(samples / "obama2.jpg"), (413, 301), interpolation=cv2.INTER_AREA).astype(np.uint8)
    recorder = Recorder()
    MtcnnDetector(
        nets[0], recorder, nets[2], name="", search_area=10**6, min_face=20, thresholds=(0.7, 0.5, 0.8), sure=0.96
    ).detect([picture])
    squares = plain_proposals(picture, pnet, 20, 0.7)
    assert len(squares) >= 10
    expected = {crop.tobytes() for crop in cut(halves(picture), np.stack(squares), 24)[0]}
    # Arithmetic in another order may tip a window onto the next pixel.
    assert len(expected & {crop.tobytes() for crop in recorder.crops}) >= 0.97 * len(expected)


@pytest.mark.parametrize("size", [(301, 413), (700, 90), (20, 20), (480, 640)])
def test_levels_on_the_canvas_do_not_see_each_other(size: tuple[int, int], pnet: PNet) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8)
    where = layout(*size, 20.0)
    sheet = canvas(halves(picture), where)
    with torch.inference_mode():
        whole = pnet(torch.from_numpy(sheet).permute(2, 0, 1)[None].float())[0][0].numpy()
        for level in where.levels:
            alone = sheet[level.y : level.y + level.height, level.x : level.x + level.width]
            expected = pnet(torch.from_numpy(alone.copy()).permute(2, 0, 1)[None].float())[0][0].numpy()
            np.testing.assert_allclose(whole[level.cells], expected, atol=1e-5)


def test_levels_lie_inside_the_canvas_and_apart() -> None:
    for height, width, min_face in ((683, 1024, 20), (1024, 683, 20), (100, 100, 12), (64, 900, 20)):
        where = layout(height, width, float(min_face))
        taken = np.zeros((where.height, where.width), int)
        for level in where.levels:
            assert all(number % 2 == 0 for number in (level.x, level.y, level.width, level.height))
            place = taken[level.y : level.y + level.height, level.x : level.x + level.width]
            assert place.shape == (level.height, level.width)
            place += 1
        assert taken.max() == 1
        assert taken.mean() > 0.5


def test_windows_beyond_the_edge_are_gray_there() -> None:
    picture = np.full((100, 100, 3), 200, np.uint8)
    squares = np.array([[-12, -12, 12, 12], [300, 300, 324, 324], [20, 20, 68, 68]], np.float32)
    crops, windows = cut(halves(picture), squares, 24)
    assert (crops[0, :11, :11] == 127).all()
    assert (crops[0, 13:, 13:] == 200).all()
    assert (crops[1] == 127).all()
    assert (crops[2] == 200).all()
    np.testing.assert_array_equal(windows, squares)


def test_another_file_is_refused_before_it_is_read(folder: Path, tmp_path: Path) -> None:
    changed = tmp_path / "pnet.lz4"
    changed.write_bytes((folder / "pnet.lz4").read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"pip install 'visage\[models\]'"):
        read_weights(changed)
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(tmp_path / "rnet.lz4")
