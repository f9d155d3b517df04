"""The nouns: frozen records that every room speaks in.

Pixels are RGB uint8 (h, w, 3); boxes are x1 y1 x2 y2 in pixels of the upright frame; times are seconds from the start
of the source. Arrays inside the records are not to be written to.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Frame:
    """One upright picture. A photo is frame 0 at time 0.

    pixels: (h, w, 3) uint8 RGB. index: position in the source, counting every frame. time: seconds.
    """

    pixels: Pixels
    index: int = 0
    time: float = 0.0

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be (h, w, 3) uint8 RGB, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Media:
    """What is known of a photo or video: its source as the caller named it, and its size in pixels.

    duration: a video's length in seconds (0 where the file declares none, until it is decoded), fps: its frames a
    second; both None for a photo. problem: what is damaged, if anything is.
    """

    source: str
    width: int
    height: int
    duration: float | None = None
    fps: float | None = None
    problem: str | None = None

    @property
    def is_video(self) -> bool:
        return self.duration is not None


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face.

    box: (x1, y1, x2, y2) in pixels of its frame; it may reach over the edge. score: 0..1.
    landmarks: (5, 2) float32, pixels: the eye on the picture's left, the eye on its right, the nose tip, the mouth
    corner on the picture's left, the one on its right.
    """

    box: tuple[float, float, float, float]
    landmarks: Floats
    score: float

    @property
    def size(self) -> float:
        """The shorter side of the box, pixels."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def area(self) -> float:
        return max(0.0, self.box[2] - self.box[0]) * max(0.0, self.box[3] - self.box[1])


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be recognized.

    size: shorter side of the box, pixels. sharpness: 0 (smeared) .. 1 (crisp). yaw, pitch, roll: degrees, read off the
    five points and therefore rough; 0 is frontal and upright. score: 0..1, all of it together.
    """

    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    score: float


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit vectors (n, d) float32 and the name of the model that made them; the two never part."""

    vectors: Floats
    model: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise ValueError(f"vectors must be (n, d) float32, not {self.vectors.shape} {self.vectors.dtype}")

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person of the gallery and their enrolled face most similar to a probe.

    similarity: cosine, -1..1. hidden: the person is not to be named. denied: the greatest similarity of the probe to a
    face that is known not to be theirs (a negative example); None where there is no such face.
    """

    person_id: str
    name: str
    face_id: str
    similarity: float
    hidden: bool = False
    denied: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate with the probability (0..1) that probe and person are the same; match.py states the prior."""

    person_id: str
    name: str
    face_id: str
    similarity: float
    probability: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One face in one frame, and who it is.

    match: the person the rule for "unknown" let through, else None. nearest and runner_up: the two most similar people
    whether or not the rule lets them through; None where the gallery has no such person. vector: (d,) float32, unit.
    withheld: it is somebody who is hidden, so all three are None; a stranger it is not.
    """

    frame: int
    time: float
    face: Face
    quality: Quality
    match: Match | None = None
    nearest: Match | None = None
    runner_up: Match | None = None
    vector: Floats | None = None
    withheld: bool = False

    @property
    def name(self) -> str:
        return self.match.name if self.match else UNKNOWN


@dataclass(frozen=True, slots=True)
class Appearance:
    """One person in one source: when they are seen, how often, and their best sighting.

    person_id is None for everybody the gallery could not name, taken together. intervals: (start, end) seconds.
    """

    person_id: str | None
    name: str
    sightings: int
    intervals: tuple[tuple[float, float], ...]
    best: Sighting


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled. faces: how many. created: seconds since 1970, UTC. hidden: not to be named."""

    id: str
    name: str
    collection: str
    faces: int
    created: float
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """One enrolled face.

    vector: (d,) float32, unit, made by `model`. crop: a JPEG of the face with a margin, or None where crops are not
    kept; landmarks: (5, 2) in the crop's pixels. digest: sha256 of the photo's bytes. created: seconds since 1970.
    """

    id: str
    person_id: str
    vector: Floats
    model: str
    crop: bytes | None
    landmarks: Floats
    source: str
    digest: str
    quality: Quality
    created: float


class JobKind(StrEnum):
    """What is to be done."""

    RECOGNIZE = "recognize"
    DETECT = "detect"
    COMPARE = "compare"
    ENROLL = "enroll"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """The rule for "unknown", as far as a caller may change it.

    stranger_rate: the share of strangers one tolerates to be given a name. threshold: a similarity that replaces the
    one that follows from stranger_rate. nearest: name the most similar person whatever the similarity.
    """

    stranger_rate: float = 0.01
    threshold: float | None = None
    nearest: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a video: one every so many seconds, or every so many frames, or `count` spread evenly over its
    length, or the key frames alone, which decodes far less. Nothing said: all. Only one of them may be said."""

    seconds: float | None = None
    frames: int | None = None
    count: int | None = None
    keys: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a video. index: of the frame, counting every frame from 0. time: seconds."""

    index: int
    time: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a video, cut at key frames without encoding anew; a file of its own.

    start, last: of its first and its last frame in the whole video. before: of the frame before its first, None at the
    video's start. end: seconds of the whole video at which it ends.
    """

    data: bytes
    start: Place
    last: Place
    before: Place | None
    end: float


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """How enrollment treats a photo: `largest` takes the largest of several faces, `force` takes poor faces too.

    box: take the face there instead (x1 y1 x2 y2, pixels of the upright frame), as an answer told it. frame: of a
    video, the frame's index, as the answer told it; None is the first. deny: keep the face as an example of who is not
    that person.
    """

    largest: bool = False
    force: bool = False
    box: tuple[float, float, float, float] | None = None
    frame: int | None = None
    deny: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: what to do with one source (two for a comparison), in which collection.

    name: whom to enroll. limit: only so many faces of each frame, the largest; 0: all. called: what the sources are
    called, where they are kept under other names; else empty. id: the job's own, where it may be performed a second
    time after its worker died; else empty. Everything in it can be written as JSON, so that it can travel through a
    queue.
    """

    kind: JobKind
    sources: tuple[str, ...]
    collection: str = "default"
    name: str | None = None
    match: MatchOptions = field(default_factory=MatchOptions)
    sampling: Sampling = field(default_factory=Sampling)
    enroll: EnrollOptions = field(default_factory=EnrollOptions)
    limit: int = 0
    called: tuple[str, ...] = ()
    id: str = ""
