"""How well a detector finds labelled faces: average precision on pictures of WIDER FACE.

The protocol. A face's size is the shorter side of its labelled box, in pixels. Labelled faces smaller than the limit
are ignored: a detection that matches one is neither right nor wrong, and one that is missed is no loss. Detections that
match nothing are wrong, unless they are themselves smaller than the limit. A detection matches the labelled face that
it overlaps most among those not yet taken, if the overlap (intersection over union) is at least one half; detections
take their turn by falling score, those below 0.02 not at all. The area under the precision-recall curve is taken at all
its points, with precision made to fall (PASCAL VOC 2010 and later: Everingham et al., "The PASCAL Visual Object Classes
Challenge: A Retrospective", IJCV 2015). What is chosen on the even pictures is reported on the odd ones.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visage.core.ports.nets import Detector
from visage.core.values import Pixels

Boxes = NDArray[np.float64]

SCORE_FLOOR = 0.02
OVERLAP = 0.5
LIMITS = (20.0, 40.0)


@dataclass(frozen=True)
class Picture:
    """A labelled picture. boxes: (n, 4) x1 y1 x2 y2, pixels; n may be 0."""

    path: Path
    boxes: Boxes


@dataclass(frozen=True)
class Found:
    """What a detector found in one picture. boxes: (n, 4) pixels; scores: (n,), in the same order."""

    boxes: Boxes
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Precision:
    """Average precision and recall, 0..1, over `faces` labelled faces of the wanted size."""

    average: float
    recall: float
    faces: int


def load_wider(folder: Path) -> list[Picture]:
    """The pictures of `folder`/labels.txt, in its order: `# path width height`, then `x1 y1 x2 y2` for each face."""
    rows: list[tuple[str, list[list[float]]]] = []
    for line in (folder / "labels.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            rows.append((line[1:].strip().rsplit(" ", 2)[0], []))
        elif line.strip():
            rows[-1][1].append([float(word) for word in line.split()[:4]])
    return [Picture(folder / "images" / path, np.array(boxes).reshape(-1, 4)) for path, boxes in rows]


def read_pixels(path: Path) -> Pixels:
    """A picture as (h, w, 3) uint8 RGB. Raises `FileNotFoundError` where OpenCV cannot read it."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise FileNotFoundError(path)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def find_faces(
    detector: Detector, pictures: Iterable[Picture], read: Callable[[Path], Pixels] = read_pixels
) -> list[Found]:
    """Run the detector over the pictures one by one, as they differ in size. Its own score floor should be 0.02."""
    found = []
    for picture in pictures:
        faces = detector.detect([read(picture.path)])[0]
        boxes = np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4)
        found.append(Found(boxes, np.array([face.score for face in faces], dtype=np.float64)))
    return found


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every box (m, 4) with every other (n, 4): (m, n), 0..1."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)
    union = _areas(boxes)[:, None] + _areas(others)[None] - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny), dtype=np.float64)


def _judge(found: Found, truth: Boxes, limit: float) -> list[tuple[float, bool]]:
    """(score, right?) of each detection of one picture that counts."""
    ignored = _sizes(truth) < limit
    small = _sizes(found.boxes) < limit
    overlap = overlaps(found.boxes, truth)
    verdicts = []
    for index in np.argsort(-found.scores, kind="stable"):
        score = float(found.scores[index])
        if score < SCORE_FLOOR:
            break
        best = int(np.argmax(overlap[index])) if len(truth) else -1
        if best >= 0 and overlap[index, best] >= OVERLAP:
            overlap[:, best] = -1.0  # taken
            if not ignored[best]:
                verdicts.append((score, True))
        elif not small[index]:
            verdicts.append((score, False))
    return verdicts


def average_precision(found: Sequence[Found], pictures: Sequence[Picture], limit: float) -> Precision:
    """Average precision for labelled faces of at least `limit` pixels. `found` and `pictures` go in step."""
    faces = sum(int(np.sum(_sizes(picture.boxes) >= limit)) for picture in pictures)
    verdicts = [
        verdict for one, picture in zip(found, pictures, strict=True) for verdict in _judge(one, picture.boxes, limit)
    ]
    if not verdicts or not faces:
        return Precision(0.0, 0.0, faces)
    verdicts.sort(key=lambda verdict: -verdict[0])
    right = np.cumsum([correct for _, correct in verdicts])
    recall = right / faces
    precision = right / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return Precision(float(np.sum(np.diff(recall, prepend=0.0) * falling)), float(recall[-1]), faces)


def by_halves(found: Sequence[Found], pictures: Sequence[Picture], limit: float) -> dict[str, Precision]:
    """Average precision of the `even` pictures (to choose on), the `odd` ones (to report) and `all`."""
    halves = {"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}
    return {name: average_precision(found[half], pictures[half], limit) for name, half in halves.items()}


def _sizes(boxes: Boxes) -> NDArray[np.float64]:
    return np.asarray(np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]), dtype=np.float64)


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), dtype=np.float64)
