"""Where a worker's jobs come from: messages leased, photos decoded ahead, so that the networks need not wait."""

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from visage.core.errors import MessageError, VisageError
from visage.core.kit import Kit
from visage.core.photos import Photo, open_photo
from visage.core.ports.fleet import Station
from visage.core.ports.queue import Delivery, Queue
from visage.core.service.hand import Hand, Held
from visage.core.service.outbox import Log, Outbox
from visage.core.service.records import Records
from visage.core.tickets import ticket_from_text

# Decoded pixels from which on no more are decoded, and seconds to wait for messages at a time.
PIXELS = 24_000_000
WAIT = 1.0


@dataclass(frozen=True)
class Decoded:
    """A job whose photo is decoded."""

    held: Held
    photo: Photo


class Intake:
    """`run` is a thread's work. alone: held while decoding, and by who performs a job that came back."""

    def __init__(
        self,
        kit: Kit,
        queue: Queue,
        station: Station,
        records: Records,
        hand: Hand,
        outbox: Outbox,
        *,
        alone: threading.Lock,
        over: threading.Event,
        log: Log,
    ) -> None:
        self._kit = kit
        self._queue = queue
        self._station = station
        self._records = records
        self._hand = hand
        self._outbox = outbox
        self._alone = alone
        self._over = over
        self._log = log
        self._ready: SimpleQueue[Decoded | Held | None] = SimpleQueue()
        self._next: list[Decoded | Held | None] = []

    def run(self) -> None:
        """Until the worker has to leave, or is over."""
        try:
            while not self._ends():
                room = self._hand.room(WAIT)
                if room and self._hand.wait_for_pixels(PIXELS, WAIT):
                    self._receive(room)
        finally:
            self._ready.put(None)

    def next(self) -> Decoded | Held | None:
        """The next job, as soon as there is one; None when no more will come."""
        return self._next.pop() if self._next else self._ready.get()

    def more_photos(self, most: int) -> list[Decoded]:
        """Photos that are next and decoded already, without waiting."""
        found: list[Decoded] = []
        while len(found) < most and not self._next:
            try:
                item = self._ready.get_nowait()
            except Empty:
                break
            if isinstance(item, Decoded):
                found.append(item)
            else:
                self._next.append(item)
        return found

    def waiting(self) -> list[Held]:
        """Every job that is next, without waiting: for who does not get round to them."""
        items, self._next = self._next, []
        while not self._ready.empty():
            items.append(self._ready.get())
        self._next = [None] if None in items else []
        return [item.held if isinstance(item, Decoded) else item for item in items if item is not None]

    def _receive(self, room: int) -> None:
        deliveries: list[Delivery] = []
        with self._outbox.patience("the queue cannot be read"):
            deliveries = self._queue.receive(room, WAIT)
        self._hand.take([delivery.receipt for delivery in deliveries])
        for delivery in deliveries:
            try:
                held = Held(ticket_from_text(delivery.body), delivery)
            except MessageError as error:
                self._put_aside(delivery, str(error))
            else:
                self._prepare(held)

    def _may_decode(self) -> bool:
        """Whether its pixels find room, as soon as they do; not where the worker ends before."""
        while not self._hand.wait_for_pixels(PIXELS, WAIT) and not self._ends():
            pass
        return not self._ends()

    def _ends(self) -> bool:
        return self._station.leaving() or self._over.is_set()

    def _put_aside(self, delivery: Delivery, reason: str) -> None:
        """A message that is none of ours. Where it cannot be put aside, it comes back when its lease is over."""
        self._log("a message that is none of ours was put aside", reason=reason)
        try:
            self._queue.bury(delivery.receipt, reason)
        except VisageError as error:
            self._log("it is still in the queue", reason=str(error))
        self._hand.drop([delivery.receipt])

    def _prepare(self, held: Held) -> None:
        """Decode a photo ahead, unless a worker died with it in hand."""
        with self._outbox.answering(held):
            if self._records.has_result(held.ticket):
                self._outbox.skip(held)
                return
            photo = None
            if not held.again and self._may_decode():
                with self._alone:
                    photo = open_photo(held.ticket.job, self._kit)
            if photo:
                self._hand.weigh(held.receipt, photo.frame.width * photo.frame.height)
            self._ready.put(Decoded(held, photo) if photo else held)
