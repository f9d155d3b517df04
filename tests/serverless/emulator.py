"""A function under AWS's own Runtime Interface Emulator, which comes with `make tools`."""

import http.client
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

from tests.linters import TOOLS
from tests.ports import free_port
from tests.serverless.runtime import PATIENCE, Function, FunctionError, Journal, error_of


class Emulator(Journal):
    """One invocation at a time, told as `Runtime` tells it. Where the emulator is not installed the test is skipped."""

    first: float | None = None  # seconds from the start of its process to the first answer

    def __init__(self, function: Function) -> None:
        self._binary = _emulator()
        super().__init__()
        self._function = function

    def __enter__(self) -> Self:
        self._port = free_port()
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}",
                     "--runtime-api-address", f"127.0.0.1:{free_port()}", "--log-level", "error"]  # fmt: skip
        self._begun = time.monotonic()
        command = [str(self._binary), *addresses, *self._function.command]
        self._process = self._function.start(command, self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # it ends the function
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.close()

    def invoke(self, event: object) -> Any:
        """What the handler returns. Raises `FunctionError`."""
        connection = self._connected()
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            text = connection.getresponse().read()
        finally:
            connection.close()
        self.first = self.first or time.monotonic() - self._begun
        if text.startswith(b"Task timed out"):
            raise FunctionError("Sandbox.Timedout", text.decode())
        answer = json.loads(text)
        if isinstance(answer, dict) and {"errorType", "errorMessage"} <= answer.keys():
            raise error_of(answer)
        return answer

    def _connected(self) -> http.client.HTTPConnection:
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._function.timeout + PATIENCE)
            try:
                connection.connect()
            except ConnectionRefusedError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.002)
            else:
                return connection


def _emulator() -> Path:
    machine = "arm64" if os.uname().machine in {"arm64", "aarch64"} else "x86_64"
    found = next(TOOLS.glob(f"sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"), None)
    if found is None:
        reason = "AWS's emulator is not installed; install it with: make tools"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
