"""POST /v1/people: a job for each photo, and one answer about all of them."""

import base64
import io
import threading
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from tests.web.fakes import Tier, answer, open_tier
from visage.core.answers import Answer, Enrollment, Outcome
from visage.core.errors import FaultError, OtherModelError, UnreadableError, VisageError
from visage.core.service.keyring import Role
from visage.core.tickets import Ticket
from visage.core.values import EnrollOptions, JobKind, Person
from visage.web.answers import AcceptedJobs, Enrolled
from visage.web.uploads import MAX_JSON, MAX_PHOTOS


def work(ticket: Ticket, data: list[bytes]) -> Answer | VisageError:
    """A file of one digit is a good photo, and the person has so many faces afterwards."""
    [content] = data
    if not content.isdigit():
        return UnreadableError(ticket.job.sources[0], "it is no picture")
    if content == b"0":
        done = Enrollment(Outcome.NO_FACE, "no face was found", None)
    else:
        person = Person("a" * 32, ticket.job.name or "", ticket.job.collection, int(content), 5.0)
        done = Enrollment(Outcome.ENROLLED, f"enrolled, {int(content)} faces now", person, "f" * 32, ("Bo", 0.75))
    return replace(answer(ticket, []), enrollment=done)


@pytest.fixture
def tier(tier: Tier) -> Tier:
    tier.worker.work = work
    return tier


def form(*photos: bytes, name: str = "Ada", **more: str) -> MultiDict[str, Any]:
    files = [("photo", (io.BytesIO(data), f"{number}.jpg")) for number, data in enumerate(photos)]
    return MultiDict([("name", name), *more.items(), *files])


def in_base64(*photos: bytes, **more: object) -> dict[str, Any]:
    return {"name": "Ada", "photos": [{"data": base64.b64encode(data).decode()} for data in photos], **more}


def test_every_photo_has_its_row_in_its_place(tier: Tier, client: FlaskClient) -> None:
    response = client.post("/v1/people", data=form(b"1", b"no picture", b"3", b"0", b"2", b""))
    assert response.status_code == 200
    done = Enrolled.model_validate(response.json)
    assert done.person
    assert (done.person.name, done.person.collection, done.person.faces) == ("Ada", "default", 3)
    assert [(photo.source, photo.outcome) for photo in done.photos] == [
        ("0.jpg", "enrolled"),
        ("1.jpg", "failed"),
        ("2.jpg", "enrolled"),
        ("3.jpg", "no face"),
        ("4.jpg", "enrolled"),
        ("5.jpg", "failed"),
    ]
    assert done.photos[1].detail == "1.jpg: it is no picture"
    assert done.photos[0].resembles
    assert done.photos[0].resembles.name == "Bo"
    assert client.get(f"/v1/jobs/{done.photos[3].job}").json["answer"]["enrollment"]["outcome"] == "no face"  # type: ignore[index]


def test_json_is_the_same(tier: Tier, client: FlaskClient) -> None:
    body = in_base64(b"1", b"2")
    body["photos"][1]["name"] = "two.jpg"
    body["photos"][1]["data"] = "Mg==\n"
    done = Enrolled.model_validate(client.post("/v1/people", json=body).json)
    assert [(photo.source, photo.outcome) for photo in done.photos] == [
        ("photo 1", "enrolled"),
        ("two.jpg", "enrolled"),
    ]


@pytest.mark.parametrize("way", ["query", "form", "json"])
def test_options_reach_every_job(tier: Tier, client: FlaskClient, way: str) -> None:
    options = {"largest": "true", "force": "true", "collection": "family"}
    if way == "json":
        response = client.post("/v1/people", json=in_base64(b"1", b"2", name=" Ada ", **options))
    elif way == "form":
        response = client.post("/v1/people", data=form(b"1", b"2", name=" Ada ", **options))
    else:
        response = client.post("/v1/people", data=form(b"1", b"2", name=" Ada "), query_string=options)
    assert response.status_code == 200
    assert len(tier.worker.tickets) == 2
    for ticket in tier.worker.tickets:
        job = ticket.job
        assert (job.kind, job.name, job.collection) == (JobKind.ENROLL, "Ada", "family")
        assert job.enroll == EnrollOptions(largest=True, force=True)


def test_nobody_where_no_photo_would_do(tier: Tier, client: FlaskClient) -> None:
    done = Enrolled.model_validate(client.post("/v1/people", data=form(b"no picture", b"0")).json)
    assert done.person is None
    assert [photo.outcome for photo in done.photos] == ["failed", "no face"]


def test_what_is_wrong_with_the_service_is_told_once_for_all(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, data: OtherModelError("of /a/secret/path")
    response = client.post("/v1/people", data=form(b"1", b"2"))
    assert response.status_code == 409
    assert "secret" not in response.text


def test_a_fault_over_one_photo_is_that_ones(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, data: FaultError("at /a/secret") if data == [b"2"] else work(ticket, data)
    response = client.post("/v1/people", data=form(b"1", b"2"))
    done = Enrolled.model_validate(response.json)
    assert [photo.outcome for photo in done.photos] == ["enrolled", "failed"]
    assert "secret" not in response.text


def test_who_prefers_it_gets_jobs_at_once(tier: Tier, client: FlaskClient) -> None:
    response = client.post("/v1/people", data=form(b"1", b"2"), headers={"Prefer": "respond-async"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "respond-async")
    jobs = AcceptedJobs.model_validate(response.json).jobs
    assert [job.kind for job in jobs] == ["enroll", "enroll"]
    states = [client.get(f"/v1/jobs/{job.id}?wait=5").json for job in jobs]
    assert [state and state["answer"]["enrollment"]["person"]["faces"] for state in states] == [1, 2]


def test_who_outlives_the_deadline_gets_jobs_too() -> None:
    tier = open_tier(request_seconds=0.3)
    go = threading.Event()

    def slow(ticket: Ticket, data: list[bytes]) -> Answer | VisageError:
        assert data == [b"1"] or go.wait(10)
        return work(ticket, data)

    tier.worker.work = slow
    client = tier.app.test_client()
    response = client.post("/v1/people", data=form(b"1", b"2"), headers={"Idempotency-Key": "k"})
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) >= 1
    go.set()
    assert soon_done(client, AcceptedJobs.model_validate(response.json).jobs[1].id)
    again = client.post("/v1/people", data=form(b"1", b"2"), headers={"Idempotency-Key": "k"})
    assert [photo.outcome for photo in Enrolled.model_validate(again.json).photos] == ["enrolled", "enrolled"]
    tier.close()


def soon_done(client: FlaskClient, job: str) -> bool:
    state = client.get(f"/v1/jobs/{job}?wait=5").json
    return bool(state and state["status"] == "done")


def test_a_key_makes_each_photo_one_job(tier: Tier, client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k"}
    first, second = (client.post("/v1/people", data=form(b"1", b"1"), headers=key).json for _ in range(2))
    assert first
    assert second == first
    assert len({photo["job"] for photo in first["photos"]}) == 2
    assert len(tier.worker.tickets) == 2
    assert client.post("/v1/people", data=form(b"1", b"2"), headers=key).status_code == 422


def test_as_many_photos_as_may_be(tier: Tier, client: FlaskClient) -> None:
    most = [b"1"] * MAX_PHOTOS
    response = client.post("/v1/people", data=form(*most), headers={"Prefer": "respond-async"})
    assert response.status_code == 202
    assert len(AcceptedJobs.model_validate(response.json).jobs) == MAX_PHOTOS
    tier.queue.sent = 0
    assert client.post("/v1/people", data=form(*most, b"1")).status_code == 400
    assert client.post("/v1/people", json=in_base64(*most, b"1")).status_code == 422
    assert tier.queue.sent == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (in_base64(), 422),
        (in_base64(b"1", name=""), 422),
        (in_base64(b"1", name="a/b"), 422),
        (in_base64(b"1", name="unknown"), 422),
        (in_base64(b"1", collection="a/b"), 422),
        (in_base64(b"1", largest="perhaps"), 422),
        ({"name": "Ada"}, 422),
        ({"name": "Ada", "photos": "MQ=="}, 422),
        ({"name": "Ada", "photos": [{"data": "MQ="}]}, 422),
        ({"name": "Ada", "photos": [{"data": "M Q-_"}]}, 422),
        ({"name": "Ada", "photos": [{"data": "é==="}]}, 422),
        ({"name": "Ada", "photos": [{"data": "MQ==", "name": "a\nb"}]}, 400),
        ([], 422),
    ],
)
def test_what_says_nothing_sensible_is_refused(tier: Tier, client: FlaskClient, body: object, status: int) -> None:
    assert client.post("/v1/people", json=body).status_code == status
    assert tier.queue.sent == 0


def test_forms_that_say_nothing_sensible_are_refused(tier: Tier, client: FlaskClient) -> None:
    nameless = form(b"1")
    del nameless["name"]
    assert client.post("/v1/people", data=nameless).status_code == 422
    assert client.post("/v1/people", data=form()).status_code == 415
    empty, kind = b"--x--\r\n", "multipart/form-data; boundary=x"
    assert client.post("/v1/people", data=empty, content_type=kind).status_code == 400
    assert client.post("/v1/people", data={"name": "Ada", "image": (io.BytesIO(b"1"), "a.jpg")}).status_code == 400
    assert client.post("/v1/people", data=b"1", content_type="image/jpeg").status_code == 415
    assert client.post("/v1/people", data=b"{", content_type="application/json").status_code == 400
    assert client.post("/v1/people", data=b"[" * 100_000, content_type="application/json").status_code == 400
    assert tier.queue.sent == 0


def test_json_is_not_taken_without_end() -> None:
    tier = open_tier(max_upload=2 * MAX_JSON)
    response = tier.app.test_client().post("/v1/people", data=b" " * (MAX_JSON + 1), content_type="application/json")
    assert response.status_code == 413
    response = tier.app.test_client().patch("/v1/people/x", data=b" " * (MAX_JSON + 1), content_type="application/json")
    assert response.status_code == 413
    tier.close()


def test_json_is_not_followed_to_any_depth(client: FlaskClient) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    for path in ("/v1/people/x/merge", "/v1/people", "/v1/session"):
        assert client.post(path, data=deep, content_type="application/json").status_code in {400, 422}


def test_only_who_may_change_people_enrolls(tier: Tier, client: FlaskClient) -> None:
    keys = {role: tier.keyring.create(role.value, role)[1] for role in Role}
    allowed = {
        role: client.post("/v1/people", data=form(b"1"), headers={"X-API-Key": key}).status_code
        for role, key in keys.items()
    }
    assert allowed == {Role.READ: 403, Role.RECOGNIZE: 403, Role.ENROLL: 200, Role.ADMIN: 200}
    [mine] = [ticket for ticket in tier.worker.tickets if ticket.owner != tier.worker.tickets[-1].owner]
    assert client.get(f"/v1/jobs/{mine.id}", headers={"X-API-Key": keys[Role.RECOGNIZE]}).status_code == 404
