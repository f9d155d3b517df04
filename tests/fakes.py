"""Stand-ins for the neighbors of the main path, one at each port, and records to feed them with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from visage.core.calibration import Calibration
from visage.core.cards import EmbedderCard
from visage.core.errors import NotFoundError
from visage.core.ports.media import Clip
from visage.core.values import Embeddings, Face, Floats, Frame, Match, Media, Pixels, Quality, Sampling, Sighting

TEMPLATE = ((38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (70.0, 92.0))

# At ten thousand comparisons the table ends: 0.0001 is the smallest rate.
CALIBRATION = Calibration(
    data="made up",
    comparisons=100_000,
    same_comparisons=1_000,
    false_match=((0.1, 0.2), (0.01, 0.4), (0.001, 0.5), (0.0001, 0.6)),
    true_match=((1.0, 0.3), (0.9, 0.5), (0.5, 0.7), (0.0, 0.9)),
    evidence=((0.0, -3.0), (0.5, 0.0), (1.0, 3.0)),
)

CARD = EmbedderCard(
    name="fake",
    kind="embedder",
    architecture="file",
    title="a fake",
    source="tests",
    license="MIT",
    files=(),
    size=(112, 112),
    dimension=64,
    template=TEMPLATE,
    threshold=0.5,
    calibration=CALIBRATION,
)

UNCALIBRATED = replace(CARD, calibration=None)


def face(x: float = 100, y: float = 100, size: float = 112, score: float = 0.99) -> Face:
    """A frontal face with its box's corner at (x, y)."""
    points = (np.array(TEMPLATE, np.float32) * size / 112 + [x, y]).astype(np.float32)
    return Face((x, y, x + size, y + size), points, score)


def quality(score: float = 0.9) -> Quality:
    return Quality(size=112, sharpness=0.8, yaw=0, pitch=0, roll=0, score=score)


def match(name: str = "Ada", similarity: float = 0.9) -> Match:
    return Match(f"id of {name}", name, f"face of {name}", similarity, 0.99)


def sighting(name: str | None = "Ada", time: float = 0.0, score: float = 0.9, similarity: float = 0.9) -> Sighting:
    """Somebody seen; nobody known where name is None."""
    found = match(name, similarity) if name else None
    return Sighting(int(time * 10), time, face(), quality(score), found, found)


def picture(seed: int, height: int = 300, width: int = 400) -> Pixels:
    """Smooth blotches with some detail, another picture for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


@dataclass
class FakeDetector:
    """Finds what `find` says, from its threshold on. seen: (height, width) of each picture it was shown."""

    find: Callable[[Pixels], list[Face]] = lambda pixels: [face()]
    name: str = "fake detector"
    threshold: float = 0.6
    sure: float = 0.8
    seen: list[tuple[int, int]] = field(default_factory=list)

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        self.seen += [(frame.shape[0], frame.shape[1]) for frame in frames]
        floor = self.threshold if least is None else least
        return [[one for one in self.find(frame) if one.score >= floor] for frame in frames]


@dataclass
class FakeEmbedder:
    """What a crop looks like from afar: its grey values in 8 x 8 fields. batches: how many crops came together."""

    name: str = "fake"
    batches: list[int] = field(default_factory=list)

    def embed(self, crops: Pixels) -> Embeddings:
        self.batches.append(len(crops))
        return Embeddings(np.stack([looks(crop) for crop in crops]) if len(crops) else np.zeros((0, 64), np.float32),
                          self.name)  # fmt: skip


def looks(crop: Pixels) -> Floats:
    small = cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA).mean(axis=2).ravel()
    vector = small - small.mean() + 1e-3
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@dataclass
class FakeClip:
    media: Media
    content: list[Frame]

    def frames(self) -> Iterator[Frame]:
        yield from self.content


@dataclass
class FakeDecoder:
    """Files by name: a picture, or a list of them, which is a video of ten frames a second. problem: of every file."""

    files: dict[str, Pixels | list[Pixels]]
    problem: str | None = None

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:
        if source not in self.files:
            raise NotFoundError(source, "there is no such file")
        content = self.files[source]
        pictures = content if isinstance(content, list) else [content]
        height, width = pictures[0].shape[:2]
        video = isinstance(content, list)
        media = Media(source, width, height, len(pictures) / 10 if video else None, 10.0 if video else None,
                      self.problem)  # fmt: skip
        wanted = range(0, len(pictures), sampling.frames or 1)
        yield FakeClip(media, [Frame(pictures[i], i, i / 10) for i in wanted])

    def find(self, folder: str) -> list[str]:
        return sorted(self.files)
