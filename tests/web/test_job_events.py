"""A job's events: every change until its end, few streams at a time, none for who has gone."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import Tier, answer, open_tier
from tests.web.wire import read, served
from visage.core.answers import Answer
from visage.core.tickets import Ticket, progress_key
from visage.web.answers import JobState
from visage.web.events import STREAMS


class Held:
    """A job that is done once it is released."""

    def __init__(self, tier: Tier) -> None:
        self._go = threading.Event()
        tier.worker.work = self._work
        form = {"Content-Type": "image/jpeg", "Prefer": "respond-async"}
        accepted = tier.app.test_client().post("/v1/recognize", data=b"picture", headers=form).json
        assert accepted
        self.id = accepted["job"]["id"]
        self.events = f"/v1/jobs/{self.id}/events"

    def release(self) -> None:
        self._go.set()

    def _work(self, ticket: Ticket, data: list[bytes]) -> Answer:
        self._go.wait(20)
        return answer(ticket, [("Ada", 40.0)])


@pytest.fixture
def job(tier: Tier) -> Iterator[Held]:
    held = Held(tier)
    yield held
    held.release()


def states(text: str) -> list[dict[str, Any]]:
    told = [part.split("\n") for part in text.split("\n\n") if part.startswith("event:")]
    assert all(event == "event: state" for event, _ in told)
    return [json.loads(data.removeprefix("data: ")) for _, data in told]


def test_events_tell_every_change_until_the_end(tier: Tier, client: FlaskClient, job: Held) -> None:
    response = client.get(job.events)
    assert response.content_type == "text/event-stream"
    stream = (part.decode() for part in response.response)  # type: ignore[union-attr]
    assert next(stream).startswith("retry: ")
    [queued] = states(next(stream))
    assert JobState.model_validate(queued).status == "queued"
    tier.outputs.put(progress_key(job.id), b'{"progress": 0.5}')
    [running] = states(next(stream))
    assert (running["status"], running["progress"]) == ("running", {"progress": 0.5})
    assert next(stream) == ":\n\n"
    job.release()
    *_, done = states("".join(stream))
    assert done == client.get(f"/v1/jobs/{job.id}").json


def test_a_stream_ends_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    tier = open_tier(request_seconds=0.2)
    monkeypatch.setattr("visage.web.events._EVERY", 0.05)
    held = Held(tier)
    text = tier.app.test_client().get(held.events).text
    assert len(states(text)) == 1
    assert ":\n\n" in text
    held.release()
    tier.close()


def test_a_store_that_is_away_ends_the_stream(tier: Tier, client: FlaskClient, job: Held) -> None:
    stream = iter(client.get(job.events).response)
    next(stream), next(stream)
    tier.outputs.down = True
    assert list(stream) == []
    tier.outputs.down = False


def test_where_there_is_no_room_a_stream_tells_once_how_it_stands(client: FlaskClient, job: Held) -> None:
    streams = [client.get(job.events) for _ in range(STREAMS)]
    start = time.monotonic()
    assert [state["status"] for state in states(client.get(job.events).text)] == ["queued"]
    assert time.monotonic() - start < 2
    for stream in streams:
        stream.close()
    job.release()
    assert states(client.get(job.events).text)[-1]["status"] == "done"


def test_who_has_gone_holds_no_thread(tier: Tier, job: Held) -> None:
    """On a server of four threads: four that listen and go, then one who is answered."""
    ask = f"GET {job.events} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with served(tier) as connect:
        for _ in range(4):
            with connect() as listener:
                listener.sendall(ask)
                assert until(listener, b"event: state")
        start = time.monotonic()
        with connect() as client:
            client.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read(client)[0] == 200
        assert time.monotonic() - start < 4
        job.release()


def test_a_service_that_is_asked_to_leave_ends_its_streams(tier: Tier, job: Held) -> None:
    with served(tier) as connect:
        listener = connect()
        listener.sendall(f"GET {job.events} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(listener, b"event: state")
    with listener:
        assert until(listener, b"\r\n0\r\n\r\n").count(b": the service ends; ask again\n\n") == 1


def until(connection: socket.socket, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data:
        more = connection.recv(4096)
        assert more, data
        data += more
    return data


def test_no_such_job_has_no_events(client: FlaskClient) -> None:
    assert client.get(f"/v1/jobs/{'0' * 32}/events").status_code == 404
