"""Who may ask: keys and roles; without keys this machine's programs alone."""

import io

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.fakes import Tier, open_tier
from visage.core.service.keyring import Role
from visage.web.access import TRIES, WINDOW, Throttle, is_loopback
from visage.web.problems import Problem


def recognize(client: FlaskClient, **headers: str) -> TestResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/recognize", data={"image": (io.BytesIO(b"picture"), "face.jpg")}, headers=names)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
def test_this_machine_needs_no_key(client: FlaskClient, host: str) -> None:
    assert recognize(client, Host=host).status_code == 200


FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "localhost.",
    "",
    "[::1",
    "10.0.0.1",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_another_host_is_refused(tier: Tier, client: FlaskClient, host: str) -> None:
    """A name of somebody's own may lead here (DNS rebinding)."""
    response = recognize(client, Host=host)
    assert response.status_code in {400, 403}
    assert response.content_type == "application/problem+json"
    assert tier.queue.sent == 0


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "http://localhost.evil"]
)
def test_a_page_of_another_origin_is_refused(tier: Tier, client: FlaskClient, origin: str) -> None:
    assert recognize(client, Host="localhost:8000", Origin=origin).status_code == 403
    assert tier.queue.sent == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_is_refused(client: FlaskClient, site: str) -> None:
    assert recognize(client, Host="localhost:8000", Sec_Fetch_Site=site).status_code == 403


def test_a_page_of_its_own_is_let_in(client: FlaskClient) -> None:
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000", "Sec_Fetch_Site": "same-origin"}
    assert recognize(client, **own).status_code == 200
    assert recognize(client, Host="localhost:8000", Sec_Fetch_Site="none").status_code == 200


def test_where_there_are_keys_one_is_needed(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("ada", Role.RECOGNIZE)[1]
    response = recognize(client)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert recognize(client, Authorization=f"Bearer {key}").status_code == 200
    assert recognize(client, Authorization=f"bearer  {key} ").status_code == 200
    assert recognize(client, X_API_Key=key).status_code == 200
    assert (
        recognize(client, Authorization=f"Bearer {key}", Host="visage.example", Origin="https://a").status_code == 200
    )


@pytest.mark.parametrize(
    "wrong", ["Bearer ", "Bearer nonsense", "Basic YTpi", f"Bearer vsg_{'0' * 12}_{'A' * 43}", "Bearer \xff"]
)
def test_a_wrong_key_is_refused(tier: Tier, client: FlaskClient, wrong: str) -> None:
    tier.keyring.create("ada", Role.ADMIN)
    assert recognize(client, Authorization=wrong).status_code == 401
    assert tier.queue.sent == 0


@pytest.mark.parametrize("open_without_keys", [False, True])
def test_a_revoked_key_is_refused_and_never_opens_the_service(open_without_keys: bool) -> None:
    tier = open_tier(open_without_keys=open_without_keys)
    client = tier.app.test_client()
    key = tier.keyring.create("ada", Role.ADMIN)[1]
    assert recognize(client, X_API_Key=key).status_code == 200
    tier.keyring.revoke("ada")
    assert recognize(client, X_API_Key=key).status_code == 401
    assert recognize(client).status_code == 401
    tier.close()


@pytest.mark.parametrize(
    ("role", "statuses"),
    [(Role.READ, [200, 404, 403, 403]), (Role.RECOGNIZE, [200, 404, 200, 404]), (Role.ENROLL, [200, 404, 200, 404])],
)
def test_roles(tier: Tier, client: FlaskClient, role: Role, statuses: list[int]) -> None:
    key = {"X-API-Key": tier.keyring.create("ada", role)[1]}
    job = f"/v1/jobs/{'0' * 32}"
    found = [
        client.get("/metrics", headers=key).status_code,
        client.get(job, headers=key).status_code,
        recognize(client, X_API_Key=key["X-API-Key"]).status_code,
        client.delete(job, headers=key).status_code,
    ]
    assert found == statuses


def test_what_needs_no_key(tier: Tier, client: FlaskClient) -> None:
    tier.keyring.create("ada", Role.READ)
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/", "/openapi.json", "/metrics")] == [
        200, 200, 200, 200, 401,
    ]  # fmt: skip


def test_keys_that_cannot_be_read_are_not_taken_for_none(tier: Tier, client: FlaskClient) -> None:
    tier.keyring._objects.down = True  # type: ignore[attr-defined]
    response = recognize(client)
    assert response.status_code == 503
    assert "/secret" not in response.text
    assert client.get("/healthz").status_code == 200


def test_wrong_keys_are_bounded_by_address(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("ada", Role.RECOGNIZE)[1]
    statuses = [recognize(client, X_API_Key="wrong").status_code for _ in range(TRIES + 2)]
    assert statuses == [401] * TRIES + [429] * 2
    response = recognize(client, X_API_Key="wrong")
    assert 1 <= int(response.headers["Retry-After"]) <= WINDOW
    assert recognize(client, X_API_Key=key).status_code == 200  # others at that address are not locked out
    assert recognize(client).status_code == 401


def test_an_address_is_forgiven_and_forgotten() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(TRIES):
        throttle.count("a")
    with pytest.raises(Problem):
        throttle.count("a")
    now[0] = WINDOW
    throttle.count("a")
    for number in range(20_000):
        throttle.count(f"b{number}")
    assert len(throttle._counts) == 10_000


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True),
                                                ("localhost", True), ("0.0.0.0", False), ("", False), ("::", False),
                                                ("10.0.0.1", False), ("127.evil.example", False)])  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
