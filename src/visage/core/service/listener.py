"""Who hears the replies, and wakes those who wait for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from visage.core.errors import VisageError
from visage.core.ports.queue import Mailbox

# Seconds for which it listens at a time.
_LISTEN = 5.0


class Listener:
    """Used by many threads at once; one thread of its own listens."""

    def __init__(self, mailbox: Mailbox, pause: float) -> None:
        """mailbox: closed with it. pause: seconds until it listens again where it cannot just now."""
        self._mailbox = mailbox
        self._pause = pause
        self._waiting: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._listen, name="visage-replies", daemon=True)
        self._thread.start()

    @contextmanager
    def awaited(self, ticket_id: str) -> Iterator[threading.Event]:
        """An event that is set by a reply about this job; several may wait for one job."""
        event = threading.Event()
        with self._lock:
            self._waiting.setdefault(ticket_id, []).append(event)
        try:
            yield event
        finally:
            with self._lock:
                self._waiting[ticket_id].remove(event)
                if not self._waiting[ticket_id]:
                    del self._waiting[ticket_id]

    def close(self) -> None:
        self._open = False
        self._mailbox.close()
        self._thread.join(timeout=2 * _LISTEN)

    def _listen(self) -> None:
        while self._open:
            try:
                replies = self._mailbox.receive(_LISTEN)
            except VisageError:  # who waits looks by itself
                threading.Event().wait(self._pause)
                continue
            with self._lock:
                for ticket_id in replies:
                    for event in self._waiting.get(ticket_id, ()):
                        event.set()
