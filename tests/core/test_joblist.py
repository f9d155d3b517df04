"""The list of jobs: newest first, a page at a time, each account's own; and never what is no more."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.benches import bench, result
from tests.core.service_fakes import Line, Service, WatchedObjects, asked, enroll_both
from visage.core.errors import StorageError
from visage.core.service.joblist import JobList
from visage.core.tickets import INDEX, Ticket, index_key, progress_key, result_key, ticket_from_text, ticket_key
from visage.core.values import Job, JobKind


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def jobs(service: Service) -> JobList:
    return JobList(service.inputs, service.outputs)


def submitted(service: Service, count: int, owner: str = "me") -> list[Ticket]:
    """Newest first."""
    made = [service.reception.submit(replace(asked("ada", name=f"{n}.jpg"), owner=owner)) for n in range(count)]
    return sorted(made, key=index_key)


def listed(jobs: JobList, owner: str | None, limit: int) -> list[list[str]]:
    """The ids, page by page."""
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page, after = jobs.page(owner, limit, after)
        pages.append([one.ticket.id for one in page])
    return pages


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 100])
def test_pages_hold_every_job_once(service: Service, jobs: JobList, limit: int) -> None:
    ids = [ticket.id for ticket in submitted(service, 5)]
    assert listed(jobs, "me", limit) == [ids[start : start + limit] for start in range(0, 5, limit)]


def test_nothing_is_one_empty_page(jobs: JobList) -> None:
    assert jobs.page(None, 10) == ([], None)


def test_everybody_has_their_own(service: Service, jobs: JobList) -> None:
    mine, yours, nobodys = (submitted(service, 2, owner) for owner in ("me", "you", ""))
    assert listed(jobs, "me", 10) == [[ticket.id for ticket in mine]]
    assert listed(jobs, "", 10) == [[ticket.id for ticket in nobodys]]
    assert sorted(listed(jobs, None, 10)[0]) == sorted(ticket.id for ticket in (*mine, *yours, *nobodys))


def test_a_later_job_comes_before_and_moves_no_page(service: Service, jobs: JobList) -> None:
    ids = [ticket.id for ticket in submitted(service, 4)]
    first, after = jobs.page("me", 2)
    submitted(service, 1)
    assert after
    assert [one.ticket.id for one in (*first, *jobs.page("me", 2, after)[0])] == ids


def test_what_is_done_tells_whom_it_found(service: Service, jobs: JobList) -> None:
    enroll_both(service.folder)
    with bench(service).working():
        found = service.reception.submit(asked("ada"))
        bad = service.reception.submit(asked("no picture"))
        for ticket in (found, bad):
            result(service, ticket)
    film = service.reception.submit(asked("film"))
    service.outputs.put(progress_key(film.id), b'{"progress": 0.5}')
    told = {one.ticket.id: one for one in jobs.page("me", 10)[0]}
    assert told[found.id].people == ("Ada",)
    assert "answer" not in (told[found.id].result or {"answer": None})
    assert (told[bad.id].result or {})["error"]["kind"] == "UnreadableError"
    assert (told[film.id].result, told[film.id].progress) == (None, {"progress": 0.5})


def test_a_photo_that_was_of_no_use_added_nobody(service: Service, jobs: JobList) -> None:
    """Not even where they are enrolled already, by another photo."""
    enroll_both(service.folder)
    with bench(service).working():
        for content in ("nobody", "ada"):
            job = Job(JobKind.ENROLL, (), name="Ada")
            result(service, service.reception.submit(replace(asked(content), job=job)))
    told = [(one.people, (one.result or {})["status"]) for one in jobs.page("me", 10)[0]]
    assert sorted(told) == [((), "done"), (("Ada",), "done")]


def test_what_is_forgotten_or_mended_is_not_told_from_memory(service: Service, jobs: JobList) -> None:
    enroll_both(service.folder)
    with bench(service).working():
        tickets = [service.reception.submit(asked("ada")) for _ in range(2)]
        for ticket in tickets:
            result(service, ticket)
    assert [one.people for one in jobs.page("me", 10)[0]] == [("Ada",)] * 2
    service.reception.forget(tickets[0].id)
    struck = service.outputs.get(result_key(tickets[1].id)).replace(b'"Ada"', b'"Eve"')
    service.outputs.put(result_key(tickets[1].id), struck)
    assert [one.people for one in jobs.page("me", 10)[0]] == [("Eve",)]
    assert [stored.key for stored in service.inputs.list(INDEX)] == [index_key(tickets[1])]


def test_an_entry_without_its_job_is_passed_over(service: Service, jobs: JobList) -> None:
    gone, kept, damaged = submitted(service, 3)
    service.inputs.delete([ticket_key(gone.id)])
    service.inputs.put(ticket_key(damaged.id), b"{")
    for nonsense in ("jobs/1", "jobs/notes.txt", f"jobs/{'1' * 13}-{'x' * 32}"):
        service.inputs.put(nonsense, b"")
    assert listed(jobs, "me", 1) == [[kept.id]]


def test_an_id_that_is_used_again_is_listed_once(service: Service, jobs: JobList) -> None:
    """A client may use its idempotency key again once the first job is forgotten."""
    ticket = service.reception.submit(asked("ada", key="k"))
    service.inputs.put(index_key(replace(ticket, created=ticket.created - 100)), b"")
    assert listed(jobs, "me", 10) == [[ticket.id]]
    service.reception.submit(asked("ada", key="k"))
    assert listed(jobs, "me", 10) == [[ticket.id]]


def test_a_page_reads_the_jobs_on_it_alone(service: Service, tmp_path: Path) -> None:
    submitted(service, 30)
    line = Line()
    watched = JobList(WatchedObjects(tmp_path / "inputs", line), WatchedObjects(tmp_path / "outputs", line))
    watched.page("me", 5)
    assert line.count("inputs.read") == 6  # and the one that tells whether there is more


def test_a_job_that_cannot_be_listed_is_done_all_the_same(service: Service, jobs: JobList) -> None:
    def unlisted(verb: str, key: str) -> None:
        if verb == "inputs.put" and key.startswith(f"{INDEX}/"):
            raise StorageError("no space left")

    with closing(service.open_reception(unlisted)) as reception:
        ticket = reception.submit(asked("ada"))
    [delivery] = service.queue.receive(1, 1.0)
    assert ticket_from_text(delivery.body) == ticket
    assert jobs.page("me", 10) == ([], None)
