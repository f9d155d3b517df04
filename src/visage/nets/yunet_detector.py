"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023): its outputs -> faces.

Twice: on a runtime of ours, and through OpenCV's `FaceDetectorYN` where only OpenCV is there to run an ONNX file.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visage.core.boxes import iou, nms, padded, to_be_searched, to_faces
from visage.core.errors import ModelError
from visage.core.values import Face, Floats, Pixels
from visage.nets.runtime import Net

STRIDES = (8, 16, 32)
OUTPUTS = tuple(f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps"))

# Sides are padded up to multiples of this, which is what the network needs. 64 would let shapes recur more often from
# picture to picture (a new one costs OpenVINO 10 ms), but costs a 1080p video an eighth more time.
GRID = 32
MOST_CANDIDATES = 5000

# A face is seen by several neighboring cells. Their points are averaged, weighted by score and overlap: of LFW's
# training pairs that takes the true accept rate at a false match rate of 1e-4 from .806 to .822 (ResNet). Their boxes
# are not: that would cost up to .006 of average precision on WIDER.
VOTE_FLOOR = 0.3
VOTE_OVERLAP = 0.6


class YunetDetector:
    """YuNet on a runtime.

    search_area: pixels, see `core.boxes.search_scale`. min_face: faces smaller than this are left out, pixels of the
    searched picture. threshold: least score, 0..1. overlap: boxes that share more (IoU) are one face.
    """

    def __init__(
        self, net: Net, *, name: str, search_area: int, min_face: float, threshold: float, overlap: float, sure: float
    ) -> None:
        self.name = name
        self._net = net
        self._search_area = search_area
        self._min_face = min_face
        self.threshold = threshold
        self.sure = sure
        self._overlap = overlap

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        least = self.threshold if least is None else least
        searched = [to_be_searched(frame, self._search_area) for frame in frames]
        inputs = [padded(picture, GRID)[None] for picture in searched]
        outputs = self._net.run(inputs) if inputs else []
        return [
            self._faces(output, pixels.shape[2], picture, frame, least)
            for output, pixels, picture, frame in zip(outputs, inputs, searched, frames, strict=True)
        ]

    def _faces(
        self, output: tuple[Floats, ...], width: int, searched: Pixels, frame: Pixels, least: float
    ) -> list[Face]:
        boxes, landmarks, scores = _decode(output, width, min(least, VOTE_FLOOR))
        best = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
        boxes, landmarks, scores = boxes[best], landmarks[best], scores[best]
        kept = nms(boxes, scores, self._overlap)
        kept = kept[(scores[kept] >= least) & _large(boxes[kept], self._min_face)]
        points = _voted(boxes, landmarks, scores, kept)
        return to_faces(boxes[kept], points, scores[kept], searched, frame)


def _voted(boxes: Floats, landmarks: Floats, scores: Floats, kept: NDArray[np.intp]) -> Floats:
    """Landmarks (k, 5, 2) of the kept candidates, each averaged with those whose boxes overlap its own."""
    overlaps = iou(boxes[kept], boxes)
    weights = np.where(overlaps >= VOTE_OVERLAP, overlaps * scores**2, 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return (weights @ landmarks.reshape(len(landmarks), 10)).reshape(-1, 5, 2).astype(np.float32)


def _large(boxes: Floats, least: float) -> NDArray[np.bool_]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= least, np.bool_)


def _decode(output: tuple[Floats, ...], width: int, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Boxes (n, 4), landmarks (n, 5, 2) and scores (n,) of every cell whose score reaches the threshold.

    A cell's score is the geometric mean of its two probabilities; its box is center and log size, in strides.
    """
    boxes, landmarks, scores = [], [], []
    for level, stride in enumerate(STRIDES):
        cls, obj, bbox, kps = output[4 * level : 4 * level + 4]
        score = np.sqrt(np.clip(cls[0, :, 0], 0, 1) * np.clip(obj[0, :, 0], 0, 1))
        cells = np.flatnonzero(score >= threshold)
        if not len(cells):
            continue
        corner = np.stack([cells % (width // stride), cells // (width // stride)], axis=1).astype(np.float32)
        center = (corner + bbox[0, cells, :2]) * stride
        half = np.exp(bbox[0, cells, 2:]) * (stride / 2)
        boxes.append(np.concatenate([center - half, center + half], axis=1))
        landmarks.append((corner[:, None] + kps[0, cells].reshape(-1, 5, 2)) * stride)
        scores.append(score[cells])
    if not boxes:
        return np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
    return np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores)


class OpencvYunetDetector:
    """YuNet through OpenCV, with the same settings and the same answers within a pixel, a few times slower."""

    def __init__(
        self, file: Path, *, name: str, search_area: int, min_face: float, threshold: float, overlap: float, sure: float
    ) -> None:
        self.name = name
        self.threshold = threshold
        self.sure = sure
        self._search_area = search_area
        self._min_face = min_face
        # OpenCV 5 warns on standard error that it has no choice of devices; nobody asked for one.
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            self._net = cv2.FaceDetectorYN.create(str(file), "", (320, 320), threshold, overlap, MOST_CANDIDATES)
        except cv2.error as error:
            raise ModelError(f"OpenCV cannot read {file}: {error.err}") from error
        finally:
            cv2.utils.logging.setLogLevel(level)

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        self._net.setScoreThreshold(self.threshold if least is None else least)
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Pixels) -> list[Face]:
        searched = to_be_searched(frame, self._search_area)
        picture = padded(searched, GRID)
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        found = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        found, boxes = found[_large(boxes, self._min_face)], boxes[_large(boxes, self._min_face)]
        return to_faces(boxes, found[:, 4:14].reshape(-1, 5, 2), found[:, 14], searched, frame)
