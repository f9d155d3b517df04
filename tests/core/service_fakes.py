"""A small service in a folder: real queue, stores, replies and gallery; networks and pictures are played.

A file that is handed in holds the name of one of `PICTURES`. As a program it is a worker at such a folder:
`python -m tests.core.service_fakes FOLDER LEASE`.
"""

import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from tests.fakes import CARD, FakeDecoder, FakeDetector, FakeEmbedder, face, picture
from visage.core.errors import StorageError, UnreadableError
from visage.core.jobs import perform
from visage.core.kit import Kit
from visage.core.ports.media import Clip, Decoder
from visage.core.ports.nets import Embedder
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Delivery
from visage.core.service.reception import Asked, Reception
from visage.core.service.worker import Places, Worker
from visage.core.stored import StoreDecoder
from visage.core.values import Face, Job, JobKind, Pixels, Sampling
from visage.objects.folder import FolderObjects
from visage.processes.station import LoneStation
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.queue import SqliteQueue
from visage.sqlite.replies import SqliteReplies

ADA, BO, SIDEWAYS, NOBODY, POISON = picture(1), picture(2), picture(3), np.zeros((300, 400, 3), np.uint8), picture(5)
PICTURES: dict[str, Pixels | list[Pixels]] = {
    "ada": ADA, "bo": BO, "sideways": SIDEWAYS, "nobody": NOBODY, "poison": POISON, "film": [ADA] * 40,
    "stranger": picture(6), "outsider": picture(7), "strange film": [picture(6)] * 20,
}  # fmt: skip

# Called before a neighbor does something: its verb, as "outputs.create", and the key, receipt or mailbox.
Watch = Callable[[str, str], None]


def nothing(verb: str, what: str) -> None: ...


def find(pixels: Pixels) -> list[Face]:
    """One face in each picture, none in black; that of the sideways one is sure when it is turned clockwise."""
    if not pixels.any():
        return []
    if np.array_equal(pixels, SIDEWAYS):
        return [face(score=0.7)]
    return [face(score=0.95 if pixels.shape == (400, 300, 3) else 0.9)]


def find_or_die(pixels: Pixels) -> list[Face]:
    """As some broken picture in some library: the process is gone at once."""
    if np.array_equal(pixels, POISON):
        os._exit(9)
    return find(pixels)


class NamedPictures:
    """`core.ports.media.Decoder` of files that hold the name of a picture. opened: called with the name."""

    def __init__(self, opened: Callable[[str], None] = lambda name: None) -> None:
        self._decoder = FakeDecoder(PICTURES)
        self._opened = opened

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:
        name = Path(source).read_text(encoding="utf-8")
        self._opened(name)
        if name not in PICTURES:
            raise UnreadableError(source, "it is no picture")
        with self._decoder.open(name, sampling) as clip:
            yield clip

    def find(self, folder: str) -> list[str]:
        return []


class WatchedObjects(FolderObjects):
    def __init__(self, root: Path, watch: Watch) -> None:
        super().__init__(root)
        self._room = root.name
        self._watch = watch

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        self._watch(f"{self._room}.put", key)
        super().put(key, data)

    def create(self, key: str, data: bytes) -> bool:
        self._watch(f"{self._room}.create", key)
        return super().create(key, data)

    def read(self, key: str) -> tuple[bytes, str]:
        self._watch(f"{self._room}.read", key)
        return super().read(key)

    def version(self, key: str) -> str | None:
        self._watch(f"{self._room}.version", key)
        return super().version(key)

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        self._watch(f"{self._room}.part", key)
        return super().part(key, start, size, version)

    @contextmanager
    def as_file(self, key: str) -> Iterator[str]:
        self._watch(f"{self._room}.as_file", key)
        with super().as_file(key) as path:
            yield path

    def delete(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        for key in keys:
            self._watch(f"{self._room}.delete", key)
        super().delete(keys)


class WatchedQueue(SqliteQueue):
    def __init__(self, path: Path, lease: float, watch: Watch) -> None:
        super().__init__(path, lease=lease)
        self._watch = watch

    def send(self, body: str, *, key: str | None = None) -> None:
        self._watch("queue.send", key or "")
        super().send(body, key=key)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        self._watch("queue.receive", "")
        return super().receive(limit, min(wait, 0.1))

    def extend(self, receipts: Sequence[str]) -> list[str]:
        for receipt in receipts:
            self._watch("queue.extend", receipt)
        return super().extend(receipts)

    def done(self, receipts: Sequence[str]) -> list[str]:
        for receipt in receipts:
            self._watch("queue.done", receipt)
        return super().done(receipts)

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None:
        for receipt in receipts:
            self._watch("queue.release", receipt)
        super().release(receipts, delay)

    def bury(self, receipt: str, reason: str) -> bool:
        self._watch("queue.bury", receipt)
        return super().bury(receipt, reason)


class WatchedReplies(SqliteReplies):
    def __init__(self, path: Path, watch: Watch) -> None:
        super().__init__(path)
        self._watch = watch

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        for body in bodies:
            self._watch("replies.send", body)
        super().send(mailbox, bodies)


class WatchedStation(LoneStation):
    """said: "ready", "busy" and "idle", as they changed."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def ready(self) -> None:
        self.said.append("ready")

    def busy(self, working: bool) -> None:
        word = "busy" if working else "idle"
        if self.said[-1] != word:
            self.said.append(word)


@dataclass
class Log:
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))

    def said(self, event: str) -> list[dict[str, Any]]:
        return [facts for said, facts in self.events if said == event]


class Line:
    """What passes between a worker and its neighbors, in order. cut: for which verbs nothing does. before: what is done
    first, by verb."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, str]] = []
        self.cut: Callable[[str], bool] = lambda verb: False
        self.before: dict[str, Callable[[str], object]] = {}

    def __call__(self, verb: str, what: str) -> None:
        if self.cut(verb):
            raise StorageError("the line is cut")
        if verb in self.before:
            self.before[verb](what)
        self.passed.append((verb, what))

    def count(self, verb: str, what: str | None = None) -> int:
        return sum(1 for passed, about in self.passed if passed == verb and what in {None, about})


def make_kit(
    folder: Path,
    decoder: Decoder,
    *,
    find: Callable[[Pixels], list[Face]] = find,
    embedder: Embedder | None = None,
) -> Kit:
    return Kit(
        decoder=decoder,
        card=CARD,
        make_detector=lambda: FakeDetector(find),
        make_embedder=lambda: embedder or FakeEmbedder(),
        open_gallery=lambda create: SqliteGallery(folder / "gallery.sqlite", create=create),
        runtime=lambda: "fake CPU",
        to_jpeg=None,
        from_jpeg=lambda data: ADA,
        clock=time.perf_counter,
        now=time.time,
        new_id=lambda: uuid.uuid4().hex,
    )


def enroll_both(folder: Path) -> None:
    """Ada and Bo, in the gallery of the folder."""
    kit = make_kit(folder, FakeDecoder(PICTURES))
    for name in ("ada", "bo"):
        assert perform(Job(JobKind.ENROLL, (name,), name=name.capitalize()), kit).enrollment
    kit.close()


def asked(content: str, name: str = "face.jpg", *, kind: JobKind = JobKind.RECOGNIZE, key: str | None = None,
          collection: str = "default") -> Asked:  # fmt: skip
    return Asked(Job(kind, (), collection), [(name, content.encode())], owner="me", request="req", key=key)


@dataclass
class Service:
    """A folder's queue and stores, and a reception that hands work in."""

    folder: Path
    lease: float = 15.0

    def __post_init__(self) -> None:
        self.inputs, self.outputs = FolderObjects(self.folder / "inputs"), FolderObjects(self.folder / "outputs")
        self.queue = SqliteQueue(self.folder / "queue.sqlite", lease=self.lease)
        self.replies = SqliteReplies(self.folder / "queue.sqlite")
        self.reception = self.open_reception()

    def open_reception(self, watch: Watch = nothing) -> Reception:
        queue = WatchedQueue(self.folder / "queue.sqlite", self.lease, watch)
        inputs, outputs = (WatchedObjects(self.folder / room, watch) for room in ("inputs", "outputs"))
        return Reception(
            inputs, outputs, queue, self.replies.open(), now=time.time, new_id=lambda: uuid.uuid4().hex
        )  # fmt: skip

    def close(self) -> None:
        self.reception.close()
        self.replies.close()
        self.queue.close()


@dataclass
class Bench:
    """A worker on a thread of its own. kit: with a decoder of files; the input store is put before it."""

    service: Service
    kit: Kit
    line: Line = field(default_factory=Line)
    log: Log = field(default_factory=Log)
    station: WatchedStation = field(default_factory=WatchedStation)
    name: str = "bench"
    unknown: Objects | None = None

    @contextmanager
    def working(self) -> Iterator["Bench"]:
        """Inside, the worker works; then it leaves. Whatever it ended with is raised."""
        fault: list[BaseException] = []

        def run() -> None:
            try:
                self.run()
            except BaseException as error:  # noqa: BLE001  raised below
                fault.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield self
        finally:
            self.station.leave()
            thread.join(20)
        assert not thread.is_alive()
        if fault:
            raise fault[0]

    def run(self) -> None:
        folder = self.service.folder
        inputs = WatchedObjects(folder / "inputs", self.line)
        self.kit.decoder = StoreDecoder(inputs, self.kit.decoder)
        queue = WatchedQueue(folder / "queue.sqlite", self.service.lease, self.line)
        replies = WatchedReplies(folder / "queue.sqlite", self.line)
        outputs = WatchedObjects(folder / "outputs", self.line)
        places = Places(queue, inputs, outputs, replies, self.station, self.unknown)
        try:
            Worker(self.kit, places, name=self.name, lease=self.service.lease, log=self.log).run()
        finally:
            self.kit.close()
            replies.close()
            queue.close()


def soon(what: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether it comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def main() -> None:
    service = Service(Path(sys.argv[1]), lease=float(sys.argv[2]))
    service.reception.close()
    Bench(service, make_kit(service.folder, NamedPictures(), find=find_or_die), name=str(os.getpid())).run()


if __name__ == "__main__":
    main()
