"""The page: how soon something is on the screen, what travels for it, and how fast many people are listed and searched.

    python benchmarks/page.py [paint people]

`people` asks a service with 10,000 people and 100,000 faces, in SQLite and, where its programs are installed, in
PostgreSQL; `paint` needs a Chromium. Services and databases listen on 127.0.0.1.
"""

import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the tests have what starts services

from tests.doors.service import Service, Site, site_in
from tests.postgres.server import running

from common import samples, table
from visage import open_engine
from visage.core.galleries.gallery import TableGallery
from visage.core.values import EnrolledFace, Quality
from visage.wiring import open_gallery

PEOPLE, FACES = 10_000, 10
ROUNDS = 15
FIRST = ["Ada", "Bo", "Chen", "Dilnoza", "Émile", "Fatou", "Grace", "Hideo", "Ines", "Jörg", "Kwame", "Lena"]
LAST = ["Abreu", "Bergström", "Castillo", "Diallo", "Eriksen", "Fujita", "Galois", "Hopper", "Ito", "Jensen", "Kovács"]
TYPED = ["l", "lo", "lov", "ada", "hopper 99", "jörg e", "nobody of that name"]


def crowd(gallery: TableGallery) -> None:
    """Everybody in one transaction: made one by one, as people are, they would take a quarter of an hour."""
    luck = np.random.default_rng(5)
    points, quality = np.zeros((5, 2), np.float32), Quality(90, 0.8, 5, 5, 0, 0.7)
    crop = bytes(luck.integers(0, 256, 6000, np.uint8))
    with gallery._write() as tables:
        held = tables.add_collection("default", "resnet", 128)
        for number in range(PEOPLE):
            name = f"{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]} {number}"
            person = tables.add_person(held, None, name, 1.7e9 + number)
            vectors = luck.normal(size=(FACES, 128)).astype(np.float32)
            for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True):
                face_id = uuid.UUID(bytes=luck.bytes(16)).hex
                face = EnrolledFace(face_id, "", vector, "resnet", crop, points, "a.jpg", face_id, quality, 1.7e9)
                tables.add_face(held, person, face)
        tables.bump(held, faces=PEOPLE * FACES, denied=False)


@contextmanager
def site(**variables: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "shared")
        home.mkdir()
        with site_in(Path(folder), home, **variables) as made:
            yield made


def seconds(url: str) -> float:
    start = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        answer.read()
    return time.perf_counter() - start


def listed(service: Service) -> list[tuple[str, str]]:
    """The first page, once cold and then warm; searches as they are typed."""
    url = f"{service.url}/v1/people?limit=50"
    cold = seconds(url)
    warm = [seconds(url) for _ in range(ROUNDS)]
    typed = [seconds(f"{url}&q={urllib.parse.quote(part)}") for _ in range(ROUNDS) for part in TYPED]
    return [
        ("first page, the first time", f"{cold * 1000:.0f} ms"),
        ("first page", f"{statistics.median(warm) * 1000:.1f} ms, at most {max(warm) * 1000:.1f}"),
        ("search as somebody types", f"{statistics.median(typed) * 1000:.1f} ms, at most {max(typed) * 1000:.1f}"),
    ]


def people() -> None:
    title = f"{PEOPLE:,} people with {PEOPLE * FACES:,} faces, asked over HTTP"
    with site() as made:
        with closing(open_gallery(made.settings.gallery_url, create=True)) as gallery:
            crowd(gallery)  # type: ignore[arg-type]
        table(f"{title}: SQLite", listed(made.serve("--min", "0")))
    with running() as server:
        if server is None:
            print("\nPostgreSQL is not installed here")
            return
        with site(VISAGE_GALLERY=server.database()) as made:
            with closing(open_gallery(made.settings.gallery_url, create=True)) as gallery:
                crowd(gallery)  # type: ignore[arg-type]
            table(f"{title}: PostgreSQL", listed(made.serve("--min", "0")))


def paint() -> None:
    """From the moment the address is entered, in a browser that has seen nothing yet."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("no Chromium on this machine; Debian's package is called chromium")
    rows: list[tuple[str, str]] = []
    with site() as made, sync_playwright() as driver:
        with open_engine(made.settings) as engine:
            engine.enroll(str(samples() / "obama.jpg"), "Barack Obama")
        service = made.serve("--min", "1")
        browser: Any = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, path in {"Recognize": "/", "People": "/people", "Unknown": "/unknown", "Jobs": "/jobs"}.items():
            taken, sizes = zip(*(visit(browser, service.url + path) for _ in range(ROUNDS)), strict=True)
            figure = (
                f"{statistics.median(taken):.0f} ms ({min(taken):.0f} to {max(taken):.0f}), {sizes[0] / 1000:.1f} kB"
            )
            rows.append((name, figure))
        browser.close()
    table("first contentful paint, empty browser cache; what travels before any picture", rows)


def visit(browser: Any, url: str) -> tuple[float, int]:
    """Milliseconds to the first contentful paint, and bytes that came by then and after it, less pictures."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url, wait_until="networkidle" if not url.endswith("/jobs") else "load")
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    told = page.evaluate(
        """() => [
            performance.getEntriesByName('first-contentful-paint')[0].startTime,
            [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
                .filter((one) => one.initiatorType !== 'img').reduce((sum, one) => sum + one.transferSize, 0),
        ]"""
    )
    context.close()
    return float(told[0]), int(told[1])


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["paint", "people"]
    for part in wanted:
        {"paint": paint, "people": people}[part]()
