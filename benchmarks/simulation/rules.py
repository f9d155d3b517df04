"""The rules that compete: ours, AWS's target tracking on backlog per instance, and one that knows what will come."""

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from simulation.fleet import AFTER, Place, View
from simulation.loads import Floats, Load
from visage.core.service.scaling import Memory, Reading, Rule, decide


class Ours:
    """`visage.core.service.scaling` itself, as `core/service/autoscale.py` calls it. It is not told how long a job
    takes: `prior` is what it believes at first. Workers report every five seconds."""

    name = "Visage"

    def __init__(self, place: Place, *, prior: float = 0.1, every: float = 5.0, rule: Rule | None = None) -> None:
        self.every = every
        self._rule = rule or Rule(most=place.most, latency=place.latency, service=prior, start=place.start, hold=1)
        self._memory: Memory | None = None
        self._told = (0, 0.0, 0.0)

    def wanted(self, view: View) -> int:
        done, busy = 0, 0.0
        told, work, when = self._told
        if view.at - when >= 5.0:
            done, busy = view.done - told, view.busy - work
            self._told = (view.done, view.busy, view.at)
        reading = Reading(view.at, view.waiting, view.in_flight, view.size, view.oldest, done, busy)
        wanted, self._memory = decide(self._rule, reading, self._memory)
        return wanted


class TargetTracking:
    """What AWS recommends for a queue, in its user guide's "Scaling policy based on Amazon SQS": messages visible per
    instance in service, published every minute, tracked to the acceptable latency divided by the time per message,
    which it is told. Out when 3 of 3 minutes are above the target, in proportion, instances that warm up counted as
    there; in when 15 of 15 are below nine tenths of it, never while instances warm up, rounding what goes down. How
    much "more gradually" it goes in AWS does not say: here by half of what is too much, and again after 15 minutes
    more, which of the ways tried (all, a half, a quarter, a tenth; again every minute or every 15) served it best. At
    zero instances the metric has no value, so a second alarm, on one minute with a message visible, starts one."""

    name = "AWS target tracking"
    every = 60.0

    def __init__(self, place: Place, service: float) -> None:
        self._place = place
        self._target = max(place.latency / service, 1.0)
        self._past: deque[float] = deque(maxlen=15)

    def wanted(self, view: View) -> int:
        if not view.serving:
            self._past.clear()
            return max(view.size, 1 if view.waiting else 0)
        self._past.append(view.waiting / view.serving)
        last = list(self._past)
        if len(last) >= 3 and min(last[-3:]) > self._target:
            return min(max(view.size, math.ceil(view.serving * last[-1] / self._target)), self._place.most)
        if len(last) == 15 and max(last) < 0.9 * self._target and view.size <= view.serving:
            self._past.clear()
            return view.size - max(1, math.floor(view.size * (1 - last[-1] / self._target) / 2))
        return view.size


class Oracle:
    """Knows all arrivals: has as many instances as spread the work of each moment over the wished latency, started in
    time, kept over a gap if it is shorter than a start (or ten seconds)."""

    name = "oracle"
    every = 1.0

    def __init__(self, place: Place, load: Load) -> None:
        counts = np.concatenate([load.counts, np.zeros(AFTER)])
        if load.jobs is None:
            work: Floats = counts * load.service
        else:
            arrivals, services = load.jobs
            work = np.asarray(np.bincount(arrivals.astype(np.int64), services, len(counts)), dtype=np.float64)
        needed = np.zeros(len(work))
        backlog, span = 0.0, max(1.0, 0.6 * place.latency)
        for second, more in enumerate(work.tolist()):
            backlog += more
            needed[second] = min(math.ceil(backlog / span - 1e-9), place.most)
            backlog -= min(backlog, needed[second])
        wide = max(10, int(place.start))
        kept = _sliding(_sliding(needed, wide, np.max), wide, np.min)
        early = int(place.start * 1.2) + 1  # the slowest start
        ahead = np.concatenate([kept, np.zeros(early)])
        self._plan = np.lib.stride_tricks.sliding_window_view(ahead, early + 1).max(axis=1).astype(int)

    def wanted(self, view: View) -> int:
        at = int(view.at)
        planned = int(self._plan[at]) if at < len(self._plan) else 0
        return max(planned, 1) if view.waiting else planned


def _sliding(values: Floats, width: int, of: Callable[..., Floats]) -> Floats:
    """Of the values within `width` around each, the largest or smallest."""
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    return of(windows, axis=1)
