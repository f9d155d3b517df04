"""Unknown, as somebody uses it: a real browser, a real service, real faces."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import BIDEN, OBAMA
from tests.doors.service import Service, Site, site_in
from tests.processes.workers import soon
from visage import open_engine
from visage.core.service.keyring import Role

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

# What a browser is told of a name must stay text.
EVIL = "<img src=x onerror=document.title='evil'>"

OBAMAS = ("obama.jpg", "obama2.jpg", "obama3.jpg")


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Site]:
    """Nobody is known; who matches nobody is kept."""
    with site_in(tmp_path_factory.mktemp("unknown"), home, VISAGE_UNKNOWN_DAYS="30") as made:
        yield made


@pytest.fixture(scope="module")
def service(keeping: Site) -> Service:
    return keeping.serve("--min", "1")


@pytest.fixture
def shown(service: Service, open_page: Callable[..., Any], samples: Path, request: pytest.FixtureRequest) -> Any:
    """Opens the screen in a collection of the test's own, in which Obama was seen three times and Biden once."""
    collection = request.node.name[-60:].replace("[", " ").replace("]", "")
    for name in (*OBAMAS, "biden.jpg"):
        assert service.send(f"/v1/recognize?collection={_quoted(collection)}", samples / name).status == 200
    listed = f"/v1/unknown?collection={_quoted(collection)}"
    assert soon(lambda: sum(one["faces"] for one in service.ask(listed).json["clusters"]) == 4)

    def opened(size: str = "wide", **options: Any) -> Any:
        return open_page(f"{service.url}/unknown?collection={_quoted(collection)}", size, **options)

    return opened


def _quoted(text: str) -> str:
    return text.replace(" ", "%20")


def cards(page: Any) -> Any:
    return page.locator(".stranger")


def test_a_person_is_named_and_the_old_answers_say_so(service: Service, shown: Any, keep: Callable[..., None]) -> None:
    page = shown()
    expect(cards(page).locator("h2")).to_have_text(["3 faces", "1 face"])
    expect(page.locator("#found")).to_have_text("2 people")
    keep(page, "unknown")
    field = page.get_by_role("combobox", name="Who is it?").first
    field.fill(EVIL)
    field.press("Enter")
    expect(cards(page).locator("h2")).to_have_text(["1 face"])
    said = page.locator(".toast")
    expect(said).to_contain_text(f"{EVIL} is known from now on")
    expect(said).to_contain_text("3 answers put right")
    assert page.title() == "Unknown · Visage"
    said.get_by_role("button", name="Undo").click()
    expect(cards(page).locator("h2")).to_have_text(["3 faces", "1 face"])


def test_whom_they_resemble_is_one_click_away(
    service: Service,
    keeping: Site,
    open_page: Callable[..., Any],
    samples: Path,
    two_people: Path,
    keep: Callable[..., None],
) -> None:
    with open_engine(keeping.settings) as registrar:
        registrar.enroll(str(samples / "obama.jpg"), OBAMA, collection="alike")
    for photo in (samples / "obama2.jpg", samples / "obama3.jpg", samples / "biden.jpg", two_people):
        service.send("/v1/recognize?collection=alike&threshold=0.9999", photo)
    listed = "/v1/unknown?collection=alike"
    assert soon(lambda: sorted(one["faces"] for one in service.ask(listed).json["clusters"]) == [2, 3])
    page = open_page(f"{service.url}/unknown?collection=alike", device_scale_factor=1.5)
    hint = page.locator(".hint")
    expect(hint).to_contain_text(f"Is it {OBAMA}?")
    page.set_viewport_size({"width": 960, "height": 720})
    keep(page, "unknown.jpg")
    page.get_by_role("button", name=f"No, it is not {OBAMA}").click()
    expect(hint).to_have_count(0)
    field = page.get_by_role("combobox", name="Who is it?").first
    expect(field).to_be_focused()
    field.fill("oba")
    page.get_by_role("option").filter(has_text=OBAMA).click()
    expect(page.locator(".note").first).to_contain_text("is known already")
    page.get_by_role("button", name="Name", exact=True).first.click()
    expect(cards(page).locator("h2")).to_have_text(["2 faces"])


def test_ignored_they_are_kept_apart_can_be_put_back_and_deleted_for_good(shown: Any) -> None:
    page = shown()
    page.get_by_role("button", name="Ignore").first.click()
    expect(cards(page).locator("h2")).to_have_text(["1 face"])
    expect(page.get_by_role("combobox", name="Who is it?")).to_be_focused()
    page.get_by_role("radio", name="Ignored").check()
    expect(cards(page).locator("h2")).to_have_text(["3 faces"])
    page.reload()
    expect(cards(page).locator("h2")).to_have_text(["3 faces"])
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_role("heading", name="Nobody is ignored")).to_be_visible()
    page.get_by_role("radio", name="New").check()
    expect(cards(page)).to_have_count(2)
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("button", name="Cancel").click()
    expect(cards(page)).to_have_count(2)
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("button", name="Delete for good").click()
    expect(cards(page).locator("h2")).to_have_text(["1 face"])


def test_a_face_of_somebody_else_is_taken_out(shown: Any, keep: Callable[..., None]) -> None:
    page = shown()
    page.get_by_role("button", name="Look at 3 faces").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".face")).to_have_count(3)
    expect(dialog.get_by_role("button", name="Ignore")).to_be_disabled()
    dialog.get_by_role("checkbox", name="obama3.jpg").check()
    expect(dialog.get_by_role("status").first).to_have_text("1 face selected")
    keep(page, "unknown-faces")
    dialog.get_by_role("combobox", name="Who is it?").fill(BIDEN)
    dialog.get_by_role("button", name="Name", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(cards(page).locator("h2")).to_have_text(["2 faces", "1 face"])


def test_by_keyboard_alone(shown: Any) -> None:
    page = shown()
    page.locator(".cover").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".cover").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(OBAMA)
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(1)


def test_nothing_serious_is_wrong_with_it_and_nothing_sticks_out(shown: Any, sound: Callable[..., None]) -> None:
    page = shown()
    expect(cards(page)).to_have_count(2)
    page.wait_for_load_state("networkidle")
    sound(page, "unknown")
    page.locator(".cover").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    sound(page, "unknown-faces")


def test_where_it_is_switched_off_it_says_how_to_switch_it_on(open_page: Callable[..., Any], locked: Any) -> None:
    service, keys = locked
    page = open_page(service.url, extra_http_headers={"Authorization": f"Bearer {keys[Role.READ]}"})
    page.goto(f"{service.url}/unknown")
    expect(page.get_by_role("heading", name="Unknown faces are not kept")).to_be_visible()
    expect(page.get_by_text("VISAGE_UNKNOWN_DAYS=30")).to_be_visible()
    expect(page.locator("#tools")).to_be_hidden()


def test_who_may_only_look_sees_no_buttons(shown: Any) -> None:
    page = shown()
    expect(cards(page)).to_have_count(2)

    def as_a_reader(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('data-role="admin"', 'data-role="read"'))

    page.route(
        "**/unknown?*", lambda route: as_a_reader(route) if "/v1/" not in route.request.url else route.continue_()
    )
    page.reload()
    expect(cards(page)).to_have_count(2)
    expect(cards(page).get_by_role("button")).to_have_count(2)
    page.get_by_role("button", name="Look at 3 faces").click()
    expect(page.get_by_role("dialog").locator(".face")).to_have_count(3)
    expect(page.get_by_role("dialog").get_by_role("button")).to_have_count(1)
