"""Many photos as one job, by real processes with real faces: all of it is told, whoever is killed in the middle."""

import json
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.core.many import zipped
from tests.doors.service import LONG, Service, Site, site_in
from tests.processes.workers import soon
from visage import Engine
from visage.core.bulk.plan import WINDOW
from visage.wiring import open_gallery, open_objects, open_queue

PHOTOS = {"Barack Obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "Joe Biden": ("biden.jpg",)}
PEOPLE = 30  # each with one photo


@pytest.fixture
def site(tmp_path: Path, home: Path) -> Iterator[Site]:
    """Leases of a second: what a worker had in hand is soon with another. One thread each: the work lasts a while."""
    variables = {"VISAGE_LEASE": "1", "VISAGE_THREADS": "1", "VISAGE_BULK_FOLDER": str(tmp_path / "people")}
    with site_in(tmp_path, home, **variables) as made:
        yield made


def send(service: Service, data: bytes) -> str:
    """Where the job can be asked for."""
    reply = service.ask("/v1/bulk", data, Content_Type="application/zip")
    assert reply.status == 202, reply.text
    return str(reply.headers["Location"])


def faces(site: Site) -> dict[str, list[str]]:
    """Whose faces were enrolled from which photos."""
    with closing(open_gallery(site.settings.gallery_url)) as gallery:
        people = gallery.people("default")
        return {one.name: sorted(face.source for face in gallery.faces("default", one.id)) for one in people}


def left(site: Site, job: str) -> set[str]:
    """What the stores hold beside the job's own ticket and result, and its place in the list."""
    stores = [open_objects(url) for url in (site.settings.inputs_url, site.settings.outputs_url)]
    keys = {stored.key for store in stores for stored in store.list()}
    own = {f"{job}/ticket.json", f"{job}/result.json"}
    return {key for key in keys - own if not key.startswith(("jobs/", "workers/", "fleet"))}


def test_a_folder_of_the_server_and_others_in_between(site: Site, samples: Path, tmp_path: Path) -> None:
    for name, photos in PHOTOS.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for photo in photos:
            shutil.copy(samples / photo, tmp_path / "people" / name)
    for number in range(PEOPLE):
        (tmp_path / "people" / f"P{number:02}").mkdir()
        shutil.copy(samples / "biden.jpg", tmp_path / "people" / f"P{number:02}")
    (tmp_path / "people" / "Joe Biden" / "broken.jpg").write_text("no photo")
    service = site.serve("--min", "1", "--max", "1")
    reply = service.ask("/v1/bulk", b'{"folder": ""}', Content_Type="application/json")
    assert reply.status == 202, reply.text
    location = str(reply.headers["Location"])
    while not service.ask(f"{location}?wait=0.2").json.get("progress", {}).get("done"):
        assert service.ask(location).status == 200
    seen = service.send("/v1/detect", samples / "obama.jpg")
    assert seen.status == 200, seen.text
    service.ask(f"/v1/jobs/{seen.json['job']['id']}", None, "DELETE")
    between = service.ask(location).json
    done = service.job(location)
    report = done["report"]
    assert report["outcomes"] == {"enrolled": PEOPLE + 4, "failed": 1}
    rows = {row["source"]: row for row in report["photos"]}
    assert "neither a photo" in rows["Joe Biden/broken.jpg"]["detail"]
    enrolled = faces(site)
    assert enrolled["Barack Obama"] == [f"Barack Obama/{photo}" for photo in sorted(PHOTOS["Barack Obama"])]
    assert len(enrolled) == PEOPLE + 2
    assert left(site, done["id"]) == set()
    assert between["status"] == "running"  # who asked for something else did not wait for the end of it
    name = service.ask("/v1/people?q=obama").json["people"][0]
    erased = service.ask(f"/v1/people/{name['id']}", None, "DELETE").json["erased"]
    assert (erased["faces"], erased["crops"]) == (3, 3)
    again = service.ask(location)
    assert "Obama" not in again.text
    assert again.json["report"]["outcomes"] == {"enrolled": PEOPLE + 1, "failed": 1}


def test_killed_processes_lose_nothing_and_do_nothing_twice(site: Site, samples: Path) -> None:
    """A worker is killed four times, the web tier once, while the job is under way."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    photos = {f"people/P{number:02}/{name}": (samples / name).read_bytes() for number in range(PEOPLE)
              for name in ("biden.jpg", "obama2.jpg")}  # fmt: skip
    fleet = site.start("autoscale", "--min", "2", "--max", "2")
    web = site.start("web", "--port", port)
    service = Service(web)
    location = send(service, zipped(photos | {"people/P00/notes.txt": b"hello"}))
    job, killed = location.rpartition("/")[2], 0
    far: list[int] = []
    with closing(open_queue(site.settings)) as queue:
        while not site.results().get(job) and killed < 4:
            if queue.depth().in_flight and fleet.workers:
                fleet.workers[0].kill()
                killed += 1
                if killed == 2:
                    web.kill()
                    service = Service(site.start("web", "--port", port))
                far.append(service.ask(location).json.get("progress", {}).get("done", 0))
            time.sleep(0.7)
        done = service.job(location)
        assert soon(lambda: queue.depth().waiting + queue.depth().in_flight == 0, LONG)
        assert queue.dead() == []
    assert killed >= 2
    assert far == sorted(far)
    report = done["report"]
    assert report["outcomes"] == {"enrolled": 2 * PEOPLE, "failed": 1}
    assert faces(site) == {
        f"P{n:02}": [f"people/P{n:02}/biden.jpg", f"people/P{n:02}/obama2.jpg"] for n in range(PEOPLE)
    }
    assert left(site, job) == set()
    stored = Counter(line["id"] for line in fleet.said if line["message"] == "a job is done" and line["first"])
    assert set(stored.values()) == {1}
    assert len(stored) == 2 * PEOPLE
    again = Counter(line["id"] for line in fleet.said if line["message"] == "a job is done" and not line["first"])
    assert sum(again.values()) <= WINDOW


def test_it_agrees_with_the_bare_engine(site: Site, samples: Path, engine: Engine) -> None:
    """The same photos, people, faces and words as from `Engine.enroll`, one after the other."""
    files = [(name, samples / photo) for name, photos in PHOTOS.items() for photo in photos]
    alone = [engine.enroll(str(path), name).enrollment for name, path in files]
    service = site.serve("--min", "1", "--max", "1")
    packed = {f"{name}/{path.name}": path.read_bytes() for name, path in files}
    report = service.job(send(service, zipped(packed)))["report"]
    rows: dict[str, Any] = {row["source"]: row for row in report["photos"]}
    for (name, path), one in zip(files, alone, strict=True):
        assert one
        row = rows[f"{name}/{path.name}"]
        assert (row["outcome"], row["name"], row["face_id"] is None) == (one.outcome.value, name, one.face_id is None)
    assert json.dumps(report).count('"enrolled"') == 5
    enrolled = faces(site)
    assert {one.name: one.faces for one in engine.gallery().people("default")} == {
        name: len(sources) for name, sources in enrolled.items()
    }
    [change] = service.ask("/v1/history").json["changes"]
    assert change["kind"] == "bulk"
    assert service.ask(f"/v1/history/{change['id']}/undo", b"", "POST").status == 200
    assert faces(site) == {}
