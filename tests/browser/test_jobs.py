"""Jobs, as somebody looks at them: what came of each, live, and what can be done about it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import BIDEN, OBAMA
from tests.browser.test_login import Locked, log_in
from tests.doors.service import Service, Site, site_in
from tests.web.fakes import form
from visage.core.service.keyring import Role
from visage.core.service.records import Records
from visage.core.tickets import ticket_from_text, ticket_key
from visage.wiring import open_objects

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

OpenPage = Callable[..., Any]
FaultsOf = Callable[[Any], list[str]]

NO_PICTURE = "notes <b>of a day.jpg"


def send(service: Service, path: str, name: str, data: bytes, **headers: str) -> dict[str, Any]:
    """Hand a file in; the job's id is in what comes back."""
    body, kind = form("image", data, file=name)
    return dict(json.loads(service.ask(path, body, Content_Type=kind, **headers).body))


def row(page: Any, title: str) -> Any:
    return page.get_by_role("article", name=title, exact=True)


def test_a_job_shows_up_by_itself_and_is_forgotten(
    service: Service, open_page: OpenPage, two_people: Path, faults_of: FaultsOf, keep: Callable[[Any, str], None]
) -> None:
    page = open_page(f"{service.url}/jobs")
    expect(page.locator("#gauges")).to_contain_text("Workers")
    job = send(service, "/v1/recognize", "us.jpg", two_people.read_bytes())["job"]
    shown = row(page, "us.jpg")
    expect(shown).to_contain_text("Done")
    for name in (BIDEN, OBAMA):
        expect(shown.get_by_role("list", name="Who was found")).to_contain_text(name)
    assert shown.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert faults_of(page) == []
    keep(page, "jobs")
    page.get_by_label("Failed").check()
    expect(shown).to_be_hidden()
    assert page.url.endswith("/jobs?state=failed")
    page.reload()
    expect(page.get_by_label("Failed")).to_be_checked()
    page.get_by_role("radio", name="All", exact=True).check()
    shown.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(shown).to_be_visible()
    shown.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    expect(shown).to_have_count(0)
    assert service.ask(f"/v1/jobs/{job['id']}").status == 404


def test_a_correction_says_of_which_answer_it_is(
    service: Service, open_page: OpenPage, two_people: Path, faults_of: FaultsOf
) -> None:
    job = send(service, "/v1/recognize", "pair.jpg", two_people.read_bytes())["job"]
    said = json.dumps({"name": "Cy"}).encode()
    done = json.loads(service.ask(f"/v1/jobs/{job['id']}/faces/0", said, Content_Type="application/json").body)
    page = open_page(f"{service.url}/jobs?state=failed")
    page.get_by_role("radio", name="All", exact=True).check()
    both = row(page, "pair.jpg")
    expect(both).to_have_count(2)
    correction = both.filter(has_text="Correction ·")
    expect(correction).to_contain_text("A face in this answer was said to be Cy.")
    assert correction.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert faults_of(page) == []
    correction.get_by_role("link", name="this answer").click()
    expect(both.filter(has_text="Recognize ·").get_by_role("heading")).to_be_focused()
    assert service.ask(f"/v1/history/{done['change']}/undo", b"").status == 200


def test_a_failure_says_why_and_is_tried_again_by_keyboard(
    service: Service, open_page: OpenPage, faults_of: FaultsOf
) -> None:
    send(service, "/v1/recognize", NO_PICTURE, b"this is no picture")
    page = open_page(f"{service.url}/jobs?state=failed", "phone", color_scheme="dark")
    shown = row(page, NO_PICTURE)
    expect(shown).to_contain_text("It is neither a photo")
    assert faults_of(page) == []
    shown.get_by_role("button", name="Retry").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("It is tried again.")
    expect(page.locator("#news")).to_contain_text(f"{NO_PICTURE} failed: It is neither a photo")
    expect(shown.get_by_role("button", name="Retry")).to_be_enabled()
    shown.get_by_role("button", name="Forget").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(shown).to_have_count(0)
    assert page.title() == "Jobs · Visage"


def test_without_jobs_it_says_what_to_do_first(locked: Locked, open_page: OpenPage, faults_of: FaultsOf) -> None:
    service, keys = locked
    page = open_page(f"{service.url}/jobs")
    log_in(page, keys[Role.READ])
    expect(page.locator("#none")).to_contain_text("Nothing was asked for yet")
    expect(page.get_by_role("radio")).to_have_count(0)
    assert faults_of(page) == []
    expect(page.get_by_role("link", name="Recognize somebody")).to_have_count(0)  # which this key may not
    page.get_by_role("button", name="Log out").click()
    log_in(page, keys[Role.RECOGNIZE])
    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name="Recognize somebody").click()
    expect(page).to_have_url(f"{service.url}/")


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[tuple[Site, Service]]:
    """A web tier without any worker."""
    with site_in(tmp_path_factory.mktemp("idle"), home) as made:
        yield made, Service(made.start("web", "--port", "0"))


def test_progress_and_the_time_that_is_left(
    idle: tuple[Site, Service], open_page: OpenPage, clip: Path, faults_of: FaultsOf
) -> None:
    site, service = idle
    body, kind = form("video", clip.read_bytes(), file="party.mp4")
    reply = service.ask("/v1/recognize", body, Content_Type=kind, Prefer="respond-async")
    job = json.loads(reply.body)["job"]["id"]
    page = open_page(f"{service.url}/jobs")
    expect(row(page, "party.mp4")).to_contain_text("Waiting")
    expect(page.locator("#gauges")).to_contain_text("no autoscaler is running")
    ticket = ticket_from_text(open_objects(site.settings.inputs_url).get(ticket_key(job)).decode())
    records = Records(open_objects(site.settings.outputs_url), "worker", time.time, tries=3)
    records.progress(ticket, 0.25)
    expect(row(page, "party.mp4")).to_contain_text("25 %")
    records.progress(ticket, 0.5)
    expect(row(page, "party.mp4")).to_contain_text("50 %, about")
    expect(row(page, "party.mp4").get_by_role("progressbar")).to_have_attribute("value", "0.5")
    assert faults_of(page) == []


def test_older_jobs_are_a_button_away_and_silence_is_said(
    idle: tuple[Site, Service], open_page: OpenPage, samples: Path
) -> None:
    _, service = idle
    for number in range(51):
        send(service, "/v1/detect", f"{number}.jpg", b"\xff\xd8", Prefer="respond-async")
    page = open_page(f"{service.url}/jobs")
    expect(page.get_by_role("article")).to_have_count(50)
    page.get_by_role("button", name="Show older ones").click()
    expect(row(page, "0.jpg").get_by_role("heading")).to_be_focused()
    service.process.kill()
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    expect(row(page, "0.jpg")).to_be_visible()
