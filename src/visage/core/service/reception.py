"""Where the web tier hands work in and waits for it: inputs stored, a ticket sent, the result read.

The result in the output store is the truth; a reply only wakes who waits for it.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from visage.core.errors import MessageError, NoObjectError, StorageError, UsageError
from visage.core.ports.objects import Objects
from visage.core.ports.queue import Mailbox, Queue
from visage.core.service.deleting import delete_job
from visage.core.service.listener import Listener
from visage.core.tickets import (
    ID,
    Ticket,
    index_key,
    input_key,
    job_to_json,
    progress_key,
    result_key,
    ticket_from_text,
    ticket_key,
    ticket_to_text,
)
from visage.core.values import Job

# A reply may get lost: who waits looks for the result by itself, after LOOK seconds and then ever less often.
LOOK = 0.5
LOOK_AT_MOST = 5.0

# Bytes hashed at a time.
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for work. job: its sources are filled in here. sources: (what the client calls it, its bytes or a file
    that can be read again from its start). owner: the account. request: the HTTP request's id. key: the client's
    idempotency key, or None. vectors: whether the result is to hold embeddings."""

    job: Job
    sources: Sequence[tuple[str, bytes | IO[bytes]]]
    owner: str = ""
    request: str = ""
    key: str | None = None
    vectors: bool = False


class Reception:
    """Used by many threads at once; one thread of its own listens for replies. Every method may raise `StorageError`.

    inputs, outputs: the stores. now: seconds since 1970. new_id: 32 hex digits that nobody can guess.
    """

    def __init__(
        self,
        inputs: Objects,
        outputs: Objects,
        queue: Queue,
        mailbox: Mailbox,
        *,
        now: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._queue = queue
        self._mailbox = mailbox
        self._now = now
        self._new_id = new_id
        self._listener = Listener(mailbox, LOOK)

    def submit(self, asked: Asked) -> Ticket:
        """Store the bytes and send the job; from then on it is not lost. With an idempotency key that was used before
        it is the job of then, sent again where it has no result yet.

        Raises `UsageError` where the key was used for something else.
        """
        ticket = self._ticket(asked)
        self._send(ticket, asked)
        return ticket

    def resend(self, ticket: Ticket) -> None:
        """Send a job again whose result was deleted, and whose inputs are still there."""
        # Without a name: under one it might be dropped for the message of before, which is about to be done with.
        self._queue.send(ticket_to_text(replace(ticket, reply=self._mailbox.name)))

    def answer(self, asked: Asked, seconds: float) -> tuple[Ticket, dict[str, Any] | None]:
        """Submit, and wait for the result at most so many seconds: the ticket, and the result if it came in time."""
        ticket = self._ticket(asked)
        with self._listener.awaited(ticket.id) as event:
            fresh = self._send(ticket, asked)
            return ticket, self._await(ticket.id, event, seconds, look_first=not fresh)

    def wait(self, ticket_id: str, seconds: float) -> dict[str, Any] | None:
        """The result, as soon as there is one, within so many seconds."""
        with self._listener.awaited(ticket_id) as event:
            return self._await(ticket_id, event, seconds, look_first=True)

    def result(self, ticket_id: str) -> dict[str, Any] | None:
        """The result, if there is one."""
        return self._json(self._outputs, result_key(ticket_id))

    def progress(self, ticket_id: str) -> dict[str, Any] | None:
        """How far a worker has come with a video, if it is at one."""
        return self._json(self._outputs, progress_key(ticket_id))

    def ticket(self, ticket_id: str) -> Ticket | None:
        """The ticket of a job, as long as it is kept; None for anything that is no job's id."""
        if not ID.fullmatch(ticket_id):
            return None
        try:
            return ticket_from_text(self._inputs.get(ticket_key(ticket_id)).decode())
        except NoObjectError:
            return None
        except (MessageError, UnicodeDecodeError) as error:
            raise _damaged(ticket_key(ticket_id)) from error

    def forget(self, ticket_id: str) -> None:
        """Delete what came in and what was found. Nothing for anything that is no job's id."""
        delete_job(self._inputs, self._outputs, ticket_id)

    def close(self) -> None:
        self._listener.close()

    def _ticket(self, asked: Asked) -> Ticket:
        ticket_id = self._new_id() if asked.key is None else _hash(f"{asked.owner}\0{asked.key}".encode())[:32]
        names = tuple(name for name, _ in asked.sources)
        keys = tuple(input_key(ticket_id, number) for number in range(len(names)))
        return Ticket(
            id=ticket_id,
            job=replace(asked.job, sources=keys, called=names, id=ticket_id),
            names=names,
            reply=self._mailbox.name,
            request=asked.request,
            owner=asked.owner,
            print="" if asked.key is None else _print(asked),
            vectors=asked.vectors,
            created=self._now(),
        )

    def _send(self, ticket: Ticket, asked: Asked) -> bool:
        """Whether there can be no result yet."""
        text = ticket_to_text(ticket)
        fresh = asked.key is None or self._inputs.create(ticket_key(ticket.id), text.encode())
        if not fresh:
            earlier = self.ticket(ticket.id)
            if earlier is None:  # deleted just now
                self._inputs.put(ticket_key(ticket.id), text.encode())
            elif earlier.print != ticket.print:
                raise UsageError("this Idempotency-Key was used for another request; take a new one")
            else:
                ticket = replace(ticket, created=earlier.created)
            if self._outputs.version(result_key(ticket.id)) is not None:
                return False
        elif asked.key is not None:  # a result may outlive its ticket, and be of something else
            self._outputs.delete([result_key(ticket.id)])
        for number, (_, data) in enumerate(asked.sources):
            if not isinstance(data, bytes):
                data.seek(0)
            self._inputs.put(input_key(ticket.id, number), data)
        if asked.key is None:
            self._inputs.put(ticket_key(ticket.id), text.encode())
        self._queue.send(text, key=ticket.id)
        # Last, while the job is under way: it is done even if it is not in the list.
        with suppress(StorageError):
            self._inputs.put(index_key(ticket), b"")
        return fresh

    def _await(
        self, ticket_id: str, event: threading.Event, seconds: float, *, look_first: bool
    ) -> dict[str, Any] | None:
        if look_first and (result := self.result(ticket_id)) is not None:
            return result
        pause = LOOK
        while seconds > 0:
            called = event.wait(min(pause, seconds))
            event.clear()
            try:
                if (result := self.result(ticket_id)) is not None:
                    return result
            except StorageError:  # the job is not lost, so it is none of the client's business yet
                called = False
            if not called:
                seconds -= pause
                pause = min(2 * pause, LOOK_AT_MOST)
        return None

    def _json(self, store: Objects, key: str) -> dict[str, Any] | None:
        try:
            data = json.loads(store.get(key))
        except NoObjectError:
            return None
        except ValueError as error:
            raise _damaged(key) from error
        return data if isinstance(data, dict) else None


def _damaged(key: str) -> StorageError:
    return StorageError(f"{key}: what is stored there is damaged; delete it and ask again")


def _print(asked: Asked) -> str:
    """A hash of everything that was asked."""
    whole = hashlib.sha256(json.dumps([job_to_json(asked.job), asked.vectors]).encode())
    for name, data in asked.sources:
        part = hashlib.sha256(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())
        if isinstance(data, bytes):
            part.update(data)
        else:
            data.seek(0)
            while chunk := data.read(_CHUNK):
                part.update(chunk)
        whole.update(part.digest())
    return whole.hexdigest()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
