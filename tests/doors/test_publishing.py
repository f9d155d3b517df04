"""How soon a reader sees what a writer changes, with the real clock, thread and store."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from visage import load_settings
from visage.apps.publishing import publishing
from visage.core.errors import StorageError, UsageError, VisageError
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrolledFace, Quality
from visage.settings import Settings
from visage.wiring import open_gallery

SOON = 5.0  # seconds


def face() -> EnrolledFace:
    vector = np.eye(1, 16, dtype=np.float32)[0]
    points = np.zeros((5, 2), np.float32)
    return EnrolledFace(uuid.uuid4().hex, "", vector, "m", None, points, "", "", Quality(1, 1, 0, 0, 0, 1), 0.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}", publish=f"file://{tmp_path / 'out' / 'names.sqlite'}"
    )


@pytest.fixture
def truth(settings: Settings) -> Iterator[Gallery]:
    with closing(open_gallery(settings.gallery_url, create=True)) as opened:
        yield opened


def names(reader: Gallery) -> list[str]:
    return [person.name for person in reader.people("c")]


def until(wanted: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    start = time.monotonic()
    while not wanted():
        assert time.monotonic() - start < 4 * SOON
        time.sleep(0.02)
    return time.monotonic() - start


def test_a_reader_sees_enrollments_and_removals_soon(settings: Settings, truth: Gallery) -> None:
    ada = truth.add("c", "Ada", face())
    with publishing(settings, lambda: truth):
        until((Path(settings.publish.removeprefix("file://"))).exists)
        with closing(open_gallery(settings.publish)) as reader:
            assert names(reader) == ["Ada"]
            truth.add("c", "Bob", face())
            assert until(lambda: names(reader) == ["Ada", "Bob"]) < SOON
            truth.remove("c", ada.id)
            assert until(lambda: names(reader) == ["Bob"]) < SOON


def test_the_end_of_the_work_publishes_what_is_left(settings: Settings, truth: Gallery) -> None:
    for number in range(3):
        with publishing(settings, lambda: truth):
            truth.add("c", f"p{number}", face())
        with closing(open_gallery(settings.publish)) as reader:
            assert len(names(reader)) == number + 1


def test_work_that_fails_is_published_as_far_as_it_came(settings: Settings, truth: Gallery) -> None:
    def interrupted() -> None:
        with publishing(settings, lambda: truth):
            truth.add("c", "Ada", face())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with closing(open_gallery(settings.publish)) as reader:
        assert names(reader) == ["Ada"]


def test_a_store_that_is_away_is_told_and_made_up_for(settings: Settings, truth: Gallery, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    told: list[VisageError] = []
    with publishing(settings, lambda: truth, told.append):
        truth.add("c", "Ada", face())
        until(lambda: bool(told))
        (tmp_path / "out").unlink()
    assert isinstance(told[0], StorageError)
    with closing(open_gallery(settings.publish)) as reader:
        assert names(reader) == ["Ada"]


def test_without_a_place_nothing_is_opened(tmp_path: Path) -> None:
    settings = load_settings(gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}")
    with publishing(settings, lambda: pytest.fail("the gallery was opened")):
        pass


def test_a_place_that_is_none(settings: Settings, truth: Gallery) -> None:
    for place in ("s3://bucket", "gallery.sqlite", "https://host/gallery.sqlite"):
        wrong = load_settings(gallery=settings.gallery, publish=place)
        with pytest.raises(UsageError), publishing(wrong, lambda: truth):
            pass


def test_a_copy_of_a_copy_is_refused(settings: Settings, truth: Gallery) -> None:
    """It could be older than what is published by now."""
    with publishing(settings, lambda: truth):
        truth.add("c", "Ada", face())
    with closing(open_gallery(settings.publish)) as reader:
        with pytest.raises(UsageError, match="itself a published copy"), publishing(settings, lambda: reader):
            pass
        assert names(reader) == ["Ada"]
