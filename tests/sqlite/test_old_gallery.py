"""A file of the first schema is brought up to date by whoever opens it, and a copy of it is read all the same."""

import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from tests.sqlite.old_gallery import IDS, columns, old_copy, old_gallery, schema
from tests.sqlite.shop import KEY, face, probes
from tests.sqlite.test_gallery_file import child
from visage.core.errors import GalleryError
from visage.core.galleries.publish import Publisher
from visage.core.galleries.transfer import Copied, copy_collection
from visage.core.ports.gallery import Gallery
from visage.core.values import Person
from visage.objects.bucket import BucketObjects
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.published import PublishedGallery, pack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    old_gallery(tmp_path / "gallery.sqlite")
    return tmp_path / "gallery.sqlite"


def everybody(gallery: Gallery) -> None:
    assert gallery.people("c") == [Person(IDS[name], name, "c", 1, 1.5e9) for name in ("Ada", "Bob")]
    found = gallery.search("c", probes(0, 1), 1)
    assert [(row[0].name, row[0].face_id, row[0].hidden, row[0].denied) for row in found] == [
        ("Ada", "face1", False, None), ("Bob", "face2", False, None),
    ]  # fmt: skip
    assert gallery.denials("c") == []


def marked(gallery: Gallery) -> None:
    gallery.hide("c", IDS["Ada"], True)
    gallery.deny("c", IDS["Bob"], face(7))
    (row,) = gallery.search("c", probes(7), 2)
    assert {one.name: (one.hidden, one.denied) for one in row} == {
        "Ada": (True, None),
        "Bob": (False, pytest.approx(1)),
    }


def test_nobody_is_lost_and_everything_new_can_be_done(path: Path) -> None:
    assert schema(path) == 1
    with closing(SqliteGallery(path, create=False)) as gallery:
        assert schema(path) == 2
        everybody(gallery)
        assert gallery.face("c", "face1").crop == b"\xff\xd8jpeg"
        marked(gallery)
    with closing(SqliteGallery(path, create=True)) as gallery:
        assert gallery.person("c", "Ada").hidden
        assert [kept.person_id for kept in gallery.denials("c")] == [IDS["Bob"]]


def test_it_is_made_what_a_new_one_is(path: Path, tmp_path: Path) -> None:
    SqliteGallery(tmp_path / "new.sqlite", create=True).close()
    SqliteGallery(path, create=True).close()
    assert columns(path) == columns(tmp_path / "new.sqlite")


def test_many_open_it_at_once(path: Path) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            with closing(SqliteGallery(path, create=True)) as gallery:
                everybody(gallery)
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert schema(path) == 2


def test_a_step_that_fails_leaves_it_as_it_was(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE denials (x)")
    before = columns(path)
    with pytest.raises(GalleryError, match="damaged"):
        SqliteGallery(path, create=False)
    assert (schema(path), columns(path)) == (1, before)


def test_an_older_visage_that_has_it_open_goes_on(path: Path) -> None:
    """It asks for columns by their names, and removes people as it always did."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA foreign_keys = ON")
        assert old.execute("SELECT count(*) FROM people").fetchone() == (2,)
        with closing(SqliteGallery(path, create=False)) as gallery:
            marked(gallery)
            old.execute("BEGIN IMMEDIATE")
            old.execute("INSERT INTO people (collection, id, name, created) VALUES (1, 'e', 'Eve', 0)")
            old.execute("INSERT INTO collections (name, model, dimension, size, version) VALUES ('d', 'm', 16, 0, 0)")
            old.execute("DELETE FROM faces WHERE person = 2")
            old.execute("DELETE FROM people WHERE number = 2")
            old.execute("UPDATE collections SET version = version + 1, size = size - 1 WHERE number = 1")
            old.execute("COMMIT")
            assert [(one.name, one.hidden) for one in gallery.people("c")] == [("Ada", True), ("Eve", False)]
            assert gallery.denials("c") == []
            assert [one.name for one in gallery.search("c", probes(1), 2)[0]] == ["Ada"]


def test_one_that_may_not_be_written_to_is_said_to_be_that() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.sqlite"
        old_gallery(path)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        script = """
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                SqliteGallery(path, create=False)
            except VisageError as error:
                print(type(error).__name__, "writable" in str(error))
        """
        with child(path, script) as process:
            assert process.communicate(timeout=60)[0].split() == ["StorageError", "True"]
        path.parent.chmod(0o755)


def test_an_exported_file_is_taken_in(path: Path, tmp_path: Path) -> None:
    with (
        closing(SqliteGallery(path, create=False, portable=True)) as source,
        closing(SqliteGallery(tmp_path / "new.sqlite", create=True)) as target,
    ):
        assert copy_collection(source, target, "c", "c") == Copied(people=2, faces=2, skipped=0)
        everybody(target)


def test_a_published_copy_is_read(tmp_path: Path) -> None:
    store = BucketObjects(MemoryStore(), "memory")
    store.put(KEY, old_copy("1.1.2"))
    with closing(PublishedGallery(store, KEY, place="s3://bucket/g")) as copy:
        everybody(copy)
        assert copy.face("c", "face1").source == ""
    assert store.get(KEY) == old_copy("1.1.2")


def test_a_published_copy_is_replaced_by_one_of_now(path: Path) -> None:
    store, now = BucketObjects(MemoryStore(), "memory"), 0.0
    store.put(KEY, old_copy("1.1.2"))

    def clock() -> float:
        return now

    with (
        closing(SqliteGallery(path, create=False)) as gallery,
        closing(PublishedGallery(store, KEY, place="s3://bucket/g", clock=clock)) as copy,
    ):
        everybody(copy)
        marked(gallery)
        Publisher(gallery, store, KEY, pack).step()
        now = 100.0
        assert copy.search("c", probes(0, 1, 7), 2) == gallery.search("c", probes(0, 1, 7), 2)
        assert copy.person("c", "Ada").hidden


@pytest.mark.parametrize("make", [old_gallery, lambda path: SqliteGallery(path, create=True).close()])
def test_a_newer_one_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite"
    make(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")
    before = columns(path)
    with pytest.raises(GalleryError, match=r"made by a newer Visage \(schema 3, this one knows 2\); update Visage"):
        SqliteGallery(path, create=True)
    assert (schema(path), columns(path)) == (3, before)
