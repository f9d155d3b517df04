"""The app tier at work: nothing is lost, nobody waits for another's fault, and order is kept."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.core.service_fakes import Bench, NamedPictures, Service, asked, enroll_both, find, make_kit, soon
from tests.fakes import FakeEmbedder
from visage.core import outbox, worker
from visage.core.reception import Asked
from visage.core.records import WORKERS
from visage.core.tickets import (
    Ticket,
    result_key,
    result_to_bytes,
    ticket_from_text,
    ticket_to_text,
    try_key,
)
from visage.core.values import Delivery, Embeddings, Face, Job, JobKind, Pixels

ROOT = Path(__file__).parents[2]
LEASE = 0.3


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    enroll_both(tmp_path)
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def hasty(service: Service, tmp_path: Path) -> Iterator[Service]:
    """The same with short leases."""
    with closing(Service(tmp_path, lease=LEASE)) as opened:
        yield opened


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off is tried again at once."""
    monkeypatch.setattr(outbox, "RETRY", 0.02)
    monkeypatch.setattr(outbox, "LATEST", 0.1)


class Gate:
    """Pictures whose detector waits until the gate is opened. reached: somebody stands before it."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, pixels: Pixels) -> list[Face]:
        if pixels.any():  # not when it warms up
            self.reached.set()
            assert self.opened.wait(20)
        return find(pixels)


def bench(service: Service, **kit: Any) -> Bench:
    opened: Callable[[str], None] = kit.pop("opened", lambda name: None)
    return Bench(service, make_kit(service.folder, NamedPictures(opened), **kit))


def result(service: Service, ticket: Ticket) -> dict[str, Any]:
    found = service.reception.wait(ticket.id, 10.0)
    assert found is not None
    return found


def names(service: Service, ticket: Ticket) -> list[str]:
    found = result(service, ticket)
    assert found["status"] == "done", found
    return list(found["answer"]["names"])


def is_empty(service: Service) -> bool:
    depth = service.queue.depth()
    return (depth.waiting, depth.in_flight) == (0, 0)


def lease(service: Service, count: int) -> list[Delivery]:
    """As another worker that takes messages and dies: they come back at once, but were leased before."""
    deliveries = service.queue.receive(count, 1.0)
    assert len(deliveries) == count
    service.queue.release([delivery.receipt for delivery in deliveries])
    return deliveries


def keys(service: Service, ticket: Ticket) -> list[str]:
    return [stored.key.partition("/")[2] for stored in service.outputs.list(ticket.id)]


def test_done_is_stored_then_replied_then_removed(service: Service) -> None:
    with bench(service).working() as at:
        ticket, found = service.reception.answer(asked("ada", name="Zoë.jpg"), 10.0)
        assert found is not None
        assert found["answer"]["names"] == ["Ada"]
        assert found["answer"]["source"] == "Zoë.jpg"
        assert "vector" not in found["answer"]["faces"][0]
        assert soon(lambda: is_empty(service))
    done = [verb for verb, _ in at.line.passed if verb in {"outputs.create", "replies.send", "queue.done"}]
    assert done == ["outputs.create", "replies.send", "queue.done"]
    assert keys(service, ticket) == ["result.json"]
    assert (at.log.said("a job is done"), service.queue.dead()) == (
        [{"id": ticket.id, "request": "req", "failure": None, "first": True}], [],
    )  # fmt: skip


def test_every_kind_of_job(service: Service) -> None:
    with bench(service).working():
        two = Asked(Job(JobKind.COMPARE, ()), [("a.jpg", b"ada"), ("b.jpg", b"ada")])
        compared = service.reception.answer(two, 10.0)[1]
        new = Asked(Job(JobKind.ENROLL, (), name="Cleo", collection="others"), [("c.jpg", b"bo")])
        enrolled = service.reception.answer(new, 10.0)[1]
        seen = service.reception.answer(Asked(Job(JobKind.RECOGNIZE, ()), [("v.mp4", b"film")], vectors=True), 10.0)[1]
        detected = service.reception.answer(asked("bo", kind=JobKind.DETECT), 10.0)[1]
    assert compared is not None
    assert compared["answer"]["comparison"]["same"]
    assert [media["source"] for media in compared["answer"]["media"]] == ["a.jpg", "b.jpg"]
    assert enrolled is not None
    assert enrolled["answer"]["enrollment"]["person"]["name"] == "Cleo"
    assert seen is not None
    assert (seen["answer"]["names"], seen["answer"]["frames"]) == (["Ada"], 40)
    assert len(seen["answer"]["faces"][0]["vector"]) == 64
    assert detected is not None
    assert len(detected["answer"]["faces"]) == 1


@pytest.mark.parametrize(
    ("job", "kind", "detail"),
    [
        (asked("rubbish", name="Zoë.jpg"), "UnreadableError", "Zoë.jpg: it is no picture"),
        (asked("ada", collection="a/b"), "UsageError", "slash"),
        (Asked(Job(JobKind.COMPARE, ()), [("a", b"ada"), ("b", b"nobody")]), "UnreadableError", "b: no face"),
        (Asked(Job(JobKind.DETECT, ()), []), "UsageError", "detect takes 1 source, not 0"),
    ],
)
def test_a_job_that_cannot_be_done_fails_at_once(job: Asked, kind: str, detail: str, service: Service) -> None:
    with bench(service).working():
        _, found = service.reception.answer(job, 10.0)
        assert found is not None
        assert (found["status"], found["error"]["kind"]) == ("failed", kind)
        assert detail in found["error"]["detail"]
        assert soon(lambda: is_empty(service))
        assert names(service, service.reception.submit(asked("bo"))) == ["Bo"]
    assert service.queue.dead() == []


def test_a_file_that_expired_is_told_by_its_name(service: Service) -> None:
    ticket = service.reception.submit(asked("ada", name="old.jpg"))
    service.inputs.delete([f"{ticket.id}/0"])
    with bench(service).working():
        assert result(service, ticket)["error"] == {
            "kind": "NotFoundError", "detail": "old.jpg: it is not in the store any more; send it again",
        }  # fmt: skip


def test_a_fault_of_ours_is_answered_and_logged(service: Service) -> None:
    def stumble(pixels: Pixels) -> list[Face]:
        return find(pixels)[:1] if not pixels.any() else [find(pixels)[7]]

    with bench(service, find=stumble).working() as at:
        _, found = service.reception.answer(asked("ada"), 10.0)
    assert found is not None
    assert found["error"]["kind"] == "FaultError"
    assert "list index" not in found["error"]["detail"]
    (logged,) = at.log.said("a fault of Visage itself")
    assert isinstance(logged["error"], IndexError)
    assert logged["request"] == "req"


def test_a_message_that_is_none_of_ours_is_put_aside(service: Service) -> None:
    for body in ("hello", '{"visage":1}', "[]"):
        service.queue.send(body)
    with bench(service).working() as at:
        assert names(service, service.reception.submit(asked("ada"))) == ["Ada"]
        assert soon(lambda: is_empty(service))
    assert [letter.body for letter in service.queue.dead()] == ["hello", '{"visage":1}', "[]"]
    assert all("no ticket" in letter.reason for letter in service.queue.dead())
    assert len(at.log.said("a message that is none of ours was put aside")) == 3


def test_what_cannot_be_put_aside_holds_up_nobody(hasty: Service) -> None:
    at = bench(hasty)
    at.line.cut = lambda verb: verb == "queue.bury"
    hasty.queue.send("hello")
    ticket = hasty.reception.submit(asked("ada"))  # in the same delivery
    with at.working():
        assert names(hasty, ticket) == ["Ada"]
        at.line.cut = lambda verb: False
        assert soon(hasty.queue.dead)
    assert [letter.body for letter in hasty.queue.dead()] == ["hello"]


def test_a_job_that_was_done_already_is_not_computed_again(service: Service) -> None:
    ticket = service.reception.submit(asked("ada"))
    service.outputs.put(result_key(ticket.id), b'{"status":"done","from":"before"}')
    opened: list[str] = []
    with bench(service, opened=opened.append).working() as at:
        assert soon(lambda: is_empty(service))
    assert opened == []
    assert result(service, ticket)["from"] == "before"
    assert at.line.count("replies.send", ticket.id) == 1
    assert at.line.count("outputs.create") == 0


def test_the_first_result_stays(service: Service) -> None:
    """Another worker was faster after all."""
    gate = Gate()
    with bench(service, find=gate).working() as at:
        ticket = service.reception.submit(asked("ada"))
        assert gate.reached.wait(10)
        service.outputs.put(result_key(ticket.id), result_to_bytes({"status": "done", "from": "another"}))
        gate.opened.set()
        assert soon(lambda: is_empty(service))
    assert result(service, ticket)["from"] == "another"
    assert [facts["first"] for facts in at.log.said("a job is done")] == [False]


def test_photos_that_wait_go_through_the_networks_together(service: Service) -> None:
    embedder = FakeEmbedder()
    tickets = [service.reception.submit(asked(name)) for name in ("ada", "bo") * 10]
    with bench(service, embedder=embedder).working():
        assert [names(service, ticket) for ticket in tickets] == [["Ada"], ["Bo"]] * 10
    batches = embedder.batches[1:]  # the first warms up
    assert sum(batches) == 20
    assert max(batches) == worker.TOGETHER
    assert len(batches) < 20


class OneByOne(FakeEmbedder):
    """Cannot do more than one crop at a time."""

    def embed(self, crops: Pixels) -> Embeddings:
        if len(crops) > 1:
            raise RuntimeError("out of memory")
        return super().embed(crops)


def test_where_they_cannot_go_together_they_go_one_by_one(service: Service) -> None:
    embedder = OneByOne()
    tickets = [service.reception.submit(asked(name)) for name in ("ada", "bo", "rubbish", "ada", "bo")]
    with bench(service, embedder=embedder).working() as at:
        found = [result(service, ticket) for ticket in tickets]
    assert [one["status"] for one in found] == ["done", "done", "failed", "done", "done"]
    assert max(embedder.batches) == 1
    assert at.log.said("photos are performed one by one")
    assert not at.log.said("a fault of Visage itself")


def test_a_job_that_came_back_is_performed_alone(service: Service) -> None:
    gate, opened = Gate(), list[str]()
    suspect = service.reception.submit(asked("ada"))
    lease(service, 1)
    innocent = service.reception.submit(asked("bo"))
    with bench(service, find=gate, opened=opened.append).working():
        assert gate.reached.wait(10)
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
        assert gate.reached.wait(10)
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


@pytest.mark.parametrize("verbs", [{"outputs.create"}, {"outputs.version"}, {"outputs.create", "queue.release"}])
def test_an_output_store_that_is_away_for_a_while(verbs: set[str], hasty: Service, soon_again: None) -> None:
    at = bench(hasty)
    at.line.cut = lambda verb: verb in verbs
    with at.working():
        tickets = [hasty.reception.submit(asked(name)) for name in ("ada", "bo", "rubbish")]
        assert soon(lambda: len(at.log.said("a job is put off")) + len(at.log.said("a result cannot be stored")) > 5)
        assert not any(hasty.reception.result(ticket.id) for ticket in tickets)
        at.line.cut = lambda verb: False
        assert [result(hasty, ticket)["status"] for ticket in tickets] == ["done", "done", "failed"]
        assert soon(lambda: is_empty(hasty))
    assert hasty.queue.dead() == []


def test_what_is_put_off_waits_longer_every_time(service: Service, soon_again: None) -> None:
    at = bench(service)
    at.line.cut = lambda verb: verb == "outputs.version"
    ticket = service.reception.submit(asked("ada"))
    with at.working():
        time.sleep(0.5)
        at.line.cut = lambda verb: False
        assert names(service, ticket) == ["Ada"]
    assert 3 <= len(at.log.said("a job is put off")) <= 9  # after 0.02, 0.08, 0.1, 0.1, ... s


@pytest.mark.parametrize(
    "verbs", [{"queue.receive"}, {"queue.done"}, {"queue.extend"}, {"queue.receive", "queue.done", "queue.extend"}]
)
def test_a_queue_that_is_away_for_a_while(verbs: set[str], hasty: Service, soon_again: None) -> None:
    at = bench(hasty)
    with at.working():
        assert names(hasty, hasty.reception.submit(asked("ada"))) == ["Ada"]
        at.line.cut = lambda verb: verb in verbs
        tickets = [hasty.reception.submit(asked(name)) for name in ("ada", "bo", "ada", "bo")]
        time.sleep(2 * LEASE)
        at.line.cut = lambda verb: False
        assert [names(hasty, ticket) for ticket in tickets] == [["Ada"], ["Bo"]] * 2
        assert soon(lambda: is_empty(hasty))
    assert [facts["first"] for facts in at.log.said("a job is done") if facts["first"]] == [True] * 5
    assert hasty.queue.dead() == []


def test_replies_that_cannot_be_sent_keep_nothing_in_the_queue(service: Service) -> None:
    at = bench(service)
    at.line.cut = lambda verb: verb == "replies.send"
    with at.working():
        started = time.monotonic()
        for _ in range(3):
            service.reception.submit(asked("ada"))
        assert soon(lambda: at.line.count("queue.done") == 3)
        assert time.monotonic() - started < outbox.RETRY
    assert is_empty(service)


def test_who_leaves_finishes_what_is_under_way_and_gives_the_rest_back(service: Service) -> None:
    gate = Gate()
    with bench(service, find=gate).working() as at:
        first = service.reception.submit(asked("ada"))
        assert gate.reached.wait(10)
        rest = [service.reception.submit(asked("bo")) for _ in range(3)]
        assert soon(lambda: service.queue.depth().in_flight == 4)
        at.station.leave()
        gate.opened.set()
    assert names(service, first) == ["Ada"]
    assert not any(service.reception.result(ticket.id) for ticket in rest)
    assert [service.queue.depth().waiting, service.queue.depth().in_flight] == [3, 0]
    assert at.line.count("queue.release") == 3  # not taken again by who leaves
    assert at.station.said == ["ready", "busy", "idle"]
    with bench(service).working():  # another does it, at once
        assert [names(service, ticket) for ticket in rest] == [["Bo"]] * 3


def test_leases_last_as_long_as_the_work(hasty: Service) -> None:
    gate, opened = Gate(), list[str]()
    with bench(hasty, find=gate, opened=opened.append).working():
        tickets = [hasty.reception.submit(asked("ada")) for _ in range(2)]
        assert gate.reached.wait(10)
        assert soon(lambda: hasty.queue.depth().in_flight == 2)
        threading.Timer(5 * LEASE, gate.opened.set).start()
        assert hasty.queue.receive(10, 5 * LEASE - 0.1) == []
        assert [names(hasty, ticket) for ticket in tickets] == [["Ada"]] * 2
        assert soon(lambda: is_empty(hasty))
    assert opened == ["ada"] * 2


def test_leases_last_while_the_output_store_is_away(hasty: Service) -> None:
    gate = Gate()
    at = bench(hasty, find=gate)
    at.line.cut = lambda verb: verb in {"outputs.put", "outputs.create"}  # reports fail as well
    with at.working():
        hasty.reception.submit(asked("ada"))
        assert gate.reached.wait(10)
        assert hasty.queue.receive(10, worker.OFTEN + 4 * LEASE) == []
        at.line.cut = lambda verb: False
        gate.opened.set()
        assert soon(lambda: is_empty(hasty))


def test_a_lost_lease_is_dropped_quietly(hasty: Service) -> None:
    """The queue cannot be reached until another has the job; the one that waits behind it is not even begun."""
    gate = Gate()
    at = bench(hasty, find=gate)
    with at.working():
        hasty.reception.submit(asked("ada"))
        assert gate.reached.wait(10)
        hasty.reception.submit(asked("bo"))
        assert soon(lambda: hasty.queue.depth().in_flight == 2)
        at.line.cut = lambda verb: verb in {"queue.extend", "queue.receive"}
        taken: list[Delivery] = []

        def take() -> bool:
            taken.extend(hasty.queue.receive(2, 0.1))
            return len(taken) == 2

        assert soon(take)
        mine = {delivery.receipt for delivery in taken}
        stop = threading.Event()

        def hold() -> None:
            while not stop.wait(LEASE / 5):
                assert hasty.queue.extend(list(mine)) == []

        holder = threading.Thread(target=hold)
        holder.start()
        at.line.cut = lambda verb: False
        assert soon(lambda: at.station.said[-1] == "idle")
        gate.opened.set()
        assert soon(lambda: at.line.count("queue.done") == 1)  # of the one that was under way
        assert hasty.queue.depth().in_flight == 2
        stop.set()
        holder.join()
        assert hasty.queue.done(list(mine)) == []
    assert [facts["first"] for facts in at.log.said("a job is done")] == [True]
    done, left = (ticket_from_text(delivery.body) for delivery in taken)
    assert hasty.reception.result(done.id)
    assert hasty.reception.result(left.id) is None


class Film:
    """A detector that looks at a film's frames as fast as it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker, "OFTEN", 0.05)
        self.seconds = 0.2

    def __call__(self, pixels: Pixels) -> list[Face]:
        if pixels.shape == (300, 400, 3) and pixels.any():
            time.sleep(self.seconds / 8)
        return find(pixels)


@pytest.mark.parametrize("away", [False, True])
def test_a_videos_progress_is_noted_if_it_can_be(away: bool, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    at = bench(service, find=Film(monkeypatch))
    at.line.cut = lambda verb: away and verb == "outputs.put"
    seen: list[float] = []
    with at.working():
        ticket = service.reception.submit(asked("film"))
        while service.reception.result(ticket.id) is None:
            if note := service.reception.progress(ticket.id):
                seen.append(note["progress"])
            time.sleep(0.01)
        assert names(service, ticket) == ["Ada"]
        assert soon(lambda: is_empty(service))
    assert seen == sorted(seen)
    assert (len(set(seen)) >= 2, bool(at.log.said("progress cannot be noted"))) == (not away, away)
    assert all(0 <= share <= 1 for share in seen)
    assert len(at.log.said("a job is done")) == 1  # in one go
    assert service.reception.progress(ticket.id) is None
    assert keys(service, ticket) == ["result.json"]


def test_nobody_waits_for_the_end_of_a_video(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film(monkeypatch)
    film.seconds = 0.5
    video = service.reception.submit(asked("film"))
    others = [service.reception.submit(asked(name)) for name in ("bo", "film", "bo")]
    with bench(service, find=film).working():
        assert soon(lambda: service.queue.depth().in_flight == 4)
        assert soon(lambda: service.queue.depth().waiting == 3)
        with bench(service).working():
            assert [names(service, ticket) for ticket in others] == [["Bo"], ["Ada"], ["Bo"]]
            assert service.reception.result(video.id) is None
        assert names(service, video) == ["Ada"]


def test_no_more_is_decoded_than_fits(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is 120,000 pixels; what waits for the networks is at most one more than the limit allows."""
    monkeypatch.setattr("visage.core.intake.PIXELS", 250_000)
    gate, opened = Gate(), list[str]()
    tickets = [service.reception.submit(asked("ada")) for _ in range(10)]
    with bench(service, find=gate, opened=opened.append).working():
        assert gate.reached.wait(10)
        time.sleep(0.1)
        assert len(opened) == 3
        gate.opened.set()
        assert [names(service, ticket) for ticket in tickets] == [["Ada"]] * 10
    assert len(opened) == 10


def test_the_worker_tells_how_it_goes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "OFTEN", 0.02)
    at = bench(service)

    def told() -> dict[str, Any]:
        found = [json.loads(service.outputs.get(stored.key)) for stored in service.outputs.list(WORKERS)]
        return dict(found[0]) if found else {}

    with at.working():
        assert soon(told)
        assert told()["jobs"] == 0
        assert 0 < told()["ready"] < 5
        assert abs(told()["at"] - time.time()) < 5
        for name in ("ada", "rubbish"):
            result(service, service.reception.submit(asked(name)))
        assert soon(lambda: told()["jobs"] == 2)
        assert 0 < told()["busy"] < 5
        writes = at.line.count("outputs.put")
        time.sleep(0.1)
        assert at.line.count("outputs.put") == writes  # nothing new, nothing written
    assert told() == {}


def test_a_thread_that_fails_ends_the_worker(service: Service) -> None:
    at = bench(service)

    def fail(verb: str) -> bool:
        if verb == "queue.done":
            raise RuntimeError("a bug")
        return False

    at.line.cut = fail
    ticket = service.reception.submit(asked("ada"))
    with pytest.raises(RuntimeError, match="a bug"):
        at.run()
    assert service.reception.result(ticket.id)
    assert (service.queue.depth().waiting, service.queue.depth().in_flight) == (1, 0)  # given back
    assert at.station.said == ["ready", "busy", "idle"]


def test_a_worker_that_cannot_begin_says_why(service: Service, tmp_path: Path) -> None:
    at = bench(service, find=lambda pixels: [find(pixels)[7]])
    service.reception.submit(asked("ada"))
    with pytest.raises(IndexError):
        at.run()
    assert at.station.said == []
    assert service.queue.depth().waiting == 1


def test_two_workers_share_the_work(service: Service) -> None:
    benches: Sequence[Bench] = [bench(service) for _ in range(2)]
    benches[1].name = "another"
    with benches[0].working(), benches[1].working():
        tickets = [service.reception.submit(asked(name)) for name in ("ada", "bo") * 30]
        assert [names(service, ticket) for ticket in tickets] == [["Ada"], ["Bo"]] * 30
    done = [[facts["id"] for facts in at.log.said("a job is done")] for at in benches]
    assert sorted(done[0] + done[1]) == sorted(ticket.id for ticket in tickets)


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
