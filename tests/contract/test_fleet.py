"""What `core.ports.fleet.Fleet` promises, asked of every adapter: processes that work, and an Auto Scaling group on
moto."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.aws.groups import make_group
from tests.aws.moto_server import aws_server
from tests.processes.workers import Floor, soon

from visage.aws.fleet import GroupFleet
from visage.core.ports.fleet import Fleet
from visage.processes.fleet import ProcessFleet

MOST = 4


@dataclass(frozen=True)
class Made:
    """open: the fleet, of four instances at most; clear: nothing of it is left."""

    open: Callable[[], Fleet]
    clear: Callable[[], None]


def processes(folder: Path) -> Made:
    floor = Floor(folder)
    return Made(lambda: ProcessFleet(floor.command(), limit=MOST, grace=5.0), floor.clear)


def group(folder: Path) -> Made:
    name = f"test-{uuid.uuid4().hex[:8]}-app-tier"
    make_group(name, MOST)
    return Made(lambda: GroupFleet(name), lambda: None)


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture(params=[processes, group], ids=lambda adapter: adapter.__name__)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    made: Made = request.param(tmp_path)
    with closing(made.open()) as opened:
        yield opened
    made.clear()


def sized(fleet: Fleet, size: int) -> bool:
    """Whether it comes to that size soon."""
    return soon(lambda: fleet.size() == size)


def test_starts_with_nobody(fleet: Fleet) -> None:
    assert fleet.size() == 0


def test_becomes_as_large_as_is_asked(fleet: Fleet) -> None:
    for size in (1, 3, 3, 2, 0, 4):
        fleet.resize(size)
        assert sized(fleet, size)


def test_is_never_larger_than_its_limit_nor_less_than_nobody(fleet: Fleet) -> None:
    fleet.resize(100)
    assert sized(fleet, MOST)
    fleet.resize(-3)
    assert sized(fleet, 0)


def test_what_is_asked_last_counts(fleet: Fleet) -> None:
    fleet.resize(4)
    fleet.resize(0)
    fleet.resize(2)
    assert sized(fleet, 2)
