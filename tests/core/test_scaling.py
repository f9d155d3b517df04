"""The rule that sizes the fleet, reading by reading; a few laws for every reading there can be."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.service.scaling import Memory, Reading, Rule, decide

RULE = Rule(most=20, latency=2.0, quiet=300.0, service=0.1, start=1.0, hold=12)


def follow(readings: Sequence[Reading], rule: Rule = RULE) -> tuple[list[int], Memory]:
    """The wanted size after each reading."""
    memory: Memory | None = None
    sizes = []
    for reading in readings:
        wanted, memory = decide(rule, reading, memory)
        sizes.append(wanted)
    assert memory is not None
    return sizes, memory


def idle(at: float, size: int) -> Reading:
    return Reading(at, waiting=0, in_flight=0, size=size, done=0)


def test_nothing_to_do_starts_nothing() -> None:
    sizes, _ = follow([idle(at, 0) for at in range(100)])
    assert set(sizes) == {0}


@pytest.mark.parametrize("service", [0.001, 0.1, 100.0])
def test_the_first_job_starts_the_first_worker_at_once_and_no_more(service: float) -> None:
    sizes, _ = follow([idle(0.0, 0), Reading(0.2, 1, 0, 0)], replace(RULE, service=service))
    assert sizes == [0, 1]


def test_a_backlog_starts_as_many_as_clear_it_in_time() -> None:
    # 100 jobs are 10 s of work; a worker started now has 1 of the 2 s left.
    assert follow([idle(0.0, 0), Reading(0.2, 100, 0, 0, done=0)])[0][-1] >= 10
    assert follow([idle(0.0, 0), Reading(0.2, 10_000, 0, 0, done=0)])[0][-1] == RULE.most


def test_those_being_started_count() -> None:
    readings = [Reading(0.2 * step, 50, 0, 0 if step == 0 else 5, done=0) for step in range(5)]
    sizes, _ = follow(readings)
    assert set(sizes) == {5}


def test_no_more_workers_than_jobs() -> None:
    sizes, _ = follow([idle(0.0, 1), Reading(0.2, 2, 1, 1, done=0)], replace(RULE, service=60.0))
    assert sizes[-1] == 3


def test_what_is_in_hand_needs_no_further_worker() -> None:
    sizes, _ = follow([Reading(float(at), 0, 12, 1, done=0) for at in range(20)], replace(RULE, service=60.0))
    assert set(sizes) == {1}


def test_shrinks_to_what_is_needed_only_after_a_while_and_to_nothing_after_the_quiet_time() -> None:
    sizes, _ = follow([Reading(0.0, 100, 0, 0), *(idle(float(at), 10) for at in range(1, 400))])
    assert sizes[0] == 10
    assert sizes[25] == 10  # for 30 seconds
    assert sizes[40] == 1
    assert sizes[299] == 1
    assert sizes[301] == 0


def test_the_least_stay() -> None:
    sizes, _ = follow([idle(float(at), 5) for at in range(1000)], replace(RULE, least=2))
    assert sizes[-1] == 2


def test_quiet_may_be_no_time_at_all() -> None:
    sizes, _ = follow([Reading(0.0, 1, 0, 0), Reading(1.0, 0, 1, 1), idle(2.0, 1)], replace(RULE, quiet=0.0))
    assert sizes == [1, 1, 0]


def test_a_moment_without_counts_shrinks_nothing() -> None:
    """SQS tells how many there are approximately: sometimes none, though there are some."""
    readings = [
        Reading(float(at), 0 if at % 3 else 200, 0 if at % 3 else 36, 8, done=20, busy=4.0) for at in range(300)
    ]
    sizes, _ = follow(readings)
    assert min(sizes) >= 8


def test_learns_how_long_jobs_take() -> None:
    _, memory = follow([Reading(5.0 * step, 10, 10, 2, done=5, busy=10.0) for step in range(200)])
    assert memory.service == pytest.approx(2.0, rel=0.05)


def test_learns_what_workers_leave_out_of_their_reports_while_all_of_them_are_at_work() -> None:
    """Two workers do 10 jobs in 5 s, so one takes 1 s, whatever they say."""
    rule = replace(RULE, most=2)
    _, memory = follow([Reading(5.0 * step, 500, 24, 2, done=10, busy=2.0) for step in range(400)], rule)
    assert memory.speed.reported == pytest.approx(0.2, rel=0.05)
    assert memory.service == pytest.approx(1.0, rel=0.1)
    _, memory = follow([Reading(5.0 * step, 1, 1, 2, done=10, busy=2.0) for step in range(400)], rule)
    assert memory.service == pytest.approx(0.2, rel=0.05)  # they are idle for most of the time


def test_learns_how_long_a_start_takes() -> None:
    readings = [idle(0.0, 0), Reading(1.0, 5, 0, 0, done=0)]
    readings += [Reading(1.0 + step, 5, 0, 1, done=0) for step in range(1, 4)]
    _, memory = follow([*readings, Reading(5.0, 0, 5, 1, done=0)])
    assert memory.start == pytest.approx((1.0 + 4.0) / 2)
    _, memory = follow([*readings, Reading(2000.0, 0, 5, 1, done=0)])
    assert memory.start <= 4 * RULE.start  # a fleet that got no instance for an hour is no measure


def test_a_job_that_takes_far_longer_than_any_before_is_noticed_while_it_lasts() -> None:
    """Videos among photos: nothing gets done, though three jobs should have been."""
    readings = [Reading(float(at), 3, 1, 1, done=0) for at in range(60)]
    assert follow(readings[:5])[0][-1] == 1
    assert follow(readings)[0][-1] >= 3


def test_a_fleet_that_shows_its_growth_late_is_not_asked_for_ever_more() -> None:
    rule = replace(RULE, start=90.0, latency=60.0, service=1.0)
    readings = [Reading(5.0 * step, 300, 0, 0, done=0) for step in range(12)]
    sizes, _ = follow(readings, rule)
    assert len(set(sizes)) == 1
    assert 1 <= sizes[0] < rule.most


def test_a_load_beyond_the_cap_stays_at_the_cap() -> None:
    readings = [
        Reading(5.0 * step, 1000 + 400 * step, 240, min(20, step * 5), done=100, busy=100.0) for step in range(500)
    ]
    sizes, _ = follow(readings)
    assert set(sizes[3:]) == {20}


def test_a_clock_that_goes_back_or_leaps_changes_nothing() -> None:
    busy = [Reading(float(at), 3, 12, 4, done=30, busy=3.0) for at in range(100)]
    jumps = [replace(busy[0], at=at) for at in (-1e9, 50.0, 51.0, 1e12, 1e12 + 1)]
    sizes, memory = follow([*busy, *jumps])
    assert sizes[-5:] == [sizes[99]] * 5
    assert math.isfinite(memory.arrivals)
    leapt, _ = follow([Reading(0.0, 1, 0, 1), idle(1.0, 1), idle(1e9, 1)])
    assert leapt[-1] == 1  # it was not seen to be quiet


READINGS = st.builds(
    Reading,
    at=st.floats(0, 1e6),
    waiting=st.integers(0, 10**7),
    in_flight=st.integers(0, 300),
    size=st.integers(0, 30),
    oldest=st.none() | st.floats(0, 1e5),
    done=st.none() | st.integers(0, 10**5),
    busy=st.floats(0, 1e6),
    ready=st.none() | st.floats(0, 1e4),
)
RULES = st.builds(
    Rule,
    least=st.integers(0, 5),
    most=st.integers(5, 25),
    latency=st.floats(0.01, 600),
    quiet=st.floats(0, 900),
    service=st.floats(0.001, 600),
    start=st.floats(0, 600),
    hold=st.integers(1, 20),
)


def test_two_readings_at_one_moment_teach_nothing_absurd() -> None:
    readings = [Reading(at, waiting, 3, 0) for at, waiting in ((0.0, 0), (2.3e-308, 1), (1.0, 1))]
    sizes, memory = follow(readings, Rule(most=5))
    assert all(0 <= size <= 5 for size in sizes)
    assert abs(memory.arrivals) < 100


@given(RULES, st.lists(READINGS, min_size=1, max_size=30))
def test_always_within_bounds_and_never_below_the_busy_ones(rule: Rule, readings: list[Reading]) -> None:
    sizes, memory = follow(readings, rule)
    for reading, wanted in zip(readings, sizes, strict=True):
        assert rule.least <= wanted <= rule.most
        assert wanted >= min(reading.size, math.ceil(reading.in_flight / rule.hold), rule.most)
        if reading.waiting and rule.most:
            assert wanted >= 1
    assert len(memory.peaks) < 20
    assert len(memory.starting) <= len(readings)


@given(RULES, st.lists(READINGS, max_size=10), READINGS, st.integers(0, 10**6))
def test_more_waiting_never_wants_less(rule: Rule, before: list[Reading], reading: Reading, more: int) -> None:
    memory = follow(before, rule)[1] if before else None
    fewer, _ = decide(rule, reading, memory)
    wanted, _ = decide(rule, replace(reading, waiting=reading.waiting + more), memory)
    assert wanted >= fewer


@given(RULES, st.lists(READINGS, min_size=1, max_size=10))
def test_the_same_readings_give_the_same_sizes(rule: Rule, readings: list[Reading]) -> None:
    assert follow(readings, rule) == follow(readings, rule)
