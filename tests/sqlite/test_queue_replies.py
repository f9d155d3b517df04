"""Replies as datagrams: who is heard, and what is left of those who are gone."""

import json
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from visage.sqlite.replies import SqliteReplies


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def test_what_is_not_addressed_to_the_mailbox_is_not_heard(path: Path) -> None:
    with closing(SqliteReplies(path)) as replies, closing(replies.open()) as mailbox:
        foreign = [b"", b"!", b"\xff\xfe", b"[]", b"{}", b'["0", "x"]', b"[1" * 3000,
                   json.dumps(["0" * 32, "forged"]).encode(), json.dumps([mailbox.name, 1]).encode(),
                   json.dumps({mailbox.name: "x"}).encode(), b"[" * 5000]  # fmt: skip
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller:
            for datagram in foreign:
                caller.sendto(datagram, ("127.0.0.1", mailbox._port))
        assert mailbox.receive(0.2) == []
        replies.send(mailbox.name, ["heard"])
        assert mailbox.receive(1) == ["heard"]


def test_a_port_that_another_mailbox_got_does_not_hear_for_the_first(path: Path) -> None:
    with closing(SqliteReplies(path)) as replies:
        first = replies.open()
        replies.send(first.name, ["known"])
        assert first.receive(1) == ["known"]
        port, name = first._port, first.name
        first.close()
        with closing(replies.open()) as second:
            replies._known[name] = (second._port, time.monotonic() + 100)
            replies.send(name, ["for the first"])
            assert second.receive(0.1) == []
        assert port


def test_mailboxes_of_a_process_that_was_killed_are_swept(path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from visage.sqlite.replies import SqliteReplies
print(SqliteReplies(Path(sys.argv[1])).open().name, flush=True)
os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", script, str(path)]
    name = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=30, check=False).stdout.strip()
    with closing(SqliteReplies(path)) as replies, closing(replies.open()) as living:
        replies.send(name, ["to the dead"])
        assert replies.sweep() == 1
        assert replies.sweep() == 0
        replies.send(living.name, ["to the living"])
        assert living.receive(1) == ["to the living"]


def test_a_mailbox_says_every_minute_that_it_is_there(path: Path) -> None:
    clock = [1000.0]
    with closing(SqliteReplies(path, clock=lambda: clock[0])) as replies:
        read, unread = replies.open(), replies.open()
        for _ in range(10):
            clock[0] += 61
            assert read.receive(0) == []
        assert replies.sweep() == 1  # the one that nobody has read for five minutes
        replies.send(unread.name, ["nobody reads this"])
        replies.send(read.name, ["somebody reads this"])
        assert read.receive(0) == ["somebody reads this"]
        assert unread.receive(0) == []  # says once more that it is there
        clock[0] += 11
        replies.send(unread.name, ["now it is read"])
        assert unread.receive(0) == ["now it is read"]
        unread.close()
        read.close()


def test_mailboxes_from_before_the_machine_started_are_swept(path: Path) -> None:
    with closing(SqliteReplies(path, clock=lambda: 100_000.0)) as before:
        mailbox = before.open()
        with closing(SqliteReplies(path, clock=lambda: 20.0)) as after:
            assert after.sweep() == 1
        mailbox.close()
