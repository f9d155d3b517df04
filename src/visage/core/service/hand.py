"""What an app-tier worker has in hand: leased jobs that are neither done nor given back."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visage.core.ports.queue import Delivery
from visage.core.tickets import Ticket


@dataclass(frozen=True)
class Held:
    """A leased job."""

    ticket: Ticket
    delivery: Delivery

    @property
    def receipt(self) -> str:
        return self.delivery.receipt

    @property
    def again(self) -> bool:
        """Somebody had it before, and it came back."""
        return self.delivery.count > 1


class Hand:
    """Receipts in hand, at most `size`; used by several threads. busy: called when it fills and when it is empty.

    clock: seconds."""

    def __init__(self, size: int, busy: Callable[[bool], None], clock: Callable[[], float]) -> None:
        self._size = size
        self._busy = busy
        self._clock = clock
        self._worked = 0.0
        self._since = 0.0
        self._receipts: dict[str, int] = {}
        self._changed = threading.Condition()
        self._shut = False

    def room(self, wait: float) -> int:
        """How many more there is room for; where there is none, wait so many seconds for some."""
        with self._changed:
            if not self._free():
                self._changed.wait(wait)
            return self._free()

    def take(self, receipts: Sequence[str]) -> None:
        with self._changed:
            was_empty = not self._receipts
            self._receipts.update(dict.fromkeys(receipts, 0))
            if was_empty and receipts:
                self._since = self._clock()
                self._busy(True)

    def weigh(self, receipt: str, pixels: int) -> None:
        """Note how many decoded pixels wait for the networks with it; 0 again when they are through."""
        with self._changed:
            if receipt in self._receipts:
                self._receipts[receipt] = pixels
                self._changed.notify_all()

    def wait_for_pixels(self, most: int, wait: float) -> bool:
        """Whether no more than so many pixels wait, or come to within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: sum(self._receipts.values()) <= most, wait)

    def drop(self, receipts: Sequence[str]) -> None:
        """Done, given back or lost."""
        with self._changed:
            was_empty = not self._receipts
            for receipt in receipts:
                self._receipts.pop(receipt, None)
            if not self._receipts and not was_empty:
                self._worked += self._clock() - self._since
                self._busy(False)
            self._changed.notify_all()

    def has(self, receipt: str) -> bool:
        with self._changed:
            return receipt in self._receipts

    def worked(self) -> float:
        """Seconds during which something was in hand, so far."""
        with self._changed:
            return self._worked + (self._clock() - self._since if self._receipts else 0.0)

    def receipts(self) -> list[str]:
        with self._changed:
            return list(self._receipts)

    def shut(self, closed: bool) -> None:
        """While it is shut there is no room: what is under way takes long."""
        with self._changed:
            self._shut = closed
            self._changed.notify_all()

    def _free(self) -> int:
        return 0 if self._shut else max(0, self._size - len(self._receipts))
