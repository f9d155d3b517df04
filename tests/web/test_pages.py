"""The page for people: who gets it, what comes with it, and what it says when something is wrong."""

import gzip
import re

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import Tier
from visage.core.service.keyring import Role
from visage.web.page import Assets
from visage.web.pages import POLICY, safe_next

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PLACES = ["/", "/people", "/people/0123", "/jobs", "/system"]


@pytest.mark.parametrize("place", [*PLACES, "/nothing"])
def test_every_page_has_the_policy_and_nothing_that_breaks_it(client: FlaskClient, place: str) -> None:
    response = client.get(place, headers=BROWSER)
    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", response.text)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", response.text)  # nothing from elsewhere


@pytest.mark.parametrize("place", PLACES)
def test_all_that_a_page_loads_is_there_and_kept_for_ever(client: FlaskClient, place: str) -> None:
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', client.get(place, headers=BROWSER).text))
    assert len(loaded) > 3
    for address in loaded:
        response = client.get(address)
        assert response.status_code == 200, address
        assert "immutable" in response.headers["Cache-Control"]


def test_modules_and_icons_that_files_name_are_there() -> None:
    """What a script imports or draws is found by no template."""
    assets = Assets()
    symbols = set(re.findall(r'id="([^"]+)"', assets._assets["icons.svg"].data.decode()))
    for name in assets._assets:
        text = assets._assets[name].data.decode()
        for module in re.findall(r'(?:from|import)\s+"\./([^"]+)"', text):
            assert assets.get(module), f"{name} imports {module}"
        for symbol in re.findall(r'\bicon\("([^"]+)"\)', text) if name.endswith(".js") else []:
            assert symbol in symbols, f"{name} draws {symbol}"


def test_the_front_door_has_words_for_programs_and_a_page_for_browsers(client: FlaskClient) -> None:
    for accept in ("*/*", "text/plain", "application/json", ""):
        response = client.get("/", headers={"Accept": accept})
        assert response.text.startswith("Visage: who is in a photo")
        assert response.headers["Vary"] == "Accept"
    page = client.get("/", headers=BROWSER)
    assert "Who is it?" in page.text
    assert page.headers["Vary"] == "Accept"


@pytest.mark.parametrize("place", PLACES)
def test_who_is_not_logged_in_is_sent_to_log_in(tier: Tier, client: FlaskClient, place: str) -> None:
    tier.keyring.create("ada", Role.READ)
    response = client.get(f"{place}?a=1&b=/x", headers=BROWSER)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/login?next={place}%3Fa%3D1%26b%3D/x"
    page = client.get(response.headers["Location"], headers=BROWSER)
    assert f'data-next="{place}?a=1&amp;b=/x"' in page.text
    assert "<nav" not in page.text


def test_who_is_logged_in_is_named_and_stays_text(tier: Tier, client: FlaskClient) -> None:
    key = tier.keyring.create("<img src=x onerror=alert(1)>", Role.READ)[1]
    assert client.post("/v1/session", json={"key": key}).status_code == 204
    for place in [*PLACES, "/nothing"]:
        page = client.get(place, headers=BROWSER).text
        assert "<nav" in page
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_without_keys_there_is_no_log_in(client: FlaskClient) -> None:
    assert client.get("/login", headers=BROWSER).headers["Location"] == "/"


@pytest.mark.parametrize("wanted", ["/", "/people", "/people/ab?q=a b", "/jobs#x"])
def test_where_to_go_after_logging_in(wanted: str) -> None:
    assert safe_next(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    ["", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/\t/a", "/login", "/login?next=/login", "evil.example", " //evil.example", "/\n/evil.example", "/" + "a" * 1000],
)  # fmt: skip
def test_never_elsewhere(wanted: str) -> None:
    assert safe_next(wanted) == "/"


def test_errors_in_words_for_browsers_and_as_problems_for_programs(tier: Tier, client: FlaskClient) -> None:
    page = client.get("/nothing", headers=BROWSER)
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    for path, headers in [("/nothing", {}), ("/v1/nothing", BROWSER), (f"/v1/jobs/{'0' * 32}", BROWSER)]:
        response = client.get(path, headers=headers)
        assert response.status_code == 404
        assert response.content_type == "application/problem+json"
    assert client.post("/nothing", headers=BROWSER).content_type == "application/problem+json"


def test_a_fault_says_no_more_than_its_number(tier: Tier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tier.app.view_functions, "page_jobs", lambda: 1 / 0)
    response = client.get("/jobs", headers={**BROWSER, "X-Request-Id": "abc-123"})
    assert response.status_code == 500
    assert "abc-123" in response.text
    assert "ZeroDivision" not in response.text


def test_keys_that_cannot_be_read_make_a_page_too(tier: Tier, client: FlaskClient) -> None:
    tier.keyring._objects.down = True  # type: ignore[attr-defined]
    response = client.get("/people", headers=BROWSER)
    assert response.status_code == 503
    assert "The service is busy" in response.text
    assert "/secret" not in response.text


def test_files_go_out_zipped_to_who_can_unzip_them(client: FlaskClient) -> None:
    address = Assets().address("visage.js")
    plain, zipped = client.get(address), client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert plain.content_type.startswith("text/javascript")


def test_an_old_address_of_a_file_is_not_kept(client: FlaskClient) -> None:
    response = client.get("/static/000000000000/visage.js")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["nothing.js", "..", "../__init__.py", "..%2f__init__.py", "%2e%2e/pages.py", "a/b.js"]
)
def test_no_other_file_comes_out(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{Assets().stamp}/{name}").status_code == 404


def test_a_template_that_names_a_file_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError, match=r"nothing\.css"):
        Assets().address("nothing.css")
