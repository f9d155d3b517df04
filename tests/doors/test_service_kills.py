"""Nothing is lost, wrong or done twice while processes of the service are killed; a file that kills is put aside."""

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.doors.conftest import ROOT
from tests.doors.frail_worker import DEADLY
from tests.doors.service import LONG, Service, Site, site_in
from tests.processes.workers import soon
from visage import open_engine
from visage.processes.fleet import ProcessFleet
from visage.wiring import open_queue

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
REQUESTS, CONNECTIONS = 60, 10
# Processes of the app tier that are killed, one a second; after the first of them the web tier is.
KILLS = 3


@pytest.fixture
def site(tmp_path: Path, home: Path, samples: Path) -> Iterator[Site]:
    """Leases of a second: what a worker had in hand is soon with another. One thread each: the work lasts a while."""
    with site_in(tmp_path, home, VISAGE_LEASE="1", VISAGE_THREADS="1", VISAGE_REQUEST_SECONDS="50") as made:
        with open_engine(made.settings) as registrar:
            registrar.enroll(str(samples / "obama.jpg"), OBAMA)
            registrar.enroll(str(samples / "biden.jpg"), BIDEN)
        yield made


def ask(url: str, photos: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What the load client, a process of its own that tries again under each request's key, says came of them."""
    words = {"url": url, "photos": photos, "requests": REQUESTS, "connections": CONNECTIONS, "retry": LONG}
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "load_client.py")],
        input=json.dumps(words) + "\n", capture_output=True, text=True, check=True, timeout=2 * LONG,
    )  # fmt: skip
    tally: dict[str, Any] = json.loads(done.stdout)
    return tally


def test_killed_processes_lose_nothing(site: Site, samples: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    fleet = site.start("autoscale", "--min", "2", "--max", "2")
    web = site.start("web", "--port", port)
    named = {"obama2.jpg": OBAMA, "biden.jpg": BIDEN, "obama3.jpg": OBAMA}
    photos = [(str(samples / file), name) for file, name in named.items()]
    web.url()
    with ThreadPoolExecutor(1) as pool, closing(open_queue(site.settings)) as queue:
        asking = pool.submit(ask, f"http://127.0.0.1:{port}/", photos)
        killed = 0
        while not asking.done() and killed < KILLS:
            if not queue.depth().in_flight:
                time.sleep(0.02)
                continue
            fleet.workers[0].kill()
            killed += 1
            if killed == 1:
                web.kill()
                site.start("web", "--port", port)
            time.sleep(1.0)
        tally = asking.result()
        dead = queue.dead()
        left = queue.depth()
    assert killed >= 2
    assert (tally["lost"], tally["wrong"], tally["answered"]) == ([], [], REQUESTS)
    assert tally["cut"] > 0
    assert dead == []
    assert (left.waiting, left.in_flight) == (0, 0)
    assert len(site.results()) == REQUESTS
    stored = Counter(line["id"] for line in fleet.said if line["message"] == "a job is done" and line["first"])
    assert set(stored.values()) == {1}


def test_a_file_that_kills_is_put_aside_and_the_innocent_are_answered(
    site: Site, samples: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "deadly.jpg").write_bytes(DEADLY)
    service = Service(site.start("web", "--port", "0"))
    innocents = [samples / name for name in ("obama2.jpg", "obama3.jpg", "obama.jpg")]
    environment = site.settings.for_children() | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    fleet = ProcessFleet([sys.executable, "-m", "tests.doors.frail_worker"], limit=2, environment=environment)
    with ThreadPoolExecutor(4) as pool, closing(open_queue(site.settings)) as queue, closing(fleet):
        deadly = pool.submit(service.send, "/", tmp_path / "deadly.jpg")
        assert soon(lambda: queue.depth().waiting == 1)
        others = [pool.submit(service.name, photo) for photo in innocents]
        assert soon(lambda: queue.depth().waiting == 4)

        def answered() -> bool:
            fleet.resize(2)  # who died is replaced
            return deadly.done() and all(one.done() for one in others)

        assert soon(answered, LONG)
        (letter,) = queue.dead()
    assert [one.result() for one in others] == [OBAMA] * 3
    refused = deadly.result()
    assert refused.status == 422
    assert "ended its worker 3 times while it was performed alone" in refused.json["detail"]
    assert refused.json["job"] in letter.body
    assert letter.reason == "the job ended its worker 3 times while it was performed alone"
    assert len([record for record in caplog.records if "ended unasked" in record.message]) == 4  # once among others
