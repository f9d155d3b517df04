"""The lease rules of the SQLite queue, against a plain model, with a clock that is handed in."""

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from visage.sqlite.queue import SqliteQueue

LEASE = 10.0


@dataclass
class Message:
    """What the model knows of one. due: when a leased or delayed one is to be had again; None: now."""

    number: int
    body: str
    key: str | None
    sent: float
    since: float
    due: float | None = None
    receipt: str | None = None
    count: int = 0


class Machine(RuleBasedStateMachine):
    """Two processes' queues on one file, which must look like one list."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "queue.sqlite"
        self.time = 1000.0
        self.number = 0
        self.messages: list[Message] = []
        self.letters: list[Message] = []
        self.receipts: list[str] = ["0.1", "nonsense"]
        self.queues: list[SqliteQueue] = []
        self.open()

    def open(self) -> None:
        for queue in self.queues:
            queue.close()
        self.queues = [SqliteQueue(self.path, lease=LEASE, clock=lambda: self.time) for _ in range(2)]

    def holder(self, receipt: str) -> Message | None:
        return next((message for message in self.messages if message.receipt == receipt), None)

    def add(self, body: str, key: str | None) -> None:
        if key is None or key not in {message.key for message in self.messages}:
            self.messages.append(Message(self.number, body, key, self.time, self.time))
        self.number += 1

    @rule(which=st.integers(0, 1), key=st.sampled_from([None, None, "a", "b"]))
    def send(self, which: int, key: str | None) -> None:
        body = f"message {self.number}"
        self.queues[which].send(body, key=key)
        self.add(body, key)

    @rule(which=st.integers(0, 1), limit=st.integers(1, 4))
    def receive(self, which: int, limit: int) -> None:
        back = [it for it in self.messages if it.due is not None and it.due <= self.time]
        fresh = [it for it in self.messages if it.due is None]
        expected = sorted(back, key=lambda it: (it.due, it.number)) + sorted(fresh, key=lambda it: (it.sent, it.number))
        got = {delivery.body: delivery for delivery in self.queues[which].receive(limit, 0)}
        assert got.keys() == {it.body for it in expected[:limit]}
        for it in expected[:limit]:
            it.count += 1
            assert got[it.body].count == it.count
            assert got[it.body].receipt not in self.receipts
            it.due, it.since, it.receipt = self.time + LEASE, self.time, got[it.body].receipt
            self.receipts.append(it.receipt)

    @rule(seconds=st.sampled_from([0.0, 0.001, 3.0, LEASE - 0.001, LEASE, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    @rule(which=st.integers(0, 1), data=st.data())
    def extend(self, which: int, data: st.DataObject) -> None:
        receipts = data.draw(st.lists(st.sampled_from(self.receipts), max_size=4))
        assert self.queues[which].extend(receipts) == [it for it in receipts if not self.holder(it)]
        for message in filter(None, map(self.holder, receipts)):
            message.due, message.since = self.time + LEASE, self.time

    @rule(which=st.integers(0, 1), data=st.data())
    def done(self, which: int, data: st.DataObject) -> None:
        receipts = data.draw(st.lists(st.sampled_from(self.receipts), max_size=4))
        assert self.queues[which].done(receipts) == [it for it in receipts if not self.holder(it)]
        self.messages = [message for message in self.messages if message.receipt not in receipts]

    @rule(which=st.integers(0, 1), data=st.data(), delay=st.sampled_from([0.0, 4.0]))
    def release(self, which: int, data: st.DataObject, delay: float) -> None:
        receipts = data.draw(st.lists(st.sampled_from(self.receipts), max_size=4))
        self.queues[which].release(receipts, delay)
        for message in filter(None, map(self.holder, receipts)):
            message.due, message.receipt, message.since = self.time + delay if delay else None, None, self.time

    @rule(which=st.integers(0, 1), data=st.data())
    def bury(self, which: int, data: st.DataObject) -> None:
        receipt = data.draw(st.sampled_from(self.receipts))
        message = self.holder(receipt)
        assert self.queues[which].bury(receipt, f"because of {receipt}") == (message is not None)
        if message:
            self.messages.remove(message)
            self.letters.append(message)

    @rule(which=st.integers(0, 1), everything=st.booleans(), data=st.data())
    def replay(self, which: int, everything: bool, data: st.DataObject) -> None:
        ids = [letter.id for letter in self.queues[which].dead()]
        chosen = ids if everything else data.draw(st.lists(st.sampled_from([*ids, "0", "x"]), unique=True))
        replayed = [letter for number, letter in zip(ids, self.letters, strict=True) if number in chosen]
        assert self.queues[which].replay(None if everything else chosen) == len(replayed)
        self.letters = [letter for letter in self.letters if letter not in replayed]
        for letter in replayed:
            self.add(letter.body, letter.key)

    @rule()
    def both_are_opened_again(self) -> None:
        self.open()

    @precondition(lambda self: all(message.since > 100 for message in self.messages))
    @rule()
    def the_machine_starts_again(self) -> None:
        self.time = 1.0
        self.open()
        for message in self.messages:
            message.due, message.sent, message.since = None, self.time, self.time
        self.messages.sort(key=lambda message: message.number)

    @invariant()
    def both_say_what_the_model_says(self) -> None:
        in_flight = [it for it in self.messages if it.receipt and it.due is not None and it.due > self.time]
        to_be_had = [it for it in self.messages if it.due is None or it.due <= self.time]
        for queue in self.queues:
            depth = queue.depth()
            assert (depth.waiting, depth.in_flight) == (len(self.messages) - len(in_flight), len(in_flight))
            oldest = max((self.time - it.sent for it in to_be_had), default=None)
            assert depth.oldest == (None if oldest is None else pytest.approx(oldest))
            letters = [(letter.body, letter.count) for letter in queue.dead()]
            assert letters == [(it.body, it.count) for it in self.letters]

    def teardown(self) -> None:
        for queue in self.queues:
            queue.close()
        self.stack.close()


def test_the_lease_rules_against_a_plain_model() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
    )


def test_the_order_is_that_of_sending_and_what_comes_back_goes_first(tmp_path: Path) -> None:
    time = 100.0
    with closing(SqliteQueue(tmp_path / "queue.sqlite", lease=LEASE, clock=lambda: time)) as queue:
        for i in range(6):
            queue.send(str(i))
        first = queue.receive(2, 0)
        assert [delivery.body for delivery in first] == ["0", "1"]
        queue.release([first[0].receipt])
        assert [delivery.body for delivery in queue.receive(2, 0)] == ["0", "2"]
        time += LEASE + 1
        assert [delivery.body for delivery in queue.receive(6, 0)] == ["0", "1", "2", "3", "4", "5"]


def test_a_lease_that_ran_out_may_be_done_as_long_as_nobody_has_it(tmp_path: Path) -> None:
    time = 100.0
    with closing(SqliteQueue(tmp_path / "queue.sqlite", lease=LEASE, clock=lambda: time)) as queue:
        queue.send("a")
        (delivery,) = queue.receive(1, 0)
        time += LEASE + 1
        assert (queue.depth().waiting, queue.depth().in_flight) == (1, 0)
        assert queue.extend([delivery.receipt]) == []
        assert queue.receive(1, 0) == []
        time += LEASE + 1
        assert queue.done([delivery.receipt]) == []
        assert queue.receive(1, 0) == []
