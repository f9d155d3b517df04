"""People: found, added one by one and by the folder, merged, renamed, erased."""

import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.crowd import EVIL, button, card, choose, line, made_up
from tests.doors.service import Service, Site

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

Visit = Callable[..., Any]


@pytest.fixture
def collection() -> str:
    """One of the test's own, so that all of them can use one service."""
    return uuid.uuid4().hex


@pytest.fixture
def visit(service: Service, collection: str, open_page: Callable[..., Any]) -> Visit:
    """Opens the people of the test's collection."""
    return lambda size="wide": open_page(f"{service.url}/people?collection={collection}", size)


@pytest.fixture(scope="module")
def photos(samples: Path, two_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of which each is wrong in its way."""
    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(two_people, folder / "two.jpg")
    biden = Image.open(samples / "biden.jpg")
    biden.resize((48, round(biden.height * 48 / biden.width))).save(folder / "small.png")
    Image.new("RGB", (300, 300), "gray").save(folder / "blank.jpg")
    (folder / "notes.txt").write_text("no photo")
    (folder / "broken.jpg").write_text("no photo either")
    return folder


def test_the_first_person_is_added_and_each_photo_told_of(visit: Visit, samples: Path, photos: Path) -> None:
    page = visit("phone")
    expect(page.get_by_role("heading", name="Nobody is here yet")).to_be_visible()
    button(page, "Add a person").click()
    page.keyboard.type("Barack Obama")
    wrong = [photos / name for name in ("two.jpg", "small.png", "blank.jpg", "notes.txt", "broken.jpg")]
    choose(page, samples / "obama.jpg", *wrong)
    button(page, "Add 5 photos").click()

    expect(page.get_by_text("1 of 6 photos added.")).to_be_visible()
    said = {"obama.jpg": "Added", "two.jpg": "Several faces", "small.png": "Face too small"}
    said |= {"blank.jpg": "No face found", "notes.txt": "This is no photo", "broken.jpg": "Could not be used"}
    for file, words in said.items():
        expect(line(page, file)).to_contain_text(words)
    choose(page, samples / "obama.jpg")
    button(page, "Add 1 photo").click()
    expect(line(page, "obama.jpg").last).to_contain_text("Already there")
    button(line(page, "two.jpg"), "Take the largest face").click()
    expect(line(page, "two.jpg")).to_contain_text("Added")

    button(page, "Done").click()
    expect(card(page, "Barack Obama")).to_contain_text("2 faces")
    expect(page.get_by_role("status").filter(has_text="1 person")).to_be_visible()


def test_somebody_who_looks_like_another_is_pointed_out(visit: Visit, samples: Path) -> None:
    page = visit()
    for name, file in (("Barack Obama", "obama.jpg"), ("Barry", "obama2.jpg")):
        button(page, "Add a person").click()
        page.keyboard.type(name)
        choose(page, samples / file)
        button(page, "Add 1 photo").click()
        expect(line(page, file)).to_contain_text("Added")
        if name == "Barry":
            expect(line(page, file)).to_contain_text("Looks like Barack Obama")
        button(page, "Done").click()
        expect(card(page, name)).to_be_visible()


def test_a_folder_of_people_and_its_failures_again(visit: Visit, samples: Path, photos: Path, tmp_path: Path) -> None:
    for name, files in ((EVIL, [photos / "two.jpg", photos / "notes.txt"]), ("Joe", [samples / "biden.jpg"])):
        (tmp_path / "people" / name).mkdir(parents=True)
        for file in files:
            shutil.copy(file, tmp_path / "people" / name)
    page = visit()
    button(page, "Add many").click()
    choose(page, tmp_path / "people")
    expect(page.get_by_text("2 people, 2 photos. 1 other file left out.")).to_be_visible()
    button(page, "Add 2 photos").click()
    expect(page.get_by_text("1 of 2 photos added. 1 photo could not be used.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="two.jpg")
    expect(row).to_contain_text(EVIL)
    expect(row).to_contain_text("Several faces")
    expect(page.get_by_role("row").filter(has_text="biden.jpg")).to_be_hidden()

    page.get_by_label("take the largest").check()
    button(page, "Try those again").click()
    expect(page.get_by_text("2 of 2 photos added.")).to_be_visible()
    button(page, "Done").click()
    expect(page.locator(".person")).to_have_count(2)
    expect(card(page, EVIL)).to_contain_text("1 face")


def test_a_folder_is_stopped_and_gone_on_with(visit: Visit, samples: Path, tmp_path: Path) -> None:
    for name in ("Ann", "Bob", "Cid"):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(samples / "biden.jpg", tmp_path / "people" / name)
    page = visit()

    def all_but_bob(route: Any) -> None:
        if b"Bob" not in (route.request.post_data_buffer or b""):
            route.continue_()

    page.route("**/v1/people?*", all_but_bob)
    button(page, "Add many").click()
    choose(page, tmp_path / "people")
    button(page, "Add 3 photos").click()
    expect(page.get_by_text("1 of 3 photos done. Now: Bob")).to_be_visible()
    button(page, "Stop").click()
    expect(page.get_by_text("1 of 3 photos added. 2 photos not done yet.")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
    button(page, "Go on with 2 photos").click()
    # The request that was stopped may have arrived all the same.
    expect(
        page.get_by_text(re.compile(r"3 of 3 photos added\.|2 of 3 photos added\. 1 was there already\."))
    ).to_be_visible()


def test_searching_as_one_types(visit: Visit, site: Site, collection: str) -> None:
    made_up(site, collection, [("Ada Lovelace", 1), ("Alan Turing", 1), ("Grace Hopper", 1)])
    page = visit()
    expect(page.locator(".person")).to_have_count(3)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/people?q=" in request.url else None)
    page.get_by_label("Search by name").press_sequentially("LAN t", delay=10)
    expect(page.locator(".person")).to_have_count(1)
    expect(card(page, "Alan Turing")).to_be_visible()
    assert len(asked) < 5  # not one for every key
    page.reload()
    expect(page.locator(".person")).to_have_count(1)
    page.get_by_label("Search by name").fill(EVIL)
    expect(page.get_by_role("heading", name=f"Nobody is called “{EVIL}”")).to_be_visible()
    button(page, "Show everybody").click()
    expect(page.locator(".person")).to_have_count(3)


def test_a_late_answer_to_an_older_search_changes_nothing(visit: Visit, site: Site, collection: str) -> None:
    made_up(site, collection, [("Ada", 1), ("Bob", 1)])
    page = visit()
    expect(page.locator(".person")).to_have_count(2)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/v1/people?q=b&*", hold)
    with page.expect_event("requestfailed"):  # it is given up
        with page.expect_request("**/v1/people?q=b&*"):
            page.get_by_label("Search by name").fill("b")
        page.get_by_label("Search by name").fill("a")
    expect(card(page, "Ada")).to_be_visible()
    expect(page.locator(".person")).to_have_count(1)


def test_everybody_is_shown_page_by_page(visit: Visit, site: Site, collection: str) -> None:
    names = [f"Person {number:03}" for number in range(100)]
    made_up(site, collection, [(name, 1) for name in names])
    page = visit()
    expect(page.get_by_text("100 people; 48 shown")).to_be_visible()
    for shown in (96, 100):
        page.keyboard.press("End")
        expect(page.locator(".person")).to_have_count(shown)
    assert page.locator(".person .name").all_inner_texts() == names
    expect(button(page, "Show more")).to_be_hidden()


def test_merging_with_the_keyboard_alone(visit: Visit, site: Site, collection: str) -> None:
    made_up(site, collection, [("Ada", 1), ("Ada Lovelace", 2), ("Bob", 1)])
    page = visit()
    expect(page.locator(".person")).to_have_count(3)
    page.get_by_role("link", name="Ada 1 face").focus()
    for key in ("Tab", "Space", "Tab", "Tab", "Space"):  # Ada's box, the next one's link and box
        page.keyboard.press(key)
    expect(page.get_by_text("2 people selected")).to_be_visible()
    for _ in range(3):  # Bob's link and box, then the bar
        page.keyboard.press("Tab")
    expect(button(page, "Merge")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="Ada Lovelace")).to_be_checked()
    expect(page.get_by_role("radio", name="Ada Lovelace")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator(".person")).to_have_count(2)
    expect(card(page, "Ada")).to_contain_text("3 faces")


def test_renaming_and_erasing(visit: Visit, site: Site, collection: str) -> None:
    made_up(site, collection, [("Ada", 2), ("Bob", 2), ("Cid", 2)])
    page = visit()
    page.get_by_label("Select Bob").check()
    button(page, "Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Ada")  # the name is taken
    page.get_by_role("dialog").get_by_label("Name").fill(EVIL)
    page.keyboard.press("Enter")
    expect(card(page, EVIL)).to_be_visible()

    page.get_by_label("Select Ada").check()
    page.get_by_label(f"Select {EVIL}").check()
    button(page, "Delete").click()
    for words in ("4 faces", EVIL, "It cannot be undone."):
        expect(page.get_by_role("dialog")).to_contain_text(words)
    expect(button(page, "Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".person")).to_have_count(3)
    button(page, "Delete").click()
    button(page, "Delete for good").click()
    expect(page.get_by_text("2 people: 4 faces, 0 pictures and 0 jobs erased.")).to_be_visible()
    expect(page.locator(".person")).to_have_count(1)
