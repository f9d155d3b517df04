"""Publishing: what is in the object, and that nothing newer is ever undone, however many publish at once."""

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.sqlite.shop import KEY, Store, face, probes, publisher, store, truth  # noqa: F401 - fixtures
from visage.core.errors import GalleryError, StorageError
from visage.core.galleries.publish import Publisher
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrolledFace
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.published import PublishedGallery, pack

# ruff: noqa: F811 - fixtures are parameters of the same name


def test_a_change_is_published_once(truth: SqliteGallery, publisher: Publisher) -> None:
    assert publisher.step()
    assert not publisher.step()
    changes: list[Callable[[], object]] = [
        lambda: truth.add("c", "Ada", face(1)),
        lambda: truth.rename("c", truth.person("c", "Ada").id, "Eve"),
        lambda: truth.replace_vectors("c", [kept.id for kept in truth.faces("c")], probes(2, model="n")),
        lambda: truth.remove("c", truth.person("c", "Eve").id),
    ]
    for change in changes:
        change()
        assert publisher.step()
        assert not publisher.step()


def test_the_removed_leave_no_trace_in_the_object(truth: SqliteGallery, publisher: Publisher, store: Store) -> None:
    for seed in range(6):
        truth.add("c", ("Ada", "Bob")[seed % 2], face(seed))
    publisher.step()
    ada = truth.person("c", "Ada")
    traces = [ada.id.encode(), b"Ada", *(kept.vector.tobytes() for kept in truth.faces("c", ada.id))]
    assert all(trace in store.get(KEY) for trace in traces)
    truth.remove("c", ada.id)
    publisher.step()
    assert not any(trace in store.get(KEY) for trace in traces)


class Meanwhile:
    """A gallery in which something happens whenever its faces are about to be read."""

    def __init__(self, gallery: SqliteGallery, *events: Callable[[], object] | None) -> None:
        self._gallery, self._events = gallery, list(events)

    def __getattr__(self, name: str) -> object:
        if name == "faces" and self._events:
            event = self._events.pop(0)
            assert event
            event()
        return getattr(self._gallery, name)


def test_a_slow_publisher_undoes_nothing_of_a_fast_one(truth: SqliteGallery, store: Store) -> None:
    """One has read the gallery, then somebody is removed and another publishes, then the first is done."""
    truth.add("c", "Ada", face(0))
    truth.add("c", "Bob", face(1))
    fast = Publisher(truth, store, KEY, pack)
    fast.step()

    def slow_pack(gallery: Gallery, version: str) -> bytes:
        data = pack(gallery, version)
        if truth.population("c") == 2:
            truth.remove("c", truth.person("c", "Ada").id)
            assert fast.step()
        return data

    slow = Publisher(truth, store, KEY, slow_pack)
    assert slow.step()
    with closing(PublishedGallery(store, KEY, place="s3://bucket/g")) as reader:
        assert [person.name for person in reader.people("c")] == ["Bob"]
    assert not slow.step()


def test_what_changes_while_it_is_read_comes_with_the_next_step(truth: SqliteGallery, store: Store) -> None:
    truth.add("c", "Ada", face(0))
    truth.add("c", "Bob", face(1))
    events = [
        lambda: truth.add("c", "New", face(2)),
        lambda: truth.remove("c", truth.person("c", "Ada").id),
    ]
    publisher = Publisher(Meanwhile(truth, *events), store, KEY, pack)  # type: ignore[arg-type]
    seen = []
    while publisher.step():
        with closing(PublishedGallery(store, KEY, place="s3://bucket/g")) as reader:
            seen.append([person.name for person in reader.people("c")])
            assert reader.size("c") == sum(person.faces for person in reader.people("c"))
            assert reader.search("c", probes(1), 1)[0][0].name == "Bob"
    assert seen == [["Ada", "Bob"], ["Bob", "New"], ["Bob", "New"]]


def test_two_models_are_never_mixed(truth: SqliteGallery) -> None:
    """The vectors are replaced when the first page of them has been read."""
    for seed in range(3):
        truth.add("c", "Ada", face(seed))

    class Replaced(Meanwhile):
        def faces(self, collection: str, *, crops: bool) -> Iterator[EnrolledFace]:
            kept = list(truth.faces(collection))
            yield kept[0]
            new = probes(*range(3), model=uuid.uuid4().hex)
            if self._events:
                self._events.pop()
                truth.replace_vectors(collection, [one.id for one in kept], new)
            yield from list(truth.faces(collection))[1:]

    once: Gallery = Replaced(truth, None)  # type: ignore[assignment]
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(pack(once, "1"))
        assert db.execute("SELECT model, size FROM collections").fetchall() == [(truth.model("c"), 3)]
    always: Gallery = Replaced(truth, *[None] * 9)  # type: ignore[assignment]
    with pytest.raises(GalleryError, match="publish it again"):
        pack(always, "1")


def test_publishing_while_others_write_ends_level(truth: SqliteGallery, store: Store) -> None:
    """Three publishers and a writer at once, without a pause; when all are quiet, the copy is the truth."""
    stop = threading.Event()
    problems: list[BaseException] = []
    truth.add("c", "Always", face(0))

    def publish() -> None:
        publisher = Publisher(truth, store, KEY, pack)
        try:
            while not stop.is_set():
                with suppress(StorageError):  # the others were faster ten times
                    publisher.step()
            publisher.step()
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            problems.append(error)

    threads = [threading.Thread(target=publish) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seed in range(1, 30):
        person = truth.add("c", f"p{seed}", face(seed))
        if seed % 3 == 0:
            truth.remove("c", person.id)
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    with closing(PublishedGallery(store, KEY, place="s3://bucket/g")) as reader:
        assert reader.people("c") == truth.people("c")
        assert {kept.id for kept in reader.faces("c")} == {kept.id for kept in truth.faces("c")}
