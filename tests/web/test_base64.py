"""Files as base64 in JSON, wherever a form is taken."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import Tier, answer
from visage.core.values import JobKind, MatchOptions, Sampling

PICTURE = base64.b64encode(b"picture").decode()


@pytest.fixture
def came(tier: Tier) -> list[bytes]:
    """What the worker was given."""
    found: list[bytes] = []

    def work(ticket: Any, data: list[bytes]) -> Any:
        found.extend(data)
        return answer(ticket, [])

    tier.worker.work = work
    return found


@pytest.mark.parametrize("path", ["/v1/recognize", "/v1/detect"])
@pytest.mark.parametrize("field", ["image", "video", "file"])
def test_a_picture(came: list[bytes], tier: Tier, client: FlaskClient, path: str, field: str) -> None:
    assert client.post(path, json={field: PICTURE}).status_code == 200
    assert client.post(path, json={field: f"{PICTURE[:4]}\n{PICTURE[4:]}\n", "name": "me.jpg"}).status_code == 200
    assert came == [b"picture"] * 2
    assert [ticket.names for ticket in tier.worker.tickets] == [(field,), ("me.jpg",)]


def test_two_pictures(came: list[bytes], tier: Tier, client: FlaskClient) -> None:
    both = {"second": base64.b64encode(b"b").decode(), "first": base64.b64encode(b"a").decode(), "threshold": 0.25}
    assert client.post("/v1/compare", json=both).status_code == 200
    assert came == [b"a", b"b"]
    [ticket] = tier.worker.tickets
    assert (ticket.job.kind, ticket.job.match.threshold) == (JobKind.COMPARE, 0.25)


def test_options_beside_it_go_before_those_of_the_query(tier: Tier, client: FlaskClient) -> None:
    body = {"image": PICTURE, "collection": "family", "nearest": True, "every": "2s"}
    assert client.post("/v1/recognize?collection=other&threshold=0.5", json=body).status_code == 200
    job = tier.worker.tickets[0].job
    assert (job.collection, job.match, job.sampling) == (
        "family", MatchOptions(0.01, 0.5, nearest=True), Sampling(seconds=2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"image": ""},
        {"image": None},
        {"image": 5},
        {"image": "no-base64"},
        {"image": "data:image/jpeg;base64," + PICTURE},
        {"image": PICTURE, "video": PICTURE},
        {"image": PICTURE, "every": "often"},
        [PICTURE],
    ],
)
@pytest.mark.parametrize("path", ["/v1/recognize", "/v1/detect"])
def test_what_is_no_picture_is_refused(tier: Tier, client: FlaskClient, path: str, body: object) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 422
    assert tier.queue.sent == 0


@pytest.mark.parametrize("body", [{"first": PICTURE}, {"first": PICTURE, "second": "?"}, {"first": "", "second": ""}])
def test_a_pair_that_is_none_is_refused(tier: Tier, client: FlaskClient, body: object) -> None:
    assert client.post("/v1/compare", json=body).status_code == 422
    assert tier.queue.sent == 0


@pytest.mark.parametrize("path", ["/v1/recognize", "/v1/detect", "/v1/compare"])
def test_what_is_no_json_is_refused(tier: Tier, client: FlaskClient, path: str) -> None:
    assert client.post(path, data=b"picture", content_type="application/json").status_code == 400
    assert tier.queue.sent == 0
