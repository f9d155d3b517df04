"""Several processes at one queue file: nothing lost, nothing done twice, also where they are killed."""

import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import psutil
import pytest

from tests.processes.workers import quickest, soon
from visage.sqlite.queue import SqliteQueue

OPENING = """
import os, random, sys, time
from pathlib import Path
from visage.sqlite.queue import SqliteQueue
lease = float(sys.argv[2])
queue = SqliteQueue(Path(sys.argv[1]), lease=lease)
log = os.open(sys.argv[3], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
print("open", flush=True)
"""
PRODUCER = """
for i in range(int(sys.argv[5])):
    queue.send(f"{sys.argv[4]}-{i}", key=f"{sys.argv[4]}-{i}")
"""
CONSUMER = """
while True:
    got = queue.receive(random.randint(1, 8), 0.3)
    time.sleep(random.random() * float(sys.argv[4]))
    lost = set(queue.done([delivery.receipt for delivery in got]))
    os.write(log, "".join(f"{it.body} {it.receipt in lost}\\n" for it in got).encode())
"""


class Crew:
    """Processes at one file, and the log of what they did."""

    def __init__(self, folder: Path, lease: float) -> None:
        self.path, self.log = folder / "queue.sqlite", folder / "log"
        self.lease = lease
        self.log.touch()
        self.running: list[subprocess.Popen[str]] = []

    def start(self, script: str, *words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", OPENING + textwrap.dedent(script)]
        arguments = [str(word) for word in (self.path, self.lease, self.log, *words)]
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
        self.running.append(process)
        assert line(process.stdout) == "open"
        return process

    def end(self, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.running.remove(process)

    def end_all(self) -> None:
        for process in list(self.running):
            self.end(process)

    def done(self) -> Counter[str]:
        """How often each message was done by somebody who was told that the lease was still theirs."""
        words = [entry.split() for entry in self.log.read_text().splitlines()]
        return Counter(body for body, lost in words if lost == "False")

    def await_empty(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        queue = SqliteQueue(self.path, lease=self.lease)
        while queue.depth().waiting + queue.depth().in_flight:
            assert time.monotonic() < until, queue.depth()
            time.sleep(0.05)
        queue.close()
        time.sleep(0.3)  # for what is done but not yet in the log


def line(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline().strip()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def crew(stack: ExitStack, folder: Path, lease: float) -> Crew:
    made = Crew(folder, lease)
    stack.callback(made.end_all)
    return made


def test_every_message_is_done_exactly_once(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=30)
    for _ in range(2):
        many.start(CONSUMER, 0)
    producers = [many.start(PRODUCER, name, 1000) for name in "ab"]
    for producer in producers:
        assert producer.wait(timeout=120) == 0
    many.await_empty(120)
    assert many.done() == Counter(f"{name}-{i}" for name in "ab" for i in range(1000))


def test_nothing_is_lost_where_processes_are_killed(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=0.5)
    producer = many.start(PRODUCER, "a", 1500)
    consumers = [many.start(CONSUMER, 0.03) for _ in range(3)]
    for turn in range(6):
        time.sleep(0.4)
        many.end(consumers[turn % 3])
        consumers[turn % 3] = many.start(CONSUMER, 0.03)
    assert producer.wait(timeout=120) == 0
    many.await_empty(120)
    done = many.done()
    # Who is killed between doing a message and writing that down leaves no line, so some may be missing here; but each
    # such is one that the queue knows as done, and nobody was told so twice.
    assert max(done.values()) == 1
    assert len(done) >= 1500 - 6 * 8
    assert set(done) <= {f"a-{i}" for i in range(1500)}


def test_a_sender_that_is_killed_leaves_a_whole_file(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=30)
    queue = SqliteQueue(many.path)
    stack.callback(queue.close)
    for turn in range(3):
        before = queue.depth().waiting
        producer = many.start(PRODUCER, turn, 1_000_000)
        assert soon(lambda: queue.depth().waiting > before + 10)  # noqa: B023  asked in here
        many.end(producer)
    got = Counter(delivery.body for delivery in queue.receive(1_000_000, 0))
    for turn in range(3):  # of each sender all, up to where it was killed
        of_it = [body for body in got if body.startswith(f"{turn}-")]
        assert Counter(of_it) == Counter(f"{turn}-{i}" for i in range(len(of_it)))
        assert len(of_it) > 10


WAITER = """
while True:
    got = queue.receive(1, 30)
    heard = time.monotonic()
    queue.done([delivery.receipt for delivery in got])
    for delivery in got:
        print(heard - float(delivery.body), flush=True)
"""


def test_a_message_wakes_a_process_that_waits_without_working(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=30)
    waiter = many.start(WAITER)
    queue = SqliteQueue(many.path)
    stack.callback(queue.close)
    late = []
    for _ in range(30):
        time.sleep(0.03)
        queue.send(repr(time.monotonic()))
        late.append(float(line(waiter.stdout)))
    assert sorted(late)[15] < 0.1  # looking for itself takes it half a second
    before = psutil.Process(waiter.pid).cpu_times()
    time.sleep(2)
    after = psutil.Process(waiter.pid).cpu_times()
    assert after.user + after.system - before.user - before.system <= 0.1


def test_the_bells_of_the_dead_do_not_keep_the_living_asleep(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=30)
    queue = SqliteQueue(many.path)
    stack.callback(queue.close)

    def latest() -> float:
        for _ in range(3):
            killed = many.start(WAITER)
            time.sleep(0.2)
            many.end(killed)
        waiter = many.start(WAITER)
        time.sleep(0.2)
        late = []
        for _ in range(5):
            queue.send(repr(time.monotonic()))
            late.append(float(line(waiter.stdout)))
        many.end(waiter)
        return max(late)

    assert quickest(latest, 0.1) < 0.1  # looking for itself takes it half a second


TAKER = """
(delivery,) = queue.receive(1, 30)
print(time.monotonic() - float(delivery.body), flush=True)
time.sleep(60)
"""


def test_each_message_wakes_another_process(stack: ExitStack, tmp_path: Path) -> None:
    many = crew(stack, tmp_path, lease=30)
    queue = SqliteQueue(many.path)
    stack.callback(queue.close)

    def latest() -> float:
        takers = [many.start(TAKER) for _ in range(3)]
        time.sleep(0.3)
        now = time.monotonic()
        for _ in takers:
            queue.send(repr(now))
        late = [float(line(taker.stdout)) for taker in takers]
        many.end_all()
        return max(late)

    assert quickest(latest, 0.2) < 0.2
