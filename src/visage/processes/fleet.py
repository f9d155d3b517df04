"""App-tier instances as processes of this machine."""

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from visage.core.errors import FleetError
from visage.processes import pipes

# Seconds until the next start, after a worker that ended before it was ready; after more of them, see `pipes.pause`.
FIRST_PAUSE = 0.5
# Seconds that a process has to end after SIGTERM, before it is killed.
TERMINATION = 5.0

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Worker:
    """A process that runs, and what it said last. condemned: to go as soon as it is idle. told: its input is closed."""

    process: "subprocess.Popen[bytes]"
    listener: threading.Thread
    ready: bool = False
    busy: bool = False
    condemned: bool = False
    told: bool = False

    @property
    def stays(self) -> bool:
        return not self.condemned and not self.told


class ProcessFleet:
    """Runs `command` as often as is wished, at most `limit` times, besides those that finish their last work.

    Each process speaks with the fleet as `PipeStation` does: it writes `ready`, `busy` and `idle` to its standard
    output, and leaves, its work done, when its standard input ends, as it also does when the fleet's own process dies.
    Its standard error is the fleet's. One that ends unasked is replaced at the next `size` or `resize`; where they end
    before they are ready, later and later.

    environment: all of theirs; None: the fleet's own. grace: seconds that `close` leaves them to finish their work.
    """

    def __init__(
        self, command: Sequence[str], *, limit: int, environment: Mapping[str, str] | None = None, grace: float = 30.0
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment) if environment is not None else None
        self._limit = limit
        self._grace = grace
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._wanted = 0
        self._failures = 0
        self._next_start = 0.0
        self._closed = False

    def size(self) -> int:
        with self._lock:
            self._adjust()
            return sum(worker.stays for worker in self._workers)

    def resize(self, size: int) -> None:
        with self._lock:
            self._wanted = max(0, min(size, self._limit))
            self._adjust()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wanted = 0
            workers = list(self._workers)
            for worker in workers:
                self._dismiss(worker)
        left = _await(workers, self._grace)
        if left:
            _log.warning("%s workers are still at work after %g s and are asked to end", len(left), self._grace)
        for worker in left:
            worker.process.terminate()
        left = _await(left, TERMINATION)
        for worker in left:
            _log.warning("worker %s does not end and is killed", worker.process.pid)
            worker.process.kill()
        for worker in workers:
            worker.listener.join(TERMINATION)

    def _adjust(self) -> None:
        """Bring the workers that stay to the wanted number, as far as that can be done now."""
        if self._closed:
            return
        staying = [worker for worker in self._workers if worker.stays]
        for worker in self._workers:
            if len(staying) < self._wanted and worker.condemned and not worker.told:
                worker.condemned = False
                staying.append(worker)
        while len(staying) < self._wanted and time.monotonic() >= self._next_start:
            staying.append(self._start())
        surplus = max(0, len(staying) - self._wanted)
        # Those at work come last, and are only marked.
        for worker in sorted(staying, key=lambda one: one.busy)[:surplus]:
            worker.condemned = True
            if not worker.busy:
                self._dismiss(worker)

    def _start(self) -> _Worker:
        try:
            process = pipes.start(self._command, self._environment)
        except OSError as error:
            self._pause()
            raise FleetError(
                f"a worker cannot be started ({self._command[0]}: {error.strerror}); "
                "look after the installation and the memory that is left"
            ) from error
        worker = _Worker(process, threading.Thread(target=lambda: self._listen(worker), name="fleet", daemon=True))
        self._workers.append(worker)
        worker.listener.start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """What a worker says until it ends, on a thread of its own."""
        output = cast("IO[bytes]", worker.process.stdout)
        for line in output:
            self._heard(worker, line.strip())
        output.close()
        code = worker.process.wait()
        with self._lock:
            self._workers.remove(worker)
            pipes.shut(worker.process.stdin)
            if self._closed or worker.told:
                return
            if not worker.ready:
                self._pause()
            _log.warning("worker %s ended unasked, %s", worker.process.pid, _cause(code))

    def _heard(self, worker: _Worker, word: bytes) -> None:
        with self._lock:
            if word == b"ready":
                worker.ready = True
                self._failures = 0
            elif word == b"busy":
                worker.busy = True
            elif word == b"idle":
                worker.busy = False
                if worker.condemned:
                    self._dismiss(worker)

    def _pause(self) -> None:
        """No further start for a while: one has just failed."""
        self._failures += 1
        self._next_start = time.monotonic() + pipes.pause(FIRST_PAUSE, self._failures)

    @staticmethod
    def _dismiss(worker: _Worker) -> None:
        worker.told = True
        pipes.shut(worker.process.stdin)


def _await(workers: list[_Worker], seconds: float) -> list[_Worker]:
    """Those that have not ended after so many seconds."""
    deadline = time.monotonic() + seconds
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(max(0.0, deadline - time.monotonic()))
    return [worker for worker in workers if worker.process.poll() is None]


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"with exit code {code}"
