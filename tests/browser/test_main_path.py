"""From the first photo to the last erasure, with PostgreSQL, while a second browser shows what the first changes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import BIDEN, OBAMA
from tests.browser.crowd import button, card, choose
from tests.doors.service import Site, site_in
from tests.postgres.server import Server, server  # noqa: F401 - a fixture
from visage.wiring import open_gallery

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture
def shared(tmp_path: Path, home: Path, server: Server) -> Iterator[Site]:  # noqa: F811
    """Nobody is known; who matches nobody is kept."""
    with site_in(tmp_path, home, VISAGE_GALLERY=server.database(), VISAGE_UNKNOWN_DAYS="7") as made:
        yield made


def tab_to(page: Any, wanted: Any) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"no way with Tab to {wanted}")


def test_from_the_first_photo_to_the_last_erasure(
    shared: Site, open_page: Callable[..., Any], samples: Path, two_people: Path
) -> None:
    url = shared.serve("--min", "1").url
    page = open_page(f"{url}/people")
    button(page, "Add the first person").click()
    page.keyboard.type(OBAMA)
    choose(page, samples / "obama.jpg")
    button(page, "Add 1 photo").click()
    button(page, "Done").click()
    expect(card(page, OBAMA)).to_be_visible()

    page.get_by_role("link", name="Recognize").click()
    page.locator("#files").set_input_files(two_people)
    expect(page.locator(".summary")).to_have_text(f"{OBAMA} and one unknown face")

    page.goto(f"{url}/unknown")
    other = open_page(f"{url}/unknown")
    expect(other.locator(".stranger")).to_have_count(1)
    page.get_by_role("combobox", name="Who is it?").fill(BIDEN)
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(f"{BIDEN} is known from now on: 1 face added, 1 answer put right.")
    button(other, "Ignore").click()  # whom the first browser has named
    expect(other.get_by_role("heading", name="Nobody is unknown")).to_be_visible()

    page.get_by_role("link", name="People").click()
    other.get_by_role("link", name="People").click()
    expect(card(other, BIDEN)).to_be_visible()
    page.get_by_label(f"Select {BIDEN}").check()
    button(page, "Rename").click()
    page.get_by_label("Name", exact=True).fill("Uncle Joe")
    page.keyboard.press("Enter")
    expect(card(page, "Uncle Joe")).to_be_visible()

    # Undone with the keyboard alone, in the browser that has not heard of it yet.
    other.locator("body").focus()
    tab_to(other, button(other, "History"))
    other.keyboard.press("Enter")
    renamed = other.locator(".changes li").filter(has_text=f"{BIDEN} renamed to Uncle Joe")
    tab_to(other, renamed.get_by_role("button"))
    other.keyboard.press("Enter")
    expect(renamed).to_contain_text("Undone")

    other.get_by_label(f"Select {BIDEN}").check()
    button(other, "Delete").click()
    button(other, "Delete for good").click()
    expect(card(other, BIDEN)).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Uncle Joe")).click()
    expect(page.get_by_role("heading", name="This person is not here any more")).to_be_visible()
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("article").filter(has_text="obama.jpg")).to_be_visible()
    expect(page.get_by_role("article").filter(has_text=two_people.name)).to_have_count(0)

    gallery = open_gallery(shared.settings.gallery_url)
    assert [person.name for person in gallery.people(shared.settings.collection)] == [OBAMA]
    gallery.close()
