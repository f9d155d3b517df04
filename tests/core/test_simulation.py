"""The rule in the simulated world of benchmarks/simulation, and that world itself: nothing gets lost in it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from simulation import loads
from simulation.fleet import Fleet, Outcome, Place, Scaler, View, simulate
from simulation.loads import Load
from simulation.rules import Oracle, Ours, TargetTracking

EC2 = Place("instances", most=20, start=90.0, latency=10.0, lag=5.0, noise=0.05)
MACHINE = Place("processes", most=8, start=0.8, latency=2.0)

CROWD = Place("many instances", most=2500, start=90.0, latency=10.0, lag=5.0, noise=0.05)

CASES = {
    "steady": (EC2, partial(loads.steady, 21, hours=0.5)),
    "bursty": (EC2, partial(loads.bursty, 22, hours=1.0, every=600.0)),
    "runaway": (EC2, partial(loads.runaway, 23, hours=2.5, cap=3)),
    "sparse": (EC2, partial(loads.sparse, 24, hours=2.0)),
    "crowd": (CROWD, partial(loads.billion, 25, hours=0.5)),
    "machine": (MACHINE, partial(loads.bursty, 26, hours=0.5, every=600.0, service=0.035)),
}


class Fixed:
    """Always as many."""

    name = "fixed"
    every = 5.0

    def __init__(self, size: int) -> None:
        self._size = size

    def wanted(self, view: View) -> int:
        return self._size


def ours(place: Place, load: Load) -> Scaler:
    return Ours(place)


def aws(place: Place, load: Load) -> Scaler:
    return TargetTracking(place, load.service)


def oracle(place: Place, load: Load) -> Scaler:
    return Oracle(place, load)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", [ours, aws, oracle])
def test_no_job_gets_lost_and_no_bound_is_passed(case: str, rule: Callable[[Place, Load], Scaler]) -> None:
    place, make = CASES[case]
    load = make()
    outcome = simulate(load, place, rule(place, load))
    assert outcome.arrived == load.counts.sum()
    assert outcome.answered + outcome.waiting == outcome.arrived
    assert outcome.weights.sum() == pytest.approx(outcome.answered, rel=1e-3)
    assert outcome.latencies.min() >= 0
    assert all(0 <= size <= place.most for _, size in outcome.sizes)
    assert outcome.worked <= outcome.paid


def test_a_fleet_at_the_cap_does_what_it_can_and_says_what_waits() -> None:
    load = loads.steady(31, demand=40, hours=0.5)
    outcome = simulate(load, EC2, Ours(EC2), after=0)
    assert outcome.waiting > 0.3 * outcome.arrived
    assert outcome.answered + outcome.waiting == outcome.arrived


def test_ours_does_not_flap_on_a_steady_load_and_wastes_little() -> None:
    load = loads.steady(32, hours=2.0)
    outcome = simulate(load, EC2, Ours(EC2))
    assert outcome.turns <= 3  # up at the start, down to what is needed, down at the end
    settled = [size for at, size in outcome.sizes if 1800 < at < load.seconds]
    assert max(settled) - min(settled) <= 2
    assert min(settled) >= 8
    assert outcome.paid < 1.5 * outcome.worked


def test_ours_stays_at_the_cap_while_the_load_is_beyond_it() -> None:
    load = loads.runaway(33, hours=2.0)
    outcome = simulate(load, EC2, Ours(EC2))
    above = [size for at, size in outcome.sizes if 1900 < at < 5400]
    assert set(above) == {EC2.most}


@pytest.mark.parametrize("place", [EC2, MACHINE], ids=lambda place: place.name)
def test_ours_is_at_zero_after_the_quiet_time_and_not_before(place: Place) -> None:
    load = loads.steady(34, hours=0.5, demand=3.0)
    outcome = simulate(load, place, Ours(place), after=600)
    ended = float(load.seconds)
    assert all(size > 0 for at, size in outcome.sizes if ended < at < ended + 290)
    assert all(size == 0 for at, size in outcome.sizes if ended + 330 < at)


def test_ours_is_better_than_target_tracking_in_latency_and_cost_over_a_day() -> None:
    load = loads.daily(35, hours=12.0)
    mine, theirs = (simulate(load, EC2, rule(EC2, load)) for rule in (ours, aws))
    assert mine.percentile(0.99) < theirs.percentile(0.99)
    assert mine.paid < theirs.paid
    assert mine.paid < 1.15 * simulate(load, EC2, Oracle(EC2, load)).paid


class Boasting(Ours):
    """Workers that say they need half the time they do: they forget what they decode, store and send."""

    def wanted(self, view: View) -> int:
        return super().wanted(replace(view, busy=view.busy / 2))


def test_ours_finds_out_what_the_workers_do_not_report() -> None:
    load = loads.daily(35, hours=12.0)
    outcome = simulate(load, EC2, Boasting(EC2))
    assert outcome.percentile(0.99) < 4 * EC2.latency
    assert outcome.percentile(0.5) < 1.0


def test_one_machine_answers_a_steady_load_in_the_wished_time() -> None:
    load = loads.steady(36, hours=0.25, demand=2.5, service=0.035)
    outcome = simulate(load, MACHINE, Ours(MACHINE, every=0.2))
    assert outcome.percentile(0.99) < MACHINE.latency


def test_crowds_and_single_jobs_come_to_the_same() -> None:
    """The same load, told apart and by the second."""
    single = loads.steady(37, demand=8.0, hours=0.5)
    crowd = Load(single.name, single.rates, single.counts, single.service, None)
    one, other = (simulate(load, EC2, Fixed(12)) for load in (single, crowd))
    assert one.paid == pytest.approx(other.paid, rel=0.01)
    assert one.worked == pytest.approx(other.worked, rel=0.03)
    assert one.percentile(0.99) == pytest.approx(other.percentile(0.99), abs=3.0)


def test_the_time_of_a_queue_is_what_theory_says() -> None:
    """One worker, Poisson arrivals: Pollaczek and Khinchine's formula."""
    load = loads.make("M/G/1", np.full(40_000, 1.2), 0.5, 38)
    place = Place("one", most=1, start=0.0, latency=1.0)
    outcome = simulate(load, place, Fixed(1))
    use, spread = 0.6, 0.5
    expected = 0.5 + use * 0.5 * (1 + spread**2) / (2 * (1 - use))
    assert outcome.latencies.mean() == pytest.approx(expected, rel=0.05)


def test_a_fleet_takes_idle_ones_first_and_never_one_at_work() -> None:
    fleet = Fleet(Place("few", most=5, start=10.0, latency=1.0), seed=1)
    fleet.resize(0.0, 9)
    assert fleet.size == 5
    fleet.arrive(13.0)
    fleet.working = 3
    fleet.resize(14.0, 1)
    assert (fleet.size, fleet.serving, fleet.condemned) == (1, 3, 2)
    fleet.resize(15.0, 3)  # needed again: none of them goes, none is started
    assert (fleet.size, fleet.serving, fleet.condemned, fleet.starting) == (3, 3, 0, [])


def test_turns_are_changes_of_direction() -> None:
    sizes = [(float(at), size) for at, size in enumerate([0, 1, 1, 3, 2, 2, 1, 4, 4])]
    none = np.empty(0)
    assert Outcome("", "", 0, 0, 0, none, none, 0.0, 0.0, sizes=sizes).turns == 2
