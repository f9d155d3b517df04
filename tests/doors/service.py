"""The service as its users run it: real processes on a home of their own, asked over HTTP."""

import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.doors.conftest import COMMAND, ROOT
from tests.processes.workers import soon
from tests.web.fakes import form
from visage.settings import Settings, load_settings
from visage.wiring import open_objects

# Seconds that a process has to come up or to end, on a machine that is busy with other things.
LONG = 60.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Process:
    """`visage WORDS` in the background. What it logs goes to a file, since nobody reads a pipe meanwhile."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [*COMMAND, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        self._seen = psutil.Process(self._process.pid)

    @property
    def said(self) -> list[dict[str, Any]]:
        """The lines of its log, and of its workers', that are JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    @property
    def workers(self) -> list[psutil.Process]:
        """Its processes that run, oldest first."""
        with suppress(psutil.NoSuchProcess):
            return sorted(self._seen.children(recursive=True), key=lambda one: one.create_time())
        return []

    def says(self, message: str) -> int:
        """How often it has said so."""
        return sum(line["message"] == message for line in self.said)

    def url(self) -> str:
        """Where it serves, once it does."""
        assert soon(lambda: "listening on" in self.log.read_text() or self._process.poll() is not None, LONG)
        found = re.search(r"listening on (http://[^\"]+)", self.log.read_text())
        assert found, self.log.read_text()
        return found[1]

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self._process.terminate()
        return self._process.wait(LONG)

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        everybody = [*self.workers, self._seen]
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(LONG)
        assert soon(lambda: all(is_over(process) for process in everybody), LONG)


def is_over(process: psutil.Process) -> bool:
    """Whether it has ended; who started it may still have to be told."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Site:
    """A home with nothing in it, but that networks are converted once for the whole run of tests."""

    def __init__(self, folder: Path, shared_home: Path, **variables: str) -> None:
        """folder: where the home and the logs are made. shared_home: with the converted networks. variables: further
        ones of every process."""
        self._folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        for name in ("cache", "models"):
            (shared_home / name).mkdir(exist_ok=True)
            (self.home / name).symlink_to(shared_home / name)
        # Requests wait longer than usual for their answers, since workers take longer to start on a busy machine.
        self._own = {"VISAGE_HOME": str(self.home), "VISAGE_REQUEST_SECONDS": "50", **variables}
        self.environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"} | self._own
        self._started: list[Process] = []

    @property
    def settings(self) -> Settings:
        return load_settings(self._own)

    def visage(self, *words: object) -> str:
        """What the command prints; it must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *words: object) -> "subprocess.CompletedProcess[str]":
        command = [*COMMAND, *map(str, words)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=2 * LONG, env=self.environment
        )

    def start(self, *words: str, **variables: str) -> Process:
        log = self._folder / f"{len(self._started)}-{words[0]}.log"
        self._started.append(Process(words, self.environment | variables, log))
        return self._started[-1]

    def serve(self, *words: str, **variables: str) -> "Service":
        """`visage serve` that answers."""
        return Service(self.start("serve", "--port", "0", *words, **variables))

    def results(self) -> dict[str, dict[str, Any]]:
        """Every result in the output store, by its job's id."""
        outputs = open_objects(self.settings.outputs_url)
        found = [one.key for one in outputs.list() if one.key.endswith("/result.json")]
        return {key.partition("/")[0]: json.loads(outputs.get(key)) for key in found}

    def end(self) -> None:
        for process in self._started:
            process.kill()


@contextmanager
def site_in(folder: Path, shared_home: Path, **variables: str) -> Iterator[Site]:
    """A site whose processes are all ended afterwards."""
    site = Site(folder, shared_home, **variables)
    try:
        yield site
    finally:
        site.end()


class Service:
    """A web tier that answers, and how it is asked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.url()

    def ask(self, path: str, data: bytes | None = None, method: str = "", /, **headers: str) -> Reply:
        """headers: their names with _ for -."""
        parts = urlsplit(self.url)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LONG)) as connection:
            connection.request(method or ("GET" if data is None else "POST"), path, data, names)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def send(self, path: str, photo: Path, /, **headers: str) -> Reply:
        """The photo or video in a form."""
        body, kind = form("inputFile" if path == "/" else "image", photo.read_bytes(), file=photo.name)
        return self.ask(path, body, Content_Type=kind, **headers)

    def name(self, photo: Path, /, **headers: str) -> str:
        """Who that is, by the classic form."""
        reply = self.send("/", photo, **headers)
        assert reply.status == 200, reply.text
        said, _, name = reply.text.partition(":")
        assert said == photo.stem
        return name

    def job(self, location: str, /, **headers: str) -> dict[str, Any]:
        """How a job stands when it is over."""
        deadline = time.monotonic() + LONG
        while True:
            state = self.ask(f"{location}?wait=5", **headers)
            assert state.status == 200, state.text
            if state.json["status"] not in {"queued", "running"}:
                found: dict[str, Any] = state.json
                return found
            assert time.monotonic() < deadline, state.text
