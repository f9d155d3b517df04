"""`visage serve` from its start to its end, with real faces: the web tier, the autoscaler and the workers it starts."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.doors.service import LONG, Reply, Service, Site, is_over, site_in
from tests.processes.workers import soon
from visage.wiring import open_queue

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
# Seconds within which running processes heed what is changed by others.
KEYS, PEOPLE = 2.0, 5.0
# What asking may take beside, on a machine that is busy.
SLACK = 0.5


@pytest.fixture(scope="module")
def gallery(home: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with one person in it, to be copied."""
    folder = tmp_path_factory.mktemp("people")
    with site_in(folder, home) as site:
        site.visage("enroll", "--name", OBAMA, samples / "obama.jpg")
        shutil.copy(site.home / "gallery.sqlite", folder)
    return folder / "gallery.sqlite"


@pytest.fixture
def site(tmp_path: Path, home: Path, gallery: Path) -> Iterator[Site]:
    with site_in(tmp_path, home) as made:
        shutil.copy(gallery, made.home)
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, home: Path, gallery: Path) -> Iterator[Service]:
    """One for all that leave it as it was."""
    with site_in(tmp_path_factory.mktemp("running"), home) as made:
        shutil.copy(gallery, made.home)
        yield made.serve()


def figures(service: Service) -> dict[str, float]:
    """The metrics that have no labels."""
    found = re.findall(r"^(visage_\w+) (\S+)$", service.ask("/metrics").text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def seconds_until(true: Callable[[], bool], limit: float) -> float:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < limit + LONG
        time.sleep(0.05)
    return time.monotonic() - start


def problem(reply: Reply) -> str:
    """What it says is wrong."""
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == reply.status
    return str(reply.json["detail"])


def test_it_answers_from_a_fleet_at_zero_and_leaves_nothing_behind(site: Site, samples: Path) -> None:
    service = site.serve()
    told = f"Visage serves at {service.url} (open it in a browser)\n  curl -F inputFile=@face.jpg {service.url}/\n"
    assert soon(lambda: told in service.process.log.read_text())
    assert service.process.workers == []
    assert service.name(samples / "biden.jpg") == "unknown"
    whole = service.send("/v1/recognize", samples / "obama3.jpg")
    assert whole.json["answer"]["names"] == [OBAMA]

    workers = service.process.workers
    assert workers
    assert service.process.end() == 0
    assert all(is_over(worker) for worker in workers)
    one_id = {whole.headers["X-Request-Id"], whole.json["job"]["request"]}  # through all the tiers
    assert one_id == {line["request"] for line in service.process.said if line.get("id") == whole.json["job"]["id"]}
    assert service.process.says("a job is done") == 2
    assert OBAMA not in service.process.log.read_text()


def test_a_file_that_is_no_picture_is_told_and_the_next_is_served(
    running: Service, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture at all")
    for path in ("/", "/v1/recognize"):
        refused = running.send(path, tmp_path / "bad.jpg")
        assert refused.status == 422
        assert problem(refused).startswith("bad.jpg: ")
        assert running.name(samples / "obama2.jpg") == OBAMA


def test_health_and_figures(running: Service, samples: Path) -> None:
    assert running.ask("/healthz").json == running.ask("/readyz").json == {"status": "ok"}
    before = figures(running)
    assert running.name(samples / "obama2.jpg") == OBAMA
    assert running.name(samples / "biden.jpg") == "unknown"
    after = figures(running)
    counted = ("visage_faces_total", "visage_unknown_faces_total", "visage_errors_total")
    assert [after.get(name, 0.0) - before.get(name, 0.0) for name in counted] == [2, 1, 0]
    assert (after["visage_queue_waiting"], after["visage_state_known"]) == (0, 1)
    assert soon(lambda: figures(running)["visage_fleet_size"] >= 1)


def test_no_web_page_drives_it(running: Service, samples: Path) -> None:
    foreign = running.ask("/", Host="rebound.example")
    assert foreign.status == 403
    assert "localhost" in problem(foreign)
    assert running.send("/", samples / "obama.jpg", Origin="https://page.example").status == 403


def test_it_ends_with_what_it_has_in_hand(site: Site, samples: Path) -> None:
    service = site.serve()
    found: list[Reply] = []
    asking = [
        threading.Thread(target=lambda: found.append(service.send("/", samples / "obama2.jpg"))) for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    with closing(open_queue(site.settings)) as queue:
        assert soon(lambda: queue.depth().waiting + queue.depth().in_flight == 4)
    assert service.process.end() == 0
    for thread in asking:
        thread.join(LONG)
    assert [reply.text for reply in found] == [f"obama2:{OBAMA}"] * 4


def test_running_workers_see_who_comes_and_goes(site: Site, samples: Path) -> None:
    service = site.serve("--min", "1", "--max", "1")
    assert service.name(samples / "biden.jpg") == "unknown"
    site.visage("enroll", "--name", BIDEN, samples / "biden.jpg")
    assert seconds_until(lambda: service.name(samples / "biden.jpg") == BIDEN, PEOPLE) < PEOPLE
    site.visage("people", "remove", BIDEN)
    assert seconds_until(lambda: service.name(samples / "biden.jpg") == "unknown", PEOPLE) < PEOPLE
    assert service.process.says("a worker begins") == 1


def test_a_request_asked_again_after_a_crash_is_the_one_it_was(site: Site, samples: Path) -> None:
    """Once cut off before there was an answer, once after."""
    before = Service(site.start("web", "--port", "0", VISAGE_REQUEST_SECONDS="0.2"))
    late = before.send("/", samples / "obama2.jpg", Idempotency_Key="first")
    assert late.status == 202
    before.process.kill()

    service = site.serve()
    assert service.name(samples / "obama2.jpg", Idempotency_Key="first") == OBAMA
    whole = service.send("/v1/recognize", samples / "obama3.jpg", Idempotency_Key="second")
    assert service.process.end() == 0

    service = site.serve()
    again = service.send("/v1/recognize", samples / "obama3.jpg", Idempotency_Key="second")
    assert again.json == whole.json
    other = service.send("/v1/recognize", samples / "obama2.jpg", Idempotency_Key="second")
    assert other.status == 422
    assert "Idempotency-Key" in problem(other)
    assert service.process.workers == []  # all of it was known
    assert set(site.results()) == {late.json["job"]["id"], whole.json["job"]["id"]}


def test_what_takes_too_long_is_a_job_to_be_asked_for(site: Site, samples: Path) -> None:
    service = site.serve(VISAGE_REQUEST_SECONDS="0.2")
    late = service.send("/v1/recognize", samples / "obama2.jpg")
    assert late.status == 202
    assert late.json["job"]["status"] == "queued"
    state = service.job(late.headers["Location"])
    assert state["status"] == "done"
    assert state["answer"]["names"] == [OBAMA]
    assert service.ask(f"{late.headers['Location']}/text").text == f"{OBAMA}\n"
    assert service.ask(late.headers["Location"], None, "DELETE").status == 204
    assert service.ask(late.headers["Location"]).status == 404
    assert site.results() == {}


def test_keys_are_heeded_while_it_runs(site: Site, samples: Path) -> None:
    service = site.serve()
    assert service.ask("/metrics").status == 200
    key = site.visage("keys", "create", "camera").strip()
    assert seconds_until(lambda: service.ask("/metrics").status == 401, KEYS) < KEYS + SLACK
    assert "send an API key" in problem(service.send("/", samples / "obama2.jpg"))
    bearer = {"Authorization": f"Bearer {key}"}
    assert service.name(samples / "obama2.jpg", **bearer) == OBAMA
    assert service.ask("/healthz").status == 200
    assert service.ask("/metrics", X_API_Key=key).status == 200
    site.visage("keys", "revoke", "camera")
    assert seconds_until(lambda: service.ask("/metrics", **bearer).status == 401, KEYS) < KEYS + SLACK
    assert "revoked" in problem(service.send("/", samples / "obama2.jpg", **bearer))
    assert service.ask("/metrics").status == 401  # and it is not open to everybody again
    assert key not in service.process.log.read_text()


@pytest.mark.parametrize("what", ["open to others", "a port that is taken", "a queue that is none"])
def test_what_it_refuses_it_says_in_one_line(site: Site, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words, why = {
            "open to others": (["--host", "0.0.0.0", "--port", "0"], "so it needs keys: visage keys create"),
            "a port that is taken": (["--port", str(taken.getsockname()[1])], "take another port"),
            "a queue that is none": (["--port", "0", "--queue", "nonsense"], "'nonsense' is no queue"),
        }[what]
        done = site.run("serve", "--min", "1", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("visage: ")
    assert why in line
