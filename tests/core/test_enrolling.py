"""Enrollment as a job: whatever is done twice is enrolled once, and no photo is lost or taken for its own copy."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.core.benches import bench, is_empty, result
from tests.core.service_fakes import Bench, NamedPictures, Service, enroll_both, make_kit, soon
from visage.core.galleries.publish import Publisher
from visage.core.service.reception import Asked
from visage.core.service.records import forget_failure
from visage.core.tickets import Ticket, result_key
from visage.core.values import EnrolledFace, Job, JobKind
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.published import PublishedGallery, pack


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(Service(tmp_path)) as opened:
        yield opened


def photo(content: str, name: str = "Ada", *, file: str = "face.jpg", key: str | None = None) -> Asked:
    return Asked(Job(JobKind.ENROLL, (), name=name), [(file, content.encode())], owner="me", key=key)


def enrollment(service: Service, ticket: Ticket) -> dict[str, Any]:
    found: dict[str, Any] = result(service, ticket)["answer"]["enrollment"]
    return found


def faces(service: Service) -> list[EnrolledFace]:
    with closing(SqliteGallery(service.folder / "gallery.sqlite", create=False)) as gallery:
        return list(gallery.faces("default"))


def test_a_face_is_kept_under_the_name_of_the_file(service: Service) -> None:
    with bench(service).working():
        ticket = service.reception.submit(photo("ada", file="Zoë 1.jpg"))
        done = enrollment(service, ticket)
        again = enrollment(service, service.reception.submit(photo("ada")))
    [face] = faces(service)
    assert (done["outcome"], done["face_id"], face.source) == ("enrolled", face.id, "Zoë 1.jpg")
    assert again["outcome"] == "duplicate"
    assert "Zoë 1.jpg" in again["detail"]


def test_an_answer_that_was_lost_comes_out_the_same_the_second_time(service: Service) -> None:
    at = bench(service)
    at.line.cut = lambda verb: verb == "outputs.create"
    with at.working():
        ticket = service.reception.submit(photo("ada"))
        assert soon(lambda: at.log.said("a result cannot be stored"))
        assert len(faces(service)) == 1
        at.line.cut = lambda verb: False
        done = enrollment(service, ticket)
        assert soon(lambda: is_empty(service))
    [face] = faces(service)
    assert (done["outcome"], done["face_id"], done["person"]["faces"]) == ("enrolled", face.id, 1)


def test_a_job_that_is_sent_again_enrolls_no_second_face(service: Service) -> None:
    with bench(service).working():
        ticket = service.reception.submit(photo("ada"))
        first = enrollment(service, ticket)
        other = enrollment(service, service.reception.submit(photo("bo", "Ada")))
        service.outputs.delete([result_key(ticket.id)])
        service.reception.resend(ticket)
        second = enrollment(service, ticket)
    assert (second["outcome"], second["face_id"]) == ("enrolled", first["face_id"])
    assert sorted(face.id for face in faces(service)) == sorted([first["face_id"], other["face_id"]])


def test_a_key_that_is_used_again_for_another_photo_enrolls_that(service: Service) -> None:
    """Once the first job is forgotten the key is free; its job has the same id as the first."""
    with bench(service).working():
        first = service.reception.submit(photo("ada", key="k"))
        assert enrollment(service, first)["outcome"] == "enrolled"
        assert soon(lambda: is_empty(service))  # while its message is there, the queue may drop another of its name
        service.reception.forget(first.id)
        second = service.reception.submit(photo("bo", key="k"))
        assert second.id == first.id
        assert enrollment(service, second)["person"]["faces"] == 2
        assert soon(lambda: is_empty(service))
        service.reception.forget(first.id)
        third = enrollment(service, service.reception.submit(photo("bo", "Bo", key="k")))
    assert (third["person"]["name"], third["person"]["faces"]) == ("Bo", 1)


def test_what_failed_is_done_once_more(service: Service) -> None:
    with bench(service).working():
        ticket = service.reception.submit(photo("no picture"))
        assert result(service, ticket)["status"] == "failed"
        service.inputs.put(ticket.job.sources[0], b"ada")
        forget_failure(service.outputs, ticket.id)
        service.reception.resend(ticket)
        assert enrollment(service, ticket)["outcome"] == "enrolled"


def test_a_worker_at_a_published_copy_says_so(service: Service) -> None:
    enroll_both(service.folder)
    with closing(SqliteGallery(service.folder / "gallery.sqlite", create=False)) as gallery:
        Publisher(gallery, service.outputs, "copy.sqlite", pack).step()
    kit = make_kit(service.folder, NamedPictures())
    kit.open_gallery = lambda create: PublishedGallery(service.outputs, "copy.sqlite", place="file:///copy")
    with Bench(service, kit).working():
        told = result(service, service.reception.submit(photo("ada", "Eve")))
    assert (told["status"], told["error"]["kind"]) == ("failed", "PublishedError")
