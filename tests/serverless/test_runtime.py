"""What the other tests' functions are started by does as AWS does."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.processes.workers import soon
from tests.serverless.emulator import Emulator
from tests.serverless.runtime import Function, FunctionError, Runtime

pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it with: pip install -e '.[test]'")

HANDLER = """
import os, sys, time

started = time.time()

def handler(event, context):
    print("asked", flush=True)
    match event["do"]:
        case "echo":
            return event
        case "raise":
            raise KeyError("lost")
        case "end":
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "tell":
            return {
                "pid": os.getpid(),
                "folder": os.getcwd(),
                "left": context.get_remaining_time_in_millis(),
                "name": context.function_name,
                "memory": context.memory_limit_in_mb,
                "arn": context.invoked_function_arn,
                "request": context.aws_request_id,
                "environment": dict(os.environ),
            }
"""


@pytest.fixture
def function(tmp_path: Path) -> Function:
    (tmp_path / "tiny.py").write_text(HANDLER)
    return Function("tiny.handler", tmp_path, {"MINE": "1"}, name="tiny", timeout=60, memory=512)


@pytest.fixture(params=[Runtime, Emulator])
def started(request: pytest.FixtureRequest, function: Function) -> Iterator[Runtime | Emulator]:
    with request.param(function) as opened:
        yield opened


def test_an_event_comes_back(started: Runtime | Emulator) -> None:
    for text in ("", "été 🙂", "x" * 1_000_000):
        assert started.invoke({"do": "echo", "text": text}) == {"do": "echo", "text": text}
    assert started.invoke({"do": "nothing"}) is None
    assert "asked" in started.log


def test_a_function_knows_where_it_is(
    started: Runtime | Emulator, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THIS_PROCESS", "1")
    told = started.invoke({"do": "tell"})
    assert told["folder"] == str(function.folder)
    assert 0 < told["left"] <= 60_000
    assert (told["name"], told["memory"]) == ("tiny", "512")
    assert told["arn"].startswith("arn:aws:lambda:us-east-1:")
    environment = told["environment"]
    assert environment["MINE"] == "1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "tiny"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environment["AWS_REGION"] == "us-east-1"
    assert "THIS_PROCESS" not in environment
    again = started.invoke({"do": "tell"})
    assert again["pid"] == told["pid"]  # the process is kept
    assert again["request"] != told["request"]


def test_a_function_that_raises_goes_on(started: Runtime | Emulator) -> None:
    with pytest.raises(FunctionError) as told:
        started.invoke({"do": "raise"})
    assert (told.value.kind, told.value.message) == ("KeyError", "'lost'")
    assert started.invoke({"do": "echo"}) == {"do": "echo"}


@pytest.mark.parametrize("form", [Runtime, Emulator])
def test_a_function_that_takes_too_long_is_ended(form: type[Runtime | Emulator], function: Function) -> None:
    with form(replace(function, timeout=4)) as started:
        pid = started.invoke({"do": "tell"})["pid"]
        begun = time.monotonic()
        with pytest.raises(FunctionError, match=r"Task timed out after 4\.00 seconds") as told:
            started.invoke({"do": "sleep"})
        assert told.value.kind == "Sandbox.Timedout"
        assert 3.9 < time.monotonic() - begun < 40
        assert started.invoke({"do": "tell"})["pid"] != pid
        assert not is_alive(pid)


def test_a_function_that_ends_is_started_again(started: Runtime | Emulator) -> None:
    pid = started.invoke({"do": "tell"})["pid"]
    with pytest.raises(FunctionError, match="exit status 3") as told:
        started.invoke({"do": "end"})
    assert told.value.kind == "Runtime.ExitError"
    assert started.invoke({"do": "tell"})["pid"] != pid


@pytest.mark.parametrize("form", [Runtime, Emulator])
def test_a_function_that_cannot_start(form: type[Runtime | Emulator], function: Function) -> None:
    (function.folder / "tiny.py").write_text("raise ImportError('no such thing')")
    with form(function) as started:
        with pytest.raises(FunctionError, match="no such thing"):
            started.invoke({"do": "echo"})
        (function.folder / "tiny.py").write_text(HANDLER)
        assert started.invoke({"do": "echo"}) == {"do": "echo"}


@pytest.mark.parametrize("form", [Runtime, Emulator])
def test_nothing_is_left_behind(form: type[Runtime | Emulator], function: Function) -> None:
    with form(function) as started:
        pid = started.invoke({"do": "tell"})["pid"]
        assert is_alive(pid)
        log = started.path
    assert soon(lambda: not is_alive(pid))
    assert not log.exists()


def test_the_emulator_tells_how_long_the_start_took(function: Function) -> None:
    with Emulator(function) as emulator:
        assert emulator.first is None
        begun = time.monotonic()
        emulator.invoke({"do": "echo"})
        first = emulator.first
        assert first
        assert 0 < time.monotonic() - begun <= first + 10
        emulator.invoke({"do": "echo"})
        assert emulator.first == first


def test_an_invocation_takes_little(function: Function) -> None:
    with Runtime(function) as runtime:
        runtime.invoke({"do": "echo"})
        times = []
        for _ in range(20):
            begun = time.monotonic()
            runtime.invoke({"do": "echo"})
            times.append(time.monotonic() - begun)
    assert min(times) < 0.03  # 0.09 where two ends wait for each other; a busy machine may take longer now and then


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
