"""Somebody who is not enrolled, from the first photo to the last trace: seen, named, undone, erased. Real processes."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.inboxes import World, seen, somebody
from tests.doors.bad_files import film, photo
from tests.doors.conftest import Visage
from tests.doors.service import LONG, Service, Site, site_in
from tests.postgres.server import server  # noqa: F401 - a fixture
from tests.processes.workers import soon
from visage.core.unknown.kept import crop_key, faces_key
from visage.sqlite.gallery import SqliteGallery
from visage.wiring import open_objects

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Site]:
    variables = {"VISAGE_UNKNOWN_DAYS": "7"}
    if request.param == "postgresql":
        variables["VISAGE_GALLERY"] = request.getfixturevalue("server").database()
    with site_in(tmp_path, home, **variables) as made:
        yield made


@pytest.fixture
def clip(samples: Path, tmp_path: Path) -> Path:
    """Both for a second, then nobody, then Obama alone for a second."""
    obama, biden = (photo(samples / name, 360) for name in ("obama2.jpg", "biden.jpg"))
    both = np.hstack([obama, biden])
    alone = np.hstack([obama, np.full_like(biden, 90)])
    return film(tmp_path / "clip.mp4", [both] * 10 + [np.full_like(both, 90)] * 30 + [alone] * 10, 10)


def asked(service: Service, path: str, body: dict[str, Any] | None = None, method: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"Content_Type": "application/json"}
    reply = service.ask(path, data, method, **headers)
    assert reply.status == 200, reply.text
    return reply.json


def recognized(service: Service, source: Path) -> str:
    """The id of the job, once it is done."""
    reply = service.send("/v1/recognize", source, Prefer="respond-async")
    assert reply.status == 202, reply.text
    job = service.job(reply.headers["Location"])
    assert job["status"] == "done", job
    return str(job["id"])


def names(service: Service, job: str) -> list[str]:
    found: list[str] = asked(service, f"/v1/jobs/{job}")["answer"]["names"]
    return found


def people(service: Service) -> list[str]:
    return [one["name"] for one in asked(service, "/v1/people")["people"]]


def unknown(service: Service, clusters: int) -> list[dict[str, Any]]:
    """Whoever is unknown, as soon as they are so many."""
    assert soon(lambda: asked(service, "/v1/unknown")["total"] == clusters, LONG)
    found: list[dict[str, Any]] = asked(service, "/v1/unknown")["clusters"]
    return found


def test_from_the_first_photo_to_the_last_trace(site: Site, samples: Path, clip: Path) -> None:
    site.visage("enroll", "--name", BIDEN, samples / "biden.jpg")
    service = site.serve()
    known = recognized(service, samples / "biden.jpg")
    jobs = [recognized(service, source) for source in (samples / "obama.jpg", samples / "obama2.jpg", clip)]
    before = [asked(service, f"/v1/jobs/{job}")["answer"] for job in jobs]
    assert [one["names"] for one in before] == [["unknown"], ["unknown"], [BIDEN]]

    (cluster,) = unknown(service, 1)
    assert (cluster["jobs"], cluster["state"], cluster["suggestion"]) == (3, "new", None)
    assert cluster["pictures"] == 2 + 20
    for member in cluster["members"]:
        crop = service.ask(f"/v1/unknown/faces/{member}/crop")
        assert (crop.status, crop.headers["Content-Type"], crop.body[:2]) == (200, "image/jpeg", b"\xff\xd8")

    named = asked(service, f"/v1/unknown/{cluster['id']}/name", {"name": OBAMA})
    assert (named["person"]["name"], named["answers"]) == (OBAMA, 3)
    assert [names(service, job) for job in jobs] == [[OBAMA], [OBAMA], [OBAMA, BIDEN]]
    intervals = asked(service, f"/v1/jobs/{jobs[2]}")["answer"]["people"][0]["intervals"]
    assert intervals == [[0.0, 0.9], [4.0, 4.9]]
    assert unknown(service, 0) == []
    assert service.name(samples / "obama3.jpg") == OBAMA

    asked(service, f"/v1/history/{named['change']}/undo", {})
    assert people(service) == [BIDEN]
    assert [asked(service, f"/v1/jobs/{job}")["answer"] for job in jobs] == before
    (again,) = unknown(service, 1)
    assert again == cluster

    person = asked(service, f"/v1/unknown/{again['id']}/name", {"name": OBAMA})["person"]
    erased = asked(service, f"/v1/people/{person['id']}", method="DELETE")["erased"]
    assert erased["jobs"] == 4  # with that of the third photo
    assert [service.ask(f"/v1/jobs/{job}").status for job in jobs] == [404] * 3
    assert people(service) == [BIDEN]
    assert names(service, known) == [BIDEN]
    assert unknown(service, 0) == []
    assert [stored.key for stored in open_objects(site.settings.unknown_url).list()] == []
    assert service.process.end() == 0


def test_switched_off_nothing_is_kept_and_what_there_was_goes(tmp_path: Path, home: Path, samples: Path) -> None:
    with site_in(tmp_path, home) as site:
        store = open_objects(site.settings.unknown_url)
        for key in (faces_key("a" * 32), crop_key("a" * 32, 0), "notes.txt"):
            store.put(key, b"of before")
        service = site.serve()
        assert asked(service, "/v1/unknown")["enabled"] is False
        recognized(service, samples / "obama2.jpg")
        assert soon(lambda: [stored.key for stored in store.list()] == ["notes.txt"], LONG)


def test_who_is_removed_with_the_command_is_forgotten_here_too(tmp_path: Path, visage: Visage) -> None:
    with closing(SqliteGallery(tmp_path / "gallery.sqlite", create=True)) as gallery:
        world = World(tmp_path, gallery)
        for seed in (1, 2):
            world.photo(seen(somebody(seed)))
        inbox = world.inbox()
        first, _ = inbox.clusters("default")
        inbox.name("default", [first.id], OBAMA)
    gallery_url = f"sqlite:///{tmp_path / 'gallery.sqlite'}"
    visage("--gallery", gallery_url, "people", "remove", OBAMA, VISAGE_UNKNOWN=f"file://{tmp_path / 'unknown'}")
    assert len(list(world.unknown.list())) == 2
