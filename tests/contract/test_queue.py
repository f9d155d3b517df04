"""What `core.ports.queue.Queue` promises, asked of every adapter."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.aws.moto_server import aws_server
from tests.contract.queues import ADAPTERS, LASTING, LEASE, Place
from tests.processes.workers import quickest

from visage.core.errors import UsageError
from visage.core.ports.queue import Delivery, Queue

OpenQueue = Callable[..., Queue]


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made: Place = request.param(tmp_path)
    return made


@pytest.fixture
def open_queue(place: Place) -> Iterator[OpenQueue]:
    """Opens the queue once more. Its leases last, unless told otherwise: on a busy machine a short one may be over
    before the next line of a test."""
    with ExitStack() as opened:
        yield lambda lease=LASTING: opened.enter_context(closing(place.queue(lease)))


@pytest.fixture
def queue(open_queue: OpenQueue) -> Queue:
    return open_queue()


def only(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


def test_an_empty_queue(queue: Queue) -> None:
    started = time.monotonic()
    assert queue.receive(1, 0) == []
    assert time.monotonic() - started < 5
    assert (queue.depth().waiting, queue.depth().in_flight) == (0, 0)
    assert queue.extend([]) == []
    assert queue.done([]) == []
    queue.release([])


def test_a_message_comes_as_it_was_sent(queue: Queue) -> None:
    body = '{"who": "Zoë 😀", "lines": "a\\nb"}\n\ttail'
    queue.send(body)
    delivery = only(queue.receive(1, 1))
    assert (delivery.body, delivery.count) == (body, 1)


def test_every_message_comes_once(queue: Queue) -> None:
    bodies = [f"message {i}" for i in range(25)]
    for body in bodies:
        queue.send(body)
    assert queue.depth().waiting == 25
    got = queue.receive(12, 1)
    assert len(got) == 12
    got += queue.receive(100, 1)
    assert sorted(delivery.body for delivery in got) == sorted(bodies)
    assert (queue.depth().waiting, queue.depth().in_flight) == (0, 25)
    assert queue.done([delivery.receipt for delivery in got]) == []
    assert (queue.depth().waiting, queue.depth().in_flight) == (0, 0)


def test_a_leased_message_is_nobody_elses(queue: Queue, open_queue: OpenQueue) -> None:
    queue.send("a")
    assert queue.receive(1, 1)
    assert open_queue().receive(1, 0) == []
    assert queue.receive(1, 0) == []


def test_a_lease_that_runs_out_comes_back_and_is_lost(open_queue: OpenQueue) -> None:
    queue, other = open_queue(LEASE), open_queue()
    queue.send("a")
    started = time.monotonic()
    first = only(queue.receive(1, 1))
    second = only(other.receive(1, 60))
    assert LEASE - 0.05 < time.monotonic() - started < LEASE + 15
    assert (second.body, second.count) == ("a", 2)
    assert second.receipt != first.receipt
    assert queue.extend([first.receipt]) == [first.receipt]
    assert queue.done([first.receipt]) == [first.receipt]
    queue.release([first.receipt])
    assert not queue.bury(first.receipt, "too late")
    assert queue.depth().in_flight == 1
    assert other.done([second.receipt]) == []
    assert queue.dead() == []


def test_a_lease_that_is_extended_lasts(open_queue: OpenQueue) -> None:
    lease = 3 * LEASE  # it must not run out between two lines
    queue, other = open_queue(lease), open_queue()
    queue.send("kept")
    queue.send("lost")
    deliveries = {delivery.body: delivery for delivery in queue.receive(2, 1)}
    kept = deliveries["kept"].receipt
    come: list[Delivery] = []
    until = time.monotonic() + 60
    while not come and time.monotonic() < until:
        assert queue.extend([kept]) == []
        come = other.receive(2, 0.2)
    assert queue.extend([kept]) == []
    assert [(delivery.body, delivery.count) for delivery in come] == [("lost", 2)]
    assert other.receive(2, 0) == []
    assert queue.done([kept]) == []


def test_some_of_several_are_lost(queue: Queue, open_queue: OpenQueue) -> None:
    for body in "abc":
        queue.send(body)
    first = queue.receive(3, 1)
    queue.done([first[1].receipt])
    receipts = [delivery.receipt for delivery in first]
    assert queue.extend(receipts) == [receipts[1]]
    assert queue.done(receipts) == [receipts[1]]
    assert queue.done(receipts) == receipts
    assert queue.depth().in_flight == 0


def test_done_with_more_than_one_call_takes(queue: Queue) -> None:
    for i in range(23):
        queue.send(str(i))
    receipts = [delivery.receipt for delivery in queue.receive(23, 1)]
    assert len(receipts) == 23
    assert queue.extend(receipts) == []
    queue.release(receipts[:11])
    assert queue.done(receipts) == receipts[:11]
    assert len(queue.receive(23, 1)) == 11


def test_what_is_released_comes_at_once(queue: Queue, open_queue: OpenQueue) -> None:
    queue.send("a")
    first = only(queue.receive(1, 1))
    queue.release([first.receipt])
    second = only(open_queue().receive(1, 1))
    assert (second.body, second.count) == ("a", 2)
    assert queue.done([first.receipt]) == [first.receipt]
    queue.release([first.receipt])
    assert queue.receive(1, 0) == []


def test_what_is_released_with_a_delay_comes_later(queue: Queue) -> None:
    queue.send("a")
    first = only(queue.receive(1, 1))
    started = time.monotonic()
    queue.release([first.receipt], delay=2.0)
    assert only(queue.receive(1, 60)).count == 2
    assert 1.9 < time.monotonic() - started < 20


def test_foreign_receipts_are_lost(queue: Queue) -> None:
    for receipt in ("", "nonsense", "1.1", "1' OR '1' = '1", "1"):
        assert queue.done([receipt]) == [receipt]
        assert queue.extend([receipt]) == [receipt]
        assert not queue.bury(receipt, "why")
        queue.release([receipt])


def test_burying(queue: Queue, open_queue: OpenQueue) -> None:
    queue.send("bad")
    queue.release([only(queue.receive(1, 1)).receipt])
    delivery = only(queue.receive(1, 1))
    assert queue.bury(delivery.receipt, "it died three times: é")
    assert not queue.bury(delivery.receipt, "again")
    assert queue.done([delivery.receipt]) == [delivery.receipt]
    assert (queue.depth().waiting, queue.depth().in_flight) == (0, 0)
    for _ in range(2):  # looking takes nothing away
        (letter,) = open_queue().dead()
        assert (letter.body, letter.reason, letter.count) == ("bad", "it died three times: é", 2)
        assert abs(letter.died - time.time()) < 60


def test_replaying(queue: Queue) -> None:
    for body in "abc":
        queue.send(body)
    for delivery in sorted(queue.receive(3, 1), key=lambda delivery: delivery.body):
        assert queue.bury(delivery.receipt, f"reason {delivery.body}")
    letters = queue.dead()
    assert [letter.body for letter in letters] == ["a", "b", "c"]
    assert len(queue.dead(2)) == 2
    assert queue.replay(["no such letter"]) == 0
    assert queue.replay([]) == 0
    assert queue.replay([letters[1].id]) == 1
    again = only(queue.receive(5, 1))
    assert (again.body, again.count) == ("b", 1)
    assert queue.done([again.receipt]) == []
    assert [letter.body for letter in queue.dead()] == ["a", "c"]
    assert queue.replay() == 2
    assert sorted(delivery.body for delivery in queue.receive(5, 1)) == ["a", "c"]
    assert queue.dead() == []
    assert queue.replay() == 0


def test_discarding(queue: Queue) -> None:
    for body in "abc":
        queue.send(body)
    for delivery in sorted(queue.receive(3, 1), key=lambda delivery: delivery.body):
        assert queue.bury(delivery.receipt, "bad")
    letters = queue.dead()
    assert queue.discard(["no such letter"]) == queue.discard([]) == 0
    assert queue.discard([letters[0].id, letters[2].id, "no such letter"]) == 2
    assert [letter.body for letter in queue.dead()] == ["b"]
    assert queue.replay() == 1


def test_a_message_that_is_sent_wakes_who_waits(queue: Queue, open_queue: OpenQueue) -> None:
    other = open_queue()

    def seconds() -> float:
        waiting = pool.submit(other.receive, 1, 60.0)
        time.sleep(0.1)  # who would look for itself now and then does so later
        assert not waiting.done()
        sent = time.monotonic()
        queue.send("a")
        assert only(waiting.result()).body == "a"
        return time.monotonic() - sent

    with ThreadPoolExecutor() as pool:
        assert quickest(seconds, 0.3) < 0.3


def test_waiting_ends(queue: Queue) -> None:
    started = time.monotonic()
    assert queue.receive(1, 1.0) == []
    assert 0.9 < time.monotonic() - started < 10


def test_a_wait_holds_up_nobody(queue: Queue) -> None:
    queue.send("a")
    delivery = only(queue.receive(1, 1))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.receive, 1, 60.0)
        time.sleep(0.2)
        started = time.monotonic()
        assert queue.extend([delivery.receipt]) == []
        assert queue.done([delivery.receipt]) == []
        assert time.monotonic() - started < 20
        assert not waiting.done()
        queue.send("b")
        assert only(waiting.result()).body == "b"


def test_closing_ends_a_wait(place: Place) -> None:
    queue = place.queue(LASTING)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.receive, 1, 120.0)
        time.sleep(0.3)
        started = time.monotonic()
        queue.close()
        assert waiting.result() == []
        assert time.monotonic() - started < 30
    queue.close()
    for call in (lambda: queue.send("a"), lambda: queue.receive(1, 0), queue.depth, queue.dead, queue.replay):
        with pytest.raises(UsageError, match="closed"):
            call()


def test_a_message_with_a_name_may_come_once_or_twice(queue: Queue) -> None:
    for key in ("one", "one", "two", None, None):
        queue.send(f"of {key}", key=key)
    bodies = sorted(delivery.body for delivery in queue.receive(10, 1))
    assert sorted(set(bodies)) == ["of None", "of one", "of two"]
    assert bodies.count("of None") == 2
    assert bodies.count("of two") == 1


def test_what_is_no_message(queue: Queue) -> None:
    queue.send("x" * 1_048_576)
    for body in ("x" * 1_048_577, "é" * 524_289, "\ud800", ""):
        with pytest.raises(UsageError, match="message"):
            queue.send(body)
    with pytest.raises(UsageError, match="0 messages"):
        queue.receive(0, 0)
    assert len(only(queue.receive(5, 1)).body) == 1_048_576


def test_many_threads(queue: Queue) -> None:
    wanted, lock = {f"{i}-{j}" for i in range(2) for j in range(15)}, threading.Lock()
    done: list[str] = []
    end = time.monotonic() + 60

    def produce(i: int) -> None:
        for j in range(15):
            queue.send(f"{i}-{j}")

    def consume() -> None:
        while len(done) < len(wanted) and time.monotonic() < end:
            got = {delivery.receipt: delivery.body for delivery in queue.receive(4, 0.5)}
            assert queue.done(list(got)) == []
            with lock:
                done.extend(got.values())

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(produce, i) for i in range(2)] + [pool.submit(consume) for _ in range(2)]
        for job in jobs:
            job.result()
    assert sorted(done) == sorted(wanted)
