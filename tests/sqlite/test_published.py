"""A gallery read from a store where it was published, as fast as promised and not for longer than promised."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.sqlite.shop import KEY, Store, face, probes, publisher, store, truth  # noqa: F401 - fixtures
from visage.core.errors import GalleryError, NoFaceError, NoGalleryError, StorageError
from visage.core.galleries.publish import Publisher
from visage.core.ports.gallery import Gallery
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.published import EVERY, GRACE, PublishedGallery

# ruff: noqa: F811 - fixtures are parameters of the same name


@dataclass
class Clock:
    """step: how far it goes on by being read."""

    now: float = 1000.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def copy(truth: SqliteGallery, store: Store, clock: Clock, publisher: Publisher) -> Iterator[PublishedGallery]:
    """Of Ada, Bob and, in another collection, Eve."""
    for seed in range(6):
        truth.add("c", ("Ada", "Bob")[seed % 2], face(seed))
    truth.add("d", "Eve", face(9, "other"))
    assert publisher.step()
    with closing(PublishedGallery(store, KEY, place="s3://bucket/gallery.sqlite", clock=clock)) as opened:
        yield opened


def names(gallery: Gallery, *seeds: int) -> list[str]:
    return [row[0].name for row in gallery.search("c", probes(*seeds), 1)]


def test_a_copy_answers_as_the_truth_does(truth: SqliteGallery, copy: PublishedGallery) -> None:
    assert copy.collections() == truth.collections() == ["c", "d"]
    for name, model in (("c", "m"), ("d", "other")):
        assert copy.people(name) == truth.people(name)
        assert copy.size(name) == truth.size(name)
        assert copy.population(name) == truth.population(name)
        assert copy.model(name) == truth.model(name) == model
        asked = probes(3, 9, 77, model=model)
        assert copy.search(name, asked, 5) == truth.search(name, asked, 5)
    bob = truth.person("c", "Bob")
    assert copy.person("c", "Bob") == copy.person("c", bob.id) == bob
    for given, kept in zip(truth.faces("c", bob.id), copy.faces("c", bob.id), strict=True):
        np.testing.assert_array_equal(given.vector, kept.vector)
        assert (given.id, given.person_id, given.model) == (kept.id, kept.person_id, kept.model)


def test_a_copy_knows_who_is_hidden_and_who_a_face_is_not(
    truth: SqliteGallery, copy: PublishedGallery, publisher: Publisher, store: Store, clock: Clock
) -> None:
    ada, bob = truth.person("c", "Ada"), truth.person("c", "Bob")
    truth.hide("c", ada.id, True)
    given = face(7)
    for person in (ada, bob):
        truth.deny("c", person.id, given)
    truth.deny("c", bob.id, face(8))
    publisher.step()
    clock.now += EVERY
    assert copy.people("c") == truth.people("c")
    asked = probes(0, 3, 7, 8, 77)
    assert copy.search("c", asked, 5) == truth.search("c", asked, 5)
    assert copy.search("d", probes(9, model="other"), 1)[0][0].denied is None
    kept = copy.denials("c", bob.id)
    assert [one.id for one in kept] == [one.id for one in truth.denials("c", bob.id)]
    assert [(one.crop, one.source, one.person_id) for one in kept] == [(None, "", bob.id)] * 2
    assert (copy.size("c"), len(copy.denials("c"))) == (6, 3)
    for secret in (b"secret", b"digest7", b"picture", given.landmarks.tobytes()[:16]):
        assert secret not in store.get(KEY)

    truth.undeny("c", [given.id])
    truth.hide("c", ada.id, False)
    publisher.step()
    clock.now += EVERY
    assert copy.search("c", asked, 5) == truth.search("c", asked, 5)
    truth.remove("c", bob.id)
    publisher.step()
    clock.now += EVERY
    assert copy.denials("c") == []


def test_what_is_not_needed_is_not_published(truth: SqliteGallery, copy: PublishedGallery, store: Store) -> None:
    data = store.get(KEY)
    given = next(truth.faces("c"))
    for secret in (b"secret", b"digest0", b"picture", given.landmarks.tobytes()[:16]):
        assert secret not in data
    assert given.vector.tobytes() in data
    assert all(kept.crop is None for kept in copy.faces("c"))


def test_a_reader_sees_a_change_within_its_pace(
    truth: SqliteGallery, copy: PublishedGallery, publisher: Publisher, store: Store, clock: Clock
) -> None:
    assert names(copy, 20) != ["New"]
    truth.add("c", "New", face(20))
    truth.remove("c", truth.person("c", "Ada").id)
    publisher.step()
    looks = store.looks
    assert copy.population("c") == 2
    assert store.looks == looks
    clock.now += EVERY
    assert names(copy, 20) == ["New"]
    assert store.looks == looks + 1
    assert [person.name for person in copy.people("c")] == ["Bob", "New"]
    truth.remove("c", truth.person("c", "New").id)
    truth.remove("c", truth.person("c", "Bob").id)
    publisher.step()
    clock.now += EVERY
    assert (copy.people("c"), copy.search("c", probes(1), 1), copy.collections()) == ([], [[]], ["d"])


def test_faces_are_all_of_one_copy(
    truth: SqliteGallery, copy: PublishedGallery, publisher: Publisher, store: Store, clock: Clock
) -> None:
    """Where a page were read from one copy and the next from another, faces would be left out."""
    for seed in range(100, 300):
        truth.add("c", "Many", face(seed))
    truth.remove("c", truth.person("c", "Bob").id)
    publisher.step()
    clock.now += EVERY
    assert copy.size("c") == 203
    clock.step = EVERY

    def without_ada() -> None:
        truth.remove("c", truth.person("c", "Ada").id)
        publisher.step()

    ids = [kept.id for kept in truth.faces("c")]
    store.event = lambda: setattr(store, "event", without_ada)  # at the second look
    assert [kept.id for kept in copy.faces("c")] == ids
    assert copy.size("c") == 200
    assert [kept.id for kept in copy.faces("c")] == ids[3:]


def test_nothing_published_yet(store: Store) -> None:
    with pytest.raises(NoGalleryError, match="visage gallery publish"):
        PublishedGallery(store, KEY, place="s3://bucket/gallery.sqlite")


def test_a_copy_taken_away_is_forgotten(copy: PublishedGallery, store: Store, clock: Clock) -> None:
    store.delete([KEY])
    clock.now += EVERY
    for _ in range(2):
        with pytest.raises(NoGalleryError, match="s3://bucket"):
            copy.people("c")


def test_an_unreachable_store_is_borne_for_a_while(
    truth: SqliteGallery, copy: PublishedGallery, publisher: Publisher, store: Store, clock: Clock
) -> None:
    clock.now += EVERY
    assert names(copy, 0) == ["Ada"]
    store.reachable = False
    clock.now += GRACE - 0.1
    assert names(copy, 0) == ["Ada"]
    clock.now += EVERY
    for _ in range(2):
        with pytest.raises(StorageError):
            copy.search("c", probes(0), 1)
        clock.now += 0.1
    store.reachable = True
    assert names(copy, 0) == ["Ada"]


def test_it_only_reads(copy: PublishedGallery) -> None:
    ada = copy.person("c", "Ada")
    ids = [kept.id for kept in copy.faces("c")]
    with pytest.raises(GalleryError, match="change the gallery it was made from"):
        copy.add("c", "Ada", face(1))
    with pytest.raises(GalleryError, match="published copy"):
        copy.rename("c", ada.id, "Eve")
    for change in (
        lambda: copy.remove("c", ada.id),
        lambda: copy.remove_faces("c", ids[:1]),
        lambda: copy.move("c", ids[:1], "Eve"),
        lambda: copy.hide("c", ada.id, True),
        lambda: copy.deny("c", ada.id, face(7)),
        lambda: copy.undeny("c", ids[:1]),
    ):
        with pytest.raises(GalleryError, match="published copy"):
            change()
    with pytest.raises(GalleryError, match="published copy"):
        copy.replace_vectors("c", ids, probes(*range(6), model="n"))
    assert copy.person("c", "Ada") == ada


def test_a_face_comes_without_what_is_not_published(truth: SqliteGallery, copy: PublishedGallery) -> None:
    kept = truth.face("c", next(truth.faces("c")).id)
    seen = copy.face("c", kept.id)
    assert (seen.id, seen.person_id, seen.model) == (kept.id, kept.person_id, "m")
    np.testing.assert_array_equal(seen.vector, kept.vector)
    assert (seen.crop, seen.source, seen.digest, seen.landmarks.shape) == (None, "", "", (0, 2))
    assert copy.covers("c", [kept.person_id]) == {}
    with pytest.raises(NoFaceError):
        copy.face("d", kept.id)


def test_after_closing(copy: PublishedGallery) -> None:
    copy.close()
    copy.close()
    with pytest.raises(GalleryError, match="closed"):
        copy.people("c")


@pytest.mark.parametrize("damage", ["text", "cut", "other", "log"])
def test_an_object_that_is_no_published_gallery(damage: str, copy: PublishedGallery, store: Store) -> None:
    whole = store.get(KEY)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (x)")
        other = db.serialize()
    log = whole[:18] + b"\x02\x02" + whole[20:]
    store.put(KEY, {"text": b"hello", "cut": whole[:5000], "other": other, "log": log}[damage])
    with pytest.raises(GalleryError, match="s3://bucket/g"):  # noqa: SIM117 - opening it, or the first use
        with closing(PublishedGallery(store, KEY, place="s3://bucket/g")) as bad:
            bad.search("c", probes(1), 1)


def test_a_copy_is_read_by_many_threads_while_it_changes(
    truth: SqliteGallery, copy: PublishedGallery, publisher: Publisher, clock: Clock
) -> None:
    problems: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                assert names(copy, 0) == ["Ada"]
                ids = [kept.id for kept in copy.faces("c")]
                assert 6 <= len(set(ids)) == len(ids) <= copy.size("c")
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seed in range(30, 50):
        truth.add("c", "Bob", face(seed))
        publisher.step()
        clock.now += EVERY
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert copy.person("c", "Bob") == replace(truth.person("c", "Bob"), faces=23)
