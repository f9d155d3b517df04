"""The queue in Amazon SQS."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from visage.aws.faults import code, explained
from visage.aws.sqs_client import BATCH, batches, connect, failed, find
from visage.aws.sqs_dead import DeadLetters
from visage.core.errors import UsageError
from visage.core.messages import check_body
from visage.core.ports.queue import DeadLetter, Delivery, Depth

_LONGEST = 43_200  # seconds that SQS keeps a message out of sight
# A poll under way cannot be broken off, so this is how long closing may take. Twenty seconds, the longest that SQS
# allows, would save a process that waits half a dollar a month, and a worker, which asks every second, a whole one.
_POLL = 2


@dataclass(slots=True)
class _Held:
    """A lease. until: when it is lost at the latest, by this machine's clock."""

    body: str
    count: int
    until: float


class SqsQueue:
    """`core.ports.queue.Queue` in a standard queue. Only the object that received a message may speak of its lease.

    SQS deletes and hides messages also for those who held them once; so this object notes itself when a lease ends, and
    from then on takes it for lost. Waits are in whole seconds, rounded up. Keys are not used.
    """

    def __init__(self, address: str, *, lease: float = 15.0, dead: str | None = None) -> None:
        """address: the queue's name or URL, with or without `sqs://` before it. dead: the same of its dead-letter
        queue, where the queue's RedrivePolicy does not name one. Region, endpoint and credentials are boto3's.

        Raises `UsageError` where there is no such queue, `StorageError`.
        """
        address = address.removeprefix("sqs://")
        if not address:
            raise UsageError("sqs:// names no queue; it is sqs://NAME or sqs://https://...")
        self._client = connect(address)
        self._url = address if "://" in address else find(self._client, address)
        self._lease = min(_LONGEST, math.ceil(lease))
        self._dead = DeadLetters(self._client, self._url, dead)
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._closed = False

    def send(self, body: str, *, key: str | None = None) -> None:  # noqa: ARG002 (a standard queue knows no keys)
        self._check_open()
        check_body(body)
        with explained(self._url):
            try:
                self._client.send_message(QueueUrl=self._url, MessageBody=body)
            except ClientError as error:
                if code(error) == "InvalidMessageContents":
                    raise UsageError("a message must be text without control characters") from error
                raise

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        self._check_open()
        if limit < 1:
            raise UsageError(f"cannot receive {limit} messages; ask for one at least")
        deadline = time.monotonic() + wait
        taken: list[Delivery] = []
        while not self._closed:
            left = max(0.0, deadline - time.monotonic())
            more = self._poll(min(BATCH, limit - len(taken)), 0 if taken else min(_POLL, math.ceil(left)))
            taken += more
            if len(taken) == limit or (not more and (taken or time.monotonic() >= deadline)):
                break
        return taken

    def extend(self, receipts: Sequence[str]) -> list[str]:
        until = time.monotonic() + self._lease
        lost = self._hide(receipts, self._lease)
        with self._lock:
            for receipt in set(receipts) - set(lost):
                if receipt in self._held:
                    self._held[receipt].until = until
        return lost

    def done(self, receipts: Sequence[str]) -> list[str]:
        kept, lost = self._split(receipts)
        for batch in batches(kept):
            entries = [{"Id": str(i), "ReceiptHandle": receipt} for i, receipt in enumerate(batch)]
            with explained(self._url):
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            refused = failed(answer, self._url)
            lost |= {batch[i] for i in refused}
            self._forget(batch)
        return [receipt for receipt in receipts if receipt in lost]

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None:
        self._hide(receipts, min(_LONGEST, math.ceil(delay)))
        self._forget(receipts)

    def bury(self, receipt: str, reason: str) -> bool:
        if self._split([receipt])[1]:
            return False
        with self._lock:
            held = self._held[receipt]
        self._dead.put(held.body, reason, held.count)
        return not self.done([receipt])

    def depth(self) -> Depth:
        self._check_open()
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "Delayed", "NotVisible")]
        with explained(self._url):
            found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        waiting, delayed, in_flight = (int(found[name]) for name in names)
        return Depth(waiting + delayed, in_flight)

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        self._check_open()
        return self._dead.peek(limit)

    def discard(self, ids: Sequence[str]) -> int:
        self._check_open()
        return self._dead.take(ids, lambda _: None)

    def replay(self, ids: Sequence[str] | None = None) -> int:
        self._check_open()
        return self._dead.take(ids, self.send)

    def close(self) -> None:
        """A `receive` on another thread ends within two seconds. Later calls raise `UsageError`."""
        self._closed = True
        self._client.close()  # of what is under way, only its connection is kept open until it ends

    def _poll(self, limit: int, wait: int) -> list[Delivery]:
        with explained(self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=wait,
                VisibilityTimeout=self._lease,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        now = time.monotonic()
        deliveries = [_delivery(message) for message in answer.get("Messages", [])]
        with self._lock:
            for receipt in [receipt for receipt, held in self._held.items() if held.until < now]:
                del self._held[receipt]
            for got in deliveries:
                self._held[got.receipt] = _Held(got.body, got.count, now + self._lease)
        if self._closed and deliveries:  # nobody waits for them any more
            self._hide([got.receipt for got in deliveries], 0, even_closed=True)
            return []
        return deliveries

    def _hide(self, receipts: Sequence[str], seconds: int, *, even_closed: bool = False) -> list[str]:
        """Keep the messages out of sight from now on; the receipts whose lease was lost."""
        kept, lost = self._split(receipts, even_closed=even_closed)
        for batch in batches(kept):
            entries = [{"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                       for i, receipt in enumerate(batch)]  # fmt: skip
            with explained(self._url):
                answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            lost |= {batch[i] for i in failed(answer, self._url)}
        self._forget(lost)
        return [receipt for receipt in receipts if receipt in lost]

    def _split(self, receipts: Sequence[str], *, even_closed: bool = False) -> tuple[list[str], set[str]]:
        """Those whose lease this object still holds, each once, and the others."""
        if not even_closed:
            self._check_open()
        now = time.monotonic()
        with self._lock:
            kept = [it for it in dict.fromkeys(receipts) if it in self._held and self._held[it].until > now]
        return kept, set(receipts) - set(kept)

    def _forget(self, receipts: Sequence[str] | set[str]) -> None:
        with self._lock:
            for receipt in receipts:
                self._held.pop(receipt, None)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self._url}: it was closed; open it again")


def _delivery(message: dict[str, Any]) -> Delivery:
    return Delivery(message["Body"], message["ReceiptHandle"], int(message["Attributes"]["ApproximateReceiveCount"]))
