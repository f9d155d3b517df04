"""The app tier while its neighbors are away, and when it fails itself: nothing is lost."""

import threading
import time
from pathlib import Path

import pytest

from tests.core.benches import LEASE, Gate, bench, is_empty, names, result
from tests.core.service_fakes import Service, asked, find, soon
from visage.core.ports.queue import Delivery
from visage.core.service import outbox, worker
from visage.core.tickets import ticket_from_text
from visage.core.values import Face, Pixels


def test_a_fault_of_ours_is_answered_and_logged(service: Service) -> None:
    def stumble(pixels: Pixels) -> list[Face]:
        return find(pixels)[:1] if not pixels.any() else [find(pixels)[7]]

    with bench(service, find=stumble).working() as at:
        _, found = service.reception.answer(asked("ada"), 10.0)
    assert found is not None
    assert found["error"]["kind"] == "FaultError"
    assert "list index" not in found["error"]["detail"]
    (logged,) = at.log.said("a fault of Visage itself")
    assert isinstance(logged["error"], IndexError)
    assert logged["request"] == "req"


def test_what_cannot_be_put_aside_holds_up_nobody(hasty: Service) -> None:
    at = bench(hasty)
    at.line.cut = lambda verb: verb == "queue.bury"
    hasty.queue.send("hello")
    ticket = hasty.reception.submit(asked("ada"))  # in the same delivery
    with at.working():
        assert names(hasty, ticket) == ["Ada"]
        at.line.cut = lambda verb: False
        assert soon(hasty.queue.dead)
    assert [letter.body for letter in hasty.queue.dead()] == ["hello"]


@pytest.mark.parametrize("verbs", [{"outputs.create"}, {"outputs.version"}, {"outputs.create", "queue.release"}])
def test_an_output_store_that_is_away_for_a_while(verbs: set[str], hasty: Service, soon_again: None) -> None:
    at = bench(hasty)
    at.line.cut = lambda verb: verb in verbs
    with at.working():
        tickets = [hasty.reception.submit(asked(name)) for name in ("ada", "bo", "rubbish")]
        assert soon(lambda: len(at.log.said("a job is put off")) + len(at.log.said("a result cannot be stored")) > 5)
        assert not any(hasty.reception.result(ticket.id) for ticket in tickets)
        at.line.cut = lambda verb: False
        assert [result(hasty, ticket)["status"] for ticket in tickets] == ["done", "done", "failed"]
        assert soon(lambda: is_empty(hasty))
    assert hasty.queue.dead() == []


def test_what_is_put_off_waits_longer_every_time(service: Service, soon_again: None) -> None:
    at = bench(service)
    at.line.cut = lambda verb: verb == "outputs.version"
    ticket = service.reception.submit(asked("ada"))
    with at.working():
        time.sleep(0.5)
        at.line.cut = lambda verb: False
        assert names(service, ticket) == ["Ada"]
    assert 3 <= len(at.log.said("a job is put off")) <= 9  # after 0.02, 0.08, 0.1, 0.1, ... s


@pytest.mark.parametrize(
    "verbs", [{"queue.receive"}, {"queue.done"}, {"queue.extend"}, {"queue.receive", "queue.done", "queue.extend"}]
)
def test_a_queue_that_is_away_for_a_while(verbs: set[str], hasty: Service, soon_again: None) -> None:
    at = bench(hasty)
    with at.working():
        assert names(hasty, hasty.reception.submit(asked("ada"))) == ["Ada"]
        at.line.cut = lambda verb: verb in verbs
        tickets = [hasty.reception.submit(asked(name)) for name in ("ada", "bo", "ada", "bo")]
        time.sleep(2 * LEASE)
        at.line.cut = lambda verb: False
        assert [names(hasty, ticket) for ticket in tickets] == [["Ada"], ["Bo"]] * 2
        assert soon(lambda: is_empty(hasty))
    assert [facts["first"] for facts in at.log.said("a job is done") if facts["first"]] == [True] * 5
    assert hasty.queue.dead() == []


def test_replies_that_cannot_be_sent_keep_nothing_in_the_queue(service: Service) -> None:
    at = bench(service)
    at.line.cut = lambda verb: verb == "replies.send"
    with at.working():
        started = time.monotonic()
        for _ in range(3):
            service.reception.submit(asked("ada"))
        assert soon(lambda: at.line.count("queue.done") == 3)
        assert time.monotonic() - started < outbox.RETRY
    assert is_empty(service)


def test_leases_last_as_long_as_the_work(hasty: Service) -> None:
    gate, opened = Gate(), list[str]()
    with bench(hasty, find=gate, opened=opened.append).working():
        tickets = [hasty.reception.submit(asked("ada")) for _ in range(2)]
        assert gate.reached.wait(60)
        assert soon(lambda: hasty.queue.depth().in_flight == 2)
        threading.Timer(5 * LEASE, gate.opened.set).start()
        assert hasty.queue.receive(10, 5 * LEASE - 0.1) == []
        assert [names(hasty, ticket) for ticket in tickets] == [["Ada"]] * 2
        assert soon(lambda: is_empty(hasty))
    assert opened == ["ada"] * 2


def test_leases_last_while_the_output_store_is_away(hasty: Service) -> None:
    gate = Gate()
    at = bench(hasty, find=gate)
    at.line.cut = lambda verb: verb in {"outputs.put", "outputs.create"}  # reports fail as well
    with at.working():
        hasty.reception.submit(asked("ada"))
        assert gate.reached.wait(60)
        assert hasty.queue.receive(10, worker.OFTEN + 4 * LEASE) == []
        at.line.cut = lambda verb: False
        gate.opened.set()
        assert soon(lambda: is_empty(hasty))


def test_a_lost_lease_is_dropped_quietly(hasty: Service) -> None:
    """The queue cannot be reached until another has the job; the one that waits behind it is not even begun."""
    gate = Gate()
    at = bench(hasty, find=gate)
    with at.working():
        hasty.reception.submit(asked("ada"))
        assert gate.reached.wait(60)
        hasty.reception.submit(asked("bo"))
        assert soon(lambda: hasty.queue.depth().in_flight == 2)
        at.line.cut = lambda verb: verb in {"queue.extend", "queue.receive"}
        taken: list[Delivery] = []

        def take() -> bool:
            taken.extend(hasty.queue.receive(2, 0.1))
            return len(taken) == 2

        assert soon(take)
        mine = {delivery.receipt for delivery in taken}
        stop = threading.Event()

        def hold() -> None:
            while not stop.wait(LEASE / 5):
                assert hasty.queue.extend(list(mine)) == []

        holder = threading.Thread(target=hold)
        holder.start()
        at.line.cut = lambda verb: False
        assert soon(lambda: at.station.said[-1] == "idle")
        gate.opened.set()
        assert soon(lambda: at.line.count("queue.done") == 1)  # of the one that was under way
        assert hasty.queue.depth().in_flight == 2
        stop.set()
        holder.join()
        assert hasty.queue.done(list(mine)) == []
    assert [facts["first"] for facts in at.log.said("a job is done")] == [True]
    done, left = (ticket_from_text(delivery.body) for delivery in taken)
    assert hasty.reception.result(done.id)
    assert hasty.reception.result(left.id) is None


def test_a_thread_that_fails_ends_the_worker(service: Service) -> None:
    at = bench(service)

    def fail(verb: str) -> bool:
        if verb == "queue.done":
            raise RuntimeError("a bug")
        return False

    at.line.cut = fail
    ticket = service.reception.submit(asked("ada"))
    with pytest.raises(RuntimeError, match="a bug"):
        at.run()
    assert service.reception.result(ticket.id)
    assert (service.queue.depth().waiting, service.queue.depth().in_flight) == (1, 0)  # given back
    assert at.station.said == ["ready", "busy", "idle"]


def test_a_worker_that_cannot_begin_says_why(service: Service, tmp_path: Path) -> None:
    at = bench(service, find=lambda pixels: [find(pixels)[7]])
    service.reception.submit(asked("ada"))
    with pytest.raises(IndexError):
        at.run()
    assert at.station.said == []
    assert service.queue.depth().waiting == 1
