"""Answers as they go out, for the OpenAPI document; `core/wire.py` writes what is described here."""

from typing import Any, Literal

from pydantic import ConfigDict

from visage.core.answers import Outcome
from visage.web.described import Described


class Shape(Described):
    model_config = ConfigDict(extra="forbid")


class MediaOut(Shape):
    """The photo or video. duration and fps: of a video, seconds and frames a second. problem: what is damaged."""

    source: str
    width: int
    height: int
    duration: float | None
    fps: float | None
    problem: str | None


class ModelsOut(Shape):
    detector: str
    embedder: str | None
    runtime: str


class FaceOut(Shape):
    """box: x1 y1 x2 y2 in pixels; box_ratio: the same as shares of width and height. landmarks: eyes, nose, corners of
    the mouth, pixels."""

    box: list[float]
    box_ratio: list[float]
    landmarks: list[list[float]]
    score: float


class QualityOut(Shape):
    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    score: float


class MatchOut(Shape):
    """similarity: cosine. probability: that it is this person."""

    person_id: str
    name: str
    face_id: str
    similarity: float
    probability: float


class SightingOut(FaceOut):
    """A face in a frame. name, match, nearest and runner_up: where names were asked for. vector: where it was."""

    frame: int
    time: float
    quality: QualityOut
    name: str | None = None
    match: MatchOut | None = None
    nearest: MatchOut | None = None
    runner_up: MatchOut | None = None
    vector: list[float] | None = None


class PersonOut(Shape):
    """Somebody in the source, or everybody unknown. intervals: start and end, seconds."""

    person_id: str | None
    name: str
    sightings: int
    intervals: list[list[float]]
    best: SightingOut


class RuleOut(Shape):
    """From which similarity on a name was given, and why."""

    threshold: float
    basis: str
    limited: bool
    stranger_rate: float | None
    enrolled: int
    gallery: str = ""


class ComparisonOut(Shape):
    same: bool
    similarity: float
    probability: float
    threshold: float
    faces: list[FaceOut]


class EnrolledOut(Shape):
    """Somebody enrolled. faces: how many. created: seconds since 1970. hidden: not to be named."""

    id: str
    name: str
    collection: str
    faces: int
    created: float
    hidden: bool = False


class ResemblanceOut(Shape):
    """Somebody of another name who looks the same."""

    name: str
    similarity: float


class EnrollmentOut(Shape):
    """What became of a photo of somebody."""

    outcome: Outcome
    detail: str
    person: EnrolledOut | None
    face_id: str | None
    resembles: ResemblanceOut | None


class AnswerOut(Shape):
    """names: most seen first. timings: seconds by stage."""

    kind: str
    source: str
    media: list[MediaOut]
    models: ModelsOut
    frames: int
    rotation: int
    timings: dict[str, float]
    faces: list[SightingOut] | None = None
    names: list[str] | None = None
    people: list[PersonOut] | None = None
    rule: RuleOut | None = None
    comparison: ComparisonOut | None = None
    enrollment: EnrollmentOut | None = None


class JobOut(Shape):
    """created, finished: seconds since 1970. request: the id of the request that made it."""

    id: str
    status: Literal["queued", "running", "done", "failed"]
    kind: str
    request: str
    created: float
    finished: float | None = None


class Answered(Shape):
    job: JobOut
    answer: AnswerOut


class PhotoOut(Shape):
    """What became of one photo. outcome: `failed` where nothing could be made of the file. job: its id."""

    source: str
    outcome: Outcome | Literal["failed"]
    detail: str
    face_id: str | None
    resembles: ResemblanceOut | None
    job: str


class Enrolled(Shape):
    """person: as they are now; None where none of their photos was ever enrolled. photos: in the order they came."""

    person: EnrolledOut | None
    photos: list[PhotoOut]


class AcceptedJobs(Shape):
    """The jobs are kept, one for each photo in the order they came; ask for them at /v1/jobs/ID."""

    jobs: list[JobOut]


class Accepted(Shape):
    """The job is kept; ask for it where Location says."""

    job: JobOut


class ProblemOut(Described):
    """RFC 9457. job: the id of the job that failed."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    job: str | None = None


class JobProblem(Described):
    """Why a job failed."""

    type: str
    title: str
    status: int
    detail: str


class BulkPhoto(Shape):
    """What became of one of many photos. source: its path. name: whose it is; empty where that could not be told."""

    source: str
    name: str
    outcome: Outcome | Literal["failed"]
    detail: str
    face_id: str | None
    resembles: ResemblanceOut | None


class BulkReport(Shape):
    """What became of a job of many photos. people: how many were added to. outcomes: how often each."""

    collection: str
    total: int
    people: int
    outcomes: dict[str, int]
    photos: list[BulkPhoto]


class JobState(JobOut):
    """progress: of a video or of many photos that are being worked at. report: of many photos."""

    progress: dict[str, Any] | None = None
    answer: AnswerOut | None = None
    report: BulkReport | None = None
    error: JobProblem | None = None


class Health(Shape):
    status: Literal["ok"]
