"""The pool of real processes: each task is told of once, whatever becomes of who does it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes.workers import runs, soon
from visage.processes import pool as module
from visage.processes.pool import TaskPool

# Does as its tasks say; everyone who ever came leaves a file.
WORKER = """
import os, pathlib, signal, sys, time
from visage.processes.seat import PipeSeat
folder = pathlib.Path(sys.argv[1])
seat = PipeSeat.standard()
signal.signal(signal.SIGTERM, lambda *_: seat.leave())
print("a library's chatter")
(folder / f"{os.getpid()}.here").touch()
for words in seat.tasks():
    what = words["do"]
    if what == "fail":
        seat.done("it cannot be done")
    elif what == "who":
        seat.done(str(os.getpid()))
    elif what == "exit":
        os._exit(3)
    elif what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "babble":
        os.write(seat._speaking, b"no JSON\\n")
    else:
        end = time.monotonic() + words["seconds"]
        while time.monotonic() < end and not (what == "yield" and seat.stopping()):
            time.sleep(0.01)
        (folder / words["name"]).write_text(str(os.getpid()))
        seat.done()
(folder / f"{os.getpid()}.left").touch()
"""

BROKEN = "import sys; open(sys.argv[1] + '/tries', 'a').write('x'); sys.exit(4)"


class Shop:
    """A folder that workers leave their marks in, and what was told of their tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: dict[int, list[str | None]] = {}
        self._pools: list[TaskPool] = []

    def open(self, code: str = WORKER, *, size: int = 2, limit: float = 30.0, quiet: float = 60.0) -> TaskPool:
        def told(name: int, failure: str | None) -> None:
            self.told.setdefault(name, []).append(failure)

        made = TaskPool([sys.executable, "-c", code, str(self.folder)], told, size=size, limit=limit, quiet=quiet)
        self._pools.append(made)
        return made

    def outcome(self, name: int) -> str | None:
        """What was told of the task, once and no more."""
        assert soon(lambda: name in self.told)
        (failure,) = self.told[name]
        return failure

    def seen(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.here"))

    def left(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.left"))

    def close(self) -> None:
        for pool in self._pools:
            pool.close(0.0)
        for pid in filter(runs, self.seen()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def sleep(name: str, seconds: float, what: str = "sleep") -> dict[str, object]:
    return {"do": what, "name": name, "seconds": seconds}


def test_each_process_has_one_task_at_a_time_and_is_started_when_it_is_needed(shop: Shop) -> None:
    pool = shop.open(size=2)
    assert pool.free() == 2
    assert not shop.seen()
    pool.start(1, sleep("one", 0.0), "a")
    assert shop.outcome(1) is None
    assert len(shop.seen()) == 1
    pool.start(2, sleep("two", 0.5), "a")
    pool.start(3, sleep("three", 0.5), "a")
    assert pool.free() == 0
    assert (shop.outcome(2), shop.outcome(3)) == (None, None)
    assert pool.free() == 2
    assert len(shop.seen()) == 2
    assert {(shop.folder / name).read_text() for name in ("two", "three")} == set(map(str, shop.seen()))


def test_a_task_that_fails_says_why_and_its_process_goes_on(shop: Shop) -> None:
    pool = shop.open(size=1)
    pool.start(1, {"do": "fail"}, "a")
    assert shop.outcome(1) == "it cannot be done"
    pool.start(2, {"do": "who"}, "a")
    assert shop.outcome(2) == str(shop.seen()[0])
    assert len(shop.seen()) == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("exit", "its process ended with exit code 3"),
        ("die", f"its process was killed by signal {int(signal.SIGSEGV)}"),
        ("babble", "its process "),
    ],
)
def test_a_process_that_dies_fails_its_task_alone_and_is_replaced(shop: Shop, what: str, why: str) -> None:
    pool = shop.open(size=2)
    pool.start(1, sleep("other", 0.5), "a")
    pool.start(2, {"do": what}, "b")
    assert str(shop.outcome(2)).startswith(why)
    assert shop.outcome(1) is None
    pool.start(3, {"do": "who"}, "b")
    assert str(shop.outcome(3)).isdecimal()


def test_a_process_that_is_killed_from_outside_is_replaced_at_work_and_idle(shop: Shop) -> None:
    pool = shop.open(size=1)
    pool.start(1, sleep("long", 60), "a")
    assert soon(lambda: len(shop.seen()) == 1)
    time.sleep(0.1)
    os.kill(shop.seen()[0], signal.SIGKILL)
    assert shop.outcome(1) == "its process was killed by signal 9"
    pool.start(2, {"do": "who"}, "a")
    idle = int(str(shop.outcome(2)))
    os.kill(idle, signal.SIGKILL)
    time.sleep(0.2)
    pool.start(3, {"do": "who"}, "a")
    assert int(str(shop.outcome(3))) != idle
    assert not runs(idle)  # it was reaped


def test_a_task_that_takes_too_long_is_ended(shop: Shop) -> None:
    pool = shop.open(size=1, limit=3.0)
    pool.start(1, sleep("never", 60), "a")
    assert shop.outcome(1) == "it was not done within 3 s, and its process was killed"
    pool.start(2, sleep("next", 0.0), "a")
    assert shop.outcome(2) is None


def test_processes_that_cannot_begin_are_started_ever_later(shop: Shop) -> None:
    pool = shop.open(BROKEN, size=1)
    begun = time.monotonic()
    for number in range(3):
        pool.start(number, {"do": "who"}, "a")
        assert shop.outcome(number) == "its process ended with exit code 4, before it was ready"
    assert time.monotonic() - begun > 3 * module.FIRST_PAUSE  # of which the second was twice as long
    assert (shop.folder / "tries").read_text() == "xxx"


def test_a_command_that_is_not_there_fails_its_tasks(tmp_path: Path) -> None:
    told: list[str | None] = []
    pool = TaskPool([str(tmp_path / "nothing")], lambda _, failure: told.append(failure), size=1, limit=5.0)
    pool.start(1, {}, "a")
    assert soon(lambda: len(told) == 1)
    assert "no process can be started for it" in str(told[0])
    pool.close(1.0)


def test_a_task_goes_to_who_did_its_like_before(shop: Shop) -> None:
    pool = shop.open(size=2)
    pool.start(1, sleep("one", 0.3), "cut")
    pool.start(2, sleep("two", 0.3), "recognize")
    assert (shop.outcome(1), shop.outcome(2)) == (None, None)
    cutter, recognizer = (int((shop.folder / name).read_text()) for name in ("one", "two"))
    for number, (kind, who) in enumerate([("cut", cutter), ("cut", cutter), ("recognize", recognizer)] * 2, 3):
        pool.start(number, {"do": "who"}, kind)
        assert shop.outcome(number) == str(who)


def test_who_has_had_nothing_to_do_for_long_ends_and_comes_back(shop: Shop) -> None:
    pool = shop.open(size=1, quiet=0.3)
    pool.start(1, {"do": "who"}, "a")
    first = int(str(shop.outcome(1)))
    assert soon(lambda: not runs(first))
    assert shop.left() == [first]
    pool.start(2, {"do": "who"}, "a")
    assert int(str(shop.outcome(2))) != first


def test_closing_lets_tasks_finish_and_leaves_nobody_behind(shop: Shop) -> None:
    pool = shop.open(size=2)
    pool.start(1, sleep("one", 0.7), "a")
    pool.start(2, sleep("two", 60, "yield"), "a")
    assert soon(lambda: len(shop.seen()) == 2)
    time.sleep(0.1)
    begun = time.monotonic()
    pool.stop()  # tells those who can leave their task to others
    pool.close(30.0)
    assert time.monotonic() - begun < 28
    assert (shop.outcome(1), shop.outcome(2)) == (None, None)
    assert pool.free() == 0
    assert not any(map(runs, shop.seen()))
    assert shop.left() == shop.seen()
    pool.close(0.0)


@pytest.mark.parametrize("hurry", [False, True])
def test_closing_kills_who_does_not_end(shop: Shop, hurry: bool) -> None:
    pool = shop.open(size=1)
    pool.start(1, sleep("one", 60), "a")
    assert soon(lambda: len(shop.seen()) == 1)
    begun = time.monotonic()
    pool.close(60.0 if hurry else 0.3, hurry=lambda: hurry)
    assert time.monotonic() - begun < 50
    assert shop.outcome(1) == "its process was killed by signal 9"
    assert not any(map(runs, shop.seen()))


def test_sigterm_lets_a_process_finish_what_it_has(shop: Shop) -> None:
    pool = shop.open(size=1)
    pool.start(1, sleep("one", 0.5), "a")
    assert soon(lambda: len(shop.seen()) == 1)
    time.sleep(0.1)
    os.kill(shop.seen()[0], signal.SIGTERM)
    assert shop.outcome(1) is None
    assert soon(lambda: shop.left() == shop.seen())
    pool.start(2, {"do": "who"}, "a")
    assert str(shop.outcome(2)).isdecimal()


def test_processes_of_a_pool_that_was_killed_finish_and_go(shop: Shop) -> None:
    script = """
import sys, time
from visage.processes.pool import TaskPool
pool = TaskPool(sys.argv[1:], print, size=2, limit=60)
pool.start(1, {"do": "sleep", "name": "one", "seconds": 1.5}, "a")
pool.start(2, {"do": "yield", "name": "two", "seconds": 60}, "a")
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script, sys.executable, "-c", WORKER, str(shop.folder)]) as keeper:
        try:
            assert soon(lambda: len(shop.seen()) == 2)
            time.sleep(0.2)
        finally:
            keeper.kill()
    assert soon(lambda: shop.left() == shop.seen())
    assert (shop.folder / "one").exists()
    assert (shop.folder / "two").exists()  # without its sixty seconds


def test_every_task_is_told_of_once_while_processes_are_killed(shop: Shop) -> None:
    pool = shop.open(size=3)
    over = threading.Event()

    luck = random.Random(1)

    def kill() -> None:
        while not over.wait(luck.uniform(0.3, 0.6)):
            alive = [pid for pid in shop.seen() if runs(pid)]
            if alive:
                with suppress(ProcessLookupError):
                    os.kill(alive[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    for number in range(40):
        assert soon(lambda: pool.free() > 0)
        pool.start(number, sleep(f"task {number}", 0.1), "a")
    assert soon(lambda: len(shop.told) == 40)
    over.set()
    killer.join()
    pool.close(5.0)
    assert {len(told) for told in shop.told.values()} == {1}
    done = [number for number, (failure,) in shop.told.items() if failure is None]
    assert all((shop.folder / f"task {number}").exists() for number in done)
    assert 0 < len(done) < 40
