"""What goes wrong while somebody looks on: a service that is away, a page that does not come, a missing folder."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.conftest import BIDEN, OBAMA
from tests.browser.crowd import button, made_up
from tests.doors.service import Service, Site
from visage import open_engine

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


def test_a_folder_that_is_not_there_is_told_in_the_first_dialog(
    service: Service, site: Site, open_page: Callable[..., Any]
) -> None:
    (Path(site.settings.bulk_folder) / "here").mkdir(parents=True, exist_ok=True)
    page = open_page(f"{service.url}/people")
    button(page, "Add many").click()
    field = page.get_by_label("Or a folder on the server")
    field.fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="There is no such folder")).to_be_visible()
    expect(field).to_be_focused()
    expect(button(page, "Add the people in it")).to_have_count(0)
    field.fill("here")
    expect(page.get_by_role("alert").filter(has_text="There is no such folder")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(button(page, "Add the people in it")).to_be_visible()


def test_a_page_that_does_not_come_leaves_what_is_there(
    service: Service, site: Site, open_page: Callable[..., Any]
) -> None:
    collection = uuid.uuid4().hex
    made_up(site, collection, [(f"Person {number:02}", 1) for number in range(60)])
    page = open_page("about:blank")
    away = re.compile(r"/v1/people\?.*cursor=")
    page.route(away, lambda route: route.abort())
    page.goto(f"{service.url}/people?collection={collection}")
    expect(page.locator(".person")).to_have_count(48)
    page.locator("#more").scroll_into_view_if_needed()
    expect(page.locator(".toast").first).to_contain_text("The service does not answer.")
    expect(page.locator(".person")).to_have_count(48)
    page.unroute(away)
    button(page, "Show more").click()
    expect(page.locator(".person")).to_have_count(60)
    expect(page.get_by_role("link", name=re.compile("^Person 48"))).to_be_focused()
    expect(page.locator("#more")).to_be_hidden()


def test_a_job_is_followed_on_once_the_service_is_back(
    service: Service, open_page: Callable[..., Any], clip: Path
) -> None:
    page = open_page(service.url)
    asked = re.compile(r"/v1/jobs/[0-9a-f]+")
    page.route(asked, lambda route: route.abort())
    page.locator("#files").set_input_files(clip)
    expect(page.locator(".status")).to_contain_text("The service does not answer. The file is there")
    page.unroute(asked)
    expect(page.locator(".summary")).to_have_text(f"{OBAMA} and {BIDEN}")


def test_a_photo_that_the_browser_does_not_know_is_shown_by_the_service(
    service: Service, open_page: Callable[..., Any], two_people: Path, tmp_path: Path
) -> None:
    with Image.open(two_people) as photo:
        photo.save(tmp_path / "two.tiff")
        shape = photo.width / photo.height
    page = open_page(service.url)
    page.locator("#files").set_input_files(tmp_path / "two.tiff")
    expect(page.locator(".box .tag")).to_have_text([OBAMA, BIDEN])
    box = page.locator(".picture img").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(shape, rel=0.02)
    expect(page.locator(".faces canvas")).to_have_count(2)
    expect(page.locator(".unshown")).to_have_count(0)


def test_the_list_of_jobs_loads_small_pictures(
    service: Service, open_page: Callable[..., Any], samples: Path, tmp_path: Path
) -> None:
    with Image.open(samples / "obama.jpg") as photo:
        photo.resize((photo.width * 3, photo.height * 3)).save(tmp_path / "large.jpg", quality=95)
    assert service.send("/v1/recognize", tmp_path / "large.jpg").status == 200
    page = open_page("about:blank")
    with page.expect_response(re.compile(r"/source/0\?size=")) as answered:
        page.goto(f"{service.url}/jobs")
    assert answered.value.status == 200
    assert len(answered.value.body()) < 30_000 < (tmp_path / "large.jpg").stat().st_size
    picture = page.get_by_role("article").filter(has_text="large.jpg").locator("img.thumb")
    assert picture.evaluate("image => image.decode().then(() => image.naturalHeight)") == 320


def test_the_times_of_a_person_are_one_stop_for_the_keyboard(
    service: Service, open_page: Callable[..., Any], clip: Path
) -> None:
    page = open_page(service.url)
    page.route(re.compile("/events$"), lambda route: route.abort())  # the job is asked for instead
    page.route(re.compile(r"/v1/jobs/[0-9a-f]+\?wait"), _often)
    page.locator("#files").set_input_files(clip)
    track = page.get_by_role("group", name=f"When {OBAMA} is seen")
    parts = track.get_by_role("button")
    expect(parts).to_have_count(3)
    parts.first.focus()
    page.keyboard.press("End")
    expect(parts.nth(2)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(parts.nth(1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(button(page, f"Not {OBAMA}").first).to_be_focused()


def _often(route: Any) -> None:
    """The answer of the service, in which everybody is seen three times."""
    response = route.fetch()
    told = response.json()
    for person in told.get("answer", {}).get("people", []):
        person["intervals"] = [[0, 0.5], [1, 1.5], [2, 2.5]]
    route.fulfill(response=response, json=told)


def test_the_keyboard_is_never_left_on_a_button_that_is_gone(
    service: Service, site: Site, open_page: Callable[..., Any]
) -> None:
    collection = uuid.uuid4().hex
    made_up(site, collection, [("Ada", 1), ("Bo", 1)])
    page = open_page(f"{service.url}/people?collection={collection}")
    page.get_by_label("Select Ada").check()
    button(page, "Hide").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".person")).to_have_count(1)
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_focused()
    page.get_by_role("link", name=re.compile("^Bo")).click()
    button(page, "Hide").focus()
    page.keyboard.press("Enter")
    expect(button(page, "Show again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "Hide")).to_be_focused()


@pytest.mark.parametrize("name", ["A" * 100, "مرحبا بالعالم " * 7], ids=["one word", "Arabic"])
def test_long_names_stay_in_their_places(
    service: Service, site: Site, open_page: Callable[..., Any], samples: Path, name: str
) -> None:
    collection = uuid.uuid4().hex
    with open_engine(site.settings) as registrar:
        registrar.enroll(str(samples / "biden.jpg"), name.strip(), collection=collection)
    assert service.send(f"/v1/recognize?collection={collection}", samples / "biden.jpg").status == 200
    page = open_page(f"{service.url}/jobs", "phone")
    row = page.get_by_role("article").first
    expect(row.locator(".names .badge")).to_have_text(name.strip())
    chip, card = row.locator(".names .badge").bounding_box(), row.bounding_box()
    assert chip["x"] + chip["width"] <= card["x"] + card["width"]
    page.goto(f"{service.url}/people?collection={collection}")
    page.locator(".person a").click()
    button(page, "Hide").click()
    expect(page.locator("#is-hidden")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_an_answer_that_comes_late_is_not_shown(
    service: Service, open_page: Callable[..., Any], two_people: Path
) -> None:
    assert service.send("/v1/recognize", two_people).status == 200
    page = open_page(f"{service.url}/system")
    log = page.get_by_role("region", name="Audit log")
    rows = log.locator("tbody tr").filter(has_text="Searched")
    expect(rows.first).to_be_visible()
    late: list[Any] = []
    erased = re.compile(r"/v1/audit\?action=erase")
    page.route(erased, lambda route: late.append(route))  # noqa: PLW0108  Playwright marks what it is given
    with page.expect_request(erased):
        log.get_by_label("What was done").select_option("Erased")
    log.get_by_label("What was done").select_option("Searched")
    expect(log.locator("tbody tr").filter(has_not_text="Searched")).to_have_count(0)
    with page.expect_response(erased):
        late[0].fulfill(json={"entries": [], "next": None})
    page.evaluate("() => fetch('/healthz').then(answer => answer.text())")  # a way there and back: it was read by now
    expect(rows.first).to_be_visible()
    expect(log.get_by_text("Nothing of that kind is in the log.")).to_have_count(0)
