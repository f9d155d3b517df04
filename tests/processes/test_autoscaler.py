"""`visage autoscale` and the workers it starts, as real processes.

What they are sent is none of ours, and put aside by a worker: that shows one at work without a picture to be looked at.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.processes.workers import soon
from visage.sqlite.queue import SqliteQueue


class Service:
    """A queue in a folder of its own, and the autoscaler beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.queue = SqliteQueue(folder / "queue.sqlite", lease=60.0)
        places = ["--queue", f"sqlite:///{folder / 'queue.sqlite'}", "--objects", f"file:///{folder / 'objects'}"]
        command = [sys.executable, "-m", "visage.apps.cli.main", "autoscale", *places, *options]
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(command, stderr=self.log)
        assert soon((folder / "objects" / "out" / "fleet.json").exists)

    @property
    def workers(self) -> list[psutil.Process]:
        children: list[psutil.Process] = psutil.Process(self.process.pid).children()
        return children

    def performed(self) -> float:
        """Seconds that a job waits until a worker has done with it."""
        before, start = len(self.queue.dead()), time.perf_counter()
        self.queue.send("none of ours")
        assert soon(lambda: len(self.queue.dead()) > before, 60)
        return time.perf_counter() - start

    def end(self) -> None:
        self.queue.close()
        if self.process.poll() is None:
            self.process.kill()  # its workers go by themselves
            self.process.wait()
        self.log.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    started = Service(tmp_path, "--max", "2", "--quiet", "0.5")
    yield started
    started.end()


@pytest.mark.slow
def test_from_zero_to_the_first_job_done_in_two_seconds_and_back(service: Service) -> None:
    service.performed()  # networks may have to be converted first

    taken = []
    for _ in range(3):
        assert soon(lambda: not service.workers)
        taken.append(service.performed())
    # Two seconds of a machine that has nothing else to do; where others want its cores as well, accordingly more.
    assert min(taken) < 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_costs_next_to_nothing_while_there_is_nothing_to_do(service: Service) -> None:
    process = psutil.Process(service.process.pid)
    before, start = process.cpu_times(), time.perf_counter()
    time.sleep(4.0)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    assert used / (time.perf_counter() - start) < 0.03
    assert service.workers == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_workers(tmp_path: Path, number: int) -> None:
    service = Service(tmp_path, "--min", "1", "--max", "2")
    try:
        assert soon(lambda: len(service.workers) == 1)
        (worker,) = service.workers
        service.process.send_signal(number)
        assert service.process.wait(60) == 0
        assert not worker.is_running()
    finally:
        service.end()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[-1]["message"] == "the autoscaler ends"


def test_a_worker_that_is_killed_is_replaced_and_an_autoscaler_that_is_killed_leaves_none(tmp_path: Path) -> None:
    service = Service(tmp_path, "--min", "1", "--max", "1")
    try:
        service.performed()
        (worker,) = service.workers
        os.kill(worker.pid, signal.SIGKILL)
        service.performed()
        (worker,) = service.workers
        service.process.kill()
        assert soon(lambda: not worker.is_running(), 20)
    finally:
        service.end()


def test_a_fleet_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visage.apps.cli.main", "autoscale", "--fleet", "asg:"],
        capture_output=True, text=True, check=False, env={**os.environ, "VISAGE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "'asg:' is no fleet; give processes: or asg:NAME" in done.stderr
