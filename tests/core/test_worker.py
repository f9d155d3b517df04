"""The app tier at work: every job has its answer, in order, and nobody waits for another."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.core.benches import Gate, bench, is_empty, keys, names, result
from tests.core.service_fakes import Bench, Service, asked, find, soon
from tests.fakes import FakeEmbedder
from visage.core.service import worker
from visage.core.service.reception import Asked
from visage.core.service.records import WORKERS
from visage.core.tickets import result_key, result_to_bytes
from visage.core.values import Embeddings, Face, Job, JobKind, Pixels


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


def test_a_message_that_is_none_of_ours_is_put_aside(service: Service) -> None:
    for body in ("hello", '{"visage":1}', "[]"):
        service.queue.send(body)
    with bench(service).working() as at:
        assert names(service, service.reception.submit(asked("ada"))) == ["Ada"]
        assert soon(lambda: is_empty(service))
    assert [letter.body for letter in service.queue.dead()] == ["hello", '{"visage":1}', "[]"]
    assert all("no ticket" in letter.reason for letter in service.queue.dead())
    assert len(at.log.said("a message that is none of ours was put aside")) == 3


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
        assert gate.reached.wait(60)
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


def test_who_leaves_finishes_what_is_under_way_and_gives_the_rest_back(service: Service) -> None:
    gate = Gate()
    with bench(service, find=gate).working() as at:
        first = service.reception.submit(asked("ada"))
        assert gate.reached.wait(60)
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
        deadline = time.monotonic() + 10
        while service.reception.result(ticket.id) is None and time.monotonic() < deadline:
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
    monkeypatch.setattr("visage.core.service.intake.PIXELS", 250_000)
    gate, opened = Gate(), list[str]()
    tickets = [service.reception.submit(asked("ada")) for _ in range(10)]
    with bench(service, find=gate, opened=opened.append).working():
        assert gate.reached.wait(60)
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


def test_two_workers_share_the_work(service: Service) -> None:
    benches: Sequence[Bench] = [bench(service) for _ in range(2)]
    benches[1].name = "another"
    with benches[0].working(), benches[1].working():
        tickets = [service.reception.submit(asked(name)) for name in ("ada", "bo") * 30]
        assert [names(service, ticket) for ticket in tickets] == [["Ada"], ["Bo"]] * 30
    done = [[facts["id"] for facts in at.log.said("a job is done")] for at in benches]
    assert sorted(done[0] + done[1]) == sorted(ticket.id for ticket in tickets)
