"""A whole service in memory: stores, queue and replies are plain dictionaries, and a worker says what a test tells it.

Only neighbors are played; what stands between them and a client is the real thing.
"""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from flask_openapi3.openapi import OpenAPI

from visage.core.answers import Answer, Models
from visage.core.errors import NoGalleryError, NoObjectError, StorageError, VisageError
from visage.core.journal.audit import Audit
from visage.core.journal.audit_log import AuditLog
from visage.core.journal.history import History
from visage.core.journal.repeats import Repeats
from visage.core.match import Rule
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Stored
from visage.core.ports.queue import DeadLetter, Delivery, Depth
from visage.core.serverless.unstage import Stage
from visage.core.service.keyring import Keyring
from visage.core.service.reception import Reception
from visage.core.tickets import Ticket, failure_of, input_key, result_key, result_of, result_to_bytes, ticket_from_text
from visage.core.track import appearances
from visage.core.values import Face, JobKind, Match, Media, Quality, Sighting
from visage.media.bundles import FileBundles
from visage.media.thumbnails import Thumbnails
from visage.web.access import Access
from visage.web.app import create_app
from visage.web.asking import Service
from visage.web.facts import Facts
from visage.web.journal import Journal
from visage.web.load import Load
from visage.web.telemetry import Telemetry

QUALITY = Quality(size=80.5, sharpness=0.7, yaw=-3.0, pitch=1.5, roll=0.25, score=0.9)
RULE = Rule(0.5, "false matches", limited=False, stranger_rate=0.01, enrolled=3)

LIMITS = {
    "max_upload": 1_000_000,
    "max_bytes": 10_000_000,
    "max_pixels": 1_000_000,
    "max_seconds": 60.0,
    "max_backlog": 100,
    "request_seconds": 5.0,
}
FACTS = Facts("1.0", 7.0, LIMITS, models=lambda: (), all_keys=lambda: (), check=lambda: ())

# What a worker does: the ticket and the inputs' bytes -> an answer, an error, or None for no result at all.
Work = Callable[[Ticket, list[bytes]], Answer | VisageError | None]


class MemoryObjects:
    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, str]] = {}
        self.down = False
        self._count = itertools.count()

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        self._check()
        self.kept[key] = (data if isinstance(data, bytes) else data.read(), str(next(self._count)))

    def create(self, key: str, data: bytes) -> bool:
        self._check()
        made = (data, str(next(self._count)))
        return self.kept.setdefault(key, made) is made

    def replace(self, key: str, data: bytes, version: str) -> bool:
        if self.version(key) != version:
            return False
        self.put(key, data)
        return True

    def get(self, key: str) -> bytes:
        return self.read(key)[0]

    def read(self, key: str) -> tuple[bytes, str]:
        self._check()
        if key not in self.kept:
            raise NoObjectError(key)
        return self.kept[key]

    def version(self, key: str) -> str | None:
        self._check()
        return self.kept[key][1] if key in self.kept else None

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        data, found = self.read(key)
        if found != version:
            raise NoObjectError(key)
        return data[start : start + size]

    def as_file(self, key: str) -> AbstractContextManager[str]:
        raise StorageError("there are no files in memory")

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self._check()
        return iter([Stored(key, len(data), 0.0) for key, (data, _) in sorted(self.kept.copy().items())
                     if key.startswith(prefix and f"{prefix}/")])  # fmt: skip

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.kept.pop(key, None)

    def _check(self) -> None:
        if self.down:
            raise StorageError("/secret/path: no space left on the device")


class MemoryQueue:
    """Every message is handed to `work` at once, on a thread of its own."""

    def __init__(self, work: Callable[[str], None]) -> None:
        self._work = work
        self.depth_now = Depth(0, 0)
        self.down = False
        self.sent = 0

    def send(self, body: str, *, key: str | None = None) -> None:
        self.sent += 1
        threading.Thread(target=self._work, args=(body,), daemon=True).start()

    def depth(self) -> Depth:
        if self.down:
            raise StorageError("/secret/queue: gone")
        return self.depth_now

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        return []

    def extend(self, receipts: Sequence[str]) -> list[str]:
        return []

    def done(self, receipts: Sequence[str]) -> list[str]:
        return []

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None: ...

    def bury(self, receipt: str, reason: str) -> bool:
        return False

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        return []

    def discard(self, ids: Sequence[str]) -> int:
        return 0

    def replay(self, ids: Sequence[str] | None = None) -> int:
        return 0

    def close(self) -> None: ...


class MemoryMailbox:
    name = "box"

    def __init__(self) -> None:
        self._ring = threading.Condition()
        self._letters: list[str] = []
        self._closed = False

    def deliver(self, body: str) -> None:
        with self._ring:
            self._letters.append(body)
            self._ring.notify_all()

    def receive(self, wait: float) -> list[str]:
        with self._ring:
            self._ring.wait_for(lambda: self._letters or self._closed, wait)
            letters, self._letters = self._letters, []
            return letters

    def close(self) -> None:
        with self._ring:
            self._closed = True
            self._ring.notify_all()


@dataclass
class Tier:
    """The web tier and all its neighbors. work: may be exchanged by a test."""

    app: OpenAPI
    reception: Reception
    inputs: MemoryObjects
    outputs: MemoryObjects
    queue: MemoryQueue
    keyring: Keyring
    worker: "Worker"
    journal: MemoryObjects
    audit: Audit

    def close(self) -> None:
        self.audit.close()
        self.reception.close()


@dataclass
class Worker:
    inputs: MemoryObjects
    outputs: MemoryObjects
    mailbox: MemoryMailbox
    work: Work = field(default=lambda ticket, data: answer(ticket, [("Ada", 40.0)]))
    tickets: list[Ticket] = field(default_factory=list)

    def perform(self, body: str) -> None:
        ticket = ticket_from_text(body)
        self.tickets.append(ticket)
        data = [self.inputs.get(input_key(ticket.id, number)) for number in range(len(ticket.names))]
        done = self.work(ticket, data)
        if done is None:
            return
        if isinstance(done, VisageError):
            result = failure_of(ticket, done, time.time())
        else:
            result = result_of(ticket, done, time.time())
        self.outputs.put(result_key(ticket.id), result_to_bytes(result))
        self.mailbox.deliver(ticket.id)


def open_tier(*, request_seconds: float = 5.0, max_backlog: int = 100, max_upload: int = 1_000_000,
              open_without_keys: bool = True, facts: Facts | None = None,
              gallery: Gallery | None = None, bulk_folder: Path | None = None,
              stages: Sequence[Stage] = ()) -> Tier:  # fmt: skip
    inputs, outputs, journal, mailbox = MemoryObjects(), MemoryObjects(), MemoryObjects(), MemoryMailbox()
    worker = Worker(inputs, outputs, mailbox)
    queue = MemoryQueue(worker.perform)
    ids = (f"{number:032x}" for number in itertools.count(1))
    lock = threading.Lock()

    def new_id() -> str:
        with lock:
            return next(ids)

    clock = itertools.count(0, 10)  # every call is ten seconds later: what was read of the keys is always old
    secrets = (f"{number:043d}" for number in itertools.count())
    keyring = Keyring(MemoryObjects(), now=lambda: float(next(clock)), new_secret=lambda: next(secrets))
    reception = Reception(inputs, outputs, queue, mailbox, now=time.time, new_id=new_id)
    load = Load(queue, outputs, max_backlog, time.time)
    opened = (lambda: gallery) if gallery else _nobody
    history = History(journal, opened, ended=reception.result, now=time.time, new_id=_chance)
    audit = Audit(journal, now=time.time, new_id=_chance)
    service = Service(
        reception=reception,
        queue=queue,
        inputs=inputs,
        outputs=outputs,
        gallery=(lambda: gallery) if gallery else _nobody,
        journal=Journal(history, audit, AuditLog(journal, time.time), Repeats(journal, time.time), time.time),
        bundles=FileBundles(bulk_folder, 10_000_000),
        thumbnail=Thumbnails(max_bytes=10_000_000, max_pixels=1_000_000),
        stages=lambda: stages,
        access=Access(keyring, open_without_keys=open_without_keys),
        load=load,
        telemetry=Telemetry(load),
        facts=facts or FACTS,
        collection="default",
        stranger_rate=0.01,
        request_seconds=request_seconds,
        max_upload=max_upload,
    )
    app = create_app(service, new_id=new_id)
    return Tier(app, reception, inputs, outputs, queue, keyring, worker, journal, audit)


def _chance() -> str:
    return uuid.uuid4().hex


def _nobody() -> Gallery:
    raise NoGalleryError("there is no gallery")


def answer(ticket: Ticket, faces: Sequence[tuple[str, float]]) -> Answer:
    """An answer with these faces: (name, side of the box in pixels)."""
    media = tuple(Media(source, 640, 480) for source in ticket.job.sources)
    named = ticket.job.kind is JobKind.RECOGNIZE
    seen = tuple(_sighting(number, name, side, named) for number, (name, side) in enumerate(faces))
    return Answer(
        kind=ticket.job.kind,
        media=media,
        models=Models("yunet", "resnet" if named else None, "openvino"),
        frames=1,
        sightings=seen,
        people=appearances(seen, 0.0) if named else (),
        rule=RULE if named else None,
        timings={"total": 0.1},
    )


def _sighting(number: int, name: str, side: float, named: bool) -> Sighting:
    box = (10.0 + 50 * number, 10.0, 10.0 + 50 * number + side, 10.0 + side)
    match = Match(f"{number:032x}", name, f"{number + 100:032x}", 0.8, 0.99) if named else None
    return Sighting(
        frame=0,
        time=0.0,
        face=Face(box, np.zeros((5, 2), np.float32), 0.9),
        quality=QUALITY,
        match=match if name != "unknown" else None,
        nearest=match,
        vector=np.full(4, 0.5, np.float32),
    )


def form(name: str, data: bytes, *, file: str = "face.jpg") -> tuple[bytes, str]:
    """A form with one file, as a browser sends it: the body and its content type."""
    head = f'--frontier\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
    return head.encode() + data + b"\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier"
