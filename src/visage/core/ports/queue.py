"""What is asked of a queue, and of the way back; kept by `sqlite/`, `processes/` and `aws/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is leased. receipt: of this lease. count: how many times it was leased, this one included."""

    body: str
    receipt: str
    count: int


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue's state: messages waiting, messages leased, and how long the oldest that waits has waited (seconds; None
    where the queue cannot tell)."""

    waiting: int
    in_flight: int
    oldest: float | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. count: how many times it was leased. died: seconds since 1970."""

    id: str
    body: str
    reason: str
    count: int
    died: float


class Queue(Protocol):
    """Messages that are leased, not taken: at least once, in about the order they were sent.

    A lease lasts as many seconds as the queue was opened with, unless extended; one that runs out comes back. A receipt
    speaks of one lease: when that is lost, nothing is done with it any more. Several threads and processes may use one
    queue. Every call may raise `StorageError`, which is worth a retry.
    """

    def send(self, body: str, *, key: str | None = None) -> None:
        """key: the message's name; one sent again while another of that name is here may be dropped."""

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Lease up to `limit` messages; at once where there are some, else as soon as one comes, within `wait` seconds.

        Empty where none came."""

    def extend(self, receipts: Sequence[str]) -> list[str]:
        """Let these leases last a full term from now; the receipts whose lease was lost."""

    def done(self, receipts: Sequence[str]) -> list[str]:
        """Remove the messages for good; the receipts whose lease was lost (the message stays, another has it)."""

    def release(self, receipts: Sequence[str], delay: float = 0.0) -> None:
        """Give them back, to be received again after `delay` seconds. A lost lease is nothing."""

    def bury(self, receipt: str, reason: str) -> bool:
        """Move the message to the dead letters; False where the lease was lost."""

    def depth(self) -> Depth:
        """How much is waiting and in hand; elsewhere than on one machine it is an estimate."""

    def dead(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, oldest first."""

    def discard(self, ids: Sequence[str]) -> int:
        """Delete dead letters for good; how many. An id that is not there is nothing."""

    def replay(self, ids: Sequence[str] | None = None) -> int:
        """Send dead letters again as new messages (None: all of them); how many. An id that is not there is nothing."""

    def close(self) -> None:
        """Twice is once."""


class Mailbox(Protocol):
    """Where replies to one web process arrive; the process is the only reader."""

    @property
    def name(self) -> str: ...

    def receive(self, wait: float) -> list[str]:
        """Replies, as soon as there are some, within `wait` seconds; empty where none came."""

    def close(self) -> None:
        """Give the mailbox up. Twice is once; a `receive` on another thread ends."""


class Replies(Protocol):
    """Short messages to waiting web processes. One may get lost: it only wakes the waiter, the answer is stored."""

    def open(self) -> Mailbox:
        """A new mailbox, with a name of its own. May raise `StorageError`."""

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        """bodies: at most 200 characters each. To a mailbox that is no more, or none of ours, it is nothing."""

    def sweep(self) -> int:
        """Remove mailboxes that their process left behind; how many."""

    def close(self) -> None: ...
