"""MTCNN (Zhang et al. 2016, arXiv:1604.02878): three networks in a row -> faces. Knows nothing of PyTorch.

What differs from the paper, with what it brings on WIDER-dev (percent of average precision for faces of 20 and of 40
pixels and more): the score counts R-Net's and both of O-Net's opinions (+0.7, +0.9); P-Net's boxes are corrected before
they suppress each other (a seventh fewer of them, no precision lost); O-Net looks twice, the second time at the mirror
image of the box it has just corrected, and its answers are averaged (+0.7, +0.6). The second look also steadies the
landmarks: when an LFW picture moves by three pixels, they stay where they were on the face within 0.5 instead of 0.8.
bf16 costs at most 0.3 percent, and 0.02 pixels of that steadiness.
"""

from collections.abc import Sequence

import numpy as np

from visage.core.boxes import nms, to_be_searched, to_faces, to_square
from visage.core.values import Face, Floats, Pixels
from visage.nets.mtcnn_pyramid import STEP, WINDOW, Layout, canvas, cut, halves, layout
from visage.nets.runtime import Net

RNET_SIZE = 24
ONET_SIZE = 48

# Boxes sharing more (IoU) are one: on one level of the pyramid, across levels, after R-Net, at the end.
LEVEL_OVERLAP = 0.5
PYRAMID_OVERLAP = 0.7
RNET_OVERLAP = 0.7
FACE_OVERLAP = 0.4

# A bound for crowds and noise only. A picture of several hundred faces has 3,000 proposals, which take R-Net 40 ms;
# keeping 1,000 would cost 0.8 percent of precision.
MOST_PROPOSALS = 3000

# Batches are cut into pieces of this size and a rest that is rounded up to a quarter, a half or three quarters of it:
# shapes recur. The pieces are run one after the other, each on all threads: OpenVINO takes 3.4 ms for 320 of R-Net's
# crops that way, and 6.5 with the pieces side by side on a thread each.
RNET_BATCH = 128
ONET_BATCH = 32

HALF = np.float32(0.5)
MIRRORED_EDGES = [2, 1, 0, 3]
MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]


class MtcnnDetector:
    """MTCNN on a runtime.

    pnet, rnet, onet: the networks of `mtcnn.py`. search_area: pixels, see `core.boxes.search_scale`. min_face: the
    smallest face looked for, in pixels of the searched picture. thresholds: least probability for P-Net and for R-Net,
    and least score of a face: the geometric mean of R-Net's probability and O-Net's two.
    """

    def __init__(
        self,
        pnet: Net,
        rnet: Net,
        onet: Net,
        *,
        name: str,
        search_area: int,
        min_face: float,
        thresholds: tuple[float, float, float],
        sure: float,
    ) -> None:
        self.name = name
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._search_area = search_area
        self._min_face = min_face
        self._thresholds = thresholds
        self.threshold = thresholds[2]
        self.sure = sure

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        least = self.threshold if least is None else least
        pyramids = [halves(to_be_searched(frame, self._search_area)) for frame in frames]
        proposals = self._propose(pyramids)
        squares, trusts = self._refine(pyramids, proposals, least)
        found = self._decide(pyramids, squares, trusts, least)
        return [
            to_faces(boxes, landmarks, scores, pictures[0], frame)
            for (boxes, landmarks, scores), pictures, frame in zip(found, pyramids, frames, strict=True)
        ]

    def _propose(self, pyramids: list[list[Pixels]]) -> list[Floats]:
        """P-Net over every picture: squares (n, 4), best first, for each."""
        layouts = [layout(*pictures[0].shape[:2], self._min_face) for pictures in pyramids]
        large = [i for i, where in enumerate(layouts) if where.levels]
        outputs = self._pnet.run([canvas(pyramids[i], layouts[i])[None] for i in large]) if large else []
        proposals = [np.zeros((0, 4), np.float32) for _ in pyramids]
        for i, (probabilities, edges) in zip(large, outputs, strict=True):
            height, width = pyramids[i][0].shape[:2]
            proposals[i] = _proposals(probabilities[0], edges[0], layouts[i], height, width, self._thresholds[0])
        return proposals

    def _refine(
        self, pyramids: list[list[Pixels]], squares: list[Floats], least: float
    ) -> tuple[list[Floats], list[Floats]]:
        """R-Net on every square: better squares (n, 4) and their probabilities (n,), fewer, for each picture."""
        # A face's score is a mean of three, of which this is one: below the cube of what is asked it cannot be reached.
        least = max(self._thresholds[1], least**3)
        refined, trusts = [], []
        for windows, probabilities, edges, *_ in _look(self._rnet, RNET_SIZE, RNET_BATCH, pyramids, squares):
            likely = np.flatnonzero(probabilities >= least)
            kept = likely[nms(windows[likely], probabilities[likely], RNET_OVERLAP)]
            refined.append(to_square(_moved(windows[kept], edges[kept])))
            trusts.append(probabilities[kept])
        return refined, trusts

    def _decide(
        self, pyramids: list[list[Pixels]], squares: list[Floats], trusts: list[Floats], least: float
    ) -> list[tuple[Floats, Floats, Floats]]:
        """O-Net, twice: boxes (n, 4), landmarks (n, 5, 2) and scores (n,), best first, for each picture."""
        firsts = []
        for trust, look in zip(trusts, _look(self._onet, ONET_SIZE, ONET_BATCH, pyramids, squares), strict=True):
            windows, probabilities, edges, landmarks = look
            moved, so_far = _moved(windows, edges), trust * probabilities
            likely = np.flatnonzero(so_far >= least**3)
            kept = likely[nms(moved[likely], so_far[likely], FACE_OVERLAP)]
            firsts.append((moved[kept], _placed(windows[kept], landmarks[kept]), so_far[kept]))
        again = [to_square(boxes) for boxes, _, _ in firsts]
        seconds = _look(self._onet, ONET_SIZE, ONET_BATCH, pyramids, again, mirrored=True)
        found = []
        for (once, placed, earlier), (windows, probabilities, edges, landmarks) in zip(firsts, seconds, strict=True):
            boxes = (once + _moved(windows, edges)) * HALF
            points = (placed + _placed(windows, landmarks)) * HALF
            scores = np.asarray(np.cbrt(earlier * probabilities), np.float32)
            likely = np.flatnonzero(scores >= least)
            kept = likely[nms(boxes[likely], scores[likely], FACE_OVERLAP)]
            found.append((boxes[kept], points[kept], scores[kept]))
        return found


def _proposals(
    probabilities: Floats, edges: Floats, where: Layout, height: int, width: int, threshold: float
) -> Floats:
    """P-Net's output for one canvas -> squares (n, 4) in pixels of the picture, best first.

    probabilities: (h', w'); edges: (4, h', w'); height, width: of the picture.
    """
    all_boxes, all_scores = [], []
    for level in where.levels:
        rows, columns = level.cells
        scores = probabilities[rows, columns]
        i, j = np.nonzero(scores >= threshold)
        best = np.argsort(-scores[i, j], kind="stable")[:MOST_PROPOSALS]
        i, j = i[best], j[best]
        corner = np.stack([j, i], axis=1).astype(np.float32) * STEP
        windows = np.concatenate([corner, corner + WINDOW], axis=1)
        boxes = _moved(windows, edges[:, rows, columns][:, i, j].T)
        boxes *= np.array([width / level.width, height / level.height] * 2, np.float32)
        kept = nms(boxes, scores[i, j], LEVEL_OVERLAP)
        all_boxes.append(boxes[kept])
        all_scores.append(scores[i, j][kept])
    boxes, scores = np.concatenate(all_boxes), np.concatenate(all_scores)
    return to_square(boxes[nms(boxes, scores, PYRAMID_OVERLAP)[:MOST_PROPOSALS]])


def _look(
    net: Net, size: int, batch: int, pyramids: list[list[Pixels]], squares: list[Floats], *, mirrored: bool = False
) -> list[tuple[Floats, ...]]:
    """What `net` says of every picture's squares: for each picture the windows really seen (n, 4), then its outputs.

    mirrored: the windows are shown to it mirrored, and its answers mirrored back.
    """
    cuts = [cut(pictures, boxes, size) for pictures, boxes in zip(pyramids, squares, strict=True)]
    counts = [len(windows) for _, windows in cuts]
    if not sum(counts):
        empty = (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))
        return [(*empty, np.zeros((0, 5, 2), np.float32)) for _ in counts]
    crops = np.concatenate([crops for crops, _ in cuts])
    outputs = _run(net, crops[:, :, ::-1] if mirrored else crops, batch)
    if mirrored:
        outputs[1] = outputs[1][:, MIRRORED_EDGES] * np.array([-1, 1, -1, 1], np.float32)
        outputs[2] = outputs[2][:, MIRRORED_LANDMARKS] * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32)
    bounds = np.cumsum(counts)[:-1]
    parts = zip(*(np.split(output, bounds) for output in outputs), strict=True)
    return [(windows, *part) for (_, windows), part in zip(cuts, parts, strict=True)]


def _run(net: Net, crops: Pixels, batch: int) -> list[Floats]:
    """The net's outputs for all crops (n, h, w, 3), n > 0, through batches of a few sizes."""
    outputs = []
    for start in range(0, len(crops), batch):
        piece = crops[start : start + batch]
        quarters = -(-len(piece) * 4 // batch)
        padded = np.zeros((quarters * batch // 4, *crops.shape[1:]), np.uint8)
        padded[: len(piece)] = piece
        outputs += net.run([padded])
    return [np.concatenate(output)[: len(crops)] for output in zip(*outputs, strict=True)]


def _moved(windows: Floats, edges: Floats) -> Floats:
    """Windows (n, 4) with each edge moved by its share (n, 4) of the window's side."""
    return windows + edges * np.tile(windows[:, 2:] - windows[:, :2], 2)


def _placed(windows: Floats, landmarks: Floats) -> Floats:
    """Landmarks (n, 5, 2) as shares of their windows -> pixels."""
    return windows[:, None, :2] + landmarks * (windows[:, None, 2:] - windows[:, None, :2])
