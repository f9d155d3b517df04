"""Changes that are folded: nothing is different for it, but that whoever is erased is found sooner."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.core.test_history import HERE, House
from visage.core.errors import StorageError
from visage.core.journal.change import ChangeKind
from visage.core.journal.hour import Words
from visage.core.journal.steps import Added, Hid, Pending, Renamed
from visage.objects.bucket import BucketObjects
from visage.objects.store import open_store


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with closing(made.gallery):
        yield made


def keys(house: House) -> list[str]:
    return [stored.key for stored in house.objects.list()]


def test_pages_are_the_same_when_changes_are_folded(house: House) -> None:
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    changes = []
    for number in range(6):
        house.clock += 1000.0
        changes += [house.rename(one, f"{one.name} {number}") for one in (ada, bob)]
        if number == 3:
            house.fold()
    house.history.undo(changes[5], "")
    expected = [house.history.get(change.id) for change in changes[::-1]]
    assert len(keys(house)) < len(changes)
    for number in range(2):
        found, after = house.history.page(HERE, None, 5)
        rest, last = house.history.page(HERE, None, 50, after or "")
        assert [*found, *rest] == expected, number
        assert last is None
        assert house.history.page(HERE, ada.id, 50)[0] == expected[1::2]
        house.fold()


def test_one_that_is_folded_is_undone_and_swept(house: House) -> None:
    ada = house.enrolled("Ada")
    old = house.rename(ada, "A")
    house.clock += 60
    new = house.rename(house.gallery.person(HERE, ada.id), "B")
    house.fold()
    assert not any(key.endswith(".json") for key in keys(house))
    assert house.history.undo(new, "bob") is None
    assert house.history.undo(old, "bob") is None
    assert house.history.undo(old, "bob") == "it was undone already"
    assert house.names() == ["Ada"]
    assert house.history.sweep(new.at) == 1  # one of two in the same hour
    assert [one.id for one in house.history.page(None, None, 50)[0]] == [new.id]
    assert house.history.sweep(new.at + 7200) == 1
    assert keys(house) == []


def test_one_that_waits_is_not_folded(house: House) -> None:
    ada = house.enrolled("Ada")
    waits = house.add(ChangeKind.ENROLL, [ada], Pending(("a" * 32,), "Ada"))
    house.rename(ada, "A")
    house.fold()
    assert f"history/{waits.id}.json" in keys(house)
    [face] = house.faces(ada)
    said = {"outcome": "enrolled", "face_id": face, "person": {"id": ada.id, "name": "A"}}
    house.results["a" * 32] = {"answer": {"enrollment": said}}
    house.fold()
    assert not any(key.endswith(".json") for key in keys(house))
    settled = house.history.get(waits.id)
    assert settled
    assert settled.steps == (Added(ada.id, (face,)),)


def test_one_that_is_told_again_after_it_was_folded_is_kept_once(house: House) -> None:
    ada = house.enrolled("Ada")
    for _ in range(2):
        house.history.add(ChangeKind.HIDE, HERE, [(ada.id, "Ada")], [Hid(ada.id, True)], by="", key="5" * 32, at=1.7e9)
        house.fold()
    assert len(house.history.page(None, None, 5)[0]) == 1
    assert not any(key.endswith(".json") for key in keys(house))


def test_erasing_somebody_takes_what_is_folded(house: House) -> None:
    ada, bob, carl = house.enrolled("Ada"), house.enrolled("Bob"), house.enrolled("Carl")
    house.rename(ada, "Countess")
    house.merge(house.gallery.person(HERE, ada.id), bob)
    his = house.rename(carl, "Carlo")
    house.fold()
    house.rename(bob, "Robert")
    house.forget(bob.id, *house.faces(bob))
    assert house.history.page(None, None, 50)[0] == [his]
    left = house.everything()
    for text in ("Ada", "Countess", "Bob", "Robert", ada.id, bob.id, *house.faces(bob)):
        assert text.encode() not in left, text


def test_erasing_reads_an_object_for_an_hour_however_much_was_changed(house: House) -> None:
    objects = house.watched()
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    for number in range(600):
        house.clock += 20.0
        house.rename(ada if number % 100 == 0 else bob, f"name {number}")
    house.fold()
    objects.reads.clear()
    house.forget(ada.id, *house.faces(ada))
    assert len(objects.reads) < 40  # for four hours, and six changes
    assert ada.id.encode() not in house.everything()
    assert len(house.history.page(None, None, 1000)[0]) == 594


def test_who_is_erased_while_changes_are_folded_does_not_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    house.rename(ada, "Countess")
    his = house.rename(bob, "Robert")
    replace = house.objects.replace

    def late(key: str, data: bytes, version: str) -> bool:
        """The changes were read, and are about to be written among those of their hour."""
        monkeypatch.setattr(house.objects, "replace", replace)
        other = house.another()
        other.forget(other.about([ada.id, *house.faces(ada)]))
        return replace(key, data, version)

    monkeypatch.setattr(house.objects, "replace", late)
    house.fold()
    assert b"Countess" not in house.everything()
    assert house.history.page(None, None, 5)[0] == [his]
    house.fold()
    assert len(keys(house)) == 1
    assert house.history.page(None, None, 5)[0] == [his]


def test_who_is_erased_from_a_bucket_while_changes_are_folded_does_not_come_back(house: House) -> None:
    """Where a store makes its versions of the bytes alone, an hour is changed all the same."""
    store = open_store("memory:///")
    assert isinstance(store, BucketObjects)
    house.history = house.another(store)
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    his = house.rename(bob, "Robert")
    house.fold()
    [hour] = [stored.key for stored in store.list()]
    before = store.get(hour)
    late = house.history.add(ChangeKind.RENAME, HERE, [(ada.id, "Ada")], [Renamed(ada.id, "Ada", "A")], by="",
                             at=his.at + 1)  # fmt: skip
    house.forget(ada.id)
    assert store.get(hour) != before
    assert house.history.get(late.id) is None
    assert house.history.get(his.id)


def test_an_erasure_that_breaks_off_is_repeated(house: House) -> None:
    """Whatever leads to a name goes after it."""
    for deletions in range(3):
        objects = house.watched()
        ada, bob, carl = house.enrolled("Ada"), house.enrolled("Bob"), house.enrolled("Carl")
        house.rename(ada, "Countess")
        house.merge(house.gallery.person(HERE, ada.id), bob)
        house.rename(bob, "Robert")
        house.merge(house.gallery.person(HERE, bob.id), carl)
        ids = [carl.id, *house.faces(carl)]
        objects.deletions = deletions
        if deletions < 2:  # first the renamings go, then what says whose they are
            with pytest.raises(StorageError):
                house.forget(*ids)
        objects.deletions = 1000
        house.forget(*ids)
        assert house.everything() == b""
        house.gallery.remove(HERE, carl.id)


def test_one_that_is_damaged_goes_with_whom_it_names(house: House) -> None:
    ada = house.enrolled("Ada")
    bad = house.rename(ada, "A")
    house.objects.put(f"history/{bad.id}.json", json.dumps({"people": [[ada.id, "Ada"]]}).encode())
    house.forget(ada.id)
    assert house.everything() == b""


@pytest.mark.parametrize("text", ["0123", 'O"Neill', "back\\slash", "Müller", ""])
def test_words_are_found_as_json_has_them(text: str) -> None:
    for data in ({"a": [text, 1]}, {"a": 'x"y\\', "b": text}):
        assert Words([text]).are_in(json.dumps(data).encode())
    assert not Words([text]).are_in(json.dumps({"a": f"{text}more"}, separators=(",", ":")).encode())
    assert not Words([]).are_in(b'{"a":""}')
