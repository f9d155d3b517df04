"""Logging in, as somebody does it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doors.service import Service
from visage.core.service.keyring import Role

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

Locked = tuple[Service, dict[Role, str]]


def log_in(page: Any, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()


def test_in_and_out(locked: Locked, open_page: Callable[..., Any], samples: Path) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/?a=1")
    expect(page).to_have_url(f"{service.url}/login?next=/%3Fa%3D1")
    expect(page.get_by_role("navigation")).to_have_count(0)
    log_in(page, "vsg_wrong")
    expect(page.get_by_role("alert")).to_contain_text("This is no API key")
    log_in(page, keys[Role.ENROLL])
    expect(page).to_have_url(f"{service.url}/?a=1")
    expect(page.locator(".who")).to_have_text("enroll")
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.locator("#files").set_input_files(samples / "obama.jpg")
    expect(page.locator(".notice")).to_contain_text("Nobody is known here yet")
    expect(page.locator(".notice").get_by_role("link", name="Go to People")).to_have_attribute("href", "/people")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{service.url}/login")
    page.goto(service.url)
    expect(page).to_have_url(f"{service.url}/login?next=/")


def test_who_may_only_read_hands_nothing_in(locked: Locked, open_page: Callable[..., Any]) -> None:
    service, keys = locked
    page = open_page(service.url)
    log_in(page, keys[Role.READ])
    expect(page.locator("#drop")).to_contain_text("You may not do this")
    expect(page.get_by_role("button", name="Choose files")).to_have_count(0)


def test_a_session_that_is_over_leads_to_the_log_in(
    locked: Locked, open_page: Callable[..., Any], samples: Path
) -> None:
    service, keys = locked
    page = open_page(service.url)
    log_in(page, keys[Role.ADMIN])
    expect(page.locator(".who")).to_be_visible()
    page.context.clear_cookies()
    page.locator("#files").set_input_files(samples / "obama.jpg")
    expect(page).to_have_url(f"{service.url}/login?next=%2F")


def test_nobody_is_led_elsewhere(locked: Locked, open_page: Callable[..., Any]) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/login")
    for next_page in ("https://evil.example", "//evil.example", "/\\evil.example"):
        page.context.clear_cookies()
        page.goto(f"{service.url}/login?next={next_page}")
        log_in(page, keys[Role.READ])
        expect(page).to_have_url(f"{service.url}/")


def test_nothing_serious_is_wrong_with_it(
    locked: Locked, open_page: Callable[..., Any], sound: Callable[..., None]
) -> None:
    page = open_page(f"{locked[0].url}/login")
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    sound(page, "login")
