"""System and the page of the API, as somebody reads them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.test_login import Locked, log_in
from tests.doors.service import Service
from visage.core.service.keyring import Role

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

OpenPage = Callable[..., Any]
FaultsOf = Callable[[Any], list[str]]


def region(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name)


def test_how_the_service_stands(
    service: Service, open_page: OpenPage, faults_of: FaultsOf, keep: Callable[[Any, str], None]
) -> None:
    page = open_page(f"{service.url}/system")
    expect(region(page, "Health")).to_contain_text("All is well.")
    expect(region(page, "Health")).to_contain_text("There are no API keys")
    expect(region(page, "People").get_by_role("row", name="office")).to_contain_text("resnet")
    expect(region(page, "What is kept")).to_contain_text("deleted after 7 days")
    expect(region(page, "Limits")).to_contain_text("12 hours at most")
    model = region(page, "Models").get_by_role("listitem").filter(has=page.get_by_text("resnet", exact=True))
    expect(model).to_contain_text("CC0-1.0")
    expect(model).to_contain_text("in use")
    assert faults_of(page) == []
    keep(page, "system")


def test_keys_are_shown_to_admins_alone(locked: Locked, open_page: OpenPage, faults_of: FaultsOf) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/system", "phone", color_scheme="dark")
    log_in(page, keys[Role.ADMIN])
    expect(region(page, "Who may ask").get_by_role("row", name="enroll")).to_contain_text("add and change people")
    # What other tests left there decides which.
    expect(region(page, "Health")).to_contain_text(re.compile(r"Nobody is enrolled yet\.|All is well\."))
    assert faults_of(page) == []
    other = open_page(f"{service.url}/system")
    log_in(other, keys[Role.READ])
    expect(region(other, "Who may ask")).to_contain_text("Only keys with the role admin are shown this.")


def test_the_api_is_explained(service: Service, open_page: OpenPage, faults_of: FaultsOf) -> None:
    page = open_page(f"{service.url}/docs", permissions=["clipboard-read", "clipboard-write"])
    assert faults_of(page) == []
    page.get_by_label("Search").fill("similarity same person")
    expect(page.locator("#hits")).to_have_text("1 route")
    expect(page.locator("details.route:visible")).to_have_count(1)
    page.locator("#compare > summary").focus()
    page.keyboard.press("Enter")
    compare = page.locator("#compare")
    expect(compare).to_contain_text("A photo; its largest face is compared.")
    expect(compare).to_contain_text("What can go wrong")
    compare.get_by_role("button", name="Copy").click()
    expect(page.locator("#toasts")).to_contain_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl '{service.url}/v1/compare'")
    assert "-F 'first=@photo.jpg'" in copied
    assert faults_of(page) == []


def test_an_address_leads_to_a_route(locked: Locked, open_page: OpenPage) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/docs", "phone")
    log_in(page, keys[Role.READ])
    expect(page).to_have_url(f"{service.url}/docs")
    expect(page.locator("#erase_person")).to_be_attached()
    page.goto(f"{service.url}/docs#erase_person")
    expect(page.locator("#erase_person")).to_have_attribute("open", "")
    example = page.locator("#erase_person pre")
    expect(example).to_contain_text(f"curl -X DELETE '{service.url}/v1/people/ID'")
    expect(example).to_contain_text("Authorization: Bearer $VISAGE_KEY")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
