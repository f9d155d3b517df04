"""People enrolled over HTTP, by workers of their own, with real faces: from the form to the published copy."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.doors.service import Reply, Service, Site, site_in
from tests.processes.workers import soon
from visage.core.errors import NoGalleryError
from visage.wiring import open_gallery

OBAMA = "Barack Obama"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("enrolling")
    publish = f"file://{folder}/published/gallery.sqlite"
    # The worker converts its networks first where no other test has: on a busy machine that takes its time.
    with site_in(folder, home, VISAGE_PUBLISH=publish, VISAGE_REQUEST_SECONDS="55") as made:
        yield made


@pytest.fixture(scope="module")
def service(site: Site) -> Service:
    return site.serve("--min", "1")


def enroll(service: Service, name: str, photos: dict[str, bytes], **headers: str) -> Reply:
    parts = [f'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'.encode()]
    for file, data in photos.items():
        head = f'--x\r\nContent-Disposition: form-data; name="photo"; filename="{file}"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    body = b"".join([*parts, b"--x--\r\n"])
    return service.ask("/v1/people", body, Content_Type="multipart/form-data; boundary=x", **headers)


def test_from_the_form_to_the_published_copy(site: Site, service: Service, samples: Path) -> None:
    photo = (samples / "obama.jpg").read_bytes()
    photos = {"obama.jpg": photo, "notes.txt": b"no picture", "obama2.jpg": (samples / "obama2.jpg").read_bytes()}
    done = enroll(service, OBAMA, photos)
    assert done.status == 200, done.text
    assert [(row["source"], row["outcome"]) for row in done.json["photos"]] == [
        ("obama.jpg", "enrolled"), ("notes.txt", "failed"), ("obama2.jpg", "enrolled"),
    ]  # fmt: skip
    assert (done.json["person"]["name"], done.json["person"]["faces"]) == (OBAMA, 2)
    again = enroll(service, OBAMA, {"copy.jpg": photo})
    assert [row["outcome"] for row in again.json["photos"]] == ["duplicate"]
    assert "obama.jpg" in again.json["photos"][0]["detail"]
    assert service.name(samples / "obama3.jpg") == OBAMA
    assert service.name(samples / "biden.jpg") == "unknown"

    with closing(open_gallery(site.settings.gallery_url)) as gallery:
        assert sorted(face.source for face in gallery.faces("default")) == ["obama.jpg", "obama2.jpg"]

    def published() -> list[str]:
        try:
            with closing(open_gallery(site.settings.publish)) as copy:
                return [person.name for person in copy.people("default")]
        except NoGalleryError:  # not yet
            return []

    assert soon(lambda: published() == [OBAMA])


def test_what_came_in_is_listed_told_and_given_back(service: Service, samples: Path) -> None:
    photo = (samples / "biden.jpg").read_bytes()
    done = enroll(service, "Joe Biden", {"biden.jpg": photo}, Prefer="respond-async")
    assert done.status == 202
    [job] = done.json["jobs"]
    told = service.ask(f"/v1/jobs/{job['id']}/events")
    assert told.headers["Transfer-Encoding"] == "chunked"
    last = json.loads(told.text.rpartition("data: ")[2])
    assert (last["status"], last["answer"]["enrollment"]["outcome"]) == ("done", "enrolled")
    newest = service.ask("/v1/jobs?limit=1").json["jobs"][0]
    assert (newest["id"], newest["kind"], newest["people"]) == (job["id"], "enroll", ["Joe Biden"])
    source = service.ask(f"/v1/jobs/{job['id']}/source/0")
    assert (source.headers["Content-Type"], source.body) == ("image/jpeg", photo)
