"""YuNet on our runtime against OpenCV's own FaceDetectorYN, on real faces."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from visage import Engine, load_settings
from visage.core.boxes import iou
from visage.core.ports.nets import Detector
from visage.core.values import Face, Pixels
from visage.wiring import make_detector, open_runtime

PHOTOS = ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"]


@pytest.fixture(scope="module")
def own_home(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with YuNet in it, which is not on PyPI."""
    folder = tmp_path_factory.mktemp("yunet")
    (folder / "models" / "yunet").mkdir(parents=True)
    shutil.copy(shared_data / "weights" / "face_detection_yunet_2026may.onnx", folder / "models" / "yunet")
    return folder


def detector(home: Path, runtime: str, precision: str = "auto") -> Detector:
    settings = load_settings(home=str(home), detector="yunet", runtime=runtime, precision=precision)
    return make_detector(settings, open_runtime(settings))


def pictures(samples: Path, shared_data: Path) -> list[Pixels]:
    paths = [samples / name for name in PHOTOS] + [shared_data / "photos" / "group_six_faces.jpg"]
    return [np.array(Image.open(path).convert("RGB")) for path in paths]


def boxes(faces: list[Face]) -> np.ndarray:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


@pytest.mark.parametrize(("precision", "pixels", "overlap"), [("fp32", 1.0, 0.97), ("auto", 8.0, 0.85)])
def test_faces_are_those_of_opencv(
    precision: str, pixels: float, overlap: float, own_home: Path, samples: Path, shared_data: Path
) -> None:
    """Landmarks differ more than boxes, because ours are means over a face's candidates; in bf16 another candidate, as
    good to the third digit, may stand for the face."""
    ours, opencvs = detector(own_home, "openvino", precision), detector(own_home, "torch")
    for picture in pictures(samples, shared_data):
        found, wanted = ours.detect([picture])[0], opencvs.detect([picture])[0]
        assert len(found) == len(wanted) >= 1
        scale = max(1.0, np.sqrt(picture.shape[0] * picture.shape[1] / 600_000))
        for face in found:
            overlaps = iou(boxes([face]), boxes(wanted))[0]
            assert overlaps.max() >= overlap
            twin = wanted[int(overlaps.argmax())]
            assert np.abs(np.subtract(face.box, twin.box)).max() <= pixels * scale
            assert np.abs(face.landmarks - twin.landmarks).max() <= (face.box[3] - face.box[1]) / 25
            assert face.score == pytest.approx(twin.score, abs=0.02)


def test_opencvs_own_call_gives_the_same_boxes(own_home: Path, samples: Path) -> None:
    """FaceDetectorYN called as its documentation says, on a picture small enough not to be shrunk."""
    picture = np.array(Image.open(samples / "obama.jpg").convert("RGB").resize((416, 512)))
    net = cv2.FaceDetectorYN.create(
        str(own_home / "models/yunet/face_detection_yunet_2026may.onnx"), "", (416, 512), 0.7
    )
    _, rows = net.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    (face,) = detector(own_home, "openvino", "fp32").detect([picture])[0]
    x, y, width, height = rows[0][:4]
    assert face.box == pytest.approx((x, y, x + width, y + height), abs=1.0)


def test_frames_of_any_size_and_many_at_once(own_home: Path, samples: Path, shared_data: Path) -> None:
    net = detector(own_home, "openvino")
    frames = [*pictures(samples, shared_data), np.zeros((1, 1, 3), np.uint8), np.zeros((7, 3000, 3), np.uint8)]
    together = net.detect(frames)
    assert together[-2:] == [[], []]
    for frame, found in zip(frames, together, strict=True):
        (alone,) = net.detect([frame])
        assert np.allclose(boxes(found), boxes(alone), atol=2.0)
    assert net.detect([]) == []


def test_least_asks_for_weaker_faces(own_home: Path, shared_data: Path) -> None:
    net = detector(own_home, "openvino")
    crowd = np.array(Image.open(shared_data / "photos" / "group_six_faces.jpg").convert("RGB").resize((300, 158)))
    usual, weaker = net.detect([crowd])[0], net.detect([crowd], least=0.3)[0]
    assert len(weaker) >= len(usual)
    assert all(face.score >= net.threshold for face in usual)
    assert all(face.score >= 0.3 for face in weaker)


def test_auto_takes_yunet_where_it_is_installed(own_home: Path, engine: Engine) -> None:
    settings = load_settings(home=str(own_home))
    assert make_detector(settings, open_runtime(settings)).name == "yunet"
    assert engine.detector.name == "mtcnn"
