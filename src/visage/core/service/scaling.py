"""How many app-tier instances there should be: a pure rule. Time comes with the readings; docs/scaling.md explains it.

Work is counted in seconds of one worker. What is waiting and in hand, and what will arrive meanwhile, is to be done
within a horizon: the wished latency where instances start faster than that, else twice their start-up time, so that
none is started for less work than its start. The fleet grows by what is lacking for that, at once; it shrinks to the
most that was needed lately, so that it follows the peaks of a load and not its noise; after a quiet time it goes.
"""

import math
from dataclasses import dataclass, replace

# A gap between two readings counts as so many seconds at most: a machine that slept, a clock that was set.
LONGEST_GAP = 10.0
# Seconds between two readings below which they are of one moment.
MOMENT = 0.001
# The prior service time weighs as much as so many jobs, and that workers report all of their work as so many seconds
# of it; a job this many jobs ago, and a second this many ago, weigh 1/e of the last.
PRIOR_JOBS, PRIOR_SECONDS = 3.0, 120.0
REMEMBERED_JOBS, REMEMBERED_SECONDS = 300.0, 600.0
# Workers report every few seconds; that nothing was done is believed after so many.
PATIENCE = 15.0
# In start-up times: the least time that a new instance is given for the work it was started for, the time over which
# arrivals are averaged, and the time for which a peak counts.
SHARE, SMOOTH, LINGER = 1.0, 0.5, 2.0
# How finely the recent peaks are remembered: parts of the time they count.
PARTS = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wished.

    least, most: bounds of the size. latency: seconds that an answer may take. quiet: seconds without any work after
    which only `least` stay. service: seconds of one worker per job, until it is measured; start: seconds from asking
    for an instance to its first job, likewise. hold: jobs that a worker has in hand at most.
    tight, easy: the share of their time that workers may be at work under a steady load before there are more, and
    shall be at work after there are fewer. smooth: seconds over which arrivals are averaged, at the least; linger:
    seconds for which a peak counts, at the least. Both are longer where starts take long.
    """

    least: int = 0
    most: int = 20
    latency: float = 2.0
    quiet: float = 300.0
    service: float = 0.1
    start: float = 1.0
    hold: int = 8
    tight: float = 0.92
    easy: float = 0.85
    smooth: float = 20.0
    linger: float = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What is seen. at: seconds of any clock. waiting, in_flight, oldest: as in `Depth`; they may lag. size: instances
    that there are or are being started; it may lag. done, busy: jobs that became known as finished since the reading
    before, and the seconds of work that they took; done is None where nothing could be learned. ready: seconds from a
    worker's start to its readiness, where that became known."""

    at: float
    waiting: int
    in_flight: int
    size: int
    oldest: float | None = None
    done: int | None = None
    busy: float = 0.0
    ready: float | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a job takes one worker. reported: seconds, by what the workers say; jobs: how many that stands for.

    They may not know all that a job costs: while many wait, all workers are at work, and what they then say to have
    worked, `worked`, is less than the time there was, `paid`, by what they leave out. since: when they reported last;
    full: many have waited ever since.
    """

    reported: float
    jobs: float = PRIOR_JOBS
    paid: float = PRIOR_SECONDS
    worked: float = PRIOR_SECONDS
    since: float = 0.0
    full: bool = False

    @property
    def service(self) -> float:
        return self.reported * max(self.paid / self.worked, 1.0)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the rule knows from one reading to the next. Its times are on a clock of its own, which no jump disturbs.

    arrivals: jobs a second. start: seconds, measured as far as it could be. asked: the size last wanted. starting:
    (when, how many) of those not yet at work. peaks: (when, size needed). worked: when the last work was seen. moved:
    when work was last seen to get done. began: when the first instance was asked for, until it works.
    """

    at: float
    clock: float
    backlog: int
    arrivals: float
    speed: Speed
    start: float
    asked: int
    asked_at: float
    starting: tuple[tuple[float, int], ...]
    peaks: tuple[tuple[float, int], ...]
    worked: float
    moved: float
    began: float | None

    @property
    def service(self) -> float:
        """Seconds of one worker per job."""
        return self.speed.service


def decide(rule: Rule, reading: Reading, memory: Memory | None = None) -> tuple[int, Memory]:
    """The wanted size, least..most, and what to remember for the next reading; None at the first."""
    known = _learned(rule, reading, memory) if memory else _first(rule, reading)
    size = _present(reading, known)
    grown = _grown(rule, reading, known, size)
    peaks = _with_peak(rule, known, max(grown, _needed(rule, known)))
    lately = max(need for _, need in peaks)
    busy = math.ceil(reading.in_flight / rule.hold)
    wanted = max(grown, min(size, max(lately, 1)), min(max(size, reading.size), busy))
    if not known.backlog and known.clock - known.worked >= rule.quiet:
        wanted, peaks = rule.least, ((known.clock, rule.least),)
    wanted = min(max(wanted, rule.least), rule.most)
    return wanted, _asked(known, size, wanted, peaks)


def _first(rule: Rule, reading: Reading) -> Memory:
    """Nothing is known but what is there; the fleet is left as it is for a while."""
    return Memory(
        at=reading.at,
        clock=0.0,
        backlog=reading.waiting + reading.in_flight,
        arrivals=0.0,
        speed=Speed(reading.busy / reading.done if reading.done and reading.busy > 0 else rule.service),
        start=rule.start,
        asked=reading.size,
        asked_at=0.0,
        starting=(),
        peaks=((0.0, reading.size),),
        worked=0.0,
        moved=0.0,
        began=None,
    )


def _learned(rule: Rule, reading: Reading, memory: Memory) -> Memory:
    """What this reading teaches about arrivals, service time and start-up time."""
    passed = min(max(reading.at - memory.at, 0.0), LONGEST_GAP)
    clock = memory.clock + passed
    backlog = reading.waiting + reading.in_flight
    arrivals = memory.arrivals
    if passed > 0:
        # Not cut off at zero: a count that lags makes a negative rate now and a high one later, and they cancel out.
        # Two readings at nearly one moment tell of no rate.
        rate = (backlog - memory.backlog + (reading.done or 0)) / max(passed, MOMENT)
        arrivals += (1 - math.exp(-passed / _smooth(rule, memory.start))) * (rate - arrivals)
    stands = reading.done == 0 and reading.in_flight > 0 and backlog >= memory.backlog
    start, began = max(memory.start, _believable(rule, reading.ready or 0.0)), memory.began
    if began is not None and (reading.in_flight or reading.done):
        start, began = (start + _believable(rule, clock - began)) / 2, None
    return replace(
        memory,
        at=reading.at,
        clock=clock,
        backlog=backlog,
        arrivals=arrivals,
        speed=_speed(reading, memory, clock),
        start=start,
        starting=tuple(batch for batch in memory.starting if clock - batch[0] < start),
        worked=clock if backlog else memory.worked,
        moved=memory.moved if stands else clock,
        began=began,
    )


def _speed(reading: Reading, memory: Memory, clock: float) -> Speed:
    """What the workers' reports, where there are some, say about the length of jobs."""
    speed = memory.speed
    settled = not memory.starting and clock - memory.asked_at > memory.start + PATIENCE
    # Enough for all of them until the next reading, and as much again.
    plenty = reading.waiting * speed.service > 2 * memory.asked * (clock - memory.clock)
    full = speed.full and plenty and settled and reading.done is not None
    if not reading.done or reading.busy <= 0:
        return replace(speed, full=full)
    jobs = speed.jobs * math.exp(-reading.done / REMEMBERED_JOBS)
    reported = (jobs * speed.reported + reading.busy) / (jobs + reading.done)
    paid, worked = speed.paid, speed.worked
    if full:
        passed = clock - speed.since
        kept = math.exp(-passed / REMEMBERED_SECONDS)
        paid, worked = kept * paid + passed * memory.asked, kept * worked + reading.busy
    return Speed(reported, jobs + reading.done, paid, worked, since=clock, full=plenty)


def _believable(rule: Rule, start: float) -> float:
    """A start-up time that was measured: a fleet that got no instance for an hour does not need an hour for each."""
    return min(max(start, rule.start / 4), rule.start * 4)


def _present(reading: Reading, known: Memory) -> int:
    """The size, where the reading may not show yet what was asked for a moment ago."""
    lagging = known.clock - known.asked_at < max(2 * known.start, 5.0)
    return known.asked if lagging else reading.size


def _grown(rule: Rule, reading: Reading, known: Memory, size: int) -> int:
    """The size that clears the backlog, and what arrives meanwhile, within the horizon; 0 where it need not grow."""
    if not reading.waiting:  # what is in hand, no further worker could take
        return 0
    start = known.start
    late = reading.oldest or 0.0
    share = max(rule.latency - start - late, SHARE * start, 0.1)  # the time that an instance started now has for it
    horizon = start + share
    power = max(size * horizon - _missing(known), 0.0)
    lack = _work(known) + _load(known) * horizon - power
    more = max(math.ceil(lack / share - 1e-9), math.ceil(_load(known) / rule.tight - 1e-9) - size)
    if more > 0:
        # No more than have something to do when they are ready.
        coming = math.floor(max(known.arrivals, 0.0) * start)
        return max(size, min(size + min(more, reading.waiting + coming), known.backlog + coming))
    return 0 if size else 1


def _needed(rule: Rule, known: Memory) -> int:
    """The size that keeps up with the load, and clears the backlog in time."""
    horizon = max(rule.latency, 2 * known.start)
    return math.ceil(_load(known) / rule.easy + _work(known) / horizon - 1e-9)


def _work(known: Memory) -> float:
    """Seconds of one worker in what is waiting and in hand."""
    return known.backlog * _service(known)


def _load(known: Memory) -> float:
    """Workers that the arrivals keep at work."""
    return max(known.arrivals, 0.0) * known.service


def _service(known: Memory) -> float:
    """Seconds per job; where no job gets done for long, they are longer than those measured before."""
    return max(known.service, known.clock - known.moved - PATIENCE)


def _missing(known: Memory) -> float:
    """Seconds of one worker that are lost until those being started are at work."""
    return sum(count * (known.start - (known.clock - when)) for when, count in known.starting)


def _smooth(rule: Rule, start: float) -> float:
    return max(rule.smooth, SMOOTH * start)


def _with_peak(rule: Rule, known: Memory, need: int) -> tuple[tuple[float, int], ...]:
    """The recent peaks and this one, by parts of the time for which they count."""
    linger = max(rule.linger, LINGER * known.start)
    kept = [peak for peak in known.peaks if known.clock - peak[0] < linger]
    if kept and known.clock - kept[-1][0] < linger / PARTS:
        when, highest = kept.pop()
        return (*kept, (when, max(highest, need)))
    return (*kept, (known.clock, need))


def _asked(known: Memory, size: int, wanted: int, peaks: tuple[tuple[float, int], ...]) -> Memory:
    starting = known.starting
    if wanted > size:
        starting = (*starting, (known.clock, wanted - size))
    elif wanted < size:
        starting = ()
    return replace(
        known,
        asked=wanted,
        asked_at=known.clock if wanted != size else known.asked_at,
        starting=starting,
        peaks=peaks,
        began=known.clock if size == 0 and wanted > 0 else (known.began if wanted else None),
    )
