"""What was changed is seen, and undone; who is hidden; and the log of who did what."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.crowd import EVIL, button, card, made_up
from tests.browser.test_login import Locked, log_in
from tests.doors.service import Service, Site
from visage.core.service.keyring import Role

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

SAME_SITE = {"X-Visage": "1", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def collection() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def people(service: Service, site: Site, collection: str, open_page: Callable[..., Any]) -> Any:
    """Ada has two faces, Grace Hopper one."""
    made_up(site, collection, [("Ada", 2), ("Grace Hopper", 1)])
    page = open_page(f"{service.url}/people?collection={collection}")
    expect(page.locator(".person")).to_have_count(2)
    return page


def change(page: Any, text: str) -> Any:
    """A line of the history."""
    return page.locator(".changes li").filter(has_text=text)


def select(page: Any, *names: str) -> None:
    for name in names:
        page.get_by_label(f"Select {name}").check()


def test_a_renaming_is_undone(people: Any, keep: Callable[[Any, str], None]) -> None:
    select(people, "Ada")
    button(people, "Rename").click()
    people.keyboard.press("Control+a")
    people.keyboard.type(EVIL)
    people.keyboard.press("Enter")
    expect(card(people, EVIL)).to_be_visible()
    button(people, "History").click()
    expect(change(people, "Ada renamed to")).to_contain_text(EVIL)
    keep(people, "history")
    change(people, "Ada renamed to").get_by_role("button").click()
    expect(card(people, "Ada")).to_be_visible()
    expect(change(people, "Ada renamed to")).to_contain_text("Undone")
    expect(change(people, "Ada renamed to").get_by_role("button")).to_have_count(0)


def test_a_merging_is_undone_on_the_page_of_whom_it_took_away(people: Any, collection: str, service: Service) -> None:
    ada = people.get_by_role("link", name="Ada").get_attribute("href")
    select(people, "Ada", "Grace Hopper")
    button(people, "Merge").click()
    people.get_by_label("Grace Hopper1 face").check()
    button(people.get_by_role("dialog"), "Merge").click()
    expect(card(people, "Grace Hopper")).to_contain_text("3 faces")
    people.goto(f"{service.url}{ada}")
    expect(people.get_by_role("heading", name="This person is not here any more")).to_be_visible()
    change(people, "Ada merged into Grace Hopper").get_by_role("button").click()
    expect(people.get_by_role("heading", name="Ada")).to_be_visible()
    expect(people.locator(".face")).to_have_count(2)


def test_the_way_back_is_offered_at_once(people: Any) -> None:
    people.get_by_role("link", name="Ada").click()
    button(people, "Rename").click()
    people.keyboard.type("Countess")
    people.keyboard.press("Enter")
    expect(people.get_by_role("heading", name="Countess")).to_be_visible()
    button(people.locator("#toasts"), "Undo").click()
    expect(people.get_by_role("heading", name="Ada")).to_be_visible()
    expect(change(people, "Ada renamed to Countess")).to_contain_text("Undone")


def test_what_was_changed_since_is_told(people: Any, collection: str, service: Service) -> None:
    path = people.get_by_role("link", name="Ada").get_attribute("href").replace("/people/", "/v1/people/")
    for name in ("Countess", *(f"The Right Honourable Countess of Lovelace {number}" for number in range(8)), "Lady"):
        response = people.request.patch(f"{service.url}{path}", data={"name": name}, headers=SAME_SITE)
        assert response.status == 200
    people.set_viewport_size({"width": 390, "height": 844})
    people.reload()
    button(people, "History").click()
    expect(people.locator(".changes > li")).to_have_count(10)
    assert people.locator(".changes > li").evaluate_all(
        "rows => rows.every(row => row.offsetHeight >= row.querySelector('.text').offsetHeight)"
    )
    change(people, "Ada renamed to Countess").get_by_role("button").click()
    expect(people.get_by_text("It cannot be undone: the person was renamed again since.")).to_be_visible()
    expect(change(people, "Ada renamed to Countess").get_by_role("button")).to_be_enabled()


def test_who_is_hidden_is_out_of_sight_until_asked_for(people: Any, faults_of: Callable[[Any], list[str]]) -> None:
    select(people, "Ada")
    expect(button(people, "Show again")).to_be_hidden()
    button(people, "Hide").click()
    expect(people.locator(".person")).to_have_count(1)
    people.get_by_label("Show hidden").check()
    expect(card(people, "Ada")).to_contain_text("hidden")
    select(people, "Ada")
    expect(button(people, "Hide")).to_be_hidden()
    button(people, "History").click()
    expect(change(people, "Ada hidden")).to_be_visible()
    assert faults_of(people) == []
    people.get_by_role("link", name="Ada").click()
    expect(people.get_by_text("Hidden: no answer names them")).to_be_visible()
    expect(change(people, "Ada hidden")).to_be_visible()
    assert faults_of(people) == []
    button(people, "Show again").click()
    expect(people.get_by_text("Hidden: no answer names them")).to_be_hidden()
    expect(change(people, "Ada shown again")).to_be_visible()


def test_everybody_is_hidden(people: Any) -> None:
    select(people, "Ada", "Grace Hopper")
    button(people, "Hide").click()
    expect(people.get_by_role("heading", name="Everybody here is hidden")).to_be_visible()
    button(people, "Show them").click()
    expect(people.locator(".person")).to_have_count(2)


def test_the_log_is_filtered_and_saved(
    people: Any, service: Service, tmp_path: Path, faults_of: Callable[[Any], list[str]]
) -> None:
    people.get_by_role("link", name="Ada").click()
    button(people, "Hide").click()
    expect(button(people, "Show again")).to_be_visible()
    ada = people.url.split("/people/")[1].partition("?")[0]
    people.get_by_role("link", name="Who looked at them").click()
    log = people.get_by_role("region", name="Audit log")
    expect(log.get_by_role("row", name="Hid Ada")).to_be_visible()
    log.get_by_label("What was done").select_option("Hid")
    expect(log.locator("tbody tr")).to_have_count(1)
    assert faults_of(people) == []
    with people.expect_download() as saved:
        button(log, "Download").click()
    path = tmp_path / "log.jsonl"
    saved.value.save_as(path)
    [line] = path.read_text().splitlines()
    said = json.loads(line)
    assert (said["action"], said["people"]) == ("hide", [ada])
    assert "Ada" not in line
    button(log, "Everybody").click()
    log.get_by_label("What was done").select_option("Everything")
    expect(log.get_by_role("row", name="Looked at").first).to_be_visible()


def test_the_log_is_for_admins_alone(locked: Locked, open_page: Callable[..., Any]) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/system", "phone", color_scheme="dark")
    log_in(page, keys[Role.ENROLL])
    expect(page.get_by_role("region", name="Limits")).to_contain_text("at most")
    expect(page.get_by_role("region", name="Audit log")).to_have_count(0)
