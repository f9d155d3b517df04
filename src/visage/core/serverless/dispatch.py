"""Which task is done next on one machine: at least once each, never the same twice at a time.

Chunks go before uploads: what is recognized is out, and the stage stays small. But one process always cuts while there
is something to cut, for otherwise those that recognize would run dry whenever they caught up; and all do for whom there
is no chunk. Beyond `AHEAD` chunks for each process nothing new is cut: it would only lie on the disk. Every processor
is at work in either case, so no other order is faster, and none keeps fewer frames. A long video is cut for a while at
a time; what is left of it queues behind the others, so that short ones do not wait for it.
"""

import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

from visage.core.serverless.uploads import Ask, Task, Upload

# Chunks that may wait for each process before no upload is begun.
AHEAD = 2
# Seconds before a task that failed is tried again; after the last it is given up.
PAUSES = (5.0, 30.0)
# Seconds before giving it up is tried again, where that fails too: doubled with each, up to the longest.
LONGEST_PAUSE = 600.0


@dataclass(frozen=True, slots=True)
class Errand:
    """A task and its fate. version: of the object that asks for it. group: the upload's folder in the stage, or the
    picture's key. tries: how often it was tried. reason: why it is to be given up; None: it is to be done."""

    task: Task
    version: str
    group: str
    tries: int = 0
    reason: str | None = None

    @property
    def cuts(self) -> bool:
        return self.reason is None and self.task.ask in {Ask.SPLIT, Ask.REST}


class Dispatch:
    """Knows no clock: times are seconds of the caller's. workers: how many tasks are done at a time."""

    def __init__(self, workers: int, pauses: Sequence[float] = PAUSES) -> None:
        self._workers = workers
        self._pauses = tuple(pauses)
        self._chunks: deque[Errand] = deque()
        self._cuts: deque[Errand] = deque()
        self._later: list[tuple[float, int, Errand]] = []
        self._numbers = count()
        self._active: set[tuple[Task, str]] = set()
        self._cutting = 0
        self._groups: Counter[str] = Counter()
        self._done: dict[str, set[tuple[Task, str]]] = {}

    @property
    def waiting(self) -> int:
        """Chunks and pictures that nobody has begun."""
        return len(self._chunks)

    def add(self, task: Task, version: str, group: str, *, again: bool = False) -> bool:
        """Whether it is news: a task that waits or is being done is not, nor, unless `again`, one that was done."""
        named = _name(task), version
        if named in self._active or (not again and named in self._done.get(group, ())):
            return False
        self._active.add(named)
        self._groups[group] += 1
        self._queue(Errand(task, version, group))
        return True

    def wake(self, now: float) -> None:
        """Let those wait no longer that failed long enough ago."""
        while self._later and self._later[0][0] <= now:
            self._queue(heapq.heappop(self._later)[2])

    def take(self) -> Errand | None:
        """The next to be done, if there is one; `done` or `failed` is to be called with it afterwards."""
        starved = self._workers > 1 and not self._cutting and len(self._chunks) <= AHEAD * self._workers
        if self._cuts and (starved or not self._chunks):
            self._cutting += 1
            return self._cuts.popleft()
        return self._chunks.popleft() if self._chunks else None

    def due(self, now: float) -> float | None:
        """Seconds until `wake` has something to do."""
        return max(0.0, self._later[0][0] - now) if self._later else None

    def done(self, errand: Errand) -> None:
        self._cutting -= errand.cuts
        self._leave(errand)
        self._done.setdefault(errand.group, set()).add((_name(errand.task), errand.version))

    def failed(self, errand: Errand, reason: str, now: float) -> bool:
        """Try again by and by; whether it was just decided to give it up."""
        self._cutting -= errand.cuts
        tries = errand.tries + 1
        if errand.reason is None and tries <= len(self._pauses):
            self._wait(replace(errand, tries=tries), now + self._pauses[tries - 1])
            return False
        if errand.reason is None:
            self._queue(replace(errand, tries=0, reason=reason))
            return True
        pause = self._pauses[-1] if self._pauses else 1.0
        self._wait(replace(errand, tries=tries), now + min(pause * 2 ** (tries - 1), LONGEST_PAUSE))
        return False

    def drop(self, group: str) -> None:
        """Forget what waits for this group; what is being done is not interrupted."""
        waiting = [*self._chunks, *self._cuts, *(errand for _, _, errand in self._later)]
        self._chunks = deque(one for one in self._chunks if one.group != group)
        self._cuts = deque(one for one in self._cuts if one.group != group)
        self._later = [entry for entry in self._later if entry[2].group != group]
        heapq.heapify(self._later)
        for errand in waiting:
            if errand.group == group:
                self._leave(errand)
        self.forget(group)

    def forget(self, group: str) -> None:
        """Nothing more is expected of it: what was done is news if it comes again."""
        self._done.pop(group, None)

    def is_active(self, group: str) -> bool:
        """Whether anything of it waits or is being done."""
        return group in self._groups

    def is_idle(self) -> bool:
        return not self._active

    def _queue(self, errand: Errand) -> None:
        if errand.reason is not None:  # little work, and somebody waits for the result
            self._chunks.appendleft(errand)
        else:
            (self._cuts if errand.cuts else self._chunks).append(errand)

    def _wait(self, errand: Errand, until: float) -> None:
        heapq.heappush(self._later, (until, next(self._numbers), errand))

    def _leave(self, errand: Errand) -> None:
        self._active.discard((_name(errand.task), errand.version))
        self._groups[errand.group] -= 1
        if not self._groups[errand.group]:
            del self._groups[errand.group]


def _name(task: Task) -> Task:
    """Without the upload: the same putting may have been noticed at two times."""
    return replace(task, upload=None)


def task_to_json(task: Task) -> dict[str, Any]:
    return {"ask": task.ask.value, "key": task.key, "upload": asdict(task.upload) if task.upload else None}


def task_from_json(words: Mapping[str, Any]) -> Task:
    """Of what `task_to_json` made."""
    return Task(Ask(words["ask"]), words["key"], Upload(**words["upload"]) if words["upload"] else None)
