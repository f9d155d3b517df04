"""The fleet of real processes: whom it takes, whom it replaces, whom it leaves behind (nobody)."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.workers import BROKEN, DEAF, Floor, runs, soon
from visage.core.errors import FleetError
from visage.processes import fleet as module
from visage.processes.fleet import ProcessFleet


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    made = Floor(tmp_path)
    yield made
    made.clear()


@pytest.fixture
def fleet(floor: Floor) -> Iterator[ProcessFleet]:
    with closing(ProcessFleet(floor.command(), limit=4, grace=5.0)) as opened:
        yield opened


def test_grows_and_shrinks_and_leaves_no_zombie(fleet: ProcessFleet, floor: Floor) -> None:
    assert fleet.size() == 0
    fleet.resize(3)
    assert fleet.size() == 3
    assert soon(lambda: len(floor.alive()) == 3)
    fleet.resize(1)
    assert fleet.size() == 1
    assert soon(lambda: len(floor.alive()) == 1)  # an unreaped process would still be there
    assert len(floor.left()) == 2
    fleet.resize(0)
    assert fleet.size() == 0
    assert soon(lambda: not floor.alive())


def test_never_more_than_its_limit(fleet: ProcessFleet, floor: Floor) -> None:
    fleet.resize(9)
    assert fleet.size() == 4
    assert soon(lambda: len(floor.alive()) == 4)


def test_idle_ones_go_first_and_a_busy_one_when_its_work_is_done(fleet: ProcessFleet, floor: Floor) -> None:
    fleet.resize(3)
    assert soon(lambda: len(floor.alive()) == 3)
    at_work = floor.alive()[0]
    floor.work(at_work)
    fleet.resize(1)
    assert soon(lambda: floor.alive() == [at_work])
    fleet.resize(0)
    assert fleet.size() == 0
    time.sleep(0.3)
    assert floor.alive() == [at_work]
    floor.finish(at_work)
    assert soon(lambda: not floor.alive())
    assert at_work in floor.left()


def test_a_busy_one_that_was_to_go_stays_when_it_is_needed_again(fleet: ProcessFleet, floor: Floor) -> None:
    fleet.resize(1)
    assert soon(lambda: len(floor.alive()) == 1)
    (worker,) = floor.alive()
    floor.work(worker)
    fleet.resize(0)
    fleet.resize(1)
    assert fleet.size() == 1
    floor.finish(worker)
    time.sleep(0.3)
    assert floor.alive() == [worker]
    assert floor.seen() == [worker]


def test_a_killed_worker_is_replaced_at_once(
    fleet: ProcessFleet, floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.resize(1)
    assert soon(lambda: len(floor.alive()) == 1)
    (worker,) = floor.alive()
    time.sleep(0.5)  # until the fleet has heard that it is ready
    os.kill(worker, signal.SIGKILL)
    assert soon(lambda: not runs(worker))
    assert soon(lambda: fleet.size() == 1 and len(floor.alive()) == 1)
    assert f"worker {worker} ended unasked, killed by signal 9" in caplog.text


def test_workers_that_end_before_they_are_ready_are_started_ever_later(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(ProcessFleet(floor.command(BROKEN), limit=2)) as fleet:
        fleet.resize(1)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            fleet.size()
            time.sleep(0.01)
        assert len(floor.seen()) <= 3  # at 0, 0.5 and 1.5 s, each after the end of the one before
        assert soon(lambda: fleet.size() >= 0 and len(floor.seen()) > 1)  # who is asked for its size starts them
    assert "with exit code 3" in caplog.text


def test_a_command_that_is_not_there_is_a_fleet_error_and_not_tried_in_a_storm(tmp_path: Path) -> None:
    with closing(ProcessFleet([str(tmp_path / "nothing")], limit=2)) as fleet:
        with pytest.raises(FleetError, match="cannot be started"):
            fleet.resize(2)
        assert fleet.size() == 0


def test_close_lets_work_in_hand_finish(floor: Floor) -> None:
    fleet = ProcessFleet(floor.command(), limit=1, grace=10.0)
    fleet.resize(1)
    assert soon(lambda: len(floor.alive()) == 1)
    (worker,) = floor.alive()
    floor.work(worker)
    script = f"import pathlib, time; time.sleep(0.5); pathlib.Path({str(floor.folder / f'{worker}.busy')!r}).unlink()"
    with subprocess.Popen([sys.executable, "-c", script]):
        fleet.close()
    assert floor.left() == [worker]
    assert not floor.alive()
    fleet.resize(1)
    assert fleet.size() == 0


def test_close_ends_whoever_hears_nothing(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "TERMINATION", 0.3)
    fleet = ProcessFleet(floor.command(DEAF), limit=1, grace=0.2)
    fleet.resize(1)
    assert soon(lambda: len(floor.alive()) == 1)
    time.sleep(0.1)
    with caplog.at_level(logging.WARNING):
        fleet.close()
        fleet.close()
    assert soon(lambda: not floor.alive())
    assert "does not end and is killed" in caplog.text


def test_workers_of_a_fleet_that_was_killed_finish_and_go(floor: Floor) -> None:
    script = (
        "import sys, time; from visage.processes.fleet import ProcessFleet; "
        "fleet = ProcessFleet(sys.argv[1:], limit=2); fleet.resize(2); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, *floor.command()]) as keeper:
        try:
            assert soon(lambda: len(floor.alive()) == 2)
            workers = floor.alive()
            floor.work(workers[0])
        finally:
            keeper.kill()
    assert soon(lambda: workers[1] in floor.left())
    time.sleep(0.2)
    assert floor.left() == [workers[1]]  # the other has work in hand
    floor.finish(workers[0])
    assert soon(lambda: floor.left() == workers)
