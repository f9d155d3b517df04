"""A function started as AWS starts it: by awslambdaric, against a Runtime API in this process.

One invocation at a time. Of a function that raises, ends or takes too long it says what AWS says.
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

REGION = "us-east-1"
PATIENCE = 60.0  # seconds for a start; AWS grants 10, but its machines have nothing else to do


class FunctionError(Exception):
    """What AWS tells in place of a result. kind: its errorType; message: its errorMessage."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Function:
    """handler: MODULE.NAME. folder: where its files are, and where it starts. environment: its settings; of this
    process's own it sees nothing. python: the command that starts Python. timeout: seconds; memory: MB."""

    handler: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "function"
    timeout: int = 60
    memory: int = 2048
    python: Sequence[str] = (sys.executable,)

    @property
    def command(self) -> list[str]:
        return [*self.python, "-m", "awslambdaric", self.handler]

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:123456789012:function:{self.name}"

    def surroundings(self) -> dict[str, str]:
        """The variables that a function finds on AWS, and its own."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": self.handler,
            "LAMBDA_TASK_ROOT": str(self.folder),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout),  # read by the emulator
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2025/03/01/[$LATEST]0123456789abcdef0123456789abcdef",
            **self.environment,
        }

    def start(self, command: Sequence[str], log: Path, **more: str) -> "subprocess.Popen[bytes]":
        with log.open("ab") as file:
            return subprocess.Popen(
                command, cwd=self.folder, env={**self.surroundings(), **more}, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file,
            )  # fmt: skip


class Journal:
    """What a function writes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="visage-function-")
        self.path = Path(self._folder.name) / "log"

    @property
    def log(self) -> str:
        return self.path.read_text(errors="replace") if self.path.exists() else ""

    def close(self) -> None:
        self._folder.cleanup()


class Runtime(Journal):
    """A function and its Runtime API. A process is started for the first event, and again after one that ended or took
    too long, as on AWS."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function
        self._sandbox: _Sandbox | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the function's process, where there is one."""
        return self._sandbox.process.pid if self._sandbox else None

    def invoke(self, event: object) -> Any:
        """What the handler returns. Raises `FunctionError`."""
        if self._sandbox is None or self._sandbox.process.poll() is not None:
            self.stop()
            self._sandbox = _Sandbox(self._function, self.path)
        answer = self._sandbox.take(json.dumps(event).encode())
        if self._sandbox.spent:
            self.stop()
        if isinstance(answer, FunctionError):
            raise answer
        return json.loads(answer)

    def stop(self) -> None:
        """End the process; the next event starts another."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


class _Sandbox:
    """One process and the server that it asks for events. spent: it is to be ended, whatever it does."""

    def __init__(self, function: Function, log: Path) -> None:
        self._function = function
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.answers: queue.Queue[bytes | FunctionError] = queue.Queue()
        self.handed: float | None = None
        self.spent = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        address = f"127.0.0.1:{self._server.server_port}"
        self.process = function.start(function.command, log, AWS_LAMBDA_RUNTIME_API=address)

    def headers(self) -> dict[str, str]:
        """Of an event that is handed over now."""
        self.handed = time.time()
        return {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(round((self.handed + self._function.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._function.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-67c2dbe2-0123456789abcdef01234567;Sampled=0",
        }

    def take(self, event: bytes) -> bytes | FunctionError:
        self.handed = None
        self.events.put(event)
        begun = time.time()
        while True:
            gone = self.process.poll()
            try:
                return self.answers.get(timeout=0.0 if gone is not None else 0.05)
            except queue.Empty:
                pass
            if gone is not None:
                self.spent = True
                return FunctionError("Runtime.ExitError", f"Error: Runtime exited with error: exit status {gone}")
            if time.time() > (self.handed or begun + PATIENCE) + self._function.timeout:
                self.spent = True
                message = f"Error: Task timed out after {self._function.timeout:.2f} seconds"
                return FunctionError("Sandbox.Timedout", message)

    def close(self) -> None:
        self.process.kill()  # AWS gives no notice either
        self.process.wait()
        self.events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, sandbox: _Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__(("127.0.0.1", 0), _Api)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # as of a process that was killed
            super().handle_error(request, client_address)


class _Api(BaseHTTPRequestHandler):
    """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # without these two an invocation takes 90 ms
    wbufsize = -1

    def do_GET(self) -> None:
        assert self.path == "/2018-06-01/runtime/invocation/next"
        event = self.server.sandbox.events.get()
        if event is None:
            self.close_connection = True
        else:
            self._answer(200, event, self.server.sandbox.headers())

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        sandbox = self.server.sandbox
        if self.path.endswith("/response"):
            sandbox.answers.put(data)
        else:  # /runtime/invocation/ID/error or /runtime/init/error
            sandbox.spent = self.path.endswith("/init/error")
            sandbox.answers.put(error_of(json.loads(data)))
        self._answer(202, b'{"status":"OK"}', {})

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


def error_of(told: Mapping[str, Any]) -> FunctionError:
    return FunctionError(str(told.get("errorType")), str(told.get("errorMessage")))
