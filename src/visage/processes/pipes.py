"""What both kinds of worker processes have in common: two pipes, to and from the process that started them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

# Seconds: no pause until the next start is longer.
LONGEST_PAUSE = 30.0

# A process group of their own, so that Ctrl-C in a terminal reaches who started them alone, which lets them finish.
_FLAGS: int
_GROUP: int | None
if sys.platform == "win32":
    _FLAGS, _GROUP = subprocess.CREATE_NEW_PROCESS_GROUP, None
else:
    _FLAGS, _GROUP = 0, 0


def start(command: Sequence[str], environment: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    """A process with pipes at its standard input and output. environment: all of its; None: this process's own.

    Raises OSError where it cannot be started."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        creationflags=_FLAGS,
        process_group=_GROUP,
    )


def shut(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):  # who is at its other end is dead
            pipe.close()


def pause(first: float, failures: int) -> float:
    """Seconds until the next start, after so many in a row, at least one, of processes that ended before they were
    ready: `first`, doubled with each further one."""
    return min(first * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)


def take_standard() -> tuple[int, int]:
    """Take standard input and output away from everybody else in this process and its children: a library that prints
    does so on standard error from now on, one that reads finds nothing. Returns descriptors of what the two were."""
    listening, speaking = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return listening, speaking
