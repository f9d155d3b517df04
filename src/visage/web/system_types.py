"""How the service stands, as it goes out, for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import Field

from visage.web.answers import Shape


class ModelOut(Shape):
    """A model's card. source: who made it, and where it is from. accuracy: what was measured, by what it was measured
    on. in_use: by this service."""

    name: str
    title: str
    kind: Literal["detector", "embedder"]
    license: str
    source: str
    notes: str
    accuracy: dict[str, str]
    installed: bool
    in_use: bool


class ModelList(Shape):
    models: list[ModelOut]


class CollectionSize(Shape):
    """model: by which the faces were measured; null where there is none."""

    name: str
    people: int
    faces: int
    model: str | None


class QueueState(Shape):
    """oldest: seconds that the oldest job has waited, where that is known. dead: jobs put aside because they ended
    their worker again and again; 1000 stands for that many or more, null for not known yet."""

    waiting: int
    in_flight: int
    oldest: float | None
    dead: int | None


class WorkerReport(Shape):
    """What a worker did. busy: seconds with something in hand. at: when it said so, seconds since 1970."""

    name: str
    jobs: int
    busy: float
    at: float


class FleetReport(Shape):
    """workers, wanted, max: how many there are, are asked for, may be; null where no autoscaler has written within the
    last minute. reports: of the last day."""

    workers: int | None
    wanted: int | None
    max: int | None
    reports: list[WorkerReport]


class StoreSize(Shape):
    objects: int
    bytes: int


class StorageState(Shape):
    """Counted once a minute at most; null where it does not answer or is still being counted."""

    inputs: StoreSize | None
    outputs: StoreSize | None


class KeyOut(Shape):
    """created, revoked: seconds since 1970. Of a key's secret nothing is kept that could be told."""

    id: str
    name: str
    role: Literal["read", "recognize", "enroll", "admin"]
    created: float
    revoked: float | None


class Limits(Shape):
    """max_upload: bytes of a request. max_bytes, max_pixels, max_seconds: of a file, a picture, a video. max_backlog:
    jobs waiting, from which on new ones are refused. request_seconds: how long a request waits for its answer."""

    max_upload: int
    max_bytes: int
    max_pixels: int
    max_seconds: float
    max_backlog: int
    request_seconds: float


class FindingOut(Shape):
    """Something that whoever runs the service should know, and what to do about it."""

    level: Literal["advice", "warning", "problem"]
    what: str
    remedy: str


class SystemState(Shape):
    """queue, fleet, collections: null where what knows them does not answer. keys: null for who is no admin. keep_days:
    after so many days inputs and answers are deleted."""

    version: str
    collections: list[CollectionSize] | None
    queue: QueueState | None
    fleet: FleetReport | None
    storage: StorageState
    keep_days: Annotated[float, Field(ge=0)]
    keys: list[KeyOut] | None
    limits: Limits
    findings: list[FindingOut]
