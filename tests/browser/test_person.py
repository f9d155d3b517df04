"""A person's page; and what each role is shown of people."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.crowd import EVIL, button, card, made_up
from tests.doors.service import Service, Site
from visage.core.service.keyring import Role

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

SAME_SITE = {"X-Visage": "1", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def collection() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def person(service: Service, site: Site, collection: str, open_page: Callable[..., Any]) -> Any:
    """The page of Ada, who has four faces; Grace Hopper has one."""
    made_up(site, collection, [("Ada", 4), ("Grace Hopper", 1)])
    page = open_page(f"{service.url}/people?collection={collection}")
    page.get_by_role("link", name="Ada").click()
    expect(page.locator(".face")).to_have_count(4)
    return page


def test_renamed_in_place(person: Any) -> None:
    button(person, "Rename").click()
    person.keyboard.type("Grace Hopper")
    person.keyboard.press("Enter")
    expect(person.get_by_role("alert")).to_contain_text("Grace Hopper")  # the name is taken
    person.keyboard.press("Escape")
    expect(button(person, "Rename")).to_be_focused()
    person.keyboard.press("Enter")
    person.keyboard.type(EVIL)
    person.keyboard.press("Enter")
    expect(person.get_by_role("heading", name=EVIL)).to_be_visible()
    expect(person).to_have_title(f"{EVIL} · Visage")


def test_somebody_else_was_quicker(person: Any) -> None:
    path = person.url.replace("/people/", "/v1/people/")
    button(person, "Rename").click()
    person.keyboard.type("Countess")
    assert person.request.patch(path, data={"name": "Lady Lovelace"}, headers=SAME_SITE).status == 200
    person.keyboard.press("Enter")
    expect(person.get_by_text("Somebody else changed this person meanwhile.")).to_be_visible()
    expect(person.get_by_role("heading", name="Lady Lovelace")).to_be_visible()


def test_faces_are_moved_and_erased(person: Any) -> None:
    person.get_by_label("Select face 1").check()
    button(person, "Move").click()
    person.keyboard.type("gra")
    expect(person.get_by_role("option", name="Grace Hopper")).to_be_visible()
    person.keyboard.press("ArrowDown")
    person.keyboard.press("Enter")
    expect(person.get_by_text("Grace Hopper has 1 face.")).to_be_visible()
    person.keyboard.press("Enter")
    expect(person.locator(".face")).to_have_count(3)

    person.get_by_label("Select face 2").check()
    button(person, "Delete").click()
    button(person, "Delete for good").click()
    expect(person.locator(".face")).to_have_count(2)

    for number in (1, 2):
        person.get_by_label(f"Select face {number}").check()
    button(person, "Move").click()
    person.keyboard.type("Somebody New")
    button(person.get_by_role("dialog"), "Move").click()
    expect(person.get_by_role("heading", name="Somebody New")).to_be_visible()  # nothing is left of Ada

    button(person, "Delete person").click()
    button(person, "Delete for good").click()
    expect(person.locator(".person")).to_have_count(1)
    expect(card(person, "Grace Hopper")).to_contain_text("2 faces")


def test_somebody_who_is_gone(service: Service, open_page: Callable[..., Any]) -> None:
    page = open_page(f"{service.url}/people/{uuid.uuid4().hex}")
    expect(page.get_by_role("heading", name="This person is not here any more")).to_be_visible()
    page.get_by_role("link", name="To all people").click()
    expect(page.locator(".person").first).to_be_visible()


def test_nothing_serious_for_axe(person: Any, faults_of: Callable[[Any], list[str]]) -> None:
    assert faults_of(person) == []
    person.get_by_label("Select face 1").check()
    button(person, "Move").click()
    person.keyboard.type("gra")
    expect(person.get_by_role("option", name="Grace Hopper")).to_be_visible()
    assert faults_of(person) == []
    for _ in range(2):  # the suggestions, then the dialog
        person.keyboard.press("Escape")
    person.get_by_role("link", name="All people").click()
    expect(person.locator(".person")).to_have_count(2)
    for box in person.locator(".person input").all():
        box.check()
    assert faults_of(person) == []
    for name in ("Merge", "Delete", "Add many", "Add a person"):
        button(person, name).click()
        assert faults_of(person) == [], name
        button(person, "Cancel").click()


def test_nobody_is_shown_what_their_role_may_not(
    locked: tuple[Service, dict[Role, str]], collection: str, open_page: Callable[..., Any], samples: Path
) -> None:
    service, keys = locked
    seen: dict[Role, set[str]] = {}
    for role in (Role.ADMIN, Role.ENROLL, Role.RECOGNIZE, Role.READ):
        page = open_page(f"{service.url}/login")
        assert page.request.post(f"{service.url}/v1/session", data={"key": keys[role]}, headers=SAME_SITE).ok
        page.goto(f"{service.url}/people?collection={collection}")
        if role is Role.ADMIN:
            button(page, "Add a person").click()
            page.keyboard.type("Ada")
            page.get_by_role("dialog").locator("input[type=file]").set_input_files(samples / "obama.jpg")
            button(page, "Add 1 photo").click()
            button(page, "Done").click()
        expect(card(page, "Ada")).to_be_visible()
        seen[role] = _buttons(page)
        page.get_by_role("link", name="Ada").click()
        expect(page.locator(".face")).to_have_count(1)
        expect(page.locator(".changes li")).to_have_count(1)
        seen[role] |= _buttons(page)
    assert seen[Role.READ] == seen[Role.RECOGNIZE] == {"History"}
    assert seen[Role.ENROLL] == {"History", "Add many", "Add a person", "Rename", "Hide", "Add photos", "Move", "Undo"}
    assert seen[Role.ADMIN] == seen[Role.ENROLL] | {"Delete", "Delete person"}


def _buttons(page: Any) -> set[str]:
    """Those that are there once everything is selected that can be."""
    for box in page.locator("main input[type=checkbox]").all():
        box.check()
    shown = page.locator("main button:visible").all()
    names = {one.get_attribute("aria-label") or one.inner_text().split(":")[0].strip() for one in shown}
    return names - {"Select nobody", "Select none"}
