"""/v1/bulk: many photos in one request, as one job; how far it is, and what became of each photo."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.core.many import zipped
from tests.web.fakes import Tier, open_tier
from visage.core.bulk.plan import Packed, Plan, end_key, plan_key, plan_of, plan_to_bytes
from visage.core.errors import GalleryError, UnreadableError
from visage.core.service.keyring import Role
from visage.core.tickets import Ticket, failure_of, progress_key, result_key, result_to_bytes, ticket_key
from visage.core.values import EnrollOptions, JobKind
from visage.web.answers import JobState
from visage.web.bulk_types import BulkPlaces

PEOPLE = zipped({"Ada/a.jpg": b"1", "Bo/b.jpg": b"2", "Bo/c.jpg": b"3", "Bo/notes.txt": b"4"})


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[Tier]:
    """A service that may read a folder; nobody takes anything apart."""
    (tmp_path / "people" / "2026" / "Ada").mkdir(parents=True)
    opened = open_tier(bulk_folder=tmp_path / "people")
    opened.worker.work = lambda ticket, data: None
    yield opened
    opened.close()


@pytest.fixture
def client(tier: Tier) -> FlaskClient:
    return tier.app.test_client()


def send(client: FlaskClient, data: bytes = PEOPLE, path: str = "/v1/bulk", **headers: str) -> Any:
    return client.post(path, data=data, content_type="application/zip", headers=headers)


def ticket_of(tier: Tier, response: Any) -> Ticket:
    assert response.status_code == 202, response.text
    assert response.json["job"]["kind"] == "bulk"
    assert response.headers["Location"] == f"/v1/jobs/{response.json['job']['id']}"
    found = tier.reception.ticket(response.json["job"]["id"])
    assert found
    return found


def apart(tier: Tier, ticket: Ticket) -> tuple[Plan, list[Ticket]]:
    """Its plan and parts, stored as a worker does."""
    files = [Packed("Ada/a.jpg"), Packed("Bo/b.jpg"), Packed("Bo/c.jpg"), Packed("Bo/notes.txt", "it is no photo")]
    plan = plan_of(files, wrapped=True)
    tier.inputs.put(plan_key(ticket.id), plan_to_bytes(plan))
    tier.outputs.put(progress_key(ticket.id), b'{"total":4,"left_out":1,"apart":true}')
    parts = [plan.part(ticket, rank) for rank in range(3)]
    for part in parts:
        tier.inputs.put(ticket_key(part.id), b"")
        tier.inputs.put(f"{part.id}/0", b"")
    return plan, parts


def end(tier: Tier, part: Ticket, outcome: str) -> None:
    assert part.part
    if outcome == "failed":
        result = failure_of(part, UnreadableError(part.job.sources[0], "it is no picture"), 9.0)
    elif outcome == "faulty":
        result = failure_of(part, GalleryError("of /a/secret"), 9.0)
    else:
        enrollment = {"outcome": outcome, "detail": "well", "face_id": "f" * 32, "resembles": None, "person": None}
        result = {"status": "done", "answer": {"kind": "enroll", "enrollment": enrollment}}
    tier.outputs.put(result_key(part.id), result_to_bytes(result))
    tier.outputs.put(end_key(part.part.of, part.part.rank, outcome.replace("faulty", "failed")), b"")


def test_a_bare_archive(tier: Tier, client: FlaskClient) -> None:
    ticket = ticket_of(tier, send(client))
    assert (ticket.job.kind, ticket.job.name, ticket.job.collection) == (JobKind.BULK, None, "default")
    assert ticket.names == ("archive.zip",)
    assert tier.inputs.get(f"{ticket.id}/0") == PEOPLE


@pytest.mark.parametrize("way", ["query", "form"])
def test_an_archive_in_a_form_and_its_options(tier: Tier, client: FlaskClient, way: str) -> None:
    options = {"largest": "true", "force": "true", "collection": "family"}
    body: dict[str, Any] = {"archive": (io.BytesIO(PEOPLE), "some/my people.zip")}
    if way == "form":
        response = client.post("/v1/bulk", data=body | options)
    else:
        response = client.post("/v1/bulk", data=body, query_string=options)
    ticket = ticket_of(tier, response)
    assert ticket.names == ("my people.zip",)
    assert (ticket.job.collection, ticket.job.enroll) == ("family", EnrollOptions(largest=True, force=True))


def test_a_folder_of_the_server(tier: Tier, client: FlaskClient) -> None:
    assert BulkPlaces.model_validate(client.get("/v1/bulk").json).folders == ["2026"]
    ticket = ticket_of(tier, client.post("/v1/bulk", json={"folder": "2026/", "force": True}))
    assert (ticket.job.name, ticket.names, ticket.job.enroll.force) == ("2026", ("2026",), True)
    assert ticket_of(tier, client.post("/v1/bulk", json={"folder": ""})).job.name == "."


@pytest.mark.parametrize(
    ("folder", "status"),
    [("../x", 422), ("/etc", 422), ("/", 422), ("2026/../..", 422), ("nowhere", 404), ("a\\b", 422), ("x" * 1001, 422)],
)
def test_no_other_folder(tier: Tier, client: FlaskClient, folder: str, status: int) -> None:
    response = client.post("/v1/bulk", json={"folder": folder})
    assert response.status_code == status
    assert str(Path.cwd()) not in response.text
    assert tier.queue.sent == 0


def test_no_folder_at_all_where_none_may_be_read() -> None:
    tier = open_tier()
    client = tier.app.test_client()
    assert client.get("/v1/bulk").json == {"folders": None, "max_upload": 1_000_000}
    response = client.post("/v1/bulk", json={"folder": "people"})
    assert response.status_code == 422
    assert "VISAGE_BULK_FOLDER" in response.json["detail"]  # type: ignore[index]
    tier.close()


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"no archive", 422, "it is no ZIP archive"),
        (b"", 422, "empty"),
        (zipped({"a.jpg": b"1", "b.txt": b"2"}), 422, "a folder for each person"),
        (zipped({"Ada/../../a.jpg": b"1"}), 422, "lead out"),
        (PEOPLE + b" " * 1_000_000, 413, "larger than"),
    ],
)
def test_an_archive_of_no_use_is_refused_at_once(
    tier: Tier, client: FlaskClient, data: bytes, status: int, word: str
) -> None:
    response = send(client, data)
    assert response.status_code == status
    assert word in response.json["detail"]
    assert tier.queue.sent == 0


def test_what_is_none_of_the_three_is_refused(tier: Tier, client: FlaskClient) -> None:
    assert client.post("/v1/bulk", data=b"x", content_type="image/jpeg").status_code == 415
    assert client.post("/v1/bulk", data={"photo": (io.BytesIO(PEOPLE), "a.zip")}).status_code == 400
    assert client.post("/v1/bulk", json={}).status_code == 422
    assert client.post("/v1/bulk", json={"folder": "2026", "collection": "a/b"}).status_code == 422
    assert tier.queue.sent == 0


def test_a_key_makes_it_one_job(tier: Tier, client: FlaskClient) -> None:
    first, second = (send(client, Idempotency_Key="k", Prefer="respond-async") for _ in range(2))
    assert first.json["job"]["id"] == second.json["job"]["id"]
    assert first.headers["Preference-Applied"] == "respond-async"
    assert send(client, zipped({"Ada/a.jpg": b"1"}), Idempotency_Key="k").status_code == 422


def test_how_far_it_is(tier: Tier, client: FlaskClient) -> None:
    ticket = ticket_of(tier, send(client))
    assert client.get(f"/v1/jobs/{ticket.id}").json["status"] == "queued"  # type: ignore[index]
    _, parts = apart(tier, ticket)
    end(tier, parts[1], "no face")
    state = client.get(f"/v1/jobs/{ticket.id}").json
    assert state
    assert JobState.model_validate(state).status == "running"
    far = state["progress"]
    assert (far["done"], far["total"], far["progress"], far["outcomes"]) == (2, 4, 0.5, {"failed": 1, "no face": 1})
    [row] = client.get("/v1/jobs").json["jobs"]  # type: ignore[index]
    assert (row["kind"], row["status"], row["progress"]["done"], row["people"]) == ("bulk", "running", 2, [])


def test_who_asks_last_makes_the_report(tier: Tier, client: FlaskClient) -> None:
    """Where the worker that ended the last part was killed at once."""
    ticket = ticket_of(tier, send(client))
    _, parts = apart(tier, ticket)
    for part, outcome in zip(parts, ("enrolled", "failed", "faulty"), strict=True):
        end(tier, part, outcome)
    state = JobState.model_validate(client.get(f"/v1/jobs/{ticket.id}").json)
    assert state.status == "done"
    assert state.report
    rows = [(row.source, row.name, row.outcome, row.detail) for row in state.report.photos]
    assert rows == [
        ("Ada/a.jpg", "Ada", "enrolled", "well"),
        ("Bo/b.jpg", "Bo", "failed", "it is no picture"),
        ("Bo/c.jpg", "Bo", "failed", "a fault of the service; its log says more under this request id"),
        ("Bo/notes.txt", "Bo", "failed", "it is no photo"),
    ]
    assert (state.report.total, state.report.people, state.report.outcomes) == (4, 1, {"enrolled": 1, "failed": 3})
    kept = {key.partition("/")[0] for key in (*tier.inputs.kept, *tier.outputs.kept)}
    assert kept == {ticket.id, "jobs"}
    [row] = client.get("/v1/jobs").json["jobs"]  # type: ignore[index]
    assert (row["status"], row["people"], "report" in row) == ("done", ["Ada"], False)
    assert client.get(f"/v1/jobs/{ticket.id}/text").status_code == 200
    assert json.loads(client.get(f"/v1/jobs/{ticket.id}/events").text.split("data: ")[1])["report"]["total"] == 4


def test_who_asks_clears_away_what_is_left(tier: Tier, client: FlaskClient) -> None:
    """Where whoever made the report was killed in the middle of it."""
    ticket = ticket_of(tier, send(client))
    plan, parts = apart(tier, ticket)
    for part in parts:
        end(tier, part, "enrolled")
    assert client.get(f"/v1/jobs/{ticket.id}").json["status"] == "done"  # type: ignore[index]
    tier.inputs.put(plan_key(ticket.id), plan_to_bytes(plan))
    tier.inputs.put(f"{parts[0].id}/0", b"")
    assert client.get(f"/v1/jobs/{ticket.id}").json["report"]["total"] == 4  # type: ignore[index]
    assert f"{parts[0].id}/0" not in tier.inputs.kept


def test_its_parts_are_not_listed_and_go_with_it(tier: Tier, client: FlaskClient) -> None:
    ticket = ticket_of(tier, send(client))
    _, parts = apart(tier, ticket)
    end(tier, parts[0], "enrolled")
    assert len(client.get("/v1/jobs").json["jobs"]) == 1  # type: ignore[index]
    assert client.delete(f"/v1/jobs/{ticket.id}").status_code == 204
    assert (tier.inputs.kept, tier.outputs.kept) == ({}, {})


def test_only_who_may_change_people_sends_many(tier: Tier, client: FlaskClient) -> None:
    keys = {role: tier.keyring.create(role.value, role)[1] for role in Role}
    asked = {role: send(client, X_API_Key=key).status_code for role, key in keys.items()}
    assert asked == {Role.READ: 403, Role.RECOGNIZE: 403, Role.ENROLL: 202, Role.ADMIN: 202}
    headers = {"X-API-Key": keys[Role.RECOGNIZE]}
    assert client.get("/v1/bulk", headers=headers).status_code == 403
    [mine] = client.get("/v1/jobs", headers={"X-API-Key": keys[Role.ENROLL]}).json["jobs"]  # type: ignore[index]
    assert client.get(f"/v1/jobs/{mine['id']}", headers=headers).status_code == 404
