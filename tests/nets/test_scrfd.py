"""SCRFD's decoding on outputs made by hand, and its real file where there is one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visage.core.errors import ModelError
from visage.core.values import Floats
from visage.nets.runtime import Network
from visage.nets.scrfd_detector import ScrfdDetector

POINTS = np.array([[-0.5, -1], [0.5, -1], [0, 0], [-0.4, 1], [0.4, 1]], np.float32)

FACE = {1: np.full(1, 0.9), 4: np.array([1, 2, 3, 4]), 10: POINTS.ravel()}


class OneFace:
    """Answers with one face at row 3, column 5 of the 16-pixel stride, second anchor, and doubts around it."""

    def __init__(self, *, batch_axis: bool = True, shuffled: bool = False, numbers: tuple[int, ...] = (1, 4, 10)):
        self.batch_axis, self.shuffled, self.numbers = batch_axis, shuffled, numbers

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        return [self._answer(pixels.shape[1], pixels.shape[2]) for pixels in inputs]

    def _answer(self, height: int, width: int) -> tuple[Floats, ...]:
        outputs: list[Floats] = []
        for numbers in self.numbers:
            for stride in (8, 16, 32):
                cells = np.zeros((height // stride, width // stride, 2, numbers), np.float32)
                if stride == 16:
                    cells[3, 5] = cells[1, 1] = FACE[numbers]
                    if numbers == 1:
                        cells[3, 5, 0] = 0.6  # the same face seen again
                        cells[1, 1] = 0.4  # below the threshold
                rows = cells.reshape(-1, numbers)
                outputs.append(rows[None] if self.batch_axis else rows)
        return tuple(outputs[::-1] if self.shuffled else outputs)


def detector(net: OneFace, *, search_area: int = 10**6, min_face: float = 0) -> ScrfdDetector:
    return ScrfdDetector(
        net, name="scrfd", search_area=search_area, min_face=min_face, threshold=0.5, overlap=0.4, sure=0.75
    )


@pytest.mark.parametrize("batch_axis", [True, False])
@pytest.mark.parametrize("shuffled", [True, False])
def test_a_face_is_decoded_whatever_the_order_of_outputs(batch_axis: bool, shuffled: bool) -> None:
    frame = np.zeros((200, 300, 3), np.uint8)
    ((face,),) = detector(OneFace(batch_axis=batch_axis, shuffled=shuffled)).detect([frame])
    assert face.box == (80 - 16, 48 - 32, 80 + 48, 48 + 64)
    assert face.score == pytest.approx(0.9)
    np.testing.assert_allclose(face.landmarks, POINTS * 16 + [80, 48])


def test_a_face_found_in_a_shrunken_frame_is_given_in_the_frames_pixels() -> None:
    ((face,),) = detector(OneFace(), search_area=200 * 300).detect([np.zeros((400, 600, 3), np.uint8)])
    assert face.box == (128, 32, 256, 224)


def test_small_faces_are_left_out() -> None:
    frame = np.zeros((200, 300, 3), np.uint8)
    assert detector(OneFace(), min_face=65).detect([frame]) == [[]]
    assert len(detector(OneFace(), min_face=64).detect([frame])[0]) == 1


def test_frames_of_all_sizes_and_none() -> None:
    frames = [np.zeros((h, w, 3), np.uint8) for h, w in ((200, 300), (100, 120), (640, 640))]
    assert [len(faces) for faces in detector(OneFace()).detect(frames)] == [1, 1, 1]
    assert detector(OneFace()).detect([]) == []


def test_variants_without_points_are_refused() -> None:
    with pytest.raises(ModelError, match="kps"):
        detector(OneFace(numbers=(1, 4))).detect([np.zeros((200, 300, 3), np.uint8)])


def test_other_networks_are_refused() -> None:
    with pytest.raises(ModelError, match=r"no SCRFD.*\(1, 4096, 10\)"):
        detector(OneFace(numbers=(10,))).detect([np.zeros((250, 500, 3), np.uint8)])


def test_the_real_file_finds_the_faces(samples: Path, shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "weights" / "scrfd_2.5g_kps.onnx"
    if not file.is_file():
        pytest.skip(f"no {file}")
    openvino = pytest.importorskip("visage.nets.openvino_runtime")
    runtime = openvino.OpenvinoRuntime(tmp_path, threads=1, precision="fp32")
    net = runtime.compile(Network("scrfd", file=file, mean=127.5, scale=1 / 128))
    found = ScrfdDetector(net, name="scrfd", search_area=600_000, min_face=10, threshold=0.5, overlap=0.4, sure=0.75)
    frames = [np.asarray(Image.open(samples / name).convert("RGB")) for name in ("obama.jpg", "biden.jpg")]
    for faces in found.detect([*frames, np.zeros((1, 1, 3), np.uint8), np.zeros((5, 2000, 3), np.uint8)])[:2]:
        left_eye, right_eye, nose, left_mouth, right_mouth = faces[0].landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
