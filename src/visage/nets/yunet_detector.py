"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023): its outputs -> faces.

Twice: on a runtime of ours, and through OpenCV's `FaceDetectorYN` where only OpenCV is there to run an ONNX file.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visage.core.boxes import iou, nms, search_scale, shrink
from visage.core.errors import ModelError
from visage.core.values import Face, Floats, Pixels
from visage.nets.runtime import Net

STRIDES = (8, 16, 32)
OUTPUTS = tuple(f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps"))

# Sides are padded up to multiples of this. 32 is what the network needs; 64 lets shapes recur from picture to picture,
# and a shape that OpenVINO has not met costs it 10 ms.
GRID = 64
MOST_CANDIDATES = 5000

# A face is seen by several neighbouring cells. Their boxes and points are averaged, weighted by score and overlap: of
# LFW's training pairs that takes the true accept rate at a false match rate of 1e-4 from .806 to .822 (ResNet).
VOTE_FLOOR = 0.3
VOTE_OVERLAP = 0.6


class YunetDetector:
    """YuNet on a runtime.

    search_size: pixels, see `core.boxes.search_scale`. min_face: faces smaller than this are left out, pixels of the
    searched picture. threshold: least score, 0..1. overlap: boxes that share more (IoU) are one face.
    """

    def __init__(
        self, net: Net, *, name: str, search_size: int, min_face: float, threshold: float, overlap: float
    ) -> None:
        self.name = name
        self._net = net
        self._search_size = search_size
        self._min_face = min_face
        self._threshold = threshold
        self._overlap = overlap

    def detect(self, frames: Sequence[Pixels]) -> list[list[Face]]:
        scales = [search_scale(frame.shape[0], frame.shape[1], self._search_size) for frame in frames]
        inputs = [_padded(shrink(frame, scale))[None] for frame, scale in zip(frames, scales, strict=True)]
        if not inputs:
            return []
        outputs = self._net.run(inputs)
        return [
            self._faces(output, frame, picture.shape[2])
            for output, frame, picture in zip(outputs, frames, inputs, strict=True)
        ]

    def _faces(self, output: tuple[Floats, ...], frame: Pixels, width: int) -> list[Face]:
        boxes, landmarks, scores = _decode(output, width, min(self._threshold, VOTE_FLOOR))
        best = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
        boxes, landmarks, scores = boxes[best], landmarks[best], scores[best]
        kept = nms(boxes, scores, self._overlap)
        kept = kept[scores[kept] >= self._threshold]
        voted = _vote(boxes, landmarks, scores, kept)
        return faces_in_frame(*voted, scores[kept], frame, self._search_size, self._min_face)


def _vote(boxes: Floats, landmarks: Floats, scores: Floats, kept: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Boxes (k, 4) and landmarks (k, 5, 2) of the kept candidates, each averaged with those that overlap it."""
    overlaps = iou(boxes[kept], boxes)
    weights = np.where(overlaps >= VOTE_OVERLAP, overlaps * scores**2, 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    points = (weights @ landmarks.reshape(len(landmarks), 10)).reshape(-1, 5, 2)
    return (weights @ boxes).astype(np.float32), points.astype(np.float32)


def faces_in_frame(
    boxes: Floats, landmarks: Floats, scores: Floats, frame: Pixels, search_size: int, min_face: float
) -> list[Face]:
    """Faces found in a shrunken frame, as faces in the frame's own pixels; those under min_face are left out."""
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= min_face
    boxes, landmarks, scores = boxes[large], landmarks[large], scores[large]
    height, width = frame.shape[:2]
    scale = search_scale(height, width, search_size)
    back = np.array([width / max(1, round(width * scale)), height / max(1, round(height * scale))], np.float32)
    boxes = boxes * np.tile(back, 2)
    landmarks = landmarks * back
    return [
        Face((float(x1), float(y1), float(x2), float(y2)), points, float(score))
        for (x1, y1, x2, y2), points, score in zip(boxes, landmarks, scores, strict=True)
    ]


def _padded(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    bottom, right = -height % GRID, -width % GRID
    if not bottom and not right:
        return np.ascontiguousarray(pixels)
    return cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_CONSTANT).astype(np.uint8, copy=False)


def _decode(output: tuple[Floats, ...], width: int, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Boxes (n, 4), landmarks (n, 5, 2) and scores (n,) of every cell whose score reaches the threshold.

    A cell's score is the geometric mean of its two probabilities; its box is centre and log size, in strides.
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
        self, file: Path, *, name: str, search_size: int, min_face: float, threshold: float, overlap: float
    ) -> None:
        self.name = name
        self._search_size = search_size
        self._min_face = min_face
        try:
            self._net = cv2.FaceDetectorYN.create(str(file), "", (320, 320), threshold, overlap, MOST_CANDIDATES)
        except cv2.error as error:
            raise ModelError(f"OpenCV cannot read {file}: {error.err}") from error

    def detect(self, frames: Sequence[Pixels]) -> list[list[Face]]:
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Pixels) -> list[Face]:
        picture = shrink(frame, search_scale(frame.shape[0], frame.shape[1], self._search_size))
        picture = _padded(picture)
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        found = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        landmarks, scores = found[:, 4:14].reshape(-1, 5, 2), found[:, 14]
        return faces_in_frame(boxes, landmarks, scores, frame, self._search_size, self._min_face)
