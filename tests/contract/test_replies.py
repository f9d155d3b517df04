"""What `core.ports.queue.Replies` and `Mailbox` promise, asked of every adapter."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.aws.moto_server import aws_server
from tests.contract.queues import ADAPTERS, Place
from tests.processes.workers import quickest

from visage.core.errors import UsageError
from visage.core.ports.queue import Mailbox, Replies


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made: Place = request.param(tmp_path)
    return made


@pytest.fixture
def replies(place: Place) -> Iterator[Replies]:
    with closing(place.replies()) as opened:
        yield opened


@pytest.fixture
def mailbox(place: Place) -> Iterator[Mailbox]:
    """A mailbox that another object opened, as in another process."""
    with closing(place.replies()) as others, closing(others.open()) as opened:
        yield opened


def gather(mailbox: Mailbox, count: int) -> list[str]:
    """So many replies, or as many as come within a minute."""
    got: list[str] = []
    until = time.monotonic() + 60
    while len(got) < count and time.monotonic() < until:
        got += mailbox.receive(1)
    return got


def test_an_empty_mailbox(mailbox: Mailbox) -> None:
    started = time.monotonic()
    assert mailbox.receive(0) == []
    assert time.monotonic() - started < 5
    started = time.monotonic()
    assert mailbox.receive(1) == []
    assert 0.9 < time.monotonic() - started < 10


def test_replies_arrive_as_they_were_sent_and_once(replies: Replies, mailbox: Mailbox) -> None:
    bodies = ["plain", "a line\nand another", "Zoë 😀", '"quoted"', "x" * 200]
    replies.send(mailbox.name, bodies)
    assert gather(mailbox, 5) == bodies
    replies.send(mailbox.name, [])
    assert mailbox.receive(1) == []


def test_many_at_once(replies: Replies, mailbox: Mailbox) -> None:
    bodies = [f"{i:03d}" + "é" * 197 for i in range(150)]
    replies.send(mailbox.name, bodies)
    assert sorted(gather(mailbox, 150)) == bodies


def test_a_reply_wakes_who_waits(replies: Replies, mailbox: Mailbox) -> None:
    def seconds() -> float:
        waiting = pool.submit(mailbox.receive, 60.0)
        time.sleep(0.1)  # who would look for itself now and then does so later
        assert not waiting.done()
        sent = time.monotonic()
        replies.send(mailbox.name, ["done"])
        assert waiting.result() == ["done"]
        return time.monotonic() - sent

    with ThreadPoolExecutor() as pool:
        assert quickest(seconds, 0.3) < 0.3


def test_mailboxes_are_apart(replies: Replies, mailbox: Mailbox) -> None:
    with closing(replies.open()) as other:
        assert other.name != mailbox.name
        replies.send(mailbox.name, ["for the first"])
        replies.send(other.name, ["for the second"])
        assert gather(mailbox, 1) == ["for the first"]
        assert gather(other, 1) == ["for the second"]
        assert mailbox.receive(0) == other.receive(0) == []


def test_names_say_nothing_but_themselves(mailbox: Mailbox) -> None:
    assert len(mailbox.name) == 32
    assert set(mailbox.name) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "name",
    ["", "x", "0" * 32, "A" * 32, "0" * 31 + "\n", "../" * 11, "http://127.0.0.1:1/", "\0", "é" * 32, "\u0660" * 32],
)
def test_a_name_of_nobody_is_nothing(replies: Replies, mailbox: Mailbox, name: str) -> None:
    replies.send(name, ["lost"])
    assert mailbox.receive(0) == []


def test_a_mailbox_that_is_no_more(replies: Replies, place: Place) -> None:
    with closing(place.replies()) as others:
        mailbox = others.open()
        replies.send(mailbox.name, ["here"])
        assert gather(mailbox, 1) == ["here"]
        mailbox.close()
        mailbox.close()
        assert mailbox.receive(0) == []
        for _ in range(3):
            replies.send(mailbox.name, ["too late"])
        with closing(others.open()) as newer:
            assert newer.receive(0) == []


def test_closing_ends_a_wait(replies: Replies) -> None:
    mailbox = replies.open()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(mailbox.receive, 120.0)
        time.sleep(0.3)
        started = time.monotonic()
        mailbox.close()
        assert waiting.result() == []
        assert time.monotonic() - started < 30


def test_a_long_reply_is_a_mistake(replies: Replies, mailbox: Mailbox) -> None:
    with pytest.raises(UsageError, match="201 characters"):
        replies.send(mailbox.name, ["x" * 201])


def test_sweeping_leaves_the_living(replies: Replies, mailbox: Mailbox) -> None:
    assert replies.sweep() == 0
    replies.send(mailbox.name, ["still here"])
    assert gather(mailbox, 1) == ["still here"]


def test_closing_twice(place: Place) -> None:
    replies = place.replies()
    replies.close()
    replies.close()
