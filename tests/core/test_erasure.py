"""Erasing: afterwards neither the gallery nor any kept job speaks of whom was erased, and others' jobs are as before.

Gallery, queue, stores, reception and worker are the real ones; networks and pictures are played.
"""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.service_fakes import Bench, NamedPictures, Service, asked, enroll_both, make_kit
from visage.core.erasure import Erased, Eraser
from visage.core.errors import NoFaceError, NoPersonError, StorageError
from visage.core.reception import Asked
from visage.core.tickets import result_key, ticket_key
from visage.core.values import Job, JobKind
from visage.objects.folder import FolderObjects
from visage.sqlite.gallery import SqliteGallery

ANSWERED = 20.0  # seconds, within which a job is done


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    enroll_both(tmp_path)
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def gallery(service: Service) -> Iterator[SqliteGallery]:
    with closing(SqliteGallery(service.folder / "gallery.sqlite", create=False)) as opened:
        yield opened


@pytest.fixture
def eraser(service: Service, gallery: SqliteGallery) -> Eraser:
    return Eraser(gallery, service.inputs, service.outputs, service.reception.forget)


def to_enroll(content: str, name: str, collection: str = "default") -> Asked:
    return Asked(Job(JobKind.ENROLL, (), collection, name), [("face.jpg", content.encode())], owner="me")


def done(service: Service, *wanted: Asked) -> list[str]:
    """The ids of these jobs, done by a worker one after the other."""
    jobs: list[str] = []
    with Bench(service, make_kit(service.folder, NamedPictures())).working():
        for one in wanted:
            ticket, result = service.reception.answer(one, ANSWERED)
            assert result is not None
            jobs.append(ticket.id)
    return jobs


def kept(service: Service) -> set[str]:
    """The ids of the jobs of which anything is kept."""
    places = [stored.key.split("/") for store in (service.inputs, service.outputs) for stored in store.list()]
    return {parts[0] if parts[0] != "jobs" else parts[1].split("-")[1] for parts in places}


def everything(service: Service) -> bytes:
    """All that lies in the stores, keys and bytes."""
    stores = (service.inputs, service.outputs)
    return b"".join(stored.key.encode() + store.get(stored.key) for store in stores for stored in store.list())


def answer(service: Service, job: str) -> dict[str, Any]:
    result = service.reception.result(job)
    assert result is not None
    return dict(result["answer"])


def test_the_jobs_that_name_a_person_go_with_them(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    ada, film, bo, nobody, found = done(
        service,
        asked("ada"),
        asked("film", "film.mp4"),
        asked("bo"),
        asked("nobody"),
        asked("ada", kind=JobKind.DETECT),
    )
    person = gallery.person("default", "Ada")
    assert answer(service, ada)["names"] == answer(service, film)["names"] == ["Ada"]
    assert eraser.person(person) == Erased(faces=1, crops=0, jobs=2)
    assert kept(service) == {bo, nobody, found}
    assert [one.name for one in gallery.people("default")] == ["Bo"]
    assert person.id.encode() not in everything(service)
    assert b'"Ada"' not in everything(service)
    with pytest.raises(NoPersonError):
        eraser.person(person)


def test_whom_they_were_weighed_against_keeps_the_job(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    (bo,) = done(service, asked("bo"))
    before = answer(service, bo)
    assert before["faces"][0]["runner_up"]["name"] == "Ada"
    eraser.person(gallery.person("default", "Ada"))
    after = answer(service, bo)
    assert after["faces"][0]["runner_up"] is after["people"][0]["best"]["runner_up"] is None
    before["faces"][0]["runner_up"] = before["people"][0]["best"]["runner_up"] = None
    assert after == before


def test_jobs_that_were_to_enroll_them_go_whatever_became_of_them(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    enrolled, faceless, broken, other, elsewhere = done(
        service,
        to_enroll("sideways", "Ada"),
        to_enroll("nobody", "Ada"),
        to_enroll("no picture", "Ada"),
        to_enroll("nobody", "Bo"),
        to_enroll("nobody", "Ada", "family"),
    )
    waiting, another = (service.reception.submit(to_enroll("ada", name)).id for name in ("Ada", "Bo"))
    assert kept(service) == {enrolled, faceless, broken, other, elsewhere, waiting, another}
    assert eraser.person(gallery.person("default", "Ada")) == Erased(faces=2, crops=0, jobs=4)
    assert kept(service) == {other, elsewhere, another}


def test_who_was_said_to_resemble_them_is_kept_and_the_job_is_not(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    (job,) = done(service, to_enroll("ada", "Twin"))
    assert answer(service, job)["enrollment"]["resembles"]["name"] == "Ada"
    assert eraser.person(gallery.person("default", "Ada")).jobs == 1
    assert kept(service) == set()
    assert [one.name for one in gallery.people("default")] == ["Bo", "Twin"]


def test_a_person_of_the_same_id_in_another_collection_is_somebody_else(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    person = gallery.person("default", "Ada")
    for face in gallery.faces("default", person.id):
        gallery.add("family", "Ada", replace(face, person_id=person.id))
    here, there = done(service, asked("ada"), asked("ada", collection="family"))
    assert eraser.person(person).jobs == 1
    assert kept(service) == {there} != {here}
    assert answer(service, there)["names"] == ["Ada"]


def test_answers_of_before_a_merger_go_too(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    (job,) = done(service, asked("ada"))
    faces = [face.id for face in gallery.faces("default", gallery.person("default", "Ada").id)]
    countess = gallery.move("default", faces, "Countess")
    assert eraser.person(countess).jobs == 1
    assert job not in kept(service)


def test_a_face_goes_with_the_job_that_enrolled_it(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    seen, enrolled = done(service, asked("ada"), to_enroll("sideways", "Ada"))
    face_id = answer(service, enrolled)["enrollment"]["face_id"]
    assert eraser.face("default", face_id) == Erased(faces=1, crops=0, jobs=1)
    assert kept(service) == {seen}
    assert gallery.person("default", "Ada").faces == 1
    with pytest.raises(NoFaceError):
        eraser.face("default", face_id)


def test_the_last_face_takes_its_person_along(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    (seen,) = done(service, asked("ada"))
    (face,) = gallery.faces("default", gallery.person("default", "Ada").id)
    assert eraser.face("default", face.id) == Erased(faces=1, crops=0, jobs=1)
    assert seen not in kept(service)
    assert [one.name for one in gallery.people("default")] == ["Bo"]


def test_what_came_while_it_was_looked_through_goes_too(service: Service, gallery: SqliteGallery) -> None:
    """A job is done between the first look at the jobs and the person's removal."""
    first, second = done(service, asked("ada"), asked("ada"))
    late = service.outputs.get(result_key(second))
    service.outputs.delete([result_key(second)])

    class Slow(SqliteGallery):
        def remove(self, collection: str, person_id: str) -> int:
            service.outputs.put(result_key(second), late)
            return super().remove(collection, person_id)

    with closing(Slow(service.folder / "gallery.sqlite", create=False)) as slow:
        erased = Eraser(slow, service.inputs, service.outputs, service.reception.forget).person(
            slow.person("default", "Ada")
        )
    assert erased.jobs == 2
    assert {first, second}.isdisjoint(kept(service))


def test_a_result_that_is_written_meanwhile_is_read_again(service: Service, gallery: SqliteGallery) -> None:
    (bo,) = done(service, asked("bo"))

    class Rewritten(FolderObjects):
        times = 3

        def replace(self, key: str, data: bytes, version: str) -> bool:
            self.times -= 1
            if self.times:
                self.put(key, self.get(key))
            return super().replace(key, data, version)

    outputs = Rewritten(service.folder / "outputs")
    Eraser(gallery, service.inputs, outputs, service.reception.forget).person(gallery.person("default", "Ada"))
    assert outputs.times == 0
    assert b"Ada" not in outputs.get(result_key(bo))


def test_after_a_store_broke_off_it_can_be_repeated(service: Service, gallery: SqliteGallery) -> None:
    done(service, asked("ada"))
    person = gallery.person("default", "Ada")

    def broken(job: str) -> None:
        raise StorageError("the store is away")

    with pytest.raises(StorageError):
        Eraser(gallery, service.inputs, service.outputs, broken).person(person)
    assert gallery.person("default", "Ada") == person
    erased = Eraser(gallery, service.inputs, service.outputs, service.reception.forget).person(person)
    assert erased == Erased(faces=1, crops=0, jobs=1)


def test_damaged_results_go_where_they_may_be_about_them(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    ada, bo = done(service, asked("ada"), asked("bo"))
    for job in (ada, bo):
        whole = service.outputs.get(result_key(job))
        service.outputs.put(result_key(job), whole[:-9])
    service.outputs.put(f"{'e' * 32}/result.json", b'\xff\xfe"enroll"')
    service.inputs.put(ticket_key("f" * 32), b"\xff no ticket")
    people = {one.name: one.id.encode() for one in gallery.people("default")}
    assert people["Ada"] in service.outputs.get(result_key(bo))
    assert eraser.person(gallery.person("default", "Ada")).jobs == 2
    assert kept(service) == {"e" * 32, "f" * 32}


def test_two_at_once(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    done(service, *[asked("ada"), asked("bo")] * 5)
    people = gallery.people("default")
    ready = threading.Barrier(2)
    work: Callable[[Any], Erased] = lambda person: (ready.wait(), eraser.person(person))[1]  # noqa: E731
    with ThreadPoolExecutor(2) as threads:
        erased = list(threads.map(work, people))
    assert [one.faces for one in erased] == [1, 1]
    assert kept(service) == set()
    assert gallery.collections() == []


def test_nothing_else_in_the_stores_is_touched(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    person = gallery.person("default", "Ada")
    others = {"fleet.json": b"{}", "clip.json": json.dumps({"person_id": person.id}).encode(), "x/result.json": b"{}"}
    for key, data in others.items():
        service.outputs.put(key, data)
    assert eraser.person(person).jobs == 0
    assert {stored.key: service.outputs.get(stored.key) for stored in service.outputs.list()} == others
