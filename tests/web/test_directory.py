"""The list of people in memory: read once for all who want it, and not again before something changes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.core.service_fakes import enroll_both
from visage.core.errors import StorageError
from visage.core.values import Person
from visage.sqlite.gallery import SqliteGallery
from visage.web.directory import Directory


class Slow(SqliteGallery):
    """Reading waits until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, create=False)
        self.begun, self.go = threading.Event(), threading.Event()
        self.read = 0
        self.fault: Exception | None = None

    def people(self, collection: str) -> list[Person]:
        self.read += 1
        people = super().people(collection)
        self.begun.set()
        assert self.go.wait(60)
        if self.fault:
            raise self.fault
        return people


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Slow]:
    enroll_both(tmp_path)
    with closing(Slow(tmp_path / "gallery.sqlite")) as opened:
        yield opened
        opened.go.set()


def names(directory: Directory) -> list[str]:
    return [person.name for person in directory.page("default", "", 10, None).people]


def while_one_reads(gallery: Slow, directory: Directory, meanwhile: Callable[[], object]) -> list[object]:
    """What five threads get of which the first is reading while this happens: names, or the error."""

    def asked() -> object:
        try:
            return names(directory)
        except StorageError as error:
            return str(error)

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(asked)
        assert gallery.begun.wait(60)
        others = [pool.submit(asked) for _ in range(4)]
        meanwhile()
        gallery.go.set()
        return [one.result(60) for one in (first, *others)]


def test_many_who_want_it_at_once_read_it_once(gallery: Slow) -> None:
    directory = Directory(lambda: gallery)
    assert while_one_reads(gallery, directory, lambda: None) == [["Ada", "Bo"]] * 5
    assert names(directory) == ["Ada", "Bo"]
    assert gallery.read == 1
    gallery.rename("default", gallery.person("default", "Bo").id, "Cy")
    assert names(directory) == ["Ada", "Cy"]
    assert gallery.read == 2


def test_who_was_erased_while_it_was_read_is_not_kept(gallery: Slow) -> None:
    directory = Directory(lambda: gallery)

    def erase() -> None:
        gallery.remove("default", gallery.person("default", "Bo").id)
        directory.forget()

    assert while_one_reads(gallery, directory, erase)[0] == ["Ada", "Bo"]
    assert "Bo" not in repr(vars(directory))
    assert names(directory) == ["Ada"]


def test_a_failure_is_everybodys_and_then_it_is_read_again(gallery: Slow) -> None:
    directory = Directory(lambda: gallery)
    gallery.fault = StorageError("the disk is away")
    assert set(map(str, while_one_reads(gallery, directory, lambda: None))) == {"the disk is away"}
    gallery.fault = None
    assert names(directory) == ["Ada", "Bo"]
