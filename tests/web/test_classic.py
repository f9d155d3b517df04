"""The classic form: a file in, one line out."""

import io

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.fakes import Tier, answer
from visage.core.errors import NoGalleryError, StorageError, TooLargeError, UnreadableError, VisageError
from visage.core.tickets import index_key


def send(client: FlaskClient, name: str = "face.jpg", data: bytes = b"picture", **headers: str) -> TestResponse:
    form = {"inputFile": (io.BytesIO(data), name)}
    return client.post("/", data=form, headers={key.replace("_", "-"): value for key, value in headers.items()})


def test_names_the_person(client: FlaskClient) -> None:
    response = send(client)
    assert (response.status_code, response.text) == (200, "face:Ada")
    assert response.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("faces", "name"),
    [
        ([], "unknown"),
        ([("unknown", 40.0)], "unknown"),
        ([("Ada", 30.0), ("Bob", 40.0)], "Bob"),
        ([("Ada", 30.0), ("unknown", 40.0)], "unknown"),
    ],
)
def test_the_most_prominent_face_has_the_word(
    tier: Tier, client: FlaskClient, faces: list[tuple[str, float]], name: str
) -> None:
    tier.worker.work = lambda ticket, _: answer(ticket, faces)
    assert send(client).text == f"face:{name}"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd.jpg", "passwd"),
        ("C:\\\\Users\\\\me\\\\face.png", "face"),
        ("archive.tar.gz", "archive.tar"),
        ("noextension", "noextension"),
        (".hidden", ".hidden"),
        ("Zoë 面.jpeg", "Zoë 面"),
        ("a:b.jpg", "a:b"),
    ],
)
def test_the_name_of_the_file_is_echoed_and_nothing_more(tier: Tier, client: FlaskClient, name: str, stem: str) -> None:
    assert send(client, name).text == f"{stem}:Ada"
    [ticket] = tier.worker.tickets
    assert set(tier.inputs.kept) == {f"{ticket.id}/0", f"{ticket.id}/ticket.json", index_key(ticket)}


@pytest.mark.parametrize(
    "name", ["a\x00.jpg", "a\nb.jpg", "x" * 10_000 + ".jpg", "\u202egpj.exe", "\x1b[31m.jpg", "../"]
)
def test_a_hostile_name_is_refused(tier: Tier, client: FlaskClient, name: str) -> None:
    assert send(client, name).status_code == 400
    assert tier.queue.sent == 0


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UnreadableError("KEY", "it is no picture"), 422, "face.jpg: it is no picture"),
        (TooLargeError("KEY", "it is too large"), 413, "face.jpg: it is too large"),
        (NoGalleryError("/secret/gallery.sqlite: none"), 409, "nobody has been enrolled yet; enroll people first"),
        (StorageError("/secret: full"), 503, "a store or the queue of the service does not answer; try again"),
    ],
)
def test_a_job_that_fails_is_a_problem(
    tier: Tier, client: FlaskClient, error: VisageError, status: int, said: str
) -> None:
    tier.worker.work = lambda ticket, _: error
    response = send(client)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json
    assert response.json["detail"] == said
    assert response.json["status"] == status
    assert response.json["job"] == tier.worker.tickets[0].id


def test_one_file_in_its_field_is_wanted(client: FlaskClient) -> None:
    two = [(io.BytesIO(b"1"), "a.jpg"), (io.BytesIO(b"2"), "b.jpg")]
    assert client.post("/", data={"inputFile": two}).status_code == 400
    assert client.post("/", data={"image": (io.BytesIO(b"1"), "a.jpg")}).status_code == 400
    assert client.post("/", data={"inputFile": "text"}, content_type="multipart/form-data").status_code == 400
    assert client.post("/", data=b"picture", content_type="image/jpeg").status_code == 415
    assert client.post("/").status_code == 415


def test_an_empty_file_is_refused_at_the_door(tier: Tier, client: FlaskClient) -> None:
    assert send(client, data=b"").status_code == 422
    assert tier.queue.sent == 0


def test_asked_again_with_its_key_there_is_one_answer(tier: Tier, client: FlaskClient) -> None:
    first = send(client, Idempotency_Key="k1")
    tier.worker.work = lambda ticket, _: answer(ticket, [("Bob", 40.0)])
    again = send(client, Idempotency_Key="k1")
    assert (first.text, again.text, tier.queue.sent) == ("face:Ada", "face:Ada", 1)


def test_a_key_of_another_request_is_refused(client: FlaskClient) -> None:
    assert send(client, Idempotency_Key="k1").status_code == 200
    response = send(client, data=b"another picture", Idempotency_Key="k1")
    assert response.status_code == 422
    assert response.json
    assert "Idempotency-Key" in response.json["detail"]


@pytest.mark.parametrize("key", ["x" * 256, "two words", "ü"])
def test_a_key_has_visible_characters(client: FlaskClient, key: str) -> None:
    assert send(client, Idempotency_Key=key).status_code == 422


def test_the_page_says_what_to_do(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "curl -F inputFile=@face.jpg http://localhost/" in response.text
