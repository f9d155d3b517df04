"""Groups that are brought level: few at once, many on a thread while others are answered; in the end it is all one."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_cluster import LINK, people
from tests.processes.workers import soon
from visage.core.unknown.cluster import Clusters
from visage.core.unknown.grouping import Grouping, Unit
from visage.core.values import Floats

LONG = 300.0


class Gate(Clusters):
    """Groups only once it is let: then another hand's work can be looked at while it is under way."""

    def __init__(self) -> None:
        super().__init__(LINK)
        self.open, self.reached = threading.Event(), threading.Event()
        self.fail = False

    def add(self, ids: Sequence[str], vectors: Floats, pictures: Sequence[frozenset[str]]) -> None:
        self.reached.set()
        assert self.open.wait(LONG)
        if self.fail:
            self.fail = False
            raise MemoryError
        super().add(ids, vectors, pictures)


def units(vectors: Floats, collection: str = "default") -> list[Unit]:
    return [
        Unit(f"u{number:04}", collection, (f"f{number:04}",), vector, frozenset([f"p{number}"]))
        for number, vector in enumerate(vectors)
    ]


def ids(groups: list[list[Unit]]) -> list[list[str]]:
    return [[unit.id for unit in group] for group in groups]


def all_at_once(wanted: Sequence[Unit]) -> list[list[str]]:
    clusters = Clusters(LINK)
    clusters.add([one.id for one in wanted], np.stack([one.vector for one in wanted]), [one.pictures for one in wanted])
    return clusters.groups()


def test_few_are_grouped_at_once() -> None:
    vectors, _ = people([5, 3, 1], 0.3)
    wanted = units(vectors)
    grouping = Grouping(lambda: Clusters(LINK), at_once=9)
    grouping.change((), wanted)
    assert not grouping.behind
    groups = grouping.groups("default")
    assert ids(groups) == all_at_once(wanted)
    assert grouping.groups("default") is groups
    assert all(grouping.group(unit.id) == group for group in groups for unit in group)
    grouping.change(["u0000"], ())
    assert ids(grouping.groups("default")) == all_at_once(wanted[1:])
    assert grouping.groups("other") == []
    with pytest.raises(KeyError):
        grouping.group("u0000")


def test_nobody_waits_for_many() -> None:
    vectors, _ = people([20, 10, 5], 0.3)
    wanted, gate = units(vectors), Gate()
    gate.open.set()
    grouping = Grouping(lambda: gate, at_once=10)
    grouping.change((), wanted[:10])
    before = ids(grouping.groups("default"))
    gate.open.clear()
    gate.reached.clear()
    grouping.change((), wanted[10:])
    assert gate.reached.wait(LONG)
    assert grouping.behind
    assert ids(grouping.groups("default")) == before == [[one.id for one in wanted[:10]]]
    assert ids([grouping.group("u0000")]) == before
    assert ids([grouping.group("u0030")]) == [["u0030"]]
    grouping.change(["u0000", "u0012"], ())  # of those that are shown, and of those that are being grouped
    grouping.change(["u0001"], [wanted[1]])
    assert ids(grouping.groups("default")) == [before[0][1:]]
    gate.open.set()
    assert soon(lambda: not grouping.behind, LONG)
    left = [one for one in wanted if one.id not in {"u0000", "u0012"}]
    assert ids(grouping.groups("default")) == all_at_once(left)


def test_what_comes_one_after_the_other_is_grouped_together() -> None:
    vectors, _ = people([20, 10, 5], 0.3)
    wanted = units(vectors)
    grouping = Grouping(lambda: Clusters(LINK), at_once=100)
    grouping.expect(True)
    for one in wanted:
        grouping.change((), [one])
        assert grouping.behind
        assert grouping.groups("default") == []
    grouping.expect(False)
    assert not grouping.behind
    assert ids(grouping.groups("default")) == all_at_once(wanted)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_breaks_off_is_begun_again() -> None:
    vectors, _ = people([20, 10], 0.3)
    wanted, gates = units(vectors), [Gate(), Gate()]
    made = iter(gates)
    gates[0].fail = True
    for gate in gates:
        gate.open.set()
    grouping = Grouping(lambda: next(made), at_once=5)
    grouping.change((), wanted[:-1])
    assert gates[0].reached.wait(LONG)
    assert soon(lambda: not gates[0].fail and grouping._thread is None, LONG)
    assert grouping.behind
    grouping.change((), wanted[-1:])
    assert soon(lambda: not grouping.behind, LONG)
    assert ids(grouping.groups("default")) == all_at_once(wanted)


Step = tuple[bool, list[int]]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 100),
    st.integers(1, 8),
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 39), min_size=1, max_size=25)), min_size=1, max_size=8),
)
def test_however_many_at_a_time_it_is_all_one(seed: int, at_once: int, steps: list[Step]) -> None:
    vectors, _ = people([1, 2, 3, 5, 7, 10, 12], 0.6, seed, d=6)
    wanted = units(vectors)
    grouping = Grouping(lambda: Clusters(LINK), at_once=at_once)
    here: set[int] = set()
    for coming, chosen in steps:
        if coming:
            grouping.change((), [wanted[one] for one in chosen])
            here |= set(chosen)
        else:
            grouping.change([wanted[one].id for one in chosen], ())
            here -= set(chosen)
    assert soon(lambda: not grouping.behind, LONG)
    expected = all_at_once([wanted[one] for one in sorted(here)]) if here else []
    assert ids(grouping.groups("default")) == expected
