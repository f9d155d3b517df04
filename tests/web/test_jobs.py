"""Jobs that take longer than a request: 202, asked for later, forgotten."""

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.fakes import Tier, Work, answer, open_tier
from visage.core.answers import Answer
from visage.core.errors import UnreadableError
from visage.core.journal.audit import Action
from visage.core.journal.audit_log import AuditLog
from visage.core.service.keyring import Role
from visage.core.service.noted import Notes
from visage.core.service.reception import Asked
from visage.core.tickets import Ticket, progress_key
from visage.core.values import EnrollOptions, Job, JobKind
from visage.web.answers import Accepted, JobState
from visage.web.jobs_types import CorrectionOf, JobPage

ASYNC = {"Prefer": "respond-async"}


def post(client: FlaskClient, path: str = "/v1/recognize", **headers: str) -> TestResponse:
    field = "inputFile" if path == "/" else "image"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, data={field: (io.BytesIO(b"picture"), "face.jpg")}, headers=names)


def held(tier: Tier) -> Callable[[], None]:
    """From now on jobs are done only once what is returned is called."""
    go = threading.Event()

    def work(ticket: Ticket, data: list[bytes]) -> Answer:
        go.wait(10)
        return answer(ticket, [("Ada", 40.0)])

    tier.worker.work = work
    return go.set


@pytest.mark.parametrize("path", ["/", "/v1/recognize", "/v1/detect"])
def test_who_prefers_it_is_answered_at_once(tier: Tier, client: FlaskClient, path: str) -> None:
    release = held(tier)
    response = post(client, path, Prefer="respond-async")
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    job = Accepted.model_validate(response.json).job
    assert response.headers["Location"] == f"/v1/jobs/{job.id}"
    state = client.get(response.headers["Location"])
    assert JobState.model_validate(state.json).status == "queued"
    release()
    state = client.get(response.headers["Location"], query_string={"wait": 5})
    done = JobState.model_validate(state.json)
    assert done.status == "done"
    assert done.answer is not None


@pytest.mark.parametrize("path", ["/", "/v1/recognize"])
def test_who_outlives_the_deadline_has_a_job_and_no_answer_is_lost(path: str) -> None:
    tier = open_tier(request_seconds=0.2)
    client = tier.app.test_client()
    release = held(tier)
    response = post(client, path, Idempotency_Key="k")
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) >= 1
    assert "Preference-Applied" not in response.headers
    release()
    assert client.get(response.headers["Location"] + "?wait=5").json["status"] == "done"  # type: ignore[index]
    assert post(client, path, Idempotency_Key="k").status_code == 200
    tier.close()


def test_a_wish_to_wait_less_is_heeded(tier: Tier, client: FlaskClient) -> None:
    release = held(tier)
    assert post(client, Prefer="wait=0").status_code == 202
    release()


def test_names_one_a_line(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: answer(ticket, [("Ada", 40.0), ("Bob", 30.0)])
    job = post(client).json["job"]["id"]  # type: ignore[index]
    response = client.get(f"/v1/jobs/{job}/text")
    assert (response.status_code, response.text) == (200, "Ada\nBob\n")


def test_names_of_what_is_not_done_yet(tier: Tier, client: FlaskClient) -> None:
    release = held(tier)
    where = post(client, Prefer="respond-async").headers["Location"]
    response = client.get(f"{where}/text")
    assert response.status_code == 202
    release()
    assert client.get(f"{where}/text?wait=5").text == "Ada\n"


def test_a_failure_is_told(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    where = post(client, Prefer="respond-async").headers["Location"]
    state = JobState.model_validate(client.get(f"{where}?wait=5").json)
    assert state.status == "failed"
    assert state.error
    assert (state.error.status, state.error.detail) == (422, "face.jpg: it is no picture")
    assert client.get(f"{where}/text").status_code == 422


def test_a_video_at_work_is_running(tier: Tier, client: FlaskClient) -> None:
    nothing: Work = lambda ticket, data: None  # noqa: E731
    tier.worker.work = nothing
    job = post(client, Prefer="respond-async").json["job"]["id"]  # type: ignore[index]
    tier.outputs.put(progress_key(job), b'{"share": 0.5}')
    state = JobState.model_validate(client.get(f"/v1/jobs/{job}").json)
    assert (state.status, state.progress) == ("running", {"share": 0.5})


def test_what_is_forgotten_is_gone(tier: Tier, client: FlaskClient) -> None:
    where = f"/v1/jobs/{post(client).json['job']['id']}"  # type: ignore[index]
    assert client.get(where).status_code == 200
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404
    assert client.delete(where).status_code == 404
    assert not tier.inputs.kept
    assert not tier.outputs.kept


@pytest.mark.parametrize("job", ["0" * 32, "nonsense", "..%2f..%2fkeys", "%00", "x" * 5000])
def test_no_such_job(client: FlaskClient, job: str) -> None:
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/text"):
        assert client.get(path).status_code == 404


def test_a_wait_that_is_none_is_refused(client: FlaskClient) -> None:
    assert client.get(f"/v1/jobs/{'0' * 32}?wait=-1").status_code == 422


def test_a_job_is_its_owners(tier: Tier, client: FlaskClient) -> None:
    keys = {name: tier.keyring.create(name, role)[1] for name, role in
            [("ada", Role.RECOGNIZE), ("bob", Role.RECOGNIZE), ("root", Role.ADMIN)]}  # fmt: skip

    def ask(method: str, path: str, who: str) -> Any:
        return client.open(path, method=method, headers={"Authorization": f"Bearer {keys[who]}"})

    where = f"/v1/jobs/{post(client, Authorization='Bearer ' + keys['ada']).json['job']['id']}"  # type: ignore[index]
    assert [ask("GET", where, who).status_code for who in keys] == [200, 404, 200]
    assert [ask("GET", f"{where}/text", who).status_code for who in keys] == [200, 404, 200]
    assert ask("DELETE", where, "bob").status_code == 404
    assert ask("GET", where, "ada").status_code == 200
    assert ask("DELETE", where, "root").status_code == 204


def test_two_accounts_may_use_the_same_idempotency_key(tier: Tier, client: FlaskClient) -> None:
    ada, bob = (tier.keyring.create(name, Role.RECOGNIZE)[1] for name in ("ada", "bob"))
    first, second = (post(client, Authorization=f"Bearer {key}", Idempotency_Key="k") for key in (ada, bob))
    assert first.json
    assert second.json
    assert first.json["job"]["id"] != second.json["job"]["id"]


def test_the_list_of_jobs(tier: Tier, client: FlaskClient) -> None:
    ids = [post(client).json["job"]["id"] for _ in range(3)]  # type: ignore[index]
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    ids.append(post(client, "/v1/detect").headers["X-Request-Id"] and tier.worker.tickets[-1].id)
    first = JobPage.model_validate(client.get("/v1/jobs?limit=3").json)
    second = JobPage.model_validate(client.get("/v1/jobs", query_string={"cursor": first.next}).json)
    found = {job.id: job for job in (*first.jobs, *second.jobs)}
    assert (len(first.jobs), len(second.jobs), second.next) == (3, 1, None)
    assert set(found) == set(ids)
    created = [job.created for job in (*first.jobs, *second.jobs)]
    assert created == sorted(created, reverse=True)
    done, failed = found[ids[0]], found[ids[3]]
    assert (done.kind, done.status, done.names, done.people) == ("recognize", "done", ["face.jpg"], ["Ada"])
    assert (failed.kind, failed.status, failed.people) == ("detect", "failed", [])
    assert failed.error
    assert failed.error.detail == "face.jpg: it is no picture"


@pytest.mark.parametrize("wrong", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=../../keys", "cursor="])
def test_a_page_that_is_none_is_refused(client: FlaskClient, wrong: str) -> None:
    assert client.get(f"/v1/jobs?{wrong}").status_code == 422


def test_the_list_is_ones_own(tier: Tier, client: FlaskClient) -> None:
    keys = {name: tier.keyring.create(name, role)[1] for name, role in
            [("ada", Role.RECOGNIZE), ("bo", Role.RECOGNIZE), ("root", Role.ADMIN)]}  # fmt: skip
    made = {name: post(client, X_API_Key=key).json["job"]["id"] for name, key in keys.items()}  # type: ignore[index]

    def seen(name: str) -> set[str]:
        page = JobPage.model_validate(client.get("/v1/jobs", headers={"X-API-Key": keys[name]}).json)
        return {job.id for job in page.jobs}

    assert seen("ada") == {made["ada"]}
    assert seen("bo") == {made["bo"]}
    assert seen("root") == set(made.values())
    assert client.get("/v1/jobs").status_code == 401


def test_a_failed_job_is_done_once_more(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    where = post(client, Prefer="respond-async").headers["Location"]
    assert client.get(f"{where}?wait=5").json["status"] == "failed"  # type: ignore[index]
    tier.worker.work = lambda ticket, _: answer(ticket, [("Ada", 40.0)])
    again = client.post(f"{where}/retry")
    assert (again.status_code, again.headers["Location"]) == (202, where)
    assert client.get(f"{where}?wait=5").json["answer"]["names"] == ["Ada"]  # type: ignore[index]
    assert client.post(f"{where}/retry").status_code == 409
    assert len(tier.worker.tickets) == 2


def test_asked_again_with_its_key_a_job_is_not_done_once_more_again(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    where = post(client, Prefer="respond-async").headers["Location"]
    assert client.get(f"{where}?wait=60").json["status"] == "failed"  # type: ignore[index]
    key = {"Idempotency-Key": "once-more"}
    first = client.post(f"{where}/retry", headers=key)
    assert client.get(f"{where}?wait=60").json["status"] == "failed"  # type: ignore[index]
    again = client.post(f"{where}/retry", headers=key)
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.headers["Location"] == where
    assert again.json == first.json
    assert len(tier.worker.tickets) == 2
    assert client.delete(where, headers=key).status_code == 422


def test_asked_again_with_its_key_what_is_forgotten_is_so(client: FlaskClient) -> None:
    first, second = (f"/v1/jobs/{post(client).json['job']['id']}" for _ in range(2))  # type: ignore[index]
    key = {"Idempotency-Key": "forget"}
    assert [client.delete(first, headers=key).status_code for _ in range(2)] == [204, 204]
    assert client.delete(second, headers=key).status_code == 422
    assert client.get(second).status_code == 200
    assert client.delete(first, headers={"Idempotency-Key": "another"}).status_code == 404


def test_a_page_of_jobs_is_one_look(tier: Tier, client: FlaskClient) -> None:
    """With the pictures on it, and however often it is brought up to date."""
    jobs = [post(client).json["job"]["id"] for _ in range(3)]  # type: ignore[index]
    for _ in range(2):
        assert client.get("/v1/jobs").status_code == 200
        for job in jobs:
            assert client.get(f"/v1/jobs/{job}/source/0").status_code == 200
    tier.audit.flush()
    looks, _ = AuditLog(tier.journal, time.time).page(lambda entry: entry.action is Action.LOOK, 9)
    assert [set(look.jobs) for look in looks] == [set(jobs)]


def test_only_what_is_still_there_is_done_once_more(tier: Tier, client: FlaskClient) -> None:
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    where = post(client, Prefer="respond-async").headers["Location"]
    assert client.get(f"{where}?wait=5").json["status"] == "failed"  # type: ignore[index]
    tier.inputs.delete([tier.worker.tickets[0].job.sources[0]])
    assert client.post(f"{where}/retry").status_code == 404
    assert client.get(where).json["status"] == "failed"  # type: ignore[index]
    assert client.get(f"{where}/source/0").status_code == 404
    assert client.post(f"/v1/jobs/{'0' * 32}/retry").status_code == 404


def test_a_correction_that_failed_is_said_again_and_not_done_once_more(tier: Tier, client: FlaskClient) -> None:
    answered = post(client).json["job"]["id"]  # type: ignore[index]
    tier.worker.work = lambda ticket, _: UnreadableError(ticket.job.sources[0], "it is no picture")
    options = EnrollOptions(box=(0.0, 0.0, 9.0, 9.0))
    learning = tier.reception.submit(Asked(Job(JobKind.ENROLL, (), name="Bo", enroll=options), [("a.jpg", b"a")]))
    Notes(tier.outputs).add(answered, learning, [0])
    [correction] = [one for one in JobPage.model_validate(client.get("/v1/jobs").json).jobs if one.id == learning.id]
    assert correction.status == "failed"
    assert correction.corrects == CorrectionOf(job=answered, person="Bo", denied=False)
    refused = client.post(f"/v1/jobs/{correction.id}/retry")
    assert (refused.status_code, "say it again" in refused.text) == (409, True)


def test_a_job_that_is_under_way_is_not_done_once_more(tier: Tier, client: FlaskClient) -> None:
    release = held(tier)
    where = post(client, Prefer="respond-async").headers["Location"]
    assert client.post(f"{where}/retry").status_code == 409
    release()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0 photo", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n photo", "image/png"),
        (b"GIF89a photo", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", None),
        (b"<html><script>alert(1)</script>", None),
        (b"GIF", None),
    ],
)
def test_what_came_in_is_given_back(tier: Tier, client: FlaskClient, data: bytes, kind: str | None) -> None:
    form = {"image": (io.BytesIO(data), 'a "b" ü.svg')}
    response = client.post("/v1/recognize", data=form, headers=ASYNC)
    found = client.get(response.headers["Location"] + "/source/0")
    assert (found.status_code, found.data) == (200, data)
    assert found.content_type == (kind or "application/octet-stream")
    assert found.headers["Content-Disposition"].startswith("inline;" if kind else "attachment;")
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.content_length == len(data)


def test_a_large_file_is_given_back_piece_by_piece(
    tier: Tier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visage.web.kept._PIECE", 100)
    data = bytes(range(250)) * 3
    response = client.post("/v1/recognize", data=data, content_type="video/mp4", headers=ASYNC)
    assert client.get(response.headers["Location"] + "/source/0").data == data


@pytest.mark.parametrize(("n", "status"), [("1", 404), ("99", 404), ("-1", 422), ("x", 422), ("0/", 404)])
def test_no_such_file_came_in(client: FlaskClient, n: str, status: int) -> None:
    where = post(client, Prefer="respond-async").headers["Location"]
    assert client.get(f"{where}/source/{n}").status_code == status
