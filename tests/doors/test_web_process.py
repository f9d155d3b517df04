"""`visage web` as it is started and stopped: where it listens, what it refuses, how it ends, what it leaves.

A thread of the test plays the app tier, on the real queue and stores, so that no network has to be loaded.
"""

import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.core.service_fakes import enroll_both
from tests.doors.conftest import COMMAND, Visage
from tests.web.fakes import answer, form
from visage.apps import web_tier
from visage.core.errors import UsageError
from visage.core.service.keyring import Role
from visage.core.tickets import result_key, result_of, result_to_bytes, ticket_from_text
from visage.core.values import Person
from visage.settings import Settings, load_settings
from visage.sqlite.gallery import SqliteGallery
from visage.wiring import open_keyring, open_objects, open_queue, open_replies

Start = Callable[..., "Web"]


class Web:
    """A running `visage web`."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen([*COMMAND, "web", "--port", "0", *words], stderr=stream, env=environment)
        deadline = time.monotonic() + 30
        while not (found := re.search(r"listening on (https?://[^\"]+)", log.read_text())):
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        self.url = found[1]

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data, names)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, home=str(tmp_path / "home"))


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started: list[Web] = []

    def start(*words: str, **variables: str) -> Web:
        log = tmp_path / f"web{len(started)}.log"
        started.append(Web(words, environment | {"VISAGE_HOME": str(tmp_path / "home")} | variables, log))
        return started[-1]

    yield start
    for web in started:
        if web.process.poll() is None:
            web.process.kill()
            web.process.wait()


@pytest.fixture
def app_tier(settings: Settings) -> Iterator[None]:
    """Answers every job with Ada, half a second after it took it."""
    over = threading.Event()

    def work() -> None:
        inputs, outputs = open_objects(settings.inputs_url), open_objects(settings.outputs_url)
        with closing(open_queue(settings)) as queue, closing(open_replies(settings)) as replies:
            while not over.is_set():
                for delivery in queue.receive(4, 0.2):
                    ticket = ticket_from_text(delivery.body)
                    assert inputs.get(f"{ticket.id}/0") == b"picture"
                    time.sleep(0.5)
                    result = result_of(ticket, answer(ticket, [("Ada", 40.0)]), time.time())
                    outputs.put(result_key(ticket.id), result_to_bytes(result))
                    replies.send(ticket.reply or "", [ticket.id])
                    queue.done([delivery.receipt])

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join(10)


def test_it_serves_and_ends_with_what_it_has_in_hand(start: Start, app_tier: None) -> None:
    web = start()
    body, kind = form("inputFile", b"picture")
    assert web.ask("/readyz")[0] == 200
    assert web.ask("/", body, Content_Type=kind) == (200, b"face:Ada")
    found: list[tuple[int, Any]] = []
    asking = threading.Thread(target=lambda: found.append(web.ask("/", body, Content_Type=kind)))
    asking.start()
    time.sleep(0.2)
    assert web.end() == 0
    asking.join(10)
    assert found == [(200, b"face:Ada")]
    for line in web.log.read_text().splitlines():
        said = json.loads(line)
        assert {"time", "level", "message"} <= set(said)
    assert "Ada" not in web.log.read_text()


def test_another_process_knows_the_job(start: Start, app_tier: None) -> None:
    first = start()
    body, kind = form("image", b"picture")
    status, said = first.ask("/v1/recognize", body, Content_Type=kind, Prefer="respond-async", X_Request_Id="r-1")
    assert status == 202
    first.process.kill()
    first.process.wait()
    second = start()
    status, state = second.ask(f"/v1/jobs/{json.loads(said)['job']['id']}?wait=10")
    assert status == 200
    assert (json.loads(state)["status"], json.loads(state)["request"]) == ("done", "r-1")


def test_keys_made_while_it_runs(start: Start, settings: Settings) -> None:
    web = start()
    assert web.ask("/metrics")[0] == 200
    key = open_keyring(settings).create("ada", Role.READ)[1]
    deadline = time.monotonic() + 10
    while web.ask("/metrics")[0] != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert web.ask("/metrics", Authorization=f"Bearer {key}")[0] == 200
    assert key not in web.log.read_text()


def test_what_was_kept_long_enough_is_gone(start: Start, settings: Settings) -> None:
    inputs = open_objects(settings.inputs_url)
    inputs.put("old/0", b"picture")
    web = start(VISAGE_KEEP_DAYS="0")
    deadline = time.monotonic() + 10
    while inputs.version("old/0") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert web.end() == 0


def test_behind_a_proxy_it_wants_keys_everywhere(visage: Visage, tmp_path: Path) -> None:
    done = visage("web", "--port", "0", "--behind-tls-proxy", VISAGE_HOME=str(tmp_path / "home"))
    assert done.code == 2
    assert "visage keys create" in done.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_elsewhere_it_wants_keys_and_tls(visage: Visage, settings: Settings, tmp_path: Path, host: str) -> None:
    home = {"VISAGE_HOME": str(tmp_path / "home")}
    without = visage("web", "--host", host, "--port", "0", **home)
    assert without.code == 2
    assert "visage keys create" in without.err
    open_keyring(settings).create("ada", Role.READ)
    in_clear = visage("web", "--host", host, "--port", "0", **home)
    assert in_clear.code == 2
    assert "--tls-cert" in in_clear.err


def test_behind_a_proxy_it_listens_elsewhere(start: Start, settings: Settings) -> None:
    open_keyring(settings).create("ada", Role.READ)
    web = start("--host", "0.0.0.0", "--behind-tls-proxy")
    web.url = web.url.replace("0.0.0.0", "127.0.0.1")
    assert web.ask("/healthz")[0] == 200
    assert web.ask("/metrics")[0] == 401
    wrong = [web.ask("/metrics", X_API_Key="wrong", X_Forwarded_For="192.0.2.7")[0] for _ in range(21)]
    assert wrong[-1] == 429
    assert web.ask("/metrics", X_API_Key="wrong", X_Forwarded_For="192.0.2.8")[0] == 401


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "70000"),
        ("--tls-cert", "cert.pem"),
        ("--tls-cert", "none", "--tls-key", "none"),
        ("--queue", "nonsense"),
        ("--host", "no.such.host.invalid"),
    ],
)
def test_words_that_make_no_sense(visage: Visage, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = visage("web", "--port", "0", *words, VISAGE_HOME=str(tmp_path / "home"))
    assert done.code == 2


@pytest.mark.usefixtures("home")
def test_the_gallery_is_closed_when_nobody_reads_it_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it could not begin to serve, and is over while it still reads who is enrolled."""
    enroll_both(tmp_path)
    begun, said = threading.Event(), list[str]()

    class Slow(SqliteGallery):
        def people(self, collection: str) -> list[Person]:
            begun.set()
            time.sleep(0.3)  # the end of it all comes meanwhile
            people = super().people(collection)
            said.append("read")
            return people

        def close(self) -> None:
            said.append("closed")
            super().close()

    def cannot_listen(*_: object, **__: object) -> None:
        assert begun.wait(60)
        raise UsageError("cannot listen")

    monkeypatch.setattr(web_tier, "open_gallery", lambda url, create: Slow(tmp_path / "gallery.sqlite", create=create))
    monkeypatch.setattr(web_tier, "serve", cannot_listen)
    monkeypatch.setenv("VISAGE_HOME", str(tmp_path / "home"))
    with pytest.raises(UsageError, match="cannot listen"):
        web_tier.run(load_settings())
    assert said == ["read", "closed"]
