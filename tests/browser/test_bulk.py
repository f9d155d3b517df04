"""People, many at once: a ZIP and a folder of the server, watched until every photo is told of."""

import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.crowd import EVIL, button, card
from tests.core.many import zipped
from tests.doors.service import Service, Site

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

Visit = Callable[..., Any]


@pytest.fixture
def visit(service: Service, open_page: Callable[..., Any]) -> Visit:
    """Opens the dialog for many people, in a collection of the test's own."""

    def opened(size: str = "wide", **options: Any) -> Any:
        page = open_page(f"{service.url}/people?collection={uuid.uuid4().hex}", size, **options)
        button(page, "Add many").click()
        return page

    return opened


@pytest.fixture
def archive(samples: Path, two_people: Path, tmp_path: Path) -> Path:
    """A folder of people as a ZIP, with what does not belong there."""
    photos = {
        f"people/{name}/me.jpg": (samples / "obama.jpg").read_bytes() for name in ("Ann", "Bob", "Cid", EVIL[1:7])
    }
    photos |= {"people/Ann/two.jpg": two_people.read_bytes(), "people/Ann/notes.txt": b"no photo"}
    path = tmp_path / "people.zip"
    path.write_bytes(zipped(photos | {"people/unknown/a.jpg": b"no photo either"}))
    return path


def test_a_zip_and_its_report(visit: Visit, archive: Path, keep: Any, faults_of: Any) -> None:
    page = visit()
    page.get_by_label("Choose a ZIP").set_input_files(archive)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("people.zip")
    assert faults_of(page) == []
    button(page, "Add the people in it").click()
    expect(page.get_by_text("4 of 7 photos added, of 4 people. 3 photos could not be used.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="two.jpg")).to_contain_text("Several faces")
    expect(page.get_by_role("row").filter(has_text="notes.txt")).to_contain_text("It is no photo, by its name.")
    expect(page.get_by_role("row").filter(has_text="unknown/a.jpg")).to_contain_text("rename the folder")
    expect(page.get_by_role("row").filter(has_text="Bob/me.jpg")).to_be_hidden()
    assert faults_of(page) == []
    keep(page, "bulk")

    page.get_by_label("Show", exact=True).select_option(label="Added (4)")
    expect(page.get_by_role("row").filter(has_text="me.jpg")).to_have_count(4)
    expect(page.get_by_role("row").filter(has_text="two.jpg")).to_be_hidden()
    page.get_by_label("take the largest").check()
    button(page, "Try again with these options").click()
    expect(
        page.get_by_text("1 of 7 photos added, of 1 person. 4 were there already. 2 photos could not be used.")
    ).to_be_visible()
    button(page, "Close").click()
    expect(page.locator(".person")).to_have_count(4)
    expect(card(page, "Ann")).to_contain_text("2 faces")
    expect(card(page, EVIL[1:7])).to_be_visible()
    page.get_by_role("link", name="Jobs").click()
    row = page.get_by_role("article").filter(has_text="people.zip").first
    expect(row).to_contain_text("Add many people")
    expect(row).to_contain_text("Ann")


def test_it_goes_on_without_the_page(visit: Visit, service: Service, samples: Path, tmp_path: Path) -> None:
    photos = {f"P{number:02}/me.jpg": (samples / "biden.jpg").read_bytes() for number in range(24)}
    (tmp_path / "many.zip").write_bytes(zipped(photos))
    page = visit("phone")
    page.get_by_label("Choose a ZIP").set_input_files(tmp_path / "many.zip")
    button(page, "Add the people in it").click()
    expect(page.get_by_text(re.compile(r"\d+ of 24 photos done"))).to_be_visible()
    assert page.get_by_role("progressbar", name="Photos done").evaluate("bar => bar.value") <= 1
    button(page, "Close").click()
    page.goto(f"{service.url}/jobs")
    row = page.get_by_role("article").filter(has_text="many.zip").first
    expect(row).to_contain_text("Done")
    expect(row).to_contain_text("P00")
    expect(row).to_contain_text("and 12 more")


def test_a_wrong_file_is_told_at_once(visit: Visit, tmp_path: Path, samples: Path) -> None:
    page = visit()
    page.get_by_label("Choose a ZIP").set_input_files(samples / "obama.jpg")
    expect(page.get_by_text("This is no ZIP.")).to_be_visible()
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    page.get_by_label("Choose a ZIP").set_input_files(tmp_path / "broken.zip")
    button(page, "Add the people in it").click()
    expect(page.get_by_text("It is no ZIP archive, or a damaged one; make it anew.")).to_be_visible()
    button(page, "Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_folder_of_the_server_with_the_keyboard_alone(visit: Visit, site: Site, samples: Path) -> None:
    folder = site.settings.bulk_folder
    (Path(folder) / "team" / "Dot").mkdir(parents=True, exist_ok=True)
    shutil.copy(samples / "biden.jpg", Path(folder) / "team" / "Dot")
    page = visit()
    page.get_by_label("Or a folder on the server").focus()
    page.keyboard.type("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no such folder among those that may be read.")).to_be_visible()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("team")
    page.keyboard.press("Enter")
    button(page, "Add the people in it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 1 photo added, of 1 person.")).to_be_visible()
    expect(button(page, "Close")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card(page, "Dot")).to_contain_text("1 face")
