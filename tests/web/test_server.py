"""The server over real sockets: slow, broken and greedy clients, many at once, and an orderly end."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.processes.workers import soon
from tests.web.fakes import Tier, answer, form, open_tier
from tests.web.wire import CLASSIC, post, problem, read, served
from visage.core.errors import UsageError
from visage.core.ports.queue import Depth
from visage.web.server import Where, open_server


@pytest.fixture
def connect(tier: Tier) -> Iterator[Callable[[], socket.socket]]:
    with served(tier, patience=0.5) as connect:
        yield connect


Connect = Callable[[], socket.socket]


def test_it_answers_and_keeps_the_connection(connect: Connect) -> None:
    with connect() as client:
        for _ in range(3):
            client.sendall(post())
            status, headers, body = read(client)
            assert (status, body) == (200, b"face:Ada")
            assert "server" not in headers


def test_a_large_upload_arrives_whole(tier: Tier, connect: Connect) -> None:
    seen: list[bytes] = []

    def work(ticket: Any, data: list[bytes]) -> Any:
        seen.extend(data)
        return answer(ticket, [])

    tier.worker.work = work
    large = bytes(range(256)) * 3600  # more than is kept in memory anywhere on its way
    with connect() as client:
        client.sendall(post(form("inputFile", large)[0]))
        assert read(client)[0] == 200
    assert seen == [large]


@pytest.mark.parametrize("part", [b"POST / HT", post()[:60], post()[:-20]], ids=["line", "headers", "body"])
def test_a_slow_client_is_told_and_let_go(connect: Connect, part: bytes) -> None:
    with connect() as client:
        client.sendall(part)
        began = time.monotonic()
        problem(408, read(client))
        assert time.monotonic() - began < 30
        assert client.recv(10) == b""


def test_dripping_does_not_buy_time(connect: Connect) -> None:
    with connect() as client:
        client.sendall(post(length=100_000)[:150])
        began = time.monotonic()
        client.settimeout(0.05)
        while True:
            try:
                client.sendall(b"x")
                if client.recv(10):
                    break
            except TimeoutError:
                assert time.monotonic() - began < 30
    assert time.monotonic() - began > 0.4


def test_two_hundred_slow_clients_harm_nobody(tier: Tier) -> None:
    with served(tier, patience=30.0) as connect, ExitStack() as stack:
        for number in range(200):
            slow = stack.enter_context(connect())
            slow.sendall(post()[:-20] if number % 2 else b"POST / HTTP/1.1\r\nX-A: ")
        with connect() as client:
            began = time.monotonic()
            client.sendall(post())
            assert read(client)[2] == b"face:Ada"
            assert time.monotonic() - began < 20


def test_probes_are_answered_while_everybody_waits(tier: Tier) -> None:
    go = threading.Event()

    def work(ticket: Any, data: list[bytes]) -> Any:
        go.wait(10)
        return answer(ticket, [("Ada", 40.0)])

    tier.worker.work = work
    with served(tier, threads=2) as connect, ExitStack() as stack:
        waiting = [stack.enter_context(connect()) for _ in range(5)]
        for client in waiting:
            client.sendall(post())
        for path in ("/healthz", "/readyz", "/metrics"):
            with connect() as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert read(client)[0] == 200
        go.set()
        assert [read(client)[2] for client in waiting] == [b"face:Ada"] * 5


def test_a_body_that_is_too_large_is_told_before_it_is_read(connect: Connect) -> None:
    with connect() as client:
        client.sendall(post(length=2_000_000))
        problem(413, read(client))


def test_who_sends_it_all_the_same_can_read_why_it_was_refused(connect: Connect) -> None:
    with connect() as client:
        client.sendall(post(b"x" * 3_000_000))
        problem(413, read(client))


def test_who_expects_to_continue_sends_nothing_in_vain(connect: Connect) -> None:
    with connect() as client:
        client.sendall(post(b"", length=2_000_000, extra=["Expect: 100-continue"]))
        problem(413, read(client))
    with connect() as client:
        client.sendall(post(b"", length=len(CLASSIC), extra=["Expect: 100-continue"]))
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(CLASSIC)
        assert read(client)[2] == b"face:Ada"


def test_chunks_are_bounded_too(connect: Connect) -> None:
    chunked = ["Transfer-Encoding: chunked"]
    with connect() as client:
        client.sendall(post(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CLASSIC), CLASSIC), extra=chunked))
        assert read(client)[2] == b"face:Ada"
    with connect() as client:
        client.sendall(post(b"", extra=chunked) + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 40)
        problem(413, read(client))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_is_no_http_is_told_so(connect: Connect, sent: bytes, status: int) -> None:
    with connect() as client:
        client.sendall(sent)
        problem(status, read(client))


def test_a_client_that_goes_away_is_no_fault(tier: Tier, connect: Connect) -> None:
    release = threading.Event()

    def work(ticket: Any, data: list[bytes]) -> Any:
        release.wait(10)
        return answer(ticket, [("Ada", 40.0)])

    tier.worker.work = work
    key = ["Idempotency-Key: once"]
    whole = post(extra=key)
    for part in (whole[:100], whole):
        client = connect()
        client.sendall(part)
        time.sleep(0.1)
        assert part != whole or soon(lambda: tier.queue.sent == 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # cut, not closed
        client.close()
    release.set()
    with connect() as client:
        client.sendall(post(extra=key))
        assert read(client)[2] == b"face:Ada"
    assert tier.queue.sent == 1


def test_what_is_in_hand_is_answered_at_the_end() -> None:
    tier = open_tier()
    arrived = threading.Semaphore(0)

    def work(ticket: Any, data: list[bytes]) -> Any:
        arrived.release()
        time.sleep(1.0)
        return answer(ticket, [("Ada", 40.0)])

    tier.worker.work = work
    with ExitStack() as stack:
        with served(tier, threads=2) as connect:  # four of six wait for a thread when it is told to stop
            clients = [stack.enter_context(connect()) for _ in range(6)]
            idle = stack.enter_context(connect())
            for client in clients:
                client.sendall(post())
            arrived.acquire()
        for client in clients:
            _, headers, body = read(client)
            assert body == b"face:Ada"
            assert headers["connection"] == "close"
        assert idle.recv(10) == b""
        with pytest.raises(OSError, match="refused"):
            connect()
    tier.close()


def test_told_twice_it_ends_at_once(tier: Tier) -> None:
    arrived, release = threading.Event(), threading.Event()

    def work(ticket: Any, data: list[bytes]) -> None:
        arrived.set()
        release.wait(10)

    tier.worker.work = work
    server = open_server(tier.app, Where("127.0.0.1", 0), threads=1, max_upload=1_000_000)
    working = threading.Thread(target=server.work, args=(20.0,))
    working.start()
    with socket.create_connection(("127.0.0.1", server.effective_port), timeout=10) as client:
        client.sendall(post())
        assert arrived.wait(10)
        server.stop()
        working.join(0.5)
        assert working.is_alive()
        server.stop()
        working.join(4)
        assert not working.is_alive()
    release.set()


def test_a_full_backlog_is_refused(tier: Tier, connect: Connect) -> None:
    tier.queue.depth_now = Depth(1000, 0)
    with connect() as client:
        client.sendall(post())
        found = read(client)
        problem(503, found)
        assert int(found[1]["retry-after"]) >= 1


def test_an_address_that_is_taken(tier: Tier) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=re.escape(f"127.0.0.1:{port}")):
            open_server(tier.app, Where("127.0.0.1", port), threads=1, max_upload=10)
