"""The reception: work is handed in once, waited for, and found again whatever gets lost on the way."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.service_fakes import Line, Service, asked, soon
from visage.core.errors import StorageError, UsageError
from visage.core.service import reception as module
from visage.core.service.reception import Asked, Reception
from visage.core.tickets import (
    Ticket,
    index_key,
    input_key,
    progress_key,
    result_key,
    result_to_bytes,
    ticket_from_text,
    ticket_key,
    ticket_to_text,
)
from visage.core.values import Job, JobKind


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def reception(service: Service) -> Reception:
    return service.reception


def finish(service: Service, ticket: Ticket, *, reply: bool = True) -> dict[str, Any]:
    """As a worker does, with the names of what came in for a result."""
    came = [service.inputs.get(key).decode() for key in ticket.job.sources]
    result = {"id": ticket.id, "status": "done", "came": came}
    assert service.outputs.create(result_key(ticket.id), result_to_bytes(result))
    if reply and ticket.reply:
        service.replies.send(ticket.reply, [ticket.id])
    return result


@contextmanager
def worker(service: Service, *, reply: bool = True) -> Iterator[list[Ticket]]:
    """Finishes every job as it comes, unless it has a result; the tickets of those done."""
    done: list[Ticket] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            for delivery in service.queue.receive(10, 0.05):
                ticket = ticket_from_text(delivery.body)
                if service.outputs.version(result_key(ticket.id)) is None:
                    done.append(ticket)
                    finish(service, ticket, reply=reply)
                service.queue.done([delivery.receipt])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def timed(what: Callable[[], object]) -> float:
    start = time.monotonic()
    what()
    return time.monotonic() - start


def test_an_answer_in_time(service: Service, reception: Reception) -> None:
    with worker(service) as done:
        started = time.monotonic()
        ticket, result = reception.answer(asked("ada"), 10.0)
        assert time.monotonic() - started < module.LOOK  # woken, not found by looking
    assert result == {"id": ticket.id, "status": "done", "came": ["ada"]}
    assert done == [ticket]
    assert (ticket.names, ticket.owner, ticket.request, ticket.print) == (("face.jpg",), "me", "req", "")
    assert ticket.job.sources == (f"{ticket.id}/0",)
    assert reception.ticket(ticket.id) == ticket
    assert reception.result(ticket.id) == reception.wait(ticket.id, 0) == result


def test_files_are_sent_from_their_start(service: Service, reception: Reception) -> None:
    file = io.BytesIO(b"ada")
    file.seek(2)
    ticket = reception.submit(Asked(Job(JobKind.COMPARE, ()), [("a", file), ("b", b"bo")], key="k"))
    assert [service.inputs.get(input_key(ticket.id, number)) for number in (0, 1)] == [b"ada", b"bo"]


def test_a_lost_reply_is_made_up_for_by_looking(service: Service, reception: Reception) -> None:
    with worker(service, reply=False):
        started = time.monotonic()
        _, result = reception.answer(asked("ada"), 10.0)
    assert result is not None
    assert module.LOOK <= time.monotonic() - started < 3 * module.LOOK


def test_after_the_deadline_the_answer_is_still_found(service: Service, reception: Reception) -> None:
    ticket, result = reception.answer(asked("ada"), 0.1)
    assert result is None
    assert reception.result(ticket.id) is None
    assert timed(lambda: reception.wait(ticket.id, 0.1)) == pytest.approx(0.1, abs=0.05)
    assert reception.wait(ticket.id, 0) is None
    with worker(service) as done:
        assert reception.wait(ticket.id, 10.0) == {"id": ticket.id, "status": "done", "came": ["ada"]}
    assert len(done) == 1


def test_one_key_is_one_job(service: Service, reception: Reception) -> None:
    with worker(service) as done:
        first, result = reception.answer(asked("ada", key="k"), 10.0)
    again, same = reception.answer(asked("ada", key="k"), 10.0)
    assert result is not None
    assert (again.id, same) == (first.id, result)
    assert len(done) == 1
    assert service.queue.depth().waiting == 0
    assert reception.submit(asked("ada", key="other")).id != first.id
    assert reception.submit(Asked(asked("ada").job, asked("ada").sources, owner="you", key="k")).id != first.id


@pytest.mark.parametrize(
    "other",
    [
        asked("bo", key="k"),
        asked("ada", name="other.jpg", key="k"),
        asked("ada", kind=JobKind.DETECT, key="k"),
        asked("ada", collection="others", key="k"),
        Asked(asked("ada").job, [("face.jpg", b"ada")], owner="me", key="k", vectors=True),
        Asked(asked("ada").job, [("face.jpg", b"ada"), ("", b"")], owner="me", key="k"),
        Asked(asked("ada").job, [("face.jp", b"gada")], owner="me", key="k"),
    ],
)
def test_a_key_is_not_taken_for_something_else(other: Asked, service: Service, reception: Reception) -> None:
    ticket = reception.submit(asked("ada", key="k"))
    with pytest.raises(UsageError, match="take a new one"):
        reception.submit(other)
    assert service.inputs.get(input_key(ticket.id, 0)) == b"ada"
    (delivery,) = service.queue.receive(10, 0)
    assert ticket_from_text(delivery.body) == ticket


@pytest.mark.parametrize("verb", ["inputs.put", "queue.send"])
def test_a_client_that_was_cut_off_asks_again(verb: str, service: Service) -> None:
    """The web process dies, or the store or queue goes away, after the ticket was written."""
    line = Line()
    with closing(service.open_reception(line)) as broken:
        line.cut = lambda passing: passing == verb
        with pytest.raises(StorageError):
            broken.submit(asked("ada", key="k"))
    assert service.queue.depth().waiting == 0
    with worker(service) as done:
        ticket, result = service.reception.answer(asked("ada", key="k"), 10.0)
    assert result == {"id": ticket.id, "status": "done", "came": ["ada"]}
    assert len(done) == 1


def test_a_client_that_asks_again_meanwhile_waits_for_the_same_job(service: Service, reception: Reception) -> None:
    reception.submit(asked("ada", key="k"))
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(reception.answer, asked("ada", key="k"), 10.0) for _ in range(8)]
        assert service.queue.depth().waiting == 1  # however many ask
        with worker(service) as done:
            answers = [one.result() for one in waiting]
    assert len({ticket.id for ticket, _ in answers}) == 1
    assert all(result == answers[0][1] for _, result in answers)
    assert answers[0][1] is not None
    assert len(done) == 1
    assert reception._listener._waiting == {}


def test_a_result_of_another_time_is_not_taken_for_an_answer(service: Service, reception: Reception) -> None:
    """The ticket has expired and its key is used for something else, before the result has expired too."""
    with worker(service):
        ticket, _ = reception.answer(asked("ada", key="k"), 10.0)
        service.inputs.delete([stored.key for stored in service.inputs.list()])
        again, result = reception.answer(asked("bo", key="k"), 10.0)
    assert again.id == ticket.id
    assert result is not None
    assert result["came"] == ["bo"]


def test_many_at_once_get_their_own_answers(service: Service, reception: Reception) -> None:
    with worker(service) as done, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda i: reception.answer(asked(f"picture {i}"), 20.0), range(100)))
    assert [result and result["came"] for _, result in answers] == [[f"picture {i}"] for i in range(100)]
    assert len(done) == 100


def test_a_store_that_goes_away_while_one_waits(service: Service) -> None:
    line = Line()
    with closing(service.open_reception(line)) as reception, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(reception.answer, asked("ada"), 10.0)
        assert soon(lambda: line.count("queue.send") == 1)
        line.cut = lambda verb: verb == "outputs.read"
        (delivery,) = service.queue.receive(1, 1.0)
        finish(service, ticket_from_text(delivery.body))
        time.sleep(0.05)
        assert not waiting.done()
        line.cut = lambda verb: False
        _, result = waiting.result()
        assert result is not None


def test_replies_that_cannot_be_heard_for_a_while(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener goes on, and hears the next one."""
    monkeypatch.setattr(module, "LOOK", 0.05)
    mailbox = service.replies.open()
    trouble = [StorageError("away"), UsageError("closed for a moment")]
    receive = mailbox.receive

    def shaky(wait: float) -> list[str]:
        if trouble:
            raise trouble.pop()
        return receive(wait)

    monkeypatch.setattr(mailbox, "receive", shaky)
    opened = Reception(
        service.inputs, service.outputs, service.queue, mailbox, now=time.time, new_id=lambda: "a" * 32
    )  # fmt: skip
    with closing(opened) as reception:
        assert soon(lambda: not trouble)
        monkeypatch.setattr(module, "LOOK", 60.0)  # so that it is woken or never
        with worker(service):
            assert reception.answer(asked("ada"), 10.0)[1] is not None


def test_forgetting(service: Service, reception: Reception) -> None:
    with worker(service):
        kept, _ = reception.answer(asked("bo"), 10.0)
        ticket, _ = reception.answer(asked("ada", key="k"), 10.0)
    service.outputs.put(progress_key(ticket.id), b'{"progress": 0.5}')
    assert reception.progress(ticket.id) == {"progress": 0.5}
    for none in ("", ticket.id[:31], ticket.id + "/0", "..", "a\n" + ticket.id):
        reception.forget(none)
        assert reception.ticket(none) is None
    assert reception.result(ticket.id) is not None
    reception.forget(ticket.id)
    assert reception.ticket(ticket.id) is None
    assert reception.result(ticket.id) is None
    assert reception.progress(ticket.id) is None
    still = [index_key(kept), f"{kept.id}/0", f"{kept.id}/ticket.json"]
    assert sorted(stored.key for stored in service.inputs.list()) == sorted(still)
    assert [stored.key for stored in service.outputs.list()] == [f"{kept.id}/result.json"]
    reception.forget(ticket.id)


@pytest.mark.parametrize("verb", ["inputs.delete", "outputs.delete"])
def test_forgetting_that_breaks_off_can_be_asked_for_again(verb: str, service: Service, reception: Reception) -> None:
    line = Line()
    with worker(service):
        ticket, _ = reception.answer(asked("ada"), 10.0)
    with closing(service.open_reception(line)) as broken:
        line.cut = lambda passing: passing == verb
        with pytest.raises(StorageError):
            broken.forget(ticket.id)
    assert reception.ticket(ticket.id) == ticket
    reception.forget(ticket.id)
    assert not list(service.inputs.list()) + list(service.outputs.list())


def test_what_is_damaged_says_so(service: Service, reception: Reception) -> None:
    ticket = reception.submit(asked("ada", key="k"))
    for damage in (b"{", b"\xff", b"{}", ticket_to_text(ticket).replace('"visage":1', '"visage":2').encode()):
        service.inputs.put(ticket_key(ticket.id), damage)
        with pytest.raises(StorageError, match=r"ticket\.json: .* damaged"):
            reception.ticket(ticket.id)
    for damage in (b"{", b"\xff"):
        service.outputs.put(result_key(ticket.id), damage)
        with pytest.raises(StorageError, match=r"result\.json: .* damaged"):
            reception.wait(ticket.id, 1.0)


def test_closing_ends_the_listener_at_once(service: Service) -> None:
    before = threading.active_count()
    reception = service.open_reception()
    assert threading.active_count() == before + 1
    assert timed(reception.close) < 1.0
    assert threading.active_count() == before


def test_what_is_sent_is_plain_json(service: Service, reception: Reception) -> None:
    ticket = reception.submit(asked("ada", name="Zoë \udcff\n.jpg"))
    (delivery,) = service.queue.receive(1, 0)
    assert json.loads(delivery.body)["names"] == ["Zoë \udcff\n.jpg"]
    assert delivery.body.isascii()
    assert service.inputs.get(ticket_key(ticket.id)).decode() == delivery.body
