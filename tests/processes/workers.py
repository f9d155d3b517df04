"""Tiny worker processes that speak with a fleet as the real ones do."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Told what to do by files in its folder: PID.busy is made -> it has work; removed -> it is idle.
GOOD = """
import os, pathlib, sys, time
from visage.processes.station import PipeStation
folder = pathlib.Path(sys.argv[1])
station = PipeStation.standard()
print("a library's chatter, ready, busy")
(folder / f"{os.getpid()}.here").touch()
station.ready()
work, said = (folder / f"{os.getpid()}.{kind}" for kind in ("busy", "said"))
while work.exists() or not station.leaving():
    station.busy(working := work.exists())
    said.touch() if working else said.unlink(missing_ok=True)
    time.sleep(0.01)
(folder / f"{os.getpid()}.left").touch()
"""

BROKEN = """
import os, pathlib, sys
(pathlib.Path(sys.argv[1]) / f"{os.getpid()}.here").touch()
sys.exit(3)
"""

# Hears nobody: not its fleet, not SIGTERM.
DEAF = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(pathlib.Path(sys.argv[1]) / f"{os.getpid()}.here").touch()
print("ready", flush=True)
time.sleep(600)
"""


class Floor:
    """A folder in which the workers of one fleet are seen at work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, code: str = GOOD) -> list[str]:
        return [sys.executable, "-c", code, str(self.folder)]

    def seen(self) -> list[int]:
        """Everybody who ever came, by process id."""
        return sorted(int(path.stem) for path in self.folder.glob("*.here"))

    def alive(self) -> list[int]:
        return [pid for pid in self.seen() if runs(pid)]

    def left(self) -> list[int]:
        """Those who went of their own accord, their work done."""
        return sorted(int(path.stem) for path in self.folder.glob("*.left"))

    def work(self, pid: int) -> None:
        """Give it work, and wait until it has told its fleet."""
        (self.folder / f"{pid}.busy").touch()
        assert soon((self.folder / f"{pid}.said").exists)
        time.sleep(0.2)  # until the fleet has heard it

    def finish(self, pid: int) -> None:
        """Its work is done."""
        (self.folder / f"{pid}.busy").unlink()

    def clear(self) -> None:
        """Whatever a test left running is ended by its id."""
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and was not reaped counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def soon(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether it comes true in time. It looks less and less often: what takes long is not made longer by looking."""
    begun = time.monotonic()
    while not what():
        waited = time.monotonic() - begun
        if waited > seconds:
            return False
        time.sleep(min(0.1, 0.01 + waited / 20))
    return True


def quickest(attempt: Callable[[], float], enough: float) -> float:
    """The shortest of the times that an attempt takes: what can be quick is not always so on a busy machine. Twenty
    attempts at most; none after one that is below `enough`. All in seconds."""
    best = attempt()
    for _ in range(19):
        if best < enough:
            break
        best = min(best, attempt())
    return best
