"""Where a worker process sits that gets its tasks from a pool."""

import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from visage.processes import pipes


class PipeSeat:
    """A worker of a `TaskPool`: it hears of tasks on one pipe and says on the other what became of them.

    When the pool wants it gone, or is gone itself, it does what it has in hand, and no more. listening, speaking:
    descriptors of the two pipes, which are the seat's from now on.
    """

    def __init__(self, listening: int, speaking: int) -> None:
        self._speaking = speaking
        self._stopping = False
        self._heard: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._name: object = None
        threading.Thread(target=self._listen, args=(listening,), name="seat", daemon=True).start()

    @classmethod
    def standard(cls) -> "PipeSeat":
        """At standard input and output, which are taken away from everybody else in this process and its children."""
        return cls(*pipes.take_standard())

    def tasks(self) -> Iterator[Mapping[str, Any]]:
        """Say that it is ready; then each task's words, until it is to leave. `done` is to be called after each."""
        self._say({"ready": True})
        while (heard := self._heard.get()) is not None and not self._stopping:
            self._name = heard["name"]
            yield heard["task"]

    def done(self, failure: str | None = None) -> None:
        """What became of the task."""
        self._say({"name": self._name, "failure": failure})

    def stopping(self) -> bool:
        """Whether no time is left for what is in hand, if others can go on with it."""
        return self._stopping

    def leave(self) -> None:
        """For the handler of a signal."""
        self._stopping = True
        self._heard.put(None)

    def _say(self, words: Mapping[str, Any]) -> None:
        left = json.dumps(words).encode() + b"\n"
        try:
            while left:
                left = left[os.write(self._speaking, left) :]
        except OSError:  # the pool is gone
            self.leave()

    def _listen(self, descriptor: int) -> None:
        try:
            with os.fdopen(descriptor, "rb") as lines:
                for line in lines:
                    words = json.loads(line)
                    if "stop" in words:
                        self._stopping = True
                    else:
                        self._heard.put(words)
        except (OSError, ValueError):  # cut off with the pool
            pass
        self.leave()
