"""The application on a socket: waitress, which reads whole requests on one thread before a worker sees them.

docs/decisions/web.md says why it is waitress, and what was measured.
"""

import contextlib
import logging
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from visage.core.errors import UsageError
from visage.web.channel import Channel, TlsChannel

log = logging.getLogger("visage.web")

# Answered by threads of their own, so that they are answered while all others wait for recognized faces.
PROBES = {"/healthz", "/readyz", "/metrics"}
_PROBE_THREADS = 2

_MAX_HEADERS = 32 * 1024
_MAX_CONNECTIONS = 1000
_IDLE_SECONDS = 30

# Seconds for a request to arrive, besides what its size adds.
PATIENCE = 20.0

# Bytes read at a time, more than a TLS record; bytes of a request from which on it is kept in a file.
_READ = 64 * 1024
_SPOOL = 200_000

# Each connection may have its socket and a file for what comes in and what goes out.
_FILES_EACH = 3


@dataclass(frozen=True)
class Where:
    """host, port (0: any that is free). tls: how to speak TLS, None for plain HTTP. behind_proxy: another server passes
    the requests on and names their clients in X-Forwarded-For."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    behind_proxy: bool = False


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """cert, key: files (PEM). Raises `UsageError` where they cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # an encrypted key is an error, not a question
    except (OSError, ValueError) as error:
        raise UsageError(f"{cert}, {key}: no certificate and key that belong together ({error})") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def serve(
    app: Callable[..., Any], where: Where, *, threads: int, max_upload: int, drain: float, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; then take no more, answer what is in hand within `drain` seconds, and return.

    threads: requests at the same time. max_upload: bytes. ready: is told the URL once clients may come. Raises
    `UsageError` where the address cannot be had. Off the main thread no signals are heard; `Server.stop` ends it.
    """
    server = open_server(app, where, threads=threads, max_upload=max_upload)
    with _stopped_by_signals(server):
        ready(server.url)
        server.work(drain)


def open_server(
    app: Callable[..., Any], where: Where, *, threads: int, max_upload: int, patience: float = PATIENCE
) -> "Server":
    """A server that listens; `work` makes it answer. patience: seconds for a request to arrive. Raises `UsageError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address, family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {where.host}:{where.port} ({error}); take another port") from error
    trusted: dict[str, Any] = {}
    if where.behind_proxy:
        headers = {"x-forwarded-for", "x-forwarded-proto"}
        trusted = {"trusted_proxy": "*", "trusted_proxy_count": 1, "trusted_proxy_headers": headers}
    adjustments = Adjustments(
        sockets=[listening],
        ident=None,
        connection_limit=_connections(),
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=1,
        max_request_header_size=_MAX_HEADERS,
        max_request_body_size=max_upload + 1,
        recv_bytes=_READ,
        inbuf_overflow=_SPOOL,
        log_socket_errors=False,
        asyncore_use_poll=hasattr(select, "poll"),
        url_scheme="https" if where.tls else "http",
        **trusted,
    )
    return Server(app, where, adjustments, listening, threads, patience)


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """waitress's server that tells probes from the rest, ends slow requests, speaks TLS, and finishes what it has."""

    accepting: bool

    def __init__(
        self, app: Any, where: Where, adjustments: Any, listening: socket.socket, threads: int, patience: float
    ) -> None:
        self._patience = patience
        self.tls = where.tls
        self.stopping = False
        self._at_once = False
        self.channel_class = TlsChannel if where.tls else Channel
        self._host = where.host
        self._probes = ThreadedTaskDispatcher()
        workers = ThreadedTaskDispatcher()
        sockinfo = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(app, {}, True, listening, workers, adjustments, sockinfo, bind_socket=False)
        self._probes.set_thread_count(_PROBE_THREADS)
        workers.set_thread_count(threads)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self.tls else 'http'}://{host}:{self.effective_port}"

    def work(self, drain: float) -> None:
        """Answer requests until `stop`, and what is in hand then for at most `drain` seconds."""
        until = float("inf")
        while not self.stopping or (self._at_work() and time.monotonic() < until and not self._at_once):
            wasyncore.loop(
                1.0 if not self.stopping else 0.1, use_poll=self.adj.asyncore_use_poll, map=self._map, count=1
            )
            if self.stopping and until == float("inf"):
                until = time.monotonic() + drain
                self._listen_no_more()
        self._listen_no_more()
        for dispatcher in (self.task_dispatcher, self._probes):
            dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def stop(self) -> None:
        """From any thread or a signal's handler; the second time it ends without the answers."""
        self._at_once = self.stopping
        self.stopping = True
        with contextlib.suppress(OSError):  # it may have ended by now, and its trigger with it
            self.pull_trigger()

    def add_task(self, task: Any) -> None:
        if getattr(task.requests[0], "path", "") in PROBES:
            self._probes.add_task(task)
        else:
            self.task_dispatcher.add_task(task)

    def handle_accept(self) -> None:
        try:
            super().handle_accept()
        except OSError as error:  # a client that is gone before its connection was made
            log.info("a connection failed: %s", error)

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        monotonic = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.end_if_late(monotonic, self._patience)

    def _listen_no_more(self) -> None:
        if self.accepting:
            self.accepting = False
            self.del_channel()
            self.socket.close()

    def _at_work(self) -> bool:
        return any(channel.at_work for channel in list(self.active_channels.values()))


@contextlib.contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _connections() -> int:
    """How many connections this process may have at a time, after asking for as many files as they need."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return _MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS * _FILES_EACH + 500
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _MAX_CONNECTIONS if soft < 0 else max(50, min(_MAX_CONNECTIONS, (soft - 200) // _FILES_EACH))
