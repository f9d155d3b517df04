"""Full, broken, hostile: each has its status, and the service goes on."""

import io
import json
import threading
import time
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.fakes import MemoryObjects, MemoryQueue, Tier, answer, form, open_tier
from visage.core.errors import NoPersonError, VisageError
from visage.core.ports.queue import Depth
from visage.web.load import FLEET_KEY, Load
from visage.web.problems import STATUSES, problem_for
from visage.web.uploads import MAX_PARTS


def classic(client: FlaskClient) -> int:
    body, kind = form("inputFile", b"picture")
    return client.post("/", data=body, content_type=kind).status_code


def fleet(tier: Tier, *, size: int, most: int, service: float, age: float = 0.0) -> None:
    state = {"size": size, "wanted": size, "max": most, "service": service, "waiting": 0, "in_flight": 0}
    tier.outputs.put(FLEET_KEY, json.dumps({**state, "at": time.time() - age}).encode())


def test_a_full_backlog_is_refused_with_a_time(tier: Tier, client: FlaskClient) -> None:
    tier.queue.depth_now = Depth(100, 4, 12.0)
    response = client.post("/v1/recognize", data={"image": (io.BytesIO(b"1"), "a.jpg")})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert (tier.queue.sent, tier.inputs.kept) == (0, {})
    assert "visage_backlog_refusals_total 1.0" in client.get("/metrics").text
    time.sleep(0.25)
    tier.queue.depth_now = Depth(99, 4, 12.0)
    assert classic(client) == 200


@pytest.mark.parametrize(
    ("size", "age", "status"),
    [(20, 0.0, 503), (19, 0.0, 200), (20, 100.0, 200)],
    ids=["at its cap", "it can grow", "what is known is old"],
)
def test_a_fleet_at_its_cap_takes_no_more_than_it_can_do_in_time(size: int, age: float, status: int) -> None:
    tier = open_tier(max_backlog=1_000_000)
    tier.queue.depth_now = Depth(13_000, 40)
    fleet(tier, size=size, most=20, service=1.0, age=age)
    assert classic(tier.app.test_client()) == status
    tier.close()


@pytest.mark.parametrize("damaged", [b"", b"[]", b"{}", b'{"at": 1e99, "size": "x"}', b"null", b'{"at": null}'])
def test_a_damaged_fleet_file_is_none(tier: Tier, client: FlaskClient, damaged: bytes) -> None:
    tier.outputs.put(FLEET_KEY, damaged)
    assert classic(client) == 200


@pytest.mark.parametrize("what", ["inputs", "outputs", "queue"])
def test_a_neighbor_that_does_not_answer(tier: Tier, client: FlaskClient, what: str) -> None:
    getattr(tier, what).down = True
    body, kind = form("inputFile", b"picture")
    response = client.post("/", data=body, content_type=kind)
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert "secret" not in response.text
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json
    assert ready.json["silent"] == [{"inputs": "input store", "outputs": "output store", "queue": "queue"}[what]]
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200
    getattr(tier, what).down = False
    time.sleep(0.25)
    assert client.get("/readyz").status_code == 200
    assert classic(client) == 200


def test_a_fault_is_told_without_its_insides(
    tier: Tier, client: FlaskClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WorseError(Exception):
        pass

    def fail(*_: object) -> None:
        raise WorseError("secret words")

    monkeypatch.setattr(tier.queue, "send", fail)
    body, kind = form("inputFile", b"picture")
    response = client.post("/", data=body, content_type=kind, headers={"X-Request-Id": "find-me"})
    assert response.status_code == 500
    assert response.json
    assert response.json["request_id"] == "find-me"
    assert "secret" not in response.text
    assert "Worse" not in response.text
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.__dict__["fields"]["request"] == "find-me"


@pytest.mark.parametrize(("path", "method", "status"), [("/nothing", "GET", 404), ("/v1/recognize", "GET", 405),
                                                        ("/healthz", "POST", 405), ("/", "PUT", 405)])  # fmt: skip
def test_addresses_and_methods(client: FlaskClient, path: str, method: str, status: int) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert status != 405 or response.headers["Allow"]


def test_too_large(tier: Tier, client: FlaskClient) -> None:
    body, kind = form("inputFile", b"x" * 1_000_001)
    assert client.post("/", data=body, content_type=kind).status_code == 413
    assert client.post("/v1/detect", data=body, content_type="image/jpeg").status_code == 413
    assert tier.queue.sent == 0


def test_too_many_parts_and_fields_too_large(tier: Tier, client: FlaskClient) -> None:
    many = {f"field{number}": "x" for number in range(MAX_PARTS)}
    assert client.post("/v1/recognize", data={"image": (io.BytesIO(b"1"), "a.jpg"), **many}).status_code == 413
    big = {"collection": "x" * 200_000}
    assert client.post("/v1/recognize", data={"image": (io.BytesIO(b"1"), "a.jpg"), **big}).status_code == 413
    assert tier.queue.sent == 0


def test_a_form_that_is_cut_off(tier: Tier, client: FlaskClient) -> None:
    body, kind = form("inputFile", b"picture" * 100)
    for end in range(0, len(body) - 20, 37):
        assert client.post("/", data=body[:end], content_type=kind).status_code == 400
    assert client.post("/", data=body, content_type="multipart/form-data").status_code == 400
    assert client.post("/", data=body, content_type="multipart/form-data; boundary=other").status_code == 400
    assert tier.queue.sent == 0


PIECES = [
    b"--b\r\n",
    b"--b--",
    b"\r\n",
    b'Content-Disposition: form-data; name="inputFile"',
    b'; filename="a.jpg"',
    b"; filename*=UTF-8''%ff%00",
    b'; filename=""',
    b"Content-Type: image/jpeg",
    b"Content-Length: -1",
    b"Content-Transfer-Encoding: base64",
    b'name="first"',
    b"\x00",
    b"\xff",
    b"--b",
    b"x" * 300,
]
KINDS = [
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "multipart/form-data; boundary=\x00",
    "multipart/form-data; boundary=" + "b" * 300,
    "image/jpeg; charset=\xff",
    "image/",
    "/",
    ";",
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/", "/v1/recognize", "/v1/compare"]),
    body=st.binary(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join),
    kind=st.sampled_from(KINDS),
)
def test_no_garbage_is_a_fault(tier: Tier, client: FlaskClient, path: str, body: bytes, kind: str) -> None:
    assert client.post(path, data=body, content_type=kind).status_code < 500


def test_every_error_on_purpose_has_a_status_or_is_a_fault() -> None:
    def below(kind: type[VisageError]) -> list[type[VisageError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in below(child))]

    names = {kind.__name__ for kind in below(VisageError) if kind.__module__ == "visage.core.errors"}
    assert set(STATUSES) <= names
    assert problem_for(NoPersonError("nobody of that name")).status == 404
    assert problem_for(VisageError("insides")).status == 500
    assert "insides" not in problem_for(VisageError("insides")).detail


def test_security_headers_are_everywhere(client: FlaskClient) -> None:
    for path in ("/", "/nothing", "/healthz", "/metrics"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_faces_are_counted_and_nobody_is_named(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: answer(ticket, [("Ada Lovelace", 40.0), ("unknown", 30.0)])
    assert classic(client) == 200
    tier.queue.depth_now = replace(tier.queue.depth_now, waiting=7, in_flight=3, oldest=1.5)
    fleet(tier, size=3, most=20, service=0.1)
    time.sleep(1.1)
    page = client.get("/metrics").text
    for line in ("visage_faces_total 2.0", "visage_unknown_faces_total 1.0", 'visage_answers_total{status="done"} 1.0',
                 "visage_queue_waiting 7.0", "visage_queue_in_flight 3.0", "visage_queue_oldest_seconds 1.5",
                 "visage_fleet_size 3.0", "visage_fleet_max 20.0",
                 'visage_request_seconds_count{route="/",status="200"} 1.0'):  # fmt: skip
        assert line in page
    assert "Ada" not in page


def test_routes_are_patterns_in_the_figures(client: FlaskClient) -> None:
    client.get(f"/v1/jobs/{'0' * 32}")
    client.get("/somewhere/else")
    page = client.get("/metrics").text
    assert 'route="/v1/jobs/<id>",status="404"' in page
    assert 'route="none",status="404"' in page
    assert "0" * 32 not in page
    assert "somewhere" not in page


def test_while_one_asks_how_deep_the_queue_is_others_take_what_was_known() -> None:
    reading, go = threading.Event(), threading.Event()
    depths = iter([Depth(1, 0), Depth(2, 0)])

    class Slow(MemoryQueue):
        def depth(self) -> Depth:
            depth = next(depths)
            if depth.waiting == 2:
                reading.set()
                go.wait(10)
            return depth

    load = Load(Slow(lambda body: None), MemoryObjects(), 10, time.time)
    assert load.depth().waiting == 1
    time.sleep(0.25)
    asking = threading.Thread(target=load.depth)
    asking.start()
    assert reading.wait(10)
    assert load.depth().waiting == 1
    go.set()
    asking.join(10)
    assert load.depth().waiting == 2
