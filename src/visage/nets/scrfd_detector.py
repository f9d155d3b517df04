"""SCRFD in the form in which InsightFace publishes it as ONNX: its outputs -> faces. The user brings the file.

Guo, Deng, Lattas and Zafeiriou, "Sample and Computation Redistribution for Efficient Face Detection", arXiv:2105.04714.
Only variants with five points will do (their names end in `kps`), because faces are aligned by them.
"""

from collections.abc import Sequence

import numpy as np

from visage.core.boxes import nms, padded, to_be_searched, to_faces
from visage.core.errors import ModelError
from visage.core.values import Face, Floats, Pixels
from visage.nets.runtime import Net

STRIDES = (8, 16, 32)
ANCHORS = 2  # per cell, one behind the other

# Sides are padded up to multiples of this. 32 is what the network needs; 64 lets shapes recur from picture to picture.
GRID = 64
MOST_CANDIDATES = 5000


class ScrfdDetector:
    """SCRFD on a runtime.

    net: takes RGB 0..255 and does (x - 127.5) / 128 itself (`Network.mean` and `scale`). search_area: pixels, see
    `core.boxes.search_scale`. min_face: faces smaller than this are left out, pixels of the searched picture.
    threshold: least score, 0..1. overlap: boxes that share more (IoU) are one face.
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
        """As the port says. Raises `ModelError` where the network's outputs are not those of SCRFD with points."""
        if not frames:
            return []
        searched = [to_be_searched(frame, self._search_area) for frame in frames]
        inputs = [padded(picture, GRID)[None] for picture in searched]
        found = []
        for output, pixels, picture, frame in zip(self._net.run(inputs), inputs, searched, frames, strict=True):
            size = pixels.shape[1], pixels.shape[2]
            boxes, landmarks, scores = _decode(output, *size, self.threshold if least is None else least)
            large = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= self._min_face)
            kept = large[nms(boxes[large], scores[large], self._overlap)]
            found.append(to_faces(boxes[kept], landmarks[kept], scores[kept], picture, frame))
        return found


def _decode(output: tuple[Floats, ...], height: int, width: int, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Boxes (n, 4), landmarks (n, 5, 2) and scores (n,) of the anchors that reach the threshold, pixels.

    An anchor is the corner of its cell; edges are given as distances from it, landmarks as offsets, in strides.
    """
    boxes, landmarks, scores = [], [], []
    for stride, (score, edges, points) in zip(STRIDES, _by_stride(output, height, width), strict=True):
        found = np.flatnonzero(score >= threshold)
        cells = found // ANCHORS
        anchor = np.stack([cells % (width // stride), cells // (width // stride)], axis=1).astype(np.float32)
        low, high = anchor - edges[found, :2], anchor + edges[found, 2:]
        boxes.append(np.concatenate([low, high], axis=1) * np.float32(stride))
        landmarks.append((anchor[:, None] + points[found].reshape(-1, 5, 2)) * np.float32(stride))
        scores.append(score[found])
    all_scores = np.concatenate(scores)
    best = np.argsort(-all_scores, kind="stable")[:MOST_CANDIDATES]
    return np.concatenate(boxes)[best], np.concatenate(landmarks)[best], all_scores[best]


def _by_stride(output: tuple[Floats, ...], height: int, width: int) -> list[tuple[Floats, Floats, Floats]]:
    """For each stride the scores (n,), edges (n, 4) and points (n, 10).

    Files name and order their outputs as they like, some with a batch axis and some without; but the last axis tells
    the three kinds apart (1, 4 or 10 numbers an anchor), and the number of anchors tells the strides.
    """
    shaped = {(array.size // array.shape[-1], array.shape[-1]): array for array in output if array.ndim and array.size}
    anchors = [ANCHORS * (height // stride) * (width // stride) for stride in STRIDES]
    if all((n, numbers) in shaped for n in anchors for numbers in (1, 4)) and len(output) == 6:
        raise ModelError(
            "this SCRFD finds no landmarks, and without five points no face can be aligned; "
            "bring a variant whose name ends in kps"
        )
    if len(output) != 9 or any((n, numbers) not in shaped for n in anchors for numbers in (1, 4, 10)):
        shapes = ", ".join(str(array.shape) for array in output)
        raise ModelError(
            f"this is no SCRFD with five points: it should have nine outputs, scores, boxes and points for strides of "
            f"8, 16 and 32 pixels with two anchors each; for {width}x{height} pixels it gave {shapes}"
        )
    return [(shaped[n, 1].reshape(n), shaped[n, 4].reshape(n, 4), shaped[n, 10].reshape(n, 10)) for n in anchors]
