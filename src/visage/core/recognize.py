"""The main path: frames -> faces -> crops -> embeddings -> matches -> sightings, in batches.

A photo is a video of one frame. Nothing else recognizes anything: enrollment and comparison take their embeddings from
`probes`, and every named face comes out of `sightings`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from visage.core.align import crop_faces
from visage.core.boxes import iou
from visage.core.cards import EmbedderCard
from visage.core.match import CANDIDATES, Rule, decide
from visage.core.ports.gallery import Gallery
from visage.core.ports.nets import Detector, Embedder
from visage.core.quality import measure_quality
from visage.core.values import Embeddings, Face, Floats, Frame, Pixels, Quality, Sighting

# Frames that go through the networks together: at most so many, and so many pixels, so that large ones do not pile up.
BATCH_FRAMES = 8
BATCH_PIXELS = 24_000_000

# A picture counts as lying on its side where a turn raises the best score by so much.
MARGIN = 0.03

# In a video, WEAK times the detector's threshold is enough where a face found in a frame at most NEARBY seconds away
# overlaps by SAME_PLACE (IoU).
WEAK = 0.65
NEARBY = 0.2
SAME_PLACE = 0.3

Lap = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Probe:
    """A face that was found, measured and embedded, not yet compared with anybody. vector: (d,) float32, unit."""

    frame: int
    time: float
    face: Face
    quality: Quality
    vector: Floats


@dataclass(frozen=True)
class Eyes:
    """What turns frames into probes. lap: times a stage by its name."""

    detector: Detector
    embedder: Embedder
    card: EmbedderCard
    lap: Lap


def batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Frames in order, grouped up to the two limits above; a frame larger than both goes alone."""
    batch: list[Frame] = []
    pixels = 0
    for frame in frames:
        area = frame.width * frame.height
        if batch and (len(batch) == BATCH_FRAMES or pixels + area > BATCH_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(frame)
        pixels += area
    if batch:
        yield batch


class Finder:
    """Finds the faces of one video, batch after batch, or of photos.

    In a photo without a face, or with doubtful ones only, it looks again with the picture turned by 90, 180 and 270
    degrees, and what was found the surest counts. In a video a weak detection counts if there is a face at the same
    place in a frame just before or after: a face near the threshold would come and go from frame to frame.
    """

    def __init__(self, detector: Detector, *, video: bool) -> None:
        self._detector = detector
        self._video = video
        self._recent: list[tuple[float, Face]] = []
        self.rotations: list[int] = []

    def find(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """The faces of each frame. `rotations`: by how many degrees clockwise each of them had to be turned."""
        self.rotations = [0] * len(frames)
        if self._video:
            return self._steady(frames)
        found = self._detector.detect([frame.pixels for frame in frames])
        for i, frame in enumerate(frames):
            if _surest(found[i]) < self._detector.sure:
                found[i], self.rotations[i] = _rescue(frame, found[i], self._detector)
        return found

    def _steady(self, frames: Sequence[Frame]) -> list[list[Face]]:
        threshold = self._detector.threshold
        found = self._detector.detect([frame.pixels for frame in frames], least=WEAK * threshold)
        sure = [(frame.time, face) for frame, faces in zip(frames, found, strict=True) for face in faces
                if face.score >= threshold]  # fmt: skip
        witnesses = self._recent + sure
        kept = [
            [face for face in faces if face.score >= threshold or _is_witnessed(face, frame.time, witnesses)]
            for frame, faces in zip(frames, found, strict=True)
        ]
        self._recent = [(time, face) for time, face in sure if frames[-1].time - time <= NEARBY]
        return kept


def largest(faces: list[Face], limit: int) -> list[Face]:
    """The `limit` largest faces, in the order they came in; all where it is 0."""
    if not 0 < limit < len(faces):
        return faces
    order = sorted(range(len(faces)), key=lambda i: -faces[i].area)
    return [faces[i] for i in sorted(order[:limit])]


def _is_witnessed(face: Face, time: float, witnesses: Sequence[tuple[float, Face]]) -> bool:
    near = [other.box for when, other in witnesses if abs(when - time) <= NEARBY]
    boxes = np.array(near, np.float32).reshape(-1, 4)
    return bool((iou(np.array([face.box], np.float32), boxes) >= SAME_PLACE).any())


def _rescue(frame: Frame, upright: list[Face], detector: Detector) -> tuple[list[Face], int]:
    turned = [(np.ascontiguousarray(np.rot90(frame.pixels, -quarters)), quarters) for quarters in (1, 2, 3)]
    found = [(detector.detect([pixels])[0], quarters) for pixels, quarters in turned]
    faces, quarters = max(found, key=lambda one: _surest(one[0]))
    # A face lying on its side is found upright too, now and then, but doubtfully and with its points in disorder.
    if not faces or _surest(faces) < _surest(upright) + MARGIN:
        return upright, 0
    return [turn_back(face, quarters, frame.width, frame.height) for face in faces], 90 * quarters


def _surest(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def turn_back(face: Face, quarters: int, width: int, height: int) -> Face:
    """A face found in a picture turned clockwise by so many quarters -> where it is in the picture, width x height."""
    points = np.concatenate([np.array(face.box, np.float32).reshape(2, 2), face.landmarks])
    x, y = points[:, 0], points[:, 1]
    if quarters == 1:
        x, y = y, height - x
    elif quarters == 2:
        x, y = width - x, height - y
    elif quarters == 3:
        x, y = width - y, x
    box = (float(x[:2].min()), float(y[:2].min()), float(x[:2].max()), float(y[:2].max()))
    return Face(box, np.stack([x[2:], y[2:]], axis=1).astype(np.float32), face.score)


def measure(frame: Frame, faces: Sequence[Face], card: EmbedderCard) -> tuple[list[Pixels], list[Quality]]:
    """The crop of each face as the card wants it, and the quality read off it."""
    crops = crop_faces(frame.pixels, [face.landmarks for face in faces], card.points, card.size)
    return crops, [measure_quality(face, crop) for face, crop in zip(faces, crops, strict=True)]


def probes(batch: Sequence[Frame], faces: Sequence[Sequence[Face]], eyes: Eyes) -> list[list[Probe]]:
    """For each frame its faces embedded, all crops of the batch together."""
    with eyes.lap("crop"):
        measured = [measure(frame, found, eyes.card) for frame, found in zip(batch, faces, strict=True)]
        crops = [crop for found, _ in measured for crop in found]
    with eyes.lap("embed"):
        stacked = np.stack(crops) if crops else np.zeros((0, *eyes.card.size, 3), np.uint8)
        vectors = iter(eyes.embedder.embed(stacked).vectors)
    return [
        [
            Probe(frame.index, frame.time, face, quality, next(vectors))
            for face, quality in zip(found, qualities, strict=True)
        ]
        for frame, found, (_, qualities) in zip(batch, faces, measured, strict=True)
    ]


def name(
    found: Sequence[Probe], gallery: Gallery, collection: str, rule: Rule, people: int, eyes: Eyes
) -> list[Sighting]:
    """Each probe with the people it resembles most, searched together."""
    if not found:
        return []
    with eyes.lap("match"):
        vectors = Embeddings(np.stack([probe.vector for probe in found]), eyes.embedder.name)
        candidates = gallery.search(collection, vectors, CANDIDATES)
        verdicts = [decide(nearest, rule, eyes.card, people) for nearest in candidates]
    return [
        Sighting(
            frame=probe.frame,
            time=probe.time,
            face=probe.face,
            quality=probe.quality,
            match=verdict.match,
            nearest=verdict.nearest,
            runner_up=verdict.runner_up,
            vector=probe.vector,
            withheld=verdict.withheld,
        )
        for probe, verdict in zip(found, verdicts, strict=True)
    ]
