"""A job that is many jobs, and workers that are cut short: by errors, by being killed, by each other.

Stores, queue and networks are played; reception, unpacking, outbox, keeper and eraser are the real ones. Two workers
overlap in that a store's call of the one may let another do a whole message before it goes on.
"""

import io
import random
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.core.many_places import Line, Message, People, Store
from tests.core.schedules import KilledError
from tests.web.fakes import MemoryMailbox
from visage.core.answers import Answer, Enrollment, Models, Outcome
from visage.core.bulk.outcomes import Outcomes
from visage.core.bulk.unpacking import Unpacking
from visage.core.errors import DeadlyError, NoObjectError, StorageError, UnreadableError
from visage.core.ports.queue import Delivery
from visage.core.service.erasure import Eraser
from visage.core.service.hand import Hand, Held
from visage.core.service.keeper import Keeper
from visage.core.service.outbox import Outbox
from visage.core.service.reception import Asked, Reception
from visage.core.service.records import Records
from visage.core.tickets import Ticket, ticket_from_text
from visage.core.values import Job, JobKind, Media, Person
from visage.media.bundles import FileBundles

BROKEN = b"broken"


def zipped(files: dict[str, bytes]) -> bytes:
    """A ZIP of these."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


@dataclass
class Many:
    """trouble: how likely a call fails, before or after it had its effect, or ends its worker. overlap: how likely
    another worker does something in the middle of it. twice: how likely a message is delivered once more."""

    folder: Path
    seed: int
    trouble: float = 0.0
    overlap: float = 0.0
    twice: float = 0.0
    calls: int = 0
    cut: int = -1
    midway: Callable[[], None] | None = None
    performed: list[str] = field(default_factory=list)
    _depth: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.inputs, self.outputs = Store(self, self.folder), Store(self, self.folder)
        self.queue = Line(self)
        self.people = People()
        self.outcomes = Outcomes(self.inputs, self.outputs, lambda: 100.0)
        ids = iter(f"{number:032x}" for number in range(1, 100))
        self.mailbox = MemoryMailbox()
        self.told: list[str] = []
        played: Any = self.queue  # as much of a queue as is asked of one here
        self.reception = Reception(
            self.inputs, self.outputs, played, self.mailbox, now=lambda: 50.0, new_id=lambda: next(ids)
        )

    def close(self) -> None:
        self.reception.close()

    def ask(self, files: dict[str, bytes]) -> Ticket:
        with self.quiet():
            job = Job(JobKind.BULK, (), "default")
            return self.reception.submit(Asked(job, [("people.zip", zipped(files))], owner="me", request="req"))

    def erase(self, name: str) -> None:
        with self.quiet():
            people: Any = self.people
            queue: Any = self.queue
            eraser = Eraser(people, self.inputs, self.outputs, self.reception.forget, queue=queue, inbox=None)
            eraser.person(Person(f"id of {name}", name, "default", 0, 0.0))

    def forget(self, job: str) -> None:
        with self.quiet():
            self.reception.forget(job)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing goes wrong inside."""
        self._depth, before = self._depth + 100, self._depth
        try:
            yield
        finally:
            self._depth = before

    @contextmanager
    def call(self) -> Iterator[None]:
        if self._depth >= 100:
            yield
            return
        self.calls += 1
        if self.calls == self.cut:
            if self.midway is None:
                raise KilledError
            self.midway()
        fate = self.random.random()
        if fate < self.trouble / 2:
            raise self.random.choice([KilledError(), StorageError("gone")])
        if self._depth < 2 and self.random.random() < self.overlap:
            self.step()
        yield
        if fate > 1 - self.trouble / 2:
            raise self.random.choice([KilledError(), StorageError("gone")])

    def run(self, most: int = 4000) -> None:
        """Until nothing is left in the queue."""
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError("it does not come to an end")

    def step(self) -> bool:
        """Have a worker do one message; whether there was one."""
        if not self.queue.messages:
            return False
        message = self.random.choice(self.queue.messages)
        message.count += 1
        if self.random.random() < self.twice:
            self.queue.messages.append(Message(message.body, 0))
        self._depth += 1
        try:
            self._work(Held(ticket_from_text(message.body), Delivery(message.body, str(id(message)), message.count)))
        except KilledError:
            pass  # its lease runs out
        finally:
            self._depth -= 1
        return True

    def bury(self, message: Message) -> None:
        """As a worker does with a part that has ended others."""
        held = Held(ticket_from_text(message.body), Delivery(message.body, str(id(message)), 4))
        self._outbox()[0].bury(held, DeadlyError("it is deadly"), "why")

    def _work(self, held: Held) -> None:
        """What intake and worker do with it."""
        outbox, records, unpacking = self._outbox()
        with outbox.answering(held):
            if records.has_result(held.ticket):
                outbox.skip(held)
            elif held.ticket.job.kind is JobKind.BULK:
                unpacking.take_apart(held.ticket, lambda: None)
                outbox.hand_on(held)
            else:
                outbox.finish(held, self._enroll(held.ticket))
        outbox.end()
        outbox.run()

    def _outbox(self) -> tuple[Outbox, Records, Unpacking]:
        queue: Any = self.queue
        people: Any = self.people
        replies: Any = self
        unpacking = Unpacking(self.inputs, self.outputs, queue, FileBundles(None, 10**6), lambda: 100.0)
        records = Records(self.outputs, "worker", lambda: 100.0, tries=3)
        outbox = Outbox(
            queue,
            replies,
            records,
            Keeper(records, self.inputs, self.outputs, None, lambda: people),
            Hand(8, lambda busy: None, lambda: 0.0),
            now=lambda: 100.0,
            over=_Over(),
            log=lambda *words, **facts: None,
            ended=unpacking.ended,
        )
        return outbox, records, unpacking

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        """As `core.ports.queue.Replies`."""
        self.told += bodies

    def _enroll(self, ticket: Ticket) -> Answer:
        source, name = ticket.job.sources[0], ticket.job.name or ""
        try:
            data = self.inputs.get(source)
        except NoObjectError as error:
            raise UnreadableError(source, "it is gone") from error
        self.performed.append(ticket.id)
        if data == BROKEN:
            raise UnreadableError(source, "it is no picture")
        self.people.enrolled[ticket.id] = name
        enrollment = Enrollment(
            Outcome.ENROLLED, "enrolled", Person(f"id of {name}", name, "default", 1, 0.0), ticket.id
        )
        models = Models("played", "played", "played")
        return Answer(JobKind.ENROLL, (Media(source, 1, 1),), models, 1, enrollment=enrollment)

    def result(self, job: str) -> dict[str, Any]:
        with self.quiet():
            found = self.reception.result(job)
        assert found is not None
        return found

    def left(self) -> set[str]:
        """Keys in the stores, but those of the whole that are to be there."""
        return {*self.inputs.kept, *self.outputs.kept}


class _Over(threading.Event):
    """Waits for nothing."""

    def wait(self, timeout: float | None = None) -> bool:
        return False
