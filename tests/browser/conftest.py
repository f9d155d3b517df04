"""A real browser before a real service: `visage serve` in a process, and a home with people in it."""

import importlib.resources
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
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
# Seconds that a test may take. What is evaluated in a page has no limit of its own, and a browser that hangs would take
# all the tests after it with it.
LONGEST = 180.0

SIZES = {"wide": (1440, 900), "phone": (390, 844)}


def missing(reason: str) -> None:
    """Skip, but not where everything has to be there."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


class Chromium:
    """Chromium of this machine, with a camera that shows a test picture. It is started when it is first asked for, and
    again where the one before it is gone."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._driver: Any = None
        self._browser: Any = None
        self._process: psutil.Process | None = None
        self._ended = False

    def context(self, **options: Any) -> Any:
        if self._ended:
            self.close()
        if self._browser is None:
            before = psutil.Process().children()
            self._driver = playwright.sync_playwright().start()
            (self._process,) = [one for one in psutil.Process().children() if one not in before]
            self._browser = self._driver.chromium.launch(
                executable_path=self._program, args=["--no-sandbox", "--use-fake-device-for-media-stream"]
            )
        return self._browser.new_context(**options)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """What takes too long in here is ended with the browser: whoever waits for that is told."""
        timer = threading.Timer(LONGEST, self._kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        with suppress(playwright.Error):
            if self._browser is not None:
                self._browser.close()
        if self._driver is not None:
            self._driver.stop()
        self._driver = self._browser = None
        self._ended = False

    def _kill(self) -> None:
        """Playwright's own process, and the browser, which is its child."""
        if self._process is not None:
            self._ended = True
            with suppress(psutil.NoSuchProcess):
                for one in (*self._process.children(recursive=True), self._process):
                    with suppress(psutil.NoSuchProcess):
                        one.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        missing("no Chromium on this machine; Debian's package is called chromium")
    playwright.expect.set_options(timeout=LONG)
    started = Chromium(str(program))
    yield started
    started.close()


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
def open_page(chromium: Chromium) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own: url, size (a key of SIZES), further options of the browser's context. No
    page may have a fault, or be refused anything by its policy."""
    contexts, faults = [], []

    def opened(url: str, size: str = "wide", **options: Any) -> Any:
        width, height = SIZES[size]
        given = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
        contexts.append(chromium.context(**given))
        page = contexts[-1].new_page()
        page.set_default_timeout(LONG)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
        page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 500 else None)
        page.goto(url)
        return page

    with chromium.limited():
        yield opened
        for context in contexts:
            with suppress(playwright.Error):  # where the browser had to be ended
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
    """What axe-core finds serious about a page. It takes a second at most, unless the machine is busy."""
    run = """limit => Promise.race([
        axe.run({resultTypes: ["violations"]}).then(({violations}) => violations),
        new Promise(resolve => setTimeout(resolve, limit, null)),
    ])"""

    def found(page: Any) -> list[str]:
        if not page.evaluate("Boolean(window.axe)"):
            page.evaluate(axe)
        violations = page.evaluate(run, LONG)
        assert violations is not None, f"axe has not looked through {page.url} in {LONG // 1000} seconds"
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
