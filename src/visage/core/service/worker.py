"""The app tier's work: lease a job, perform it, store the result, reply, done.

Three threads hand jobs on, so that the networks never wait for a disk or a bucket: one leases and decodes (`intake`),
the main one runs the networks, one stores and replies (`outbox`). Two more keep the leases, and tell how it goes. What
is in hand when the process dies comes back when its lease runs out; it is then performed while nothing else is decoded
or performed.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

import numpy as np

from visage.core.bulk.unpacking import Unpacking
from visage.core.errors import DeadlyError, NoGalleryError, StorageError, VisageError
from visage.core.jobs import perform
from visage.core.kit import Kit
from visage.core.photos import perform_photos
from visage.core.ports.fleet import Station
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Queue, Replies
from visage.core.service.hand import Hand, Held
from visage.core.service.intake import Decoded, Intake
from visage.core.service.keeper import Keeper
from visage.core.service.onlookers import Onlookers
from visage.core.service.outbox import RETRY, Log, Outbox
from visage.core.service.records import Records, Report
from visage.core.tickets import Ticket
from visage.core.values import JobKind

# Jobs in hand at most, and photos that go through the networks together. More would gain little and keep jobs from
# other workers.
HOLD = 8
TOGETHER = 4

# How often a job may end its worker while it is performed alone. Where workers are killed one after the other for some
# other reason, no job is to take the blame: the last time is left to a worker that has lived CALM seconds, unless the
# job has waited for one for PATIENCE.
DEATHS = 3
CALM = 5.0
PATIENCE = 60.0

# Seconds between two notes of how it goes.
OFTEN = 1.0


@dataclass(frozen=True)
class Places:
    """What a worker speaks to beside its kit, the sources of whose jobs are keys of the input store. unknown: where
    faces that match nobody are kept; None where they are not. bulk: for jobs that are many jobs; without it they fail.
    """

    queue: Queue
    inputs: Objects
    outputs: Objects
    replies: Replies
    station: Station
    unknown: Objects | None = None
    bulk: Unpacking | None = None


class Worker:
    """One process of the app tier. `run` works until the station says that it has to leave."""

    def __init__(
        self, kit: Kit, places: Places, *, name: str, lease: float, log: Log, one_thread: bool = False
    ) -> None:
        """name: of this worker, its own. lease: seconds that the queue's leases last. one_thread: no more than one
        thread at work on pictures, so that nothing is decoded while the networks run."""
        self._kit = kit
        self._queue = places.queue
        self._station = places.station
        self._bulk = places.bulk
        self._lease = lease
        self._alone = threading.Lock()
        self._over = threading.Event()
        self._one_thread = one_thread
        self._fault: BaseException | None = None
        self._began = 0.0
        self._report = Report()
        self._records = Records(places.outputs, name, kit.now, tries=DEATHS)
        keeper = Keeper(self._records, places.inputs, places.outputs, places.unknown, kit.gallery)
        self._hand = Hand(HOLD, places.station.busy, kit.clock)
        self._outbox = Outbox(
            places.queue, places.replies, self._records, keeper, self._hand, now=kit.now, over=self._over, log=log,
            ended=places.bulk.ended if places.bulk else _nothing_follows,
        )  # fmt: skip
        self._intake = Intake(
            kit, places.queue, self._station, self._records, self._hand, self._outbox,
            alone=self._alone, over=self._over, log=log)  # fmt: skip
        self._onlookers = Onlookers(
            kit, self._records, self._outbox, self._give_way, often=OFTEN, keep=places.unknown is not None)  # fmt: skip
        self._log = log

    def run(self) -> None:
        """Raises `ModelError` or `GalleryError` where it cannot even begin, and whatever a thread of its ended with."""
        start = self._kit.clock()
        self._warm()
        self._report = replace(self._report, ready=self._kit.clock() - start)
        self._began = self._kit.clock()
        self._station.ready()
        intake, outbox = self._thread(self._intake.run), self._thread(self._outbox.run)
        keepers = [self._thread(self._keep_leases), self._thread(self._keep_report)]
        try:
            self._work()
        finally:
            self._outbox.end()
            outbox.join()
            self._over.set()
            for thread in (intake, *keepers):
                thread.join()
            self._wind_up()
        if self._fault:
            raise self._fault

    def _work(self) -> None:
        while (item := self._intake.next()) is not None:
            if self._station.leaving() or self._over.is_set():
                continue  # given back once nothing more is leased: else it would come straight back
            if isinstance(item, Decoded):
                self._perform_photos([item, *self._intake.more_photos(TOGETHER - 1)])
            else:
                self._perform_one(item)

    def _perform_photos(self, group: Sequence[Decoded]) -> None:
        group = [one for one in group if self._hand.has(one.held.receipt)]  # the others' leases were lost
        try:
            with self._alone if self._one_thread else nullcontext():
                answers = perform_photos([one.photo for one in group], self._kit)
        except Exception as error:  # noqa: BLE001  one of them may be at fault: each by itself will tell
            self._log("photos are performed one by one", error=error)
            for one in group:
                self._perform_one(one.held)
            return
        for one, answer in zip(group, answers, strict=True):
            self._hand.weigh(one.held.receipt, 0)
            with self._outbox.answering(one.held):
                if isinstance(answer, VisageError):
                    raise answer
                gatherer = self._onlookers.gatherer(one.held)
                if gatherer:
                    gatherer(one.photo.frame, answer.sightings, one.photo.media)
                self._outbox.finish(one.held, answer, self._onlookers.gathered(gatherer, one.held))

    def _perform_one(self, held: Held) -> None:
        if not self._hand.has(held.receipt):
            return
        with self._outbox.answering(held):
            if held.again:
                self._perform_alone(held)
            else:
                self._perform(held)

    def _perform_alone(self, held: Held) -> None:
        """A job that was in hand when its worker died: it may be why. If it is, a note of this try outlives us."""
        with self._alone:
            number = self._records.try_alone(held.ticket)
            if number is None:
                reason = f"the job ended its worker {DEATHS} times while it was performed alone"
                self._outbox.bury(held, DeadlyError(f"{reason}, and was put aside; send another file"), reason)
                return
            try:
                if number == DEATHS and self._in_turmoil(held):
                    self._outbox.give_back(held, RETRY)
                else:
                    self._perform(held)
            finally:
                with self._outbox.patience("the note of a try cannot be removed", pause=False):
                    self._records.untry(held.ticket, number)

    def _in_turmoil(self, held: Held) -> bool:
        young = self._kit.clock() - self._began < CALM
        return young and self._kit.now() - held.ticket.created < PATIENCE

    def _perform(self, held: Held) -> None:
        if held.ticket.job.kind is JobKind.BULK and self._bulk:
            self._take_apart(held, self._bulk)
            return
        gatherer = self._onlookers.gatherer(held)
        # Most likely a video: others are not to wait for its end.
        self._hand.shut(held.ticket.job.kind in {JobKind.RECOGNIZE, JobKind.DETECT})
        try:
            answer = perform(held.ticket.job, self._kit, self._onlookers.of(held, gatherer))
        finally:
            self._hand.shut(False)
        self._outbox.finish(held, answer, self._onlookers.gathered(gatherer, held))

    def _take_apart(self, held: Held, bulk: Unpacking) -> None:
        self._hand.shut(True)
        try:
            bulk.take_apart(held.ticket, self._give_way)
        finally:
            self._hand.shut(False)
        self._outbox.hand_on(held)

    def _give_way(self) -> None:
        """Give back what waits for the end of what is under way."""
        for other in self._intake.waiting():
            self._outbox.give_back(other)

    def _keep_leases(self) -> None:
        """Extend the leases three times a term; more often while that fails. It waits for nothing but the queue."""
        pause = self._lease / 3
        while not self._over.wait(pause):
            try:
                if receipts := self._hand.receipts():
                    self._hand.drop(self._queue.extend(receipts))
                pause = self._lease / 3
            except StorageError as error:
                self._log("leases cannot be extended", reason=str(error))
                pause = self._lease / 12

    def _keep_report(self) -> None:
        """Say every now and then how it goes."""
        while not self._over.wait(OFTEN):
            with self._outbox.patience("the report cannot be stored"):
                self._records.tell(replace(self._report, jobs=self._outbox.done, busy=self._hand.worked()))

    def _warm(self) -> None:
        """Load what the first job would wait for; an empty gallery is made where there is none yet."""
        with suppress(NoGalleryError):  # a copy that nobody has published yet; each job says so
            self._kit.gallery(create=True)
        blank = np.zeros((1, *self._kit.card.size, 3), np.uint8)
        self._kit.detector.detect([blank[0]])
        self._kit.embedder.embed(blank)

    def _wind_up(self) -> None:
        receipts = self._hand.receipts()
        with self._outbox.patience("jobs cannot be given back"):
            self._queue.release(receipts)
        self._hand.drop(receipts)
        with self._outbox.patience("the report cannot be removed"):
            self._records.leave()

    def _thread(self, part: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                part()
            except BaseException as error:  # noqa: BLE001  the main thread raises it
                self._fault = error
                self._over.set()

        thread = threading.Thread(target=run, name=f"visage-{part.__qualname__}", daemon=True)
        thread.start()
        return thread


def _nothing_follows(_ticket: Ticket, _result: object) -> None: ...
