"""One step of the autoscaler: read queue, fleet and workers, decide by `core/service/scaling.py`, ask the fleet, say
so."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.fleet import Fleet
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Queue
from visage.core.service.records import WORKERS
from visage.core.service.scaling import Memory, Reading, Rule, decide

# Where the autoscaler says how things stand.
STATE = "fleet.json"
# Seconds between two looks at the workers' reports, two writings of the state, and two askings of a fleet that lags.
REPORTS = 5.0
WRITING = 5.0
ASKING = 30.0
# A report is a few numbers; what is longer than so many bytes is none.
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Decision:
    """What was seen and what was asked for. service: seconds of one worker per job, as far as it is known. problems:
    what went wrong without keeping the fleet from being scaled, a message each."""

    size: int
    wanted: int
    waiting: int
    in_flight: int
    service: float
    problems: tuple[str, ...] = ()

    @property
    def quiet(self) -> bool:
        """Nothing to do."""
        return not self.waiting and not self.in_flight


@dataclass(frozen=True, slots=True)
class _Report:
    """What one worker has done so far, and when that was written (opaque)."""

    written: float
    jobs: int
    busy: float
    ready: float
    at: float


class Autoscaler:
    """Keeps `fleet` as large as `rule` wishes for `queue`. There must be one at most for a fleet.

    outputs: the store in which workers report, as `workers/ID.json`, and in which the state is kept, as `fleet.json`.
    clock: seconds, for the rule. now: seconds since 1970, for the state.
    """

    def __init__(
        self,
        queue: Queue,
        fleet: Fleet,
        outputs: Objects,
        rule: Rule,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._fleet = fleet
        self._outputs = outputs
        self._rule = rule
        self._clock = clock
        self._now = now
        self._memory: Memory | None = None
        self._reports: dict[str, _Report] | None = None
        self._asked: tuple[float, int] | None = None
        self._written: tuple[float, int, int] | None = None
        self._looked = -math.inf
        self._worked = -math.inf

    def step(self) -> Decision:
        """Look, decide, and act if need be. Raises `StorageError` where the queue cannot be read, `FleetError` where
        the fleet cannot be counted or changed; the next step may be tried as if nothing had happened."""
        problems: list[str] = []
        depth = self._queue.depth()
        size = self._fleet.size()
        at = self._clock()
        if depth.waiting or depth.in_flight:
            self._worked = at
        done, busy, ready = self._learn(at, problems)
        reading = Reading(at, depth.waiting, depth.in_flight, size, depth.oldest, done, busy, ready)
        wanted, self._memory = decide(self._rule, reading, self._memory)
        self._ask(at, size, wanted)
        decision = Decision(size, wanted, depth.waiting, depth.in_flight, self._memory.service)
        self._tell(at, decision, problems)
        return Decision(size, wanted, depth.waiting, depth.in_flight, self._memory.service, tuple(problems))

    def _ask(self, at: float, size: int, wanted: int) -> None:
        """Not again and again while a fleet takes its time, yet again where it was changed by somebody else."""
        asked_at, asked = self._asked or (-math.inf, size)
        if wanted != asked or (wanted != size and at - asked_at >= ASKING):
            self._fleet.resize(wanted)
            self._asked = (at, wanted)

    def _learn(self, at: float, problems: list[str]) -> tuple[int | None, float, float | None]:
        """Jobs done since the last look, the seconds they took, and the start-up time of who is new."""
        if self._reports is not None and (at - self._looked < REPORTS or at - self._worked > 3 * REPORTS):
            return 0, 0.0, None
        try:
            reports = self._read()
        except StorageError as error:
            problems.append(str(error))
            return None, 0.0, None
        finally:
            self._looked = at
        known, self._reports = self._reports, reports
        if known is None:  # the first look says how long jobs take here, but not when they were done
            recent = [report for report in reports.values() if self._now() - report.at < 3600]
            return sum(report.jobs for report in recent), sum(report.busy for report in recent), None
        jobs, busy, ready = 0, 0.0, []
        for key, report in reports.items():
            before = known.get(key)
            if before is None:
                ready.append(report.ready)
            if before is None or report.jobs < before.jobs:  # a new worker, or one that began anew
                jobs, busy = jobs + report.jobs, busy + report.busy
            else:
                jobs, busy = jobs + report.jobs - before.jobs, busy + max(report.busy - before.busy, 0.0)
        return jobs, busy, max(ready, default=None)

    def _read(self) -> dict[str, _Report]:
        """The workers' reports; those that have not changed are not read again."""
        known, found = self._reports or {}, {}
        for stored in self._outputs.list(WORKERS):
            before = known.get(stored.key)
            if before and before.written == stored.modified:
                found[stored.key] = before
            elif stored.size <= LONGEST:
                try:
                    report = _parse(self._outputs.get(stored.key), stored.modified)
                except NoObjectError:  # it was swept a moment ago
                    continue
                if report:
                    found[stored.key] = report
        return found

    def _tell(self, at: float, decision: Decision, problems: list[str]) -> None:
        written, *figures = self._written or (-math.inf, -1, -1)
        if figures == [decision.size, decision.wanted] and at - written < WRITING:
            return
        state = {
            "size": decision.size,
            "wanted": decision.wanted,
            "max": self._rule.most,
            "service": round(decision.service, 6),
            "waiting": decision.waiting,
            "in_flight": decision.in_flight,
            "at": self._now(),
        }
        self._written = (at, decision.size, decision.wanted)
        try:
            self._outputs.put(STATE, json.dumps(state).encode())
        except StorageError as error:
            problems.append(str(error))


def _parse(data: bytes, written: float) -> _Report | None:
    """None for what is no report: it may have been written by anybody."""
    try:
        fields: Any = json.loads(data)
        report = _Report(
            written, int(fields["jobs"]), float(fields["busy"]), float(fields["ready"]), float(fields["at"])
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    sound = all(math.isfinite(value) and value >= 0 for value in (report.jobs, report.busy, report.ready))
    return report if sound else None
