"""The fleet and the queue: single jobs one by one, crowds by the second."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from simulation.loads import Floats, Load

# Seconds simulated after the end of a load, in which the fleet can finish and go.
AFTER = 7200


@dataclass(frozen=True)
class Place:
    """Where the fleet runs. start: seconds until an instance works, evenly within a fifth of it. lag: seconds by which
    counts of the queue and reports of the workers are late. noise: standard deviation of those counts, as a share."""

    name: str
    most: int
    start: float
    latency: float
    lag: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class View:
    """What a rule may see. oldest: None where counts lag, as SQS does not tell it. size: instances that run or start
    and are to stay. serving: those that work. done, busy: jobs reported so far, and the seconds of work in them.
    """

    at: float
    waiting: int
    in_flight: int
    oldest: float | None
    size: int
    serving: int
    done: int
    busy: float


class Scaler(Protocol):
    """A rule that competes."""

    name: str
    every: float

    def wanted(self, view: View) -> int: ...


@dataclass
class Outcome:
    """latencies: seconds of the jobs that were answered, with the number of jobs of each. paid, worked: seconds of
    instances. sizes, backlogs: (when, value) at every look of the rule."""

    load: str
    rule: str
    arrived: int
    answered: int
    waiting: int
    latencies: Floats
    weights: Floats
    paid: float
    worked: float
    sizes: list[tuple[float, int]] = field(default_factory=list)
    backlogs: list[tuple[float, int]] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """The latency that so many (0..1) of the jobs stay below."""
        if not len(self.latencies):
            return 0.0
        order = np.argsort(self.latencies)
        reached = np.searchsorted(np.cumsum(self.weights[order]), share * self.weights.sum())
        return float(self.latencies[order][min(int(reached), len(order) - 1)])

    @property
    def turns(self) -> int:
        """How often the size changed its direction."""
        steps = [b - a for (_, a), (_, b) in pairwise(self.sizes) if a != b]
        return sum(1 for a, b in pairwise(steps) if (a > 0) != (b > 0))


class Fleet:
    """Instances that cannot be told apart: starting, at work, idle. One too many goes when its work is done."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._random = np.random.default_rng([seed, 4])
        self.starting: list[float] = []
        self.serving = 0
        self.working = 0
        self.condemned = 0
        self.paid = 0.0
        self._paid_until = 0.0

    @property
    def size(self) -> int:
        return len(self.starting) + self.serving - self.condemned

    def pay(self, at: float) -> None:
        """To be called before anything changes: instances are paid from their start on."""
        self.paid += (len(self.starting) + self.serving) * (at - self._paid_until)
        self._paid_until = at

    def resize(self, at: float, size: int) -> None:
        self.pay(at)
        more = min(max(size, 0), self._place.most) - self.size
        if more > 0:
            pardoned = min(more, self.condemned)
            self.condemned -= pardoned
            for factor in self._random.uniform(0.8, 1.2, more - pardoned):
                heapq.heappush(self.starting, at + self._place.start * float(factor))
        else:
            idle = min(-more, self.serving - self.working)
            self.serving -= idle
            unborn = min(-more - idle, len(self.starting))
            self.starting = sorted(self.starting)[: len(self.starting) - unborn]
            self.condemned += -more - idle - unborn

    def arrive(self, at: float) -> int:
        """Those whose start is over join; how many."""
        joined = 0
        while self.starting and self.starting[0] <= at:
            self.pay(self.starting[0])
            heapq.heappop(self.starting)
            self.serving += 1
            joined += 1
        return joined


class _Lagging:
    """Counts as they were `lag` seconds ago, a little wrong."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._random = np.random.default_rng([seed, 5])
        self._past: deque[tuple[float, int, int, int, float]] = deque()

    def see(self, at: float, waiting: int, in_flight: int, done: int, busy: float) -> tuple[int, int, int, float]:
        self._past.append((at, waiting, in_flight, done, busy))
        while len(self._past) > 1 and self._past[1][0] <= at - self._place.lag:
            self._past.popleft()
        _, waiting, in_flight, done, busy = self._past[0]
        if self._place.noise:
            waiting = max(0, round(waiting * (1 + self._place.noise * self._random.standard_normal())))
        return waiting, in_flight, done, busy


def simulate(load: Load, place: Place, rule: Scaler, *, seed: int = 0, after: int = AFTER) -> Outcome:
    """Run the load, and `after` seconds more so that the fleet can finish and go."""
    if load.jobs is None:
        return _crowd(load, place, rule, seed, load.seconds + after)
    return _jobs(load, load.jobs, place, rule, seed, load.seconds + after)


def _jobs(load: Load, jobs: tuple[Floats, Floats], place: Place, rule: Scaler, seed: int, end: float) -> Outcome:
    """Every job an event: it arrives, begins when a worker is free, ends."""
    arrivals, services = (values.tolist() for values in jobs)
    fleet, eyes = Fleet(place, seed), _Lagging(place, seed)
    outcome = Outcome(load.name, rule.name, len(arrivals), 0, 0, np.empty(0), np.empty(0), 0.0, 0.0)
    queue: deque[int] = deque()
    ends: list[tuple[float, int]] = []
    finished = np.full(len(arrivals), np.nan)
    following, look, done, busy = 0, 0.0, 0, 0.0
    never = float("inf")
    while True:
        arrival = arrivals[following] if following < len(arrivals) else never
        at = min(arrival, ends[0][0] if ends else never, fleet.starting[0] if fleet.starting else never, look, end)
        if at >= end:
            break
        if at == arrival:
            queue.append(following)
            following += 1
        elif ends and at == ends[0][0]:
            _, job = heapq.heappop(ends)
            finished[job] = at
            fleet.working -= 1
            done, busy = done + 1, busy + services[job]
            if fleet.condemned:
                fleet.pay(at)
                fleet.condemned -= 1
                fleet.serving -= 1
        elif at == look:
            waiting, in_flight, reported, work = eyes.see(at, len(queue), fleet.working, done, busy)
            oldest = at - arrivals[queue[0]] if queue and not place.lag else None
            view = View(at, waiting, in_flight, oldest, fleet.size, fleet.serving, reported, work)
            fleet.resize(at, rule.wanted(view))
            outcome.sizes.append((at, fleet.size))
            outcome.backlogs.append((at, len(queue)))
            look += rule.every
        fleet.arrive(at)
        while queue and fleet.working < fleet.serving - fleet.condemned:
            job = queue.popleft()
            fleet.working += 1
            heapq.heappush(ends, (at + services[job], job))
    fleet.pay(end)
    answered = ~np.isnan(finished)
    outcome.latencies = finished[answered] - np.asarray(arrivals)[answered]
    outcome.weights = np.ones(len(outcome.latencies))
    outcome.answered, outcome.waiting = int(answered.sum()), len(queue) + len(ends)
    outcome.paid, outcome.worked = fleet.paid, busy
    return outcome


def _crowd(load: Load, place: Place, rule: Scaler, seed: int, seconds: int) -> Outcome:
    """Second by second: the fleet does what it can of what is there, first come first served."""
    fleet, eyes = Fleet(place, seed), _Lagging(place, seed)
    arrived = np.zeros(seconds + 1)
    left = np.zeros(seconds + 1)
    arrived[1:] = np.cumsum(np.concatenate([load.counts, np.zeros(seconds - load.seconds)]))
    outcome = Outcome(load.name, rule.name, int(arrived[-1]), 0, 0, np.empty(0), np.empty(0), 0.0, 0.0)
    look = 0.0
    for second in range(seconds):
        fleet.arrive(second)
        done = min(arrived[second + 1] - left[second], fleet.serving / load.service)
        left[second + 1] = left[second] + done
        fleet.working = min(fleet.serving, int(np.ceil(done * load.service)))
        if fleet.condemned:  # nobody works for longer than a moment here
            fleet.pay(second)
            fleet.serving -= fleet.condemned
            fleet.condemned = 0
            fleet.working = min(fleet.working, fleet.serving)
        if second >= look:
            backlog = arrived[second + 1] - left[second + 1]
            total = left[second + 1]
            seen = eyes.see(second, int(backlog), fleet.working, int(total), total * load.service)
            view = View(second, seen[0], seen[1], None, fleet.size, fleet.serving, seen[2], seen[3])
            fleet.resize(second, rule.wanted(view))
            outcome.sizes.append((second, fleet.size))
            outcome.backlogs.append((second, int(backlog)))
            look += rule.every
    fleet.pay(seconds)
    _latencies_of_curves(outcome, arrived, left, load.service)
    outcome.answered, outcome.waiting = round(float(left[-1])), round(float(arrived[-1] - left[-1]))
    outcome.paid, outcome.worked = fleet.paid, float(left[-1]) * load.service
    return outcome


def _latencies_of_curves(outcome: Outcome, arrived: Floats, left: Floats, service: float) -> None:
    """Whoever came when `arrived` passed a number went when `left` passed it."""
    counts = np.diff(arrived)
    middles = (arrived[1:] + arrived[:-1]) / 2
    gone = (middles < left[-1]) & (counts > 0)
    passed = np.searchsorted(left, middles[gone], side="right")
    went = passed - (left[passed] - middles[gone]) / (left[passed] - left[passed - 1])
    outcome.latencies = np.maximum(went - np.flatnonzero(gone) - 0.5, 0.0) + service
    outcome.weights = counts[gone]
