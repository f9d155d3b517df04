"""A real browser before a real service: `visage serve` in a process, and a home with people in it."""

import importlib.resources
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.doors.bad_files import film, photo
from tests.doors.service import Service, Site, site_in
from visage import open_engine
from visage.core.service.keyring import Role
from visage.wiring import open_keyring

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; install it with: pip install playwright")

OBAMA, BIDEN = "Barack Obama", "Joe Biden"

# Milliseconds: browser, web tier and worker share a machine with other tests.
LONG = 30_000

SIZES = {"wide": (1440, 900), "phone": (390, 844)}


def missing(reason: str) -> None:
    """Skip, but not where everything has to be there."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of this machine, with a camera that shows a test picture."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        missing("no Chromium on this machine; Debian's package is called chromium")
    playwright.expect.set_options(timeout=LONG)
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--use-fake-device-for-media-stream"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, home: Path, samples: Path) -> Iterator[Site]:
    """Obama and Biden are known; in the collection `office`, Obama alone. Folders of the server may be read."""
    folder = tmp_path_factory.mktemp("browser")
    with site_in(folder, home, VISAGE_BULK_FOLDER=str(folder / "people")) as made:
        with open_engine(made.settings) as registrar:
            registrar.enroll(str(samples / "obama.jpg"), OBAMA)
            registrar.enroll(str(samples / "biden.jpg"), BIDEN)
            registrar.enroll(str(samples / "obama.jpg"), OBAMA, collection="office")
        yield made


@pytest.fixture(scope="session")
def service(site: Site) -> Service:
    return site.serve("--min", "1")


@pytest.fixture(scope="session")
def locked(
    tmp_path_factory: pytest.TempPathFactory, home: Path, site: Site
) -> Iterator[tuple[Service, dict[Role, str]]]:
    """A service that wants keys, where nobody is enrolled; and a key of each role. site: its people have made sure
    that the networks are converted."""
    with site_in(tmp_path_factory.mktemp("locked"), home) as made:
        keyring = open_keyring(made.settings)
        keys = {role: keyring.create(role.value, role)[1] for role in Role}
        yield made.serve(), keys


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own: url, size (a key of SIZES), further options of the browser's context. No
    page may have a fault, or be refused anything by its policy."""
    contexts, faults = [], []

    def opened(url: str, size: str = "wide", **options: Any) -> Any:
        width, height = SIZES[size]
        given = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
        contexts.append(browser.new_context(**given))
        page = contexts[-1].new_page()
        page.set_default_timeout(LONG)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
        page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 500 else None)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _is_fault(message: Any) -> bool:
    """A refused request is in the browser's console whatever the page makes of it."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@pytest.fixture
def keep() -> Callable[[Any, str], None]:
    """Keeps a picture of a page, to be looked at, where the variable SCREENSHOTS names a folder. name: a PNG's, if it
    has no suffix. The README's: `SCREENSHOTS=docs pytest tests/browser/test_unknown.py -k resemble`."""

    def kept(page: Any, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / (name if Path(name).suffix else f"{name}.png"), full_page=True)

    return kept


@pytest.fixture(scope="session")
def two_people(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama on the left, Biden on the right."""
    path = tmp_path_factory.mktemp("photos") / "two.jpg"
    Image.fromarray(np.hstack([photo(samples / name, 480) for name in ("obama2.jpg", "biden.jpg")])).save(path)
    return path


@pytest.fixture(scope="session")
def clip(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama for three seconds, Biden as long."""
    pictures = [photo(samples / name, 360)[:, :240] for name in ("obama2.jpg", "biden.jpg")]
    return film(tmp_path_factory.mktemp("clip") / "clip.mp4", [pictures[0]] * 30 + [pictures[1]] * 30)


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, as a package for Python brings it."""
    return importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def faults_of(axe: str) -> Callable[[Any], list[str]]:
    """What axe-core finds serious about a page."""

    def found(page: Any) -> list[str]:
        page.evaluate(axe)
        violations = page.evaluate("axe.run().then(({violations}) => violations)")
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations
                if one["impact"] in {"serious", "critical"}]  # fmt: skip

    return found


@pytest.fixture
def sound(faults_of: Callable[[Any], list[str]], keep: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Checks that nothing serious is wrong with a page and nothing sticks out, in each size and theme."""

    def checked(page: Any, name: str) -> None:
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                keep(page, f"{name}-{size}-{scheme}")
                assert faults_of(page) == [], (size, scheme)
                assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (size, scheme)

    return checked
