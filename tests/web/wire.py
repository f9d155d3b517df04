"""HTTP by hand over real sockets, since what is asked is what no client would send."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.web.fakes import Tier, form
from visage.web.server import Where, open_server

CLASSIC, KIND = form("inputFile", b"picture")


def post(body: bytes = CLASSIC, *, path: str = "/", extra: Sequence[str] = (), length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {KIND}", *extra]
    if not any(line.lower().startswith("transfer-encoding") for line in extra):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def read(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One response."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _some(connection)
    return int(first.split()[1]), headers, body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed without a whole answer")
    return data


def problem(status: int, found: tuple[int, dict[str, str], bytes]) -> None:
    assert found[0] == status
    assert found[1]["content-type"] == "application/problem+json"
    assert json.loads(found[2])["status"] == status


@contextmanager
def served(tier: Tier, **options: Any) -> Iterator[Callable[[], socket.socket]]:
    """A server on a free port; what it gives connects to it."""
    given: dict[str, Any] = {"threads": 4, "max_upload": 1_000_000, **options}
    where = Where("127.0.0.1", 0, given.pop("tls", None))
    server = open_server(tier.app, where, **given)
    drained = threading.Thread(target=server.work, args=(5.0,))
    drained.start()

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.effective_port), timeout=60)

    try:
        yield connect
    finally:
        server.stop()
        drained.join(20)
        assert not drained.is_alive()
