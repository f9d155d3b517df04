"""One step of the autoscaler after the other, over neighbors that do as they are told."""

import json
from collections.abc import Iterator
from typing import cast

import pytest

from visage.core.errors import FleetError, NoObjectError, StorageError
from visage.core.ports.fleet import Fleet
from visage.core.ports.objects import Objects, Stored
from visage.core.ports.queue import Depth, Queue
from visage.core.service.autoscale import Autoscaler
from visage.core.service.scaling import Rule
from visage.core.service.worker import HOLD


class Line:
    """A queue of which only the depth is asked."""

    def __init__(self) -> None:
        self.at = Depth(0, 0)
        self.gone = False

    def depth(self) -> Depth:
        if self.gone:
            raise StorageError("the queue is gone")
        return self.at


class Crew:
    """asked: every size that was asked for."""

    def __init__(self) -> None:
        self.there = 0
        self.asked: list[int] = []
        self.follows = True
        self.broken = False

    def size(self) -> int:
        return self.there

    def resize(self, size: int) -> None:
        if self.broken:
            raise FleetError("no instance to be had")
        self.asked.append(size)
        if self.follows:
            self.there = size


class Shelf:
    """A few objects in memory. reads: how many were read."""

    def __init__(self) -> None:
        self.data: dict[str, tuple[bytes, float]] = {}
        self.reads = 0
        self.full = False
        self.gone = False

    def put(self, key: str, data: object) -> None:
        if self.full:
            raise StorageError("the disk is full")
        assert isinstance(data, bytes)
        self.data[key] = (data, len(self.data) + self.reads + 0.5)

    def get(self, key: str) -> bytes:
        self.reads += 1
        if key not in self.data:
            raise NoObjectError(key)
        return self.data[key][0]

    def list(self, prefix: str = "") -> Iterator[Stored]:
        if self.gone:
            raise StorageError("the disk is gone")
        for key, (data, written) in sorted(self.data.items()):
            if key.startswith(prefix + "/"):
                yield Stored(key, len(data), written)

    def report(self, worker: str, jobs: int, busy: float, at: float = 0.0) -> None:
        report = {"jobs": jobs, "busy": busy, "ready": 0.5, "at": at}
        self.data[f"workers/{worker}.json"] = (json.dumps(report).encode(), jobs + at / 1e6)


class House:
    """An autoscaler and its neighbors; every step is `seconds` after the one before."""

    def __init__(self, rule: Rule | None = None) -> None:
        self.line, self.crew, self.shelf, self.time = Line(), Crew(), Shelf(), 1000.0
        self.autoscaler = Autoscaler(
            cast("Queue", self.line),
            cast("Fleet", self.crew),
            cast("Objects", self.shelf),
            rule or Rule(),
            clock=lambda: self.time,
            now=lambda: self.time + 1e9,
        )

    def step(self, seconds: float = 0.2, times: int = 1) -> tuple[str, ...]:
        for _ in range(times):
            self.time += seconds
            problems = self.autoscaler.step().problems
        return problems

    @property
    def state(self) -> dict[str, float]:
        state: dict[str, float] = json.loads(self.shelf.data["fleet.json"][0])
        return state


@pytest.fixture
def house() -> House:
    return House()


def test_the_rule_knows_how_many_jobs_a_worker_holds() -> None:
    assert Rule().hold == HOLD


def test_asks_the_fleet_only_when_something_changes(house: House) -> None:
    house.step(times=10)
    assert house.crew.asked == []
    house.line.at = Depth(1, 0)
    house.step(times=20)
    house.line.at = Depth(0, 1)
    house.step(times=20)
    assert house.crew.asked == [1]
    house.line.at = Depth(0, 0)
    house.step(times=int(310 / 0.2))
    assert house.crew.asked == [1, 0]


def test_says_how_things_stand(house: House) -> None:
    house.line.at = Depth(7, 2)
    house.step()
    house.step()
    assert house.state["size"] == house.state["wanted"] == house.crew.there
    assert (house.state["max"], house.state["waiting"], house.state["in_flight"]) == (20, 7, 2)
    assert house.state["at"] == house.time + 1e9
    first = house.state["at"]
    house.step(times=3)
    assert house.state["at"] == first  # nothing changed
    house.step(5.0)
    assert house.state["at"] > first


def test_learns_from_the_workers_how_long_jobs_take(house: House) -> None:
    house.line.at = Depth(3, 3)
    house.step()
    for jobs in range(10, 1000, 10):
        house.shelf.report("a", jobs, jobs * 0.5, at=house.time)
        house.shelf.report("b", jobs, jobs * 0.5, at=house.time)
        house.step(5.0)
    assert house.state["service"] == pytest.approx(0.5, rel=0.05)


def test_an_autoscaler_that_starts_anew_knows_it_from_recent_reports(house: House) -> None:
    house.shelf.report("a", 100, 40.0, at=house.time + 1e9)
    house.shelf.report("old", 100, 4000.0, at=house.time + 1e9 - 7200)
    house.step()
    assert house.state["service"] == pytest.approx(0.4)


def test_a_worker_that_began_anew_does_not_count_backwards(house: House) -> None:
    house.line.at = Depth(3, 3)
    house.shelf.report("a", 1000, 500.0, at=house.time + 1e9)
    house.step()
    house.shelf.report("a", 10, 5.0, at=house.time + 1e9)
    house.step(5.0)
    assert house.state["service"] == pytest.approx(0.5)


def test_reports_are_read_only_when_they_changed_and_not_at_all_in_quiet_times(house: House) -> None:
    for worker in range(20):
        house.shelf.report(str(worker), 5, 1.0)
    house.line.at = Depth(1, 1)
    house.step(5.0, times=10)
    assert house.shelf.reads == 20
    house.shelf.report("7", 6, 1.2)
    house.step(5.0)
    assert house.shelf.reads == 21
    house.line.at = Depth(0, 0)
    house.step(1.0, times=30)
    house.shelf.gone = True  # it would be noticed
    assert house.step(1.0, times=30) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"[]", b"3", b"{}", b'{"jobs": "many"}', b'{"jobs": NaN, "busy": 1, "ready": 1, "at": 1}',
        b'{"jobs": 1, "busy": -1e999, "ready": 1, "at": 1}', b'{"jobs": -4, "busy": 1, "ready": 1, "at": 1}',
        b"[" * 4000, b'{"jobs": ' + b"9" * 4100 + b"}", b'{"jobs": 1e999, "busy": 1, "ready": 1, "at": 1}',
    ],
)  # fmt: skip
def test_what_is_no_report_is_passed_over(house: House, data: bytes) -> None:
    house.line.at = Depth(1, 1)
    house.shelf.report("good", 10, 4.0, at=house.time + 1e9)
    house.shelf.data["workers/bad.json"] = (data, 1.0)
    assert house.step() == ()
    assert house.state["service"] == pytest.approx(0.4)


def test_a_store_that_fails_keeps_nothing_from_being_scaled(house: House) -> None:
    house.shelf.full = house.shelf.gone = True
    house.line.at = Depth(1, 0)
    assert house.step() == ("the disk is gone", "the disk is full")
    assert house.crew.asked == [1]


def test_a_queue_or_a_fleet_that_fails_is_said_and_made_up_for(house: House) -> None:
    house.line.gone = True
    with pytest.raises(StorageError):
        house.step()
    house.line.gone, house.crew.broken = False, True
    house.line.at = Depth(1, 0)
    with pytest.raises(FleetError):
        house.step()
    house.crew.broken = False
    house.step()
    assert house.crew.asked == [1]


def test_a_fleet_that_was_changed_by_somebody_else_is_asked_again_but_not_at_once(house: House) -> None:
    house.line.at = Depth(1, 0)
    house.step()
    house.crew.there, house.crew.follows = 0, False
    house.step(1.0, times=20)
    assert house.crew.asked == [1]
    house.step(1.0, times=20)
    assert house.crew.asked == [1, 1]
