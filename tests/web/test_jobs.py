"""Jobs that take longer than a request: 202, asked for later, forgotten."""

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.fakes import Tier, Work, answer, open_tier
from visage.core.answers import Answer
from visage.core.errors import UnreadableError
from visage.core.keyring import Role
from visage.core.tickets import Ticket, progress_key
from visage.web.answers import Accepted, JobState

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
