"""What takes long to find out, and need not be quite new."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from visage.core.errors import VisageError

# Seconds after which what failed is tried again, and for which a request waits for what is not known yet.
_AGAIN = 5.0
PATIENCE = 2.0

T = TypeVar("T")


class Remembered(Generic[T]):
    """What `read` gave, found out anew, on a thread of its own, by whoever asks once it is older than `age` seconds.

    So no request waits for a bucket with a million objects to be listed, and no two list it at once.
    """

    def __init__(
        self,
        read: Callable[[], T],
        age: float,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._age = age
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._known: T | None = None
        self._until = float("-inf")
        self._reading: threading.Event | None = None

    def __call__(self) -> T | None:
        """What is known. Where that is old, the new value if it comes within `patience` seconds. None where it never
        came so far, or the last reading failed."""
        with self._lock:
            if self._reading is None and self._clock() >= self._until:
                self._reading = threading.Event()
                threading.Thread(target=self._refresh, args=(self._reading,), daemon=True).start()
            reading = self._reading
        if reading is not None:
            reading.wait(self._patience)
        return self._known

    def _refresh(self, reading: threading.Event) -> None:
        known, age = None, min(self._age, _AGAIN)
        try:
            known, age = self._read(), self._age
        except VisageError:  # whoever asks says so in its own words
            pass
        finally:
            with self._lock:
                self._known, self._until, self._reading = known, self._clock() + age, None
            reading.set()
