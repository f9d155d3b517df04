"""/v1: everything that was found, as JSON."""

import io
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import FACTS, Tier, answer, open_tier
from visage.core.calibration import Calibration
from visage.core.cards import EmbedderCard
from visage.core.values import Job, JobKind, MatchOptions, Sampling
from visage.web.answers import Answered
from visage.web.facts import ModelState


def picture(name: str = "face.jpg") -> tuple[io.BytesIO, str]:
    return io.BytesIO(b"picture"), name


def asked(tier: Tier) -> Job:
    [ticket] = tier.worker.tickets
    return ticket.job


def test_recognize_answers_everything(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: answer(ticket, [("Ada", 40.0), ("unknown", 30.0)])
    response = client.post("/v1/recognize", data={"image": picture("party.jpg")})
    assert response.status_code == 200
    whole = Answered.model_validate(response.json)
    assert whole.job.status == "done"
    assert whole.job.id == tier.worker.tickets[0].id
    assert whole.answer.source == "party.jpg"
    assert whole.answer.names == ["Ada"]
    assert whole.answer.faces
    assert [face.name for face in whole.answer.faces] == ["Ada", "unknown"]
    assert all(face.vector is None for face in whole.answer.faces)


def test_vectors_are_given_to_who_asks(client: FlaskClient) -> None:
    response = client.post("/v1/recognize?vectors=true", data={"image": picture()})
    assert response.json
    assert response.json["answer"]["faces"][0]["vector"] == [0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("where", ["query", "form"])
def test_options_reach_the_job(tier: Tier, client: FlaskClient, where: str) -> None:
    options: dict[str, Any] = {
        "collection": "family",
        "threshold": "0.5",
        "max_false_match_rate": "0.001",
        "nearest": "true",
        "every": "1.5s",
        "limit": "3",
    }
    in_form, in_query = (options, {}) if where == "form" else ({}, options)
    response = client.post("/v1/recognize", data={"video": picture("clip.mp4"), **in_form}, query_string=in_query)
    assert response.status_code == 200
    job = asked(tier)
    assert (job.kind, job.collection) == (JobKind.RECOGNIZE, "family")
    assert job.match == MatchOptions(0.001, 0.5, nearest=True)
    assert (job.sampling, job.limit) == (Sampling(seconds=1.5), 3)


def test_without_options_it_is_the_service_that_says(tier: Tier, client: FlaskClient) -> None:
    assert client.post("/v1/recognize", data={"file": picture()}).status_code == 200
    job = asked(tier)
    assert (job.collection, job.match, job.sampling) == ("default", MatchOptions(0.01), Sampling())
    assert job.limit == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": "2"},
        {"threshold": "nan"},
        {"max_false_match_rate": "0"},
        {"every": "often"},
        {"every": "0s"},
        {"every": "1.5f"},
        {"every": "0x"},
        {"nearest": "perhaps"},
        {"limit": "-1"},
        {"collection": "x" * 300},
    ],
)
@pytest.mark.parametrize("where", ["query", "form"])
def test_an_option_out_of_range_is_refused(tier: Tier, client: FlaskClient, wrong: dict[str, str], where: str) -> None:
    in_form, in_query = (wrong, {}) if where == "form" else ({}, wrong)
    response = client.post("/v1/recognize", data={"image": picture(), **in_form}, query_string=in_query)
    assert response.status_code == 422
    assert response.json
    assert next(iter(wrong)) in response.json["detail"]
    assert tier.queue.sent == 0


@pytest.mark.parametrize(
    ("every", "sampling"),
    [
        ("12x", Sampling(count=12)),
        ("first", Sampling(count=1)),
        ("keys", Sampling(keys=True)),
        ("all", Sampling()),
    ],
)
def test_which_frames(tier: Tier, client: FlaskClient, every: str, sampling: Sampling) -> None:
    assert client.post(f"/v1/recognize?every={every}", data={"image": picture()}).status_code == 200
    assert asked(tier).sampling == sampling


def test_detect_names_nobody(tier: Tier, client: FlaskClient) -> None:
    response = client.post("/v1/detect?every=10f", data={"image": picture()})
    assert response.status_code == 200
    assert response.json
    assert "names" not in response.json["answer"]
    assert (asked(tier).kind, asked(tier).sampling) == (JobKind.DETECT, Sampling(frames=10))


def test_compare_takes_two_in_their_order(tier: Tier, client: FlaskClient) -> None:
    seen: list[bytes] = []

    def work(ticket: Any, data: list[bytes]) -> Any:
        seen.extend(data)
        return answer(ticket, [])

    tier.worker.work = work
    form = {"second": (io.BytesIO(b"b"), "b.jpg"), "first": (io.BytesIO(b"a"), "a.jpg"), "threshold": "0.25"}
    assert client.post("/v1/compare", data=form).status_code == 200
    assert seen == [b"a", b"b"]
    assert asked(tier).kind is JobKind.COMPARE
    assert asked(tier).match.threshold == 0.25


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", None), ("max_false_match_rate=1e-5", 0.75), ("max_false_match_rate=1e-3", 0.5),
     ("max_false_match_rate=0.5", 0.5), ("max_false_match_rate=1e-5&threshold=0.25", 0.25)],
)  # fmt: skip
def test_compare_by_the_share_of_different_people_taken_for_one(said: str, expected: float | None) -> None:
    table = ((0.1, 0.1), (0.001, 0.5), (0.00001, 0.75))
    spread = Calibration("faces", 10**6, 10**4, table, ((1.0, 0.1), (0.0, 0.9)), ((0.0, -3.0), (1.0, 3.0)))
    card = EmbedderCard("e", "embedder", "file", "E", "", "", (), calibration=spread)
    another = ModelState(replace(card, calibration=None), installed=True, in_use=False)
    models = [another, ModelState(card, installed=True, in_use=True)]
    tier = open_tier(facts=replace(FACTS, models=lambda: models))
    both = {"first": picture(), "second": picture()}
    assert tier.app.test_client().post(f"/v1/compare?{said}", data=both).status_code == 200
    least = asked(tier).match.threshold
    assert least == (expected if expected is None else pytest.approx(expected))
    tier.close()


@pytest.mark.parametrize("rate", ["0", "1.5", "x"])
def test_compare_by_a_share_that_is_none(client: FlaskClient, rate: str) -> None:
    both = {"first": picture(), "second": picture()}
    assert client.post(f"/v1/compare?max_false_match_rate={rate}", data=both).status_code == 422


def test_compare_wants_both(client: FlaskClient) -> None:
    assert client.post("/v1/compare", data={"first": picture()}).status_code == 400
    assert client.post("/v1/compare", data={"first": picture(), "third": picture()}).status_code == 400
    both = {"first": [picture(), picture()], "second": picture()}
    assert client.post("/v1/compare", data=both).status_code == 400


@pytest.mark.parametrize("kind", ["image/jpeg", "video/mp4", "application/octet-stream"])
def test_a_bare_body_is_a_file(tier: Tier, client: FlaskClient, kind: str) -> None:
    seen: list[bytes] = []

    def work(ticket: Any, data: list[bytes]) -> Any:
        seen.extend(data)
        return answer(ticket, [])

    tier.worker.work = work
    large = b"0123456789" * 60_000
    for body in (b"picture", large):
        assert client.post("/v1/recognize", data=body, content_type=kind).status_code == 200
    assert seen == [b"picture", large]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "image"])
def test_another_content_type_is_refused(tier: Tier, client: FlaskClient, kind: str) -> None:
    assert client.post("/v1/recognize", data=b"picture", content_type=kind).status_code == 415
    assert tier.queue.sent == 0


def test_the_request_id_follows_the_job(tier: Tier, client: FlaskClient) -> None:
    response = client.post("/v1/recognize", data={"image": picture()}, headers={"X-Request-Id": "abc-1.2_3"})
    assert response.headers["X-Request-Id"] == "abc-1.2_3"
    assert tier.worker.tickets[0].request == "abc-1.2_3"
    assert response.json
    assert response.json["job"]["request"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["x" * 65, "two words", "a/b", "ü"])
def test_another_request_id_is_made_where_it_is_none(client: FlaskClient, given: str) -> None:
    response = client.get("/", headers={"X-Request-Id": given})
    assert len(response.headers["X-Request-Id"]) == 32
