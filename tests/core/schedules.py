"""A small Lambda and S3: events that come twice, late, in any order and at once; functions that fail and are killed.

Stores, kits and cutter are played where AWS would be; the functions are the real ones. Two invocations overlap in that
a store's call of the one may run another as a whole before it goes on.
"""

import io
import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote_plus

import numpy as np

from tests.core.service_fakes import ADA, BO, NOBODY, find, make_kit
from tests.fakes import FakeClip, FakeDecoder
from visage.core.errors import NoObjectError, StorageError, UnreadableError
from visage.core.ports.media import Clip, Cutter, Segments
from visage.core.ports.objects import Objects, Stored
from visage.core.serverless.chunks import Asking, Reading, Recognizer
from visage.core.serverless.cutting import Cutting
from visage.core.serverless.failures import give_up, is_failure, tasks_of_failure
from visage.core.serverless.results import json_key
from visage.core.serverless.splitting import Splitter, Stores, Surroundings
from visage.core.serverless.uploads import Ask, Task, is_later, tasks_of_event
from visage.core.values import Frame, MatchOptions, Media, Pixels, Place, Sampling, Segment
from visage.objects.store import open_store

PICTURES = {"ada": ADA, "bo": BO, "nobody": NOBODY}
INPUTS, STAGE, OUTPUTS = "in-bucket", "stage-bucket", "out-bucket"
FPS = 10.0


class KilledError(BaseException):
    """The process is gone."""


def film(frames: list[str]) -> bytes:
    """A video as the played cutter reads it: the name of each frame's picture."""
    return b"FILM" + " ".join(frames).encode()


def to_jpeg(pixels: Pixels) -> bytes:
    return next(name for name, picture in PICTURES.items() if np.array_equal(pixels, picture)).encode()


def from_jpeg(data: bytes, name: str) -> Pixels:
    return PICTURES[data.decode()]


class PlayedCutter:
    """`core.ports.media.Cutter` of films; every frame is a key frame."""

    @contextmanager
    def frames(
        self, file: IO[bytes], source: str, size: int, sampling: Sampling, *, after: Place | None = None
    ) -> Iterator[Clip]:
        names = _names(file, source)
        wanted = range(0, len(names), sampling.frames or 1)
        content = [Frame(PICTURES[names[i]], i, i / FPS) for i in wanted if after is None or i > after.index]
        yield FakeClip(_media(source, names), content)

    @contextmanager
    def cut(
        self, file: IO[bytes], source: str, size: int, seconds: float, *, after: Place | None = None
    ) -> Iterator[Segments]:
        names = _names(file, source)
        each = max(1, round(seconds * FPS))
        yield _Pieces(_media(source, names), names, range(after.index + 1 if after else 0, len(names), each), each)

    @contextmanager
    def segment(self, segment: Segment, media: Media, sampling: Sampling) -> Iterator[Clip]:
        names = _names(io.BytesIO(segment.data), media.source)
        places = range(segment.start.index, segment.start.index + len(names))
        wanted = [i for i in places if i % (sampling.frames or 1) == 0]
        yield FakeClip(media, [Frame(PICTURES[names[i - places.start]], i, i / FPS) for i in wanted])


@dataclass(frozen=True)
class _Pieces:
    media: Media
    names: list[str]
    starts: range
    each: int

    def segments(self) -> Iterator[Segment]:
        for start in self.starts:
            names = self.names[start : start + self.each]
            last = start + len(names) - 1
            before = Place(start - 1, (start - 1) / FPS) if start else None
            yield Segment(film(names), Place(start, start / FPS), Place(last, last / FPS), before, (last + 1) / FPS)


def _names(file: IO[bytes], source: str) -> list[str]:
    data = file.read()
    if not data.startswith(b"FILM"):
        raise UnreadableError(source, "it is no film")
    return data[4:].decode().split()


def _media(source: str, names: list[str]) -> Media:
    return Media(source, 400, 300, len(names) / FPS, FPS)


@dataclass
class Event:
    """body: as Lambda hands it over. tries: how often it has failed."""

    body: dict[str, Any]
    tries: int = 0


@dataclass
class Lambda:
    """All three stores, and the events that are on their way. trouble: how likely a call of a store fails, before or
    after it had its effect, or ends the process."""

    folder: Path
    seed: int
    chunk: int = 3
    segment: float = 0.0
    trouble: float = 0.0
    haste: float = 0.0
    overlap: float = 0.0
    memory: float | None = None
    events: list[Event] = field(default_factory=list)
    dead: list[Event] = field(default_factory=list)
    latest: dict[str, list[str]] = field(default_factory=dict)
    invocations: int = 0
    _depth: int = 0
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.stores = Stores(*(Bucket(name, self) for name in (INPUTS, STAGE, OUTPUTS)))
        self.gallery = make_kit(self.folder, FakeDecoder({})).gallery()

    def upload(self, key: str, frames: list[str]) -> None:
        self.latest[key] = frames
        self.stores.inputs.put(key, film(frames))

    def run(self) -> None:
        """Until nothing is on its way. Of an event that was handed over a copy may come again, at any time."""
        while self.events:
            self.step()

    def step(self) -> None:
        event = self.events.pop(self.random.randrange(len(self.events)))
        if self.random.random() < 0.15:
            self.events.append(Event(event.body, event.tries))
        self.invocations += 1
        try:
            self._invoke(event.body)
        except (Exception, KilledError) as error:  # noqa: BLE001  as Lambda does
            self._failed(event, repr(error))

    def replay(self) -> None:
        """As somebody who looks after the dead letters."""
        self.events += [Event(event.body) for event in self.dead]
        self.dead.clear()
        self.run()

    def notify(self, bucket: str, key: str, tag: str, size: int) -> None:
        self._sequence += 1
        found = {"key": quote_plus(key, safe="/"), "size": size, "eTag": tag.strip('"'),
                 "sequencer": f"{self._sequence:016X}"}  # fmt: skip
        record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": found}}
        body = {"Records": [record]}
        if bucket != OUTPUTS and tasks_of_event(body, INPUTS, STAGE):
            self.events.append(Event(body))

    def before(self) -> None:
        """A store is called: other invocations may come in between."""
        if self.events and self._depth < 3 and self.random.random() < self.overlap:
            self._depth += 1
            self.step()
            self._depth -= 1
        self._stumble()

    def after(self) -> None:
        self._stumble()

    def _stumble(self) -> None:
        if self.random.random() < self.trouble:
            raise self.random.choice([StorageError("the store is away"), KilledError()])

    def _invoke(self, body: dict[str, Any]) -> None:
        if is_failure(body):
            tasks, reason = tasks_of_failure(body, INPUTS, STAGE)
            for task in tasks:
                give_up(task, reason, self.stores)
            return
        for task in tasks_of_event(body, INPUTS, STAGE):
            self._do(task)

    def _do(self, task: Task) -> None:
        around = Surroundings(clock=lambda: 0.0, log=lambda *_, **__: None, memory=self.memory)
        cutter: Cutter = PlayedCutter()
        cutting = Cutting(Sampling(frames=2), chunk=self.chunk, segment=self.segment, margin=1.0)
        if task.ask is Ask.CHUNK:
            kit = make_kit(self.folder, FakeDecoder({}), find=find)
            kit.open_gallery = lambda _: self.gallery
            asking = Asking("default", MatchOptions())
            Recognizer(self.stores, kit, Reading(lambda: cutter, from_jpeg), asking, around).recognize(task.key)
            return
        splitter = Splitter(self.stores, cutter, to_jpeg, cutting, around)
        if task.ask is Ask.REST:
            splitter.go_on(task.key, self._remaining)
        else:
            assert task.upload
            splitter.split(task.upload, self._remaining)

    def _remaining(self) -> float:
        return 0.0 if self.random.random() < self.haste else 900.0

    def _failed(self, event: Event, reason: str) -> None:
        if event.tries < 2:
            self.events.append(Event(event.body, event.tries + 1))
            return
        record = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event.body,
                  "responsePayload": {"errorMessage": reason}}  # fmt: skip
        self.dead.append(Event(event.body))
        self.events.append(Event(record))


class Bucket:
    """`core.ports.objects.Objects` in memory, which tells of what was put, and stumbles. Of the outputs: no result is
    ever followed by that of an earlier upload."""

    def __init__(self, name: str, world: Lambda) -> None:
        self._name = name
        self._world = world
        self._objects: Objects = open_store("memory:///")
        self._orders: dict[str, str] = {}

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        assert isinstance(data, bytes)

        def write() -> bool:
            self._objects.put(key, data)
            return True

        self._written(key, data, write)

    def create(self, key: str, data: bytes) -> bool:
        return self._written(key, data, lambda: self._objects.create(key, data))

    def replace(self, key: str, data: bytes, version: str) -> bool:
        return self._written(key, data, lambda: self._objects.replace(key, data, version))

    def get(self, key: str) -> bytes:
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, str]:
        self._world.before()
        return self._objects.read(key)

    def version(self, key: str) -> str | None:
        self._world.before()
        return self._objects.version(key)

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        self._world.before()
        if self._objects.version(key) != version:
            raise NoObjectError(key)
        return self._objects.get(key)[start : start + size]

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        with self._objects.as_file(key) as path:
            yield path

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self._world.before()
        return self._objects.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._objects.delete(keys)

    def _written(self, key: str, data: bytes, write: Callable[[], bool]) -> bool:
        self._world.before()
        if not write():
            return False
        if self._name == OUTPUTS:
            self._check(key, data)
        self._world.notify(self._name, key, self._objects.version(key) or "", len(data))
        self._world.after()
        return True

    def _check(self, key: str, data: bytes) -> None:
        if key.endswith(".json"):
            result = json.loads(data)
            assert key == json_key(result["source"]["key"])
            order = result["source"]["order"]
            assert not is_later(self._orders.get(key, "0"), order), "an older upload took the place of a later one"
            self._orders[key] = order
