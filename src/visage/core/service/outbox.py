"""Where finished jobs go: the result stored, the waiting web process told, the message taken off the queue."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from visage.core.answers import Answer
from visage.core.errors import (
    FaultError,
    GalleryError,
    ModelError,
    NoGalleryError,
    OtherModelError,
    PublishedError,
    StorageError,
    VisageError,
)
from visage.core.ports.queue import Queue, Replies
from visage.core.service.hand import Hand, Held
from visage.core.service.keeper import Keeper, Kept
from visage.core.service.records import Records
from visage.core.tickets import Ticket, failure_of, result_of
from visage.core.unknown.strangers import Strangers

# Seconds until what failed for no fault of the job is tried again; they grow with every try up to the second number,
# since a queue may count the tries and give a message up.
RETRY = 2.0
LATEST = 60.0

# An event and its facts, for the log; no names of people or files among them.
Log = Callable[..., None]

# Sees to what follows from the end of a job that is part of another, before its message is removed: the ticket, and
# what was stored of it (None: another's is in the store). The ticket of the whole where that is over by it.
Ended = Callable[[Ticket, dict[str, Any] | None], Ticket | None]


@dataclass(frozen=True)
class _Finished:
    """result: None where there was one already. over: whether there is one; not where a job was taken apart."""

    held: Held
    result: dict[str, Any] | None
    over: bool = True
    strangers: Strangers | None = None


class Outbox:
    """`run` is a thread's work; the other methods are called by the other threads. over: set when the worker ends."""

    def __init__(
        self,
        queue: Queue,
        replies: Replies,
        records: Records,
        keeper: Keeper,
        hand: Hand,
        *,
        now: Callable[[], float],
        over: threading.Event,
        log: Log,
        ended: Ended,
    ) -> None:
        self._queue = queue
        self._ended = ended
        self._replies = replies
        self._records = records
        self._keeper = keeper
        self._hand = hand
        self._now = now
        self._over = over
        self._log = log
        self._finished: SimpleQueue[_Finished | None] = SimpleQueue()
        self.done = 0  # jobs

    def finish(self, held: Held, answer: Answer, strangers: Strangers | None = None) -> None:
        """The job was done. strangers: who was seen in it and is to be kept."""
        self._finished.put(_Finished(held, result_of(held.ticket, answer, self._now()), strangers=strangers))

    def fail(self, held: Held, error: VisageError) -> None:
        """The job cannot be done; the client is told so."""
        self._finished.put(_Finished(held, failure_of(held.ticket, error, self._now())))

    def skip(self, held: Held) -> None:
        """Its result is there already."""
        self._finished.put(_Finished(held, None))

    def hand_on(self, held: Held) -> None:
        """It was taken apart; the last of its parts to end makes its result."""
        self._finished.put(_Finished(held, None, over=False))

    def end(self) -> None:
        """Nothing more will come."""
        self._finished.put(None)

    @contextmanager
    def answering(self, held: Held) -> Iterator[None]:
        """What is raised in the block becomes the job's answer; or the job is given back where it is not to blame."""
        try:
            yield
        except VisageError as error:
            if _blameless(error):
                self._log("a job is put off", id=held.ticket.id, request=held.ticket.request, reason=str(error))
                self._put_off(held)
            else:
                self.fail(held, error)
        except Exception as error:  # noqa: BLE001  nothing raw reaches a client, and one job does not end the worker
            self._log("a fault of Visage itself", id=held.ticket.id, request=held.ticket.request, error=error)
            self.fail(held, FaultError("a fault of Visage itself; its log says more, under the id of this request"))

    def give_back(self, held: Held, delay: float = 0.0) -> None:
        with self.patience("a job cannot be given back"):
            self._queue.release([held.receipt], delay)
        self._hand.drop([held.receipt])

    def _put_off(self, held: Held) -> None:
        self.give_back(held, min(RETRY * held.delivery.count**2, LATEST))

    def bury(self, held: Held, error: VisageError, reason: str) -> None:
        """Put the job aside for good: its client gets the error, people find the reason among the dead letters."""
        self._log("a job was put aside", id=held.ticket.id, request=held.ticket.request, reason=reason)
        self._records.keep(held.ticket, failure_of(held.ticket, error, self._now()))
        self._follow(held.ticket, None)
        self._tell(held.ticket)
        self._queue.bury(held.receipt, reason)
        self._hand.drop([held.receipt])

    def run(self) -> None:
        ended = False
        while not ended:
            batch = [self._finished.get()]
            while not self._finished.empty():
                batch.append(self._finished.get())
            ended = None in batch
            stored = [one.held for one in batch if one is not None and self._store(one)]
            with self.patience("what is done cannot be taken off the queue"):
                for held in stored:
                    self._tell(held.ticket)
                self._queue.done([held.receipt for held in stored])
                self.done += len(stored)
            self._hand.drop([held.receipt for held in stored])

    @contextmanager
    def patience(self, what: str, *, pause: bool = True) -> Iterator[None]:
        """Outages pass: say so, wait a little (unless it does not matter much), and let the caller go on."""
        try:
            yield
        except StorageError as error:
            self._log(what, reason=str(error))
            self._over.wait(RETRY if pause else 0.0)

    def _store(self, one: _Finished) -> bool:
        """Whether the result is in the store now."""
        ticket, result = one.held.ticket, one.result
        try:
            if result is not None:
                kept = self._keeper.keep(ticket, result, one.strangers)
                failure = result.get("error", {}).get("kind")
                self._log(
                    "a job is done", id=ticket.id, request=ticket.request, failure=failure, first=kept is Kept.STORED
                )
                if ticket.part and kept is Kept.ANOTHERS:
                    # Whoever was first sends the next part just now; should they be killed at that, it is ours to do.
                    self._put_off(one.held)
                    return False
            if not one.over:
                return True
            self._follow(ticket, result)
            if one.held.again or (result or {}).get("answer", {}).get("frames", 1) > 1:
                self._records.tidy(ticket)
        except (StorageError, GalleryError) as error:
            self._log("a result cannot be stored", id=ticket.id, request=ticket.request, reason=str(error))
            self._put_off(one.held)
            return False
        return True

    def _follow(self, ticket: Ticket, result: dict[str, Any] | None) -> None:
        """See to what follows from the end of a part. May raise `StorageError`."""
        if ticket.part and (whole := self._ended(ticket, result)):
            self._log("a job of many is done", id=whole.id, request=whole.request)
            self._tell(whole)

    def _tell(self, ticket: Ticket) -> None:
        if ticket.reply:
            with self.patience("a reply cannot be sent", pause=False):  # who waits for it looks by itself
                self._replies.send(ticket.reply, [ticket.id])


def _blameless(error: VisageError) -> bool:
    """Whether a later try, or another worker, may do better."""
    if isinstance(error, OtherModelError | NoGalleryError | PublishedError):
        return False
    return isinstance(error, StorageError | GalleryError | ModelError)
