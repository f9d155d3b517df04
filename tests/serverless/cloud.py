"""Lambda, as the template sets it up, between the stack's buckets and the functions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.aws.moto_server import aws_server, environment
from tests.doors.bad_files import film, photo
from tests.serverless.buckets import RESOURCES, Buckets, Event
from tests.serverless.conftest import ROOT
from tests.serverless.runtime import Function, FunctionError, Runtime
from visage import load_settings, open_engine
from visage.core.ports.gallery import Gallery
from visage.wiring import open_publisher

SPLITTING, RECOGNITION = RESOURCES
HANDLERS = {
    SPLITTING: "visage.apps.lambda_video_splitting.handler",
    RECOGNITION: "visage.apps.lambda_face_recognition.handler",
}
OBAMA, BIDEN = "Barack Obama", "Joe Biden"
# What is seen in the clip of both: frame, time, name.
BOTH = [(0, 0.0, OBAMA), (2, 1.0, OBAMA), (4, 2.0, OBAMA), (6, 3.0, BIDEN), (8, 4.0, BIDEN)]
TRIES = 3


@dataclass(frozen=True)
class Letter:
    """What lies among the dead letters of a function: an event, and why it was given up."""

    function: str
    event: Event
    reason: str


class Cloud:
    """Both functions. Who fails with an event is tried again; then it is a dead letter, and the other function is told
    of it. One event at a time."""

    def __init__(self, buckets: Buckets, folder: Path) -> None:
        """folder: where functions start."""
        self.buckets = buckets
        self._folder = folder
        self.functions = {name: Runtime(self.function(name)) for name in RESOURCES}
        self.delivered: list[tuple[str, Event]] = []
        self.dead: list[Letter] = []

    def stop(self) -> None:
        for runtime in self.functions.values():
            runtime.stop()
            runtime.close()

    def forget(self) -> None:
        """What was done so far, and what is still asked."""
        self.buckets.take()
        self.delivered.clear()
        self.dead.clear()

    def function(self, name: str, timeout: int | None = None, **variables: str) -> Function:
        """With the environment that the template gives it, and the server's. timeout: seconds, in place of its own;
        variables: likewise."""
        made = self.buckets.stack[RESOURCES[name]]
        own = {key: str(value) for key, value in made["Environment"]["Variables"].items()}
        server = environment(os.environ["AWS_ENDPOINT_URL"])
        server["AWS_ENDPOINT_URL_S3"] = server.pop("AWS_ENDPOINT_URL")
        home = {"VISAGE_HOME": os.environ["VISAGE_HOME"], "PYTHONPATH": str(ROOT / "src")}
        return Function(
            HANDLERS[name], self._folder, {**server, **home, **own, **variables}, name,
            timeout=timeout or int(made["Timeout"]), memory=int(made["MemorySize"]),
        )  # fmt: skip

    @contextmanager
    def running(self, function: Function) -> Iterator[Runtime]:
        """Inside, this one is invoked in place of that of its name."""
        usual = self.functions[function.name]
        with Runtime(function) as runtime:
            self.functions[function.name] = runtime
            try:
                yield runtime
            finally:
                self.functions[function.name] = usual

    def settle(self) -> None:
        """Deliver until nothing more is asked."""
        while asked := self.buckets.take():
            for name, event in asked:
                self.deliver(name, event)

    def deliver(self, name: str, event: Event) -> None:
        self.delivered.append((name, event))
        for attempt in range(1, TRIES + 1):
            try:
                self.functions[name].invoke(event)
            except FunctionError as error:
                if attempt == TRIES:
                    self._give_up(Letter(name, event, error.message), error.kind)
            else:
                return

    def replay(self) -> None:
        """Deliver the dead letters once more, as they are."""
        letters, self.dead = self.dead, []
        for letter in letters:
            self.deliver(letter.function, letter.event)
        self.settle()

    def _give_up(self, letter: Letter, kind: str) -> None:
        self.dead.append(letter)
        told = self.buckets.stack[RESOURCES[letter.function]]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        self.deliver(told["Destination"].rpartition(":")[2], record_of(letter, kind))


@contextmanager
def people_in(folder: Path, samples: Path) -> Iterator[Gallery]:
    """A gallery with both."""
    with open_engine(load_settings(gallery=f"sqlite:///{folder / 'gallery.sqlite'}")) as registrar:
        registrar.enroll(str(samples / "obama.jpg"), OBAMA)
        registrar.enroll(str(samples / "biden.jpg"), BIDEN)
        yield registrar.gallery()


@contextmanager
def cloud_in(folder: Path, gallery: Gallery, **parameters: object) -> Iterator[Cloud]:
    """On a server of its own, with this gallery published. parameters: of the template."""
    task = folder / "task"
    task.mkdir()
    with aws_server(), Buckets(**parameters) as buckets:
        assert open_publisher(buckets.gallery, gallery).step()
        cloud = Cloud(buckets, task)
        try:
            yield cloud
        finally:
            cloud.stop()


def seen(result: Any) -> list[tuple[int, float, str]]:
    return [(face["frame"], face["time"], face["name"]) for face in result["answer"]["faces"]]


@pytest.fixture(scope="module", name="whole_cloud")
def small_cloud(home: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Two frames a chunk, so that a short clip has several."""
    folder = tmp_path_factory.mktemp("cloud")
    with people_in(folder, samples) as gallery, cloud_in(folder, gallery, ChunkFrames=2) as made:
        yield made


@pytest.fixture(name="cloud")
def emptied_cloud(whole_cloud: Cloud) -> Cloud:
    """The functions' processes are the same for all tests: what is wrong in one of these must not spoil the next."""
    whole_cloud.forget()
    return whole_cloud


@pytest.fixture(scope="module", name="clips")
def filmed_clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A second of each person, by name; "both": three of Obama, then two of Biden."""
    folder = tmp_path_factory.mktemp("clips")
    obama, biden = (photo(samples / name, 320)[:, :240] for name in ("obama2.jpg", "biden.jpg"))
    return {
        "both": film(folder / "both.mp4", [obama] * 6 + [biden] * 4, rate=2).read_bytes(),
        OBAMA: film(folder / "obama.mp4", [obama] * 2, rate=2).read_bytes(),
        BIDEN: film(folder / "biden.mp4", [biden] * 2, rate=2).read_bytes(),
    }


def record_of(letter: Letter, kind: str = "Error") -> Event:
    """What Lambda tells the destination for failures."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{letter.function}:$LATEST"
    return {
        "version": "1.0",
        "timestamp": "2025-03-01T10:00:00.000Z",
        "requestContext": {
            "requestId": "8a0b5a6a-1f1d-4c2e-9a35-4f6f3d0f6a3e",
            "functionArn": arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": TRIES,
        },
        "requestPayload": letter.event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": kind, "errorMessage": letter.reason, "stackTrace": []},
    }
