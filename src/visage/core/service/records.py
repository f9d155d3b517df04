"""What an app-tier worker writes into the output store: results, tries, progress, and how it is doing itself."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from visage.core.errors import NoObjectError
from visage.core.ports.objects import Objects, Stored
from visage.core.tickets import Ticket, progress_key, result_key, result_to_bytes, try_key

# Where workers tell how they are doing, one object each.
WORKERS = "workers"


@dataclass(frozen=True)
class Report:
    """What a worker did so far. jobs: how many; busy: seconds with something in hand; ready: seconds from its start
    until it could work; at: when this was written, seconds since 1970."""

    jobs: int = 0
    busy: float = 0.0
    ready: float = 0.0
    at: float = 0.0


class Records:
    """name: the worker's. tries: how often a job may be tried alone. Every method may raise `StorageError`."""

    def __init__(self, outputs: Objects, name: str, now: Callable[[], float], *, tries: int) -> None:
        self._outputs = outputs
        self._key = f"{WORKERS}/{name}.json"
        self._now = now
        self._tries = tries
        self._told = Report()

    def has_result(self, ticket: Ticket) -> bool:
        return self._outputs.version(result_key(ticket.id)) is not None

    def keep(self, ticket: Ticket, result: dict[str, Any]) -> bool:
        """Store the result, unless there is one; whether it was stored."""
        return self._outputs.create(result_key(ticket.id), result_to_bytes(result))

    def try_alone(self, ticket: Ticket) -> int | None:
        """Note that the job is now performed alone: the how-manyth time; None where it was often enough."""
        for number in range(1, self._tries + 1):
            if self._outputs.create(try_key(ticket.id, number), b""):
                return number
        return None

    def untry(self, ticket: Ticket, number: int) -> None:
        """It did not die of being performed alone for the number-th time."""
        self._outputs.delete([try_key(ticket.id, number)])

    def progress(self, ticket: Ticket, done: float) -> None:
        """Note that this share of the video, 0..1, was looked at."""
        note = {"progress": round(done, 3), "at": round(self._now(), 3)}
        self._outputs.put(progress_key(ticket.id), json.dumps(note).encode())

    def tidy(self, ticket: Ticket) -> None:
        """The job has its result: what else was noted of it goes."""
        tries = [try_key(ticket.id, number) for number in range(1, self._tries + 1)]
        self._outputs.delete([progress_key(ticket.id), *tries])

    def tell(self, report: Report) -> None:
        """Say how the worker is doing, if that changed."""
        if (report.jobs, report.ready) != (self._told.jobs, self._told.ready):
            self._outputs.put(self._key, json.dumps(asdict(replace(report, at=self._now()))).encode())
            self._told = report

    def leave(self) -> None:
        """The worker is no more."""
        self._outputs.delete([self._key])


def tries(outputs: Objects, ticket_id: str) -> list[Stored]:
    """The notes of those times that a job was performed alone and ended its worker."""
    start = try_key(ticket_id, 0).removesuffix("0")
    return [found for found in outputs.list(ticket_id) if found.key.startswith(start)]


def forget_failure(outputs: Objects, ticket_id: str) -> None:
    """See to it that a job which failed, and is sent again, is performed again. An answer stays."""
    key = result_key(ticket_id)
    try:
        result = json.loads(outputs.get(key))
    except (NoObjectError, ValueError):  # none, or a damaged one
        result = None
    done = isinstance(result, dict) and result.get("status") == "done"
    outputs.delete([*([] if done else [key]), *(found.key for found in tries(outputs, ticket_id))])
