"""waitress's connections, with what it lacks: a time limit for every request, problems as JSON, and TLS."""

import contextlib
import logging
import socket
import ssl
import threading
import time
import uuid
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest

from visage.web import problems
from visage.web.logs import EXTRA

log = logging.getLogger("visage.web")

# A request gets a second more for every so many bytes of it: slow clients are let in, those that only hold a connection
# open are not.
BYTES_A_SECOND = 10_000

# A connection closed while the client still sends takes the answer with it, so it is read on for so many seconds.
_LINGER = 2.0

# What is told for the errors that waitress finds itself.
_DETAILS = {
    400: "the request is no HTTP that this server understands",
    408: "the request came too slowly; send it again",
    413: "the request is too large; send a smaller one",
    431: "the request's headers are too large",
    501: "this transfer encoding is not known here; send the length, or chunks",
}


# In a request's environment: says whether the server is asked to leave, for answers that would go on.
LEAVING = "visage.leaving"


class TooSlow(BadRequest):  # type: ignore[misc]  # waitress has no types
    code = 408
    reason = "Request Timeout"


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request on its way in."""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.started = time.monotonic()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.error:
            self.expect_continue = False  # nobody is asked to send what is refused already
        return consumed

    def late(self, now: float, patience: float) -> bool:
        received: int = self.header_bytes_received + self.body_bytes_received
        return now - self.started > patience + received / BYTES_A_SECOND


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what never reaches the application, in the application's words."""

    def execute(self) -> None:
        error, request_id = self.request.error, uuid.uuid4().hex
        log.info("request", extra={EXTRA: {"request": request_id, "status": error.code}})
        body = problems.to_bytes(error.code, _DETAILS.get(error.code, error.reason), request_id)
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", problems.MEDIA_TYPE))
        self.channel.refused = True
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Task(WSGITask):  # type: ignore[misc]
    def get_environment(self) -> dict[str, Any]:
        return {**super().get_environment(), LEAVING: lambda: self.channel.server.stopping}

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. refused: its request was not read to the end."""

    task_class = Task
    error_task_class = ProblemTask
    parser_class = Parser
    request: Any
    close_when_flushed: bool
    refused = False
    lingers_until: float | None = None

    def end_if_late(self, now: float, patience: float) -> None:
        """now: monotonic. patience: seconds for a request. On the server's own thread, like everything that reads."""
        if self.lingers_until is not None:
            self.will_close = now > self.lingers_until
            return
        with self.requests_lock:
            if self.requests or self.request is None or not self.request.late(now, patience):
                return
            self.request.error = TooSlow("")
            self.request.completed = True
            self.requests.append(self.request)
            self.request = None
        self.server.add_task(self)

    @property
    def at_work(self) -> bool:
        """Whether a request is on its way in, being answered, or its answer is on its way out."""
        return bool(self.requests or self.request is not None or self.total_outbufs_len)

    def handle_read(self) -> None:
        if self.lingers_until is None:
            super().handle_read()
            return
        try:
            gone = not self.recv(self.adj.recv_bytes)
        except OSError:
            gone = True
        if gone:
            self.handle_close()

    def handle_write(self) -> None:
        if not (self.refused and self.close_when_flushed):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.socket is not None and not self.total_outbufs_len:
            self.close_when_flushed = False
            self.lingers_until = time.monotonic() + _LINGER
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)


class TlsChannel(Channel):
    """The same over TLS. A record has at most 16 KiB and is read whole, so nothing is left in OpenSSL's hands that the
    poll could not see."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        # OpenSSL's connection is not to be used by two threads at once; a worker may write while the server reads.
        self._tls_lock = threading.Lock()
        sock.setblocking(False)
        wrapped = server.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(server, wrapped, addr, adj, map)

    def handle_read(self) -> None:
        if self.lingers_until is not None:
            super().handle_read()
            return
        try:
            with self._tls_lock:
                data = self.socket.recv(self.adj.recv_bytes)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):  # in the middle of a handshake or a record
            return
        except OSError:  # no TLS, or the client is gone
            data = b""
        if not data:
            self.handle_close()
            return
        self.last_activity = time.time()
        self.received(data)

    def send(self, data: bytes, do_close: bool = True) -> int:
        try:
            with self._tls_lock:
                return int(self.socket.send(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            if do_close:
                self.handle_close()
            return 0

    def handle_close(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError), self._tls_lock:
            self.socket.unwrap()  # says goodbye; whether the client does too, nobody waits for
        super().handle_close()
