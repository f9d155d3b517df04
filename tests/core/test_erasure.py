"""Erasing: afterwards neither the gallery nor any kept job speaks of whom was erased, and others' jobs are as before.

Gallery, queue, stores, reception and worker are the real ones; networks and pictures are played.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.benches import Gate, bench
from tests.core.service_fakes import Bench, NamedPictures, Service, asked, enroll_both, find, make_kit, soon
from tests.fakes import CARD
from visage.core.amend import BEFORE, amend, rewrite
from visage.core.bulk.plan import erased_key
from visage.core.errors import DeadlyError, NoFaceError, NoPersonError, StorageError
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.service.erasure import Erased, Eraser
from visage.core.service.keeper import Keeper, Kept
from visage.core.service.reception import Asked
from visage.core.tickets import Ticket, failure_of, result_key, result_to_bytes, ticket_key
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.strangers import Strangers
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
    return made(service, gallery)


def made(
    service: Service,
    gallery: Gallery,
    *,
    outputs: Objects | None = None,
    forget: Callable[[str], None] | None = None,
    inbox: Inbox | None = None,
) -> Eraser:
    forget = forget or service.reception.forget
    outputs = outputs or service.outputs
    return Eraser(gallery, service.inputs, outputs, forget, queue=service.queue, inbox=inbox)


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


def test_many_photos_that_failed_enroll_them_no_more_when_they_are_done_again(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    whole = service.reception.submit(Asked(Job(JobKind.BULK, ()), [("people.zip", b"")], owner="me"))
    failed = result_to_bytes(failure_of(whole, DeadlyError("people.zip", "it ended three workers"), 1.7e9))
    service.outputs.put(result_key(whole.id), failed)
    eraser.person(gallery.person("default", "Ada"))
    assert service.inputs.version(erased_key(whole.id, "default", "Ada")) is not None
    assert service.inputs.version(erased_key(whole.id, "default", "Bo")) is None
    assert service.outputs.get(result_key(whole.id)) == failed


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
        erased = made(service, slow).person(slow.person("default", "Ada"))
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
    made(service, gallery, outputs=outputs).person(gallery.person("default", "Ada"))
    assert outputs.times == 0
    assert b"Ada" not in outputs.get(result_key(bo))


def test_after_a_store_broke_off_it_can_be_repeated(service: Service, gallery: SqliteGallery) -> None:
    done(service, asked("ada"))
    person = gallery.person("default", "Ada")

    def broken(job: str) -> None:
        raise StorageError("the store is away")

    with pytest.raises(StorageError):
        made(service, gallery, forget=broken).person(person)
    assert gallery.person("default", "Ada") == person
    erased = made(service, gallery).person(person)
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


def test_who_is_erased_while_a_worker_sees_them_is_not_in_its_answer(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    """The gallery is searched, and before the result is stored the person is no more."""
    person, bo = gallery.person("default", "Ada"), gallery.person("default", "Bo")
    with Late(service, lambda: eraser.person(person)).working():
        ticket, result = service.reception.answer(asked("ada"), ANSWERED)
    assert result is not None
    assert result["answer"]["names"] == ["unknown"]
    (face,) = result["answer"]["faces"]
    assert face["match"] is None
    assert face["nearest"] is None
    assert face["runner_up"]["person_id"] == bo.id
    assert person.id.encode() not in everything(service)
    assert ticket.id in kept(service)


def test_who_is_erased_right_after_the_last_look_is_not_either(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    """The result is stored when the worker has looked, and the eraser has looked through the results before."""
    person = gallery.person("default", "Ada")
    at = bench(service)
    at.line.before = {"outputs.create": lambda key: eraser.person(person) if key.endswith("result.json") else None}
    with at.working():
        ticket = service.reception.submit(asked("ada"))
        assert soon(lambda: at.log.said("a job is done"))
    assert service.outputs.version(result_key(ticket.id)) is not None
    assert person.id.encode() not in everything(service)


def test_a_job_in_hand_does_not_bring_back_whom_it_was_to_enroll(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    person = gallery.person("default", "Ada")
    with Late(service, lambda: eraser.person(person)).working() as at:
        ticket = service.reception.submit(to_enroll("sideways", "Ada"))
        assert soon(lambda: at.log.said("a job is done"))
    assert ticket.id not in kept(service)
    assert [one.name for one in gallery.people("default")] == ["Bo"]


def test_whom_a_new_face_resembles_is_not_told_once_they_are_erased(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    person = gallery.person("default", "Ada")
    with Late(service, lambda: eraser.person(person)).working():
        _, result = service.reception.answer(to_enroll("ada", "Twin"), ANSWERED)
    assert result is not None
    enrollment = result["answer"]["enrollment"]
    assert (enrollment["resembles"], enrollment["detail"]) == (None, "enrolled, 1 face now")


def test_of_a_job_deleted_in_hand_nothing_is_kept(service: Service, gallery: SqliteGallery) -> None:
    unknown = FolderObjects(service.folder / "unknown")
    gate = Gate()
    at = bench(service, find=gate)
    at.unknown = unknown
    with at.working():
        ticket = service.reception.submit(asked("stranger"))
        assert gate.reached.wait(ANSWERED)
        service.reception.forget(ticket.id)
        gate.opened.set()
        assert soon(lambda: at.log.said("a job is done"))
    assert kept(service) == set() == {stored.key for stored in unknown.list()}


def test_dead_letters_that_would_enroll_them_go(service: Service, gallery: SqliteGallery, eraser: Eraser) -> None:
    for one in (to_enroll("ada", "Ada"), to_enroll("ada", "Bo"), to_enroll("ada", "Ada", "family"), asked("ada")):
        service.reception.submit(one)
    service.queue.send("no ticket")
    deliveries = service.queue.receive(5, 1.0)
    for delivery in deliveries:
        assert service.queue.bury(delivery.receipt, "it died")
    eraser.person(gallery.person("default", "Ada"))
    left = [letter.body for letter in service.queue.dead()]
    assert len(deliveries) == 5
    assert len(left) == 4
    assert not any('"name":"Ada"' in body and '"collection":"default"' in body for body in left)


def test_unknown_faces_that_were_named_go_with_them(service: Service, gallery: SqliteGallery) -> None:
    unknown = FolderObjects(service.folder / "unknown")
    inbox = Inbox(unknown, service.inputs, service.outputs, lambda: gallery, CARD, now=ever_later(), days=7.0)
    at = bench(service)
    at.unknown = unknown
    with at.working():
        ticket, result = service.reception.answer(asked("stranger"), ANSWERED)
        other, _ = service.reception.answer(asked("outsider"), ANSWERED)
    assert result is not None
    assert result["answer"]["names"] == ["unknown"]
    clusters = inbox.clusters("default")
    (cy,) = [one for one in clusters if one.faces[0].job == ticket.id]
    person = inbox.name("default", [face.id for face in cy.faces], "Cy").person
    assert answer(service, ticket.id)["names"] == ["Cy"]

    def forget(job: str) -> None:
        service.reception.forget(job)
        inbox.forget_job(job)

    assert made(service, gallery, forget=forget, inbox=inbox).person(person) == Erased(faces=1, crops=0, jobs=1)
    assert kept(service) == {other.id}
    assert [stored.key for stored in unknown.list()] == [f"faces/{other.id}.json"]
    assert len(clusters) == 2
    assert len(inbox.clusters("default")) == 1


def test_unknown_faces_go_with_them_when_their_jobs_are_not_kept_any_more(
    service: Service, gallery: SqliteGallery
) -> None:
    unknown = FolderObjects(service.folder / "unknown")
    inbox = Inbox(unknown, service.inputs, service.outputs, lambda: gallery, CARD, now=ever_later(), days=7.0)
    at = bench(service)
    at.unknown = unknown
    with at.working():
        jobs = [service.reception.answer(asked("stranger"), ANSWERED)[0].id for _ in range(2)]
    (cy,) = inbox.clusters("default")
    assert cy.jobs == 2
    person = inbox.name("default", [face.id for face in cy.faces], "Cy").person
    for job in jobs:
        service.reception.forget(job)
    faces = [face.id for face in gallery.faces("default", person.id)]
    assert len(faces) == 1, "the same picture twice is enrolled once"
    assert made(service, gallery, inbox=inbox).person(person).jobs == 0
    assert not list(unknown.list())


def test_an_amended_answer_cannot_be_taken_back_to_them(
    service: Service, gallery: SqliteGallery, eraser: Eraser
) -> None:
    (job,) = done(service, asked("ada"))
    bo = answer(service, job)["faces"][0]["runner_up"]
    assert bo["name"] == "Bo"
    assert rewrite(service.outputs, job, lambda result: amend(result, {0: bo}))
    person = gallery.person("default", "Ada")
    assert eraser.person(person).jobs == 0
    assert person.id.encode() not in everything(service)
    result = service.reception.result(job)
    assert result is not None
    assert result["answer"]["names"] == ["Bo"]
    (before,) = result[BEFORE].values()
    assert before["match"] is None


def ever_later() -> Callable[[], float]:
    """A clock by which whoever looks twice looks again."""
    ticks = itertools.count(time.time(), 10.0)
    return lambda: next(ticks)


class Late(Bench):
    """A worker that is interrupted when it has performed its job and has not stored the result yet."""

    def __init__(self, service: Service, interrupt: Callable[[], object]) -> None:
        super().__init__(service, make_kit(service.folder, NamedPictures(), find=find))
        self._interrupt = interrupt

    @contextmanager
    def working(self) -> Iterator[Bench]:
        keep = Keeper.keep

        def late(keeper: Keeper, ticket: Ticket, result: dict[str, Any], strangers: Strangers | None = None) -> Kept:
            self._interrupt()
            return keep(keeper, ticket, result, strangers)

        with pytest.MonkeyPatch.context() as patch, super().working():
            patch.setattr(Keeper, "keep", late)
            yield self
