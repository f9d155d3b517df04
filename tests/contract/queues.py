"""Queues and replies of every adapter, for the contract suites."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.aws.moto_server import make_queues

from visage.aws.sqs import SqsQueue
from visage.aws.sqs_replies import SqsReplies
from visage.core.ports.queue import Queue, Replies
from visage.sqlite.queue import SqliteQueue
from visage.sqlite.replies import SqliteReplies

LEASE = 1.0  # seconds: the least that SQS knows
LASTING = 120.0  # longer than any test takes, on any machine


@dataclass(frozen=True)
class Place:
    """Where an adapter keeps things. Each call opens another object on the same queue, whose leases are as long as is
    asked, or on the same mailboxes."""

    queue: Callable[[float], Queue]
    replies: Callable[[], Replies]


def sqlite(folder: Path) -> Place:
    path = folder / "queue.sqlite"
    return Place(lambda lease: SqliteQueue(path, lease=lease), lambda: SqliteReplies(path))


def sqs(folder: Path) -> Place:
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    make_queues(prefix)
    return Place(lambda lease: SqsQueue(f"{prefix}-req-queue", lease=lease), lambda: SqsReplies(prefix))


ADAPTERS = [sqlite, sqs]
