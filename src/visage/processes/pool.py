"""Tasks performed by processes of this machine, each by one that does nothing else meanwhile."""

import json
import logging
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from visage.processes import pipes

# Seconds until the next start, after a process that ended before it was ready; after more of them, see `pipes.pause`.
FIRST_PAUSE = 0.5
# Seconds that a process may take until it is ready.
READY = 120.0
# Seconds that a process has to end once it was told to, before it is killed.
TERMINATION = 5.0
# Seconds after which whoever waits for the end looks up.
_STEP = 0.2

_log = logging.getLogger(__name__)

# How a process ends that was just told to leave, by whomever: it had not begun with what it was given then.
_LEFT = "ended with exit code 0"

# Told of every task that was started, once: its name, and why it failed; None where it did not.
Told = Callable[[int, str | None], None]


@dataclass(frozen=True, slots=True)
class _Task:
    name: int
    words: Mapping[str, Any]
    kind: str


class TaskPool:
    """Runs `command` at most `size` times, each with one task at a time.

    Each process speaks with the pool as `PipeSeat` does, a line of JSON at a time; its standard error is the pool's. It
    is started when there is a task for which nobody else is free, and ends, its work done, when the pool closes, when
    there was nothing to do for `quiet` seconds, or when the pool's own process dies. One that dies, or is at a task for
    more than `limit` seconds and is killed, fails that task alone; the next task gets a new process.

    told: called on threads of the pool's. environment: all of the processes'; None: the pool's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        told: Told,
        *,
        size: int,
        limit: float,
        environment: Mapping[str, str] | None = None,
        quiet: float = 300.0,
    ) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._free = [_Slot(list(command), environment, limit, quiet, self._finished) for _ in range(size)]
        self._slots = list(self._free)
        self._closed = False

    def free(self) -> int:
        """How many tasks can be started now."""
        with self._lock:
            return 0 if self._closed else len(self._free)

    def start(self, name: int, words: Mapping[str, Any], kind: str) -> None:
        """Only while somebody is free. kind: best done by a process that has done its like before, else by the one
        that was at work last: so no more of them grow large than are needed."""
        with self._lock:
            slot = max(self._free, key=lambda one: (one.kind == kind, one.used))
            self._free.remove(slot)
            slot.give(_Task(name, words, kind))

    def stop(self) -> None:
        """Tell those at work that no time is left; whoever can leave a task to others does."""
        for slot in self._slots:
            slot.say({"stop": True})

    def close(self, grace: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Let the tasks in hand finish, for `grace` seconds or until `hurry` says so; whoever is still at one is
        killed. Twice is once."""
        with self._lock:
            self._closed = True
        for slot in self._slots:
            slot.give(None)
        deadline = time.monotonic() + grace
        for slot in self._slots:
            while not slot.join(_STEP) and time.monotonic() < deadline and not hurry():
                pass
        for slot in self._slots:
            slot.kill()

    def _finished(self, slot: "_Slot", task: _Task, failure: str | None) -> None:
        with self._lock:
            self._free.append(slot)
        self._told(task.name, failure)


class _Slot:
    """One process or none, and the thread that speaks with it. used: when it was last given something."""

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str] | None,
        limit: float,
        quiet: float,
        finished: Callable[["_Slot", _Task, str | None], None],
    ) -> None:
        self._command = command
        self._environment = dict(environment) if environment is not None else None
        self._limit = limit
        self._quiet = quiet
        self._finished = finished
        self._box: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of the process's standard input
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="task-pool", daemon=True)
        self._thread.start()
        self.kind = ""
        self.used = 0.0

    def give(self, task: _Task | None) -> None:
        """None: it is to end its process when it has done what it has."""
        if task:
            self.kind, self.used = task.kind, time.monotonic()
        else:
            self._leaving.set()
        self._box.put(task)

    def say(self, words: Mapping[str, Any]) -> bool:
        """Whether there is somebody who may hear it."""
        with self._lock:
            if self._process is None or self._process.stdin is None:
                return False
            try:
                self._process.stdin.write(json.dumps(words).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:  # it is dead
                return False
            return True

    def join(self, seconds: float) -> bool:
        """Whether it came to its end in so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End it, whatever it is at."""
        with self._lock:
            if self._process is not None:
                _log.warning("worker %s is still at work and is killed", self._process.pid)
                self._process.kill()
        self._thread.join(TERMINATION)

    def _work(self) -> None:
        while True:
            try:
                task = self._box.get(timeout=self._quiet if self._process else None)
            except queue.Empty:
                self._end()
                continue
            if task is None:
                self._end()
                return
            self._finished(self, task, self._perform(task))

    def _perform(self, task: _Task) -> str | None:
        """Why it failed, if it did."""
        for _ in range(2):
            if self._process is not None and self._process.poll() is not None:  # killed while it had nothing to do
                self._end()
            if self._process is None and (failure := self._begin()):
                return failure
            self.say({"name": task.name, "task": task.words})
            heard, late = self._hear(self._limit)
            if heard is not None and heard.get("name") == task.name:
                failure = heard.get("failure")
                return None if failure is None else str(failure)
            cause = self._end()
            if late:
                return f"it was not done within {self._limit:g} s, and its process was killed"
            if cause != _LEFT:
                break
        return f"its process {cause}"

    def _begin(self) -> str | None:
        """Start a process and wait until it is ready; what was wrong, if anything."""
        if self._failures:
            self._leaving.wait(pipes.pause(FIRST_PAUSE, self._failures))
        self._failures += 1
        try:
            process = pipes.start(self._command, self._environment)
        except OSError as error:
            return f"no process can be started for it ({self._command[0]}: {error.strerror})"
        with self._lock:
            self._process = process
        heard, late = self._hear(READY)
        if heard is None:
            cause = self._end()
            if late:
                cause = f"was killed after {READY:g} s"
            return f"its process {cause}, before it was ready"
        self._failures = 0
        return None

    def _hear(self, seconds: float) -> tuple[Mapping[str, Any] | None, bool]:
        """The next thing the process says, if it says anything that makes sense; whether it took too long over it."""
        process = cast("subprocess.Popen[bytes]", self._process)
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        line = cast("IO[bytes]", process.stdout).readline()
        timer.cancel()
        try:
            said = json.loads(line)
        except ValueError:  # cut off, or nothing
            return None, late.is_set()
        return (said if isinstance(said, dict) else None), late.is_set()

    def _end(self) -> str:
        """End the process; how it ended."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return "ended"
        pipes.shut(process.stdin)
        pipes.shut(process.stdout)
        try:
            code = process.wait(TERMINATION)
        except subprocess.TimeoutExpired:
            _log.warning("worker %s does not end and is killed", process.pid)
            process.kill()
            code = process.wait()
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
