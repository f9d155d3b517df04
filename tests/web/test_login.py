"""Logging in on the page: a key becomes a cookie, and the cookie opens what the key does and no more."""

import io
from http.cookies import SimpleCookie

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.fakes import Tier, open_tier
from visage.core.service.keyring import Role
from visage.core.service.sessions import SESSIONS, read_token, write_token
from visage.web.access import COOKIE, SESSION_SECONDS, TRIES

OWN = {"X-Visage": "1", "Sec-Fetch-Site": "same-origin"}


def log_in(tier: Tier, client: FlaskClient, role: Role = Role.RECOGNIZE) -> TestResponse:
    key = tier.keyring.create("ada", role)[1]
    return client.post("/v1/session", json={"key": key})


def recognize(client: FlaskClient, headers: dict[str, str]) -> int:
    data = {"image": (io.BytesIO(b"picture"), "face.jpg")}
    return client.post("/v1/recognize", data=data, headers=headers).status_code


def test_a_key_becomes_a_cookie_that_no_script_and_no_other_site_gets(tier: Tier, client: FlaskClient) -> None:
    response = log_in(tier, client)
    assert response.status_code == 204
    cookie = SimpleCookie(response.headers["Set-Cookie"])[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == str(SESSION_SECONDS)
    assert not cookie["secure"]  # this machine alone, without TLS
    assert client.get("/v1/session").json == {"name": "ada", "role": "recognize", "keys": True}
    assert recognize(client, OWN) == 200


def test_beyond_loopback_the_cookie_wants_tls() -> None:
    tier = open_tier(open_without_keys=False)
    response = log_in(tier, tier.app.test_client())
    assert SimpleCookie(response.headers["Set-Cookie"])[COOKIE]["secure"]
    tier.close()


def test_on_this_machine_without_keys_there_is_nothing_to_log_in_to(client: FlaskClient) -> None:
    assert client.get("/v1/session").json == {"name": "", "role": "admin", "keys": False}


def test_nobody_is_logged_in_at_first(tier: Tier, client: FlaskClient) -> None:
    tier.keyring.create("ada", Role.READ)
    assert client.get("/v1/session").json == {"name": None, "role": None, "keys": True}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Visage": "1"},
        {"Sec-Fetch-Site": "same-origin"},
        {"X-Visage": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Visage": "1", "Sec-Fetch-Site": "same-site"},
        {"X-Visage": "1", "Sec-Fetch-Site": "none"},
        {"X-Visage": "1", "Origin": "https://evil.example"},
        {"X-Visage": "1", "Origin": "null"},
        {"X-Visage": "1", "Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_what_another_page_could_send_changes_nothing(tier: Tier, client: FlaskClient, headers: dict[str, str]) -> None:
    log_in(tier, client)
    assert recognize(client, headers) == 403
    assert tier.queue.sent == 0


def test_an_older_browser_says_by_its_origin_where_it_asks_from(tier: Tier, client: FlaskClient) -> None:
    log_in(tier, client)
    assert recognize(client, {"X-Visage": "1", "Origin": "http://localhost"}) == 200


def test_a_key_needs_none_of_that_even_beside_a_cookie(tier: Tier, client: FlaskClient) -> None:
    log_in(tier, client, Role.READ)
    key = tier.keyring.create("bob", Role.RECOGNIZE)[1]
    assert recognize(client, {"X-API-Key": key}) == 200
    assert recognize(client, OWN) == 403  # the cookie's role is too low
    assert recognize(client, {**OWN, "X-API-Key": "wrong"}) == 401  # what was said goes before what was sent along


def test_a_revoked_key_ends_its_sessions_at_once(tier: Tier, client: FlaskClient) -> None:
    log_in(tier, client)
    assert recognize(client, OWN) == 200
    tier.keyring.revoke("ada")
    assert recognize(client, OWN) == 401
    assert client.get("/v1/session").json == {"name": None, "role": None, "keys": True}


def test_logging_out(tier: Tier, client: FlaskClient) -> None:
    log_in(tier, client)
    assert client.delete("/v1/session", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.delete("/v1/session", headers=OWN).status_code == 204
    assert client.get_cookie(COOKIE) is None
    assert recognize(client, OWN) == 401


def test_wrong_keys_are_refused_and_bounded(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("ada", Role.READ)[1]
    statuses = [client.post("/v1/session", json={"key": f"{key[:-1]}?"}).status_code for _ in range(TRIES + 1)]
    assert statuses == [401] * TRIES + [429]
    assert client.get_cookie(COOKIE) is None
    assert client.post("/v1/session", json={"key": key}).status_code == 204


def test_what_a_form_of_another_page_can_send_is_not_looked_at(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("ada", Role.READ)[1]
    body = f'{{"key": "{key}"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.post("/v1/session", data=body, content_type=kind).status_code in {415, 422}
    evil = {"Origin": "https://evil.example"}
    assert client.post("/v1/session", json={"key": key}, headers=evil).status_code == 403
    assert client.get_cookie(COOKIE) is None


@pytest.mark.parametrize("wrong", [{}, {"key": 5}, {"key": "x" * 201}, [], "text"])
def test_a_broken_log_in(tier: Tier, client: FlaskClient, wrong: object) -> None:
    tier.keyring.create("ada", Role.READ)
    assert client.post("/v1/session", json=wrong).status_code == 422


def test_a_token_is_good_for_its_key_and_time_alone() -> None:
    token = write_token("secret", "0123456789ab", 100.5)
    assert read_token("secret", token, 99.0) == "0123456789ab"
    assert read_token("secret", token, 100.0) is None
    assert read_token("other", token, 99.0) is None
    changed = [token.replace("100", "999"), token.replace("0123", "0124"), token[:-1], f"{token}A", "", "..", "a.b.c",
               f"{token}\n", "\u0660123456789ab.100." + "A" * 43]  # fmt: skip
    assert [read_token("secret", one, 99.0) for one in changed] == [None] * len(changed)


def test_a_cookie_that_was_made_up_is_none(tier: Tier, client: FlaskClient) -> None:
    account = tier.keyring.create("ada", Role.ADMIN)[0]
    for made_up in ("", "x", write_token("x" * 43, account.id, 9e9), write_token("", account.id, 9e9)):
        client.set_cookie(COOKIE, made_up)
        assert recognize(client, OWN) == 401


def test_all_processes_share_one_secret_that_is_made_once(tier: Tier) -> None:
    account = tier.keyring.create("ada", Role.READ)[0]
    objects = tier.keyring._objects
    token = tier.keyring.begin(account, 1e6)
    secret = objects.get(SESSIONS)
    again = type(tier.keyring)(objects, now=lambda: 1000.0, new_secret=lambda: "another" * 7)
    assert again.visitor(token) == account
    assert objects.get(SESSIONS) == secret


def test_a_damaged_secret_lets_nobody_in(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("ada", Role.READ)[1]
    tier.keyring._objects.put(SESSIONS, b"")
    response = client.post("/v1/session", json={"key": key})
    assert response.status_code == 503
    assert SESSIONS not in response.text
