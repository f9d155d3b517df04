"""Jobs that came back: they are performed alone, and what kills its worker is put aside."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.core.benches import LEASE, Gate, bench, is_empty, keys, lease, names, result
from tests.core.service_fakes import Service, asked, soon
from visage.core.service import worker
from visage.core.tickets import ticket_from_text, ticket_to_text, try_key

ROOT = Path(__file__).parents[2]


def test_a_job_that_came_back_is_performed_alone(service: Service) -> None:
    gate, opened = Gate(), list[str]()
    suspect = service.reception.submit(asked("ada"))
    lease(service, 1)
    innocent = service.reception.submit(asked("bo"))
    with bench(service, find=gate, opened=opened.append).working():
        assert gate.reached.wait(60)
        if opened[0] == "bo":  # it was decoded before the other's turn came
            opened.remove("bo")
        assert keys(service, suspect) == ["try-1"]
        time.sleep(0.1)
        assert opened == ["ada"]
        gate.opened.set()
        assert names(service, suspect) == ["Ada"]
        assert names(service, innocent) == ["Bo"]
        assert soon(lambda: is_empty(service))
    assert keys(service, suspect) == ["result.json"]
    assert keys(service, innocent) == ["result.json"]


def test_nothing_is_decoded_while_a_job_is_performed_alone(service: Service) -> None:
    gate, opened = Gate(), list[str]()
    suspect = service.reception.submit(asked("ada"))
    lease(service, 1)
    with bench(service, find=gate, opened=opened.append).working() as at:
        assert gate.reached.wait(60)
        others = [service.reception.submit(asked("bo")) for _ in range(3)]
        time.sleep(0.3)
        assert opened == ["ada"]
        gate.opened.set()
        assert [names(service, ticket) for ticket in [suspect, *others]] == [["Ada"], ["Bo"], ["Bo"], ["Bo"]]
    assert at.line.count("outputs.delete", try_key(suspect.id, 1)) >= 1


def test_a_try_alone_that_fails_leaves_no_mark(service: Service, soon_again: None) -> None:
    """The input store is away: that is not the job's fault, however often."""
    at = bench(service)
    at.line.cut = lambda verb: verb == "inputs.as_file"
    ticket = service.reception.submit(asked("ada"))
    with at.working():
        assert soon(lambda: at.line.count("outputs.create", try_key(ticket.id, 1)) > worker.DEATHS)
        at.line.cut = lambda verb: False
        assert names(service, ticket) == ["Ada"]
        assert soon(lambda: is_empty(service))
    assert service.queue.dead() == []
    assert keys(service, ticket) == ["result.json"]


def test_a_job_that_ended_its_worker_three_times_alone_is_put_aside(service: Service) -> None:
    ticket = service.reception.submit(asked("ada", name="bomb.jpg"))
    lease(service, 1)
    for number in range(1, worker.DEATHS + 1):
        service.outputs.put(try_key(ticket.id, number), b"")
    opened: list[str] = []
    with bench(service, opened=opened.append).working() as at:
        found = result(service, ticket)
        assert soon(service.queue.dead)
    assert opened == []
    assert (found["status"], found["error"]["kind"]) == ("failed", "DeadlyError")
    (letter,) = service.queue.dead()
    assert letter.body == ticket_to_text(ticket)
    assert "3 times while it was performed alone" in letter.reason
    assert [verb for verb, _ in at.line.passed if verb in {"outputs.create", "replies.send", "queue.bury"}][-3:] == [
        "outputs.create", "replies.send", "queue.bury",
    ]  # fmt: skip
    assert is_empty(service)


@pytest.mark.slow
def test_a_picture_that_kills_its_worker_hurts_nobody_else(hasty: Service) -> None:
    """Real processes, one after another, until everybody has an answer."""
    bomb = hasty.reception.submit(asked("poison", name="bomb.jpg"))
    innocent = [hasty.reception.submit(asked(name)) for name in ("ada", "bo") * 4]
    again = hasty.reception.submit(asked("ada", key="k"))
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.core.service_fakes", str(hasty.folder), str(LEASE)]
    deaths = 0

    def all_done() -> bool:
        return all(hasty.reception.result(ticket.id) for ticket in [bomb, *innocent, again])

    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        while not all_done() and deaths < 10:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            assert process.returncode == 9
            deaths += 1
            process = subprocess.Popen(command, env=environment, cwd=ROOT)
        assert soon(lambda: is_empty(hasty))
    finally:
        process.kill()
        process.wait()

    assert deaths == 1 + worker.DEATHS  # once in company
    failed = result(hasty, bomb)
    assert (failed["status"], failed["error"]["kind"]) == ("failed", "DeadlyError")
    assert [names(hasty, ticket) for ticket in [*innocent, again]] == [["Ada"], ["Bo"]] * 4 + [["Ada"]]
    (letter,) = hasty.queue.dead()
    assert ticket_from_text(letter.body) == bomb
    assert "3 times while it was performed alone" in letter.reason
    assert keys(hasty, innocent[0]) == ["result.json"]
