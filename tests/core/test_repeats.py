"""Answers that are kept for who asks again, and whoever is erased meanwhile."""

from pathlib import Path

import pytest

from visage.core.journal.repeats import Kept, Repeats, Turn
from visage.objects.folder import FolderObjects

ADA, BOB = "a" * 32, "b" * 32


def answer(person: str) -> Kept:
    return Kept(200, f'{{"id": "{person}", "name": "somebody"}}', "tag")


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


@pytest.fixture
def repeats(objects: FolderObjects) -> Repeats:
    return Repeats(objects, lambda: 1.7e9)


def everything(objects: FolderObjects) -> bytes:
    return b"".join(objects.get(stored.key) for stored in objects.list())


def test_whoever_is_erased_is_in_no_answer(repeats: Repeats, objects: FolderObjects) -> None:
    for number in range(40):
        assert repeats.begin("me", f"key {number}", b"") is Turn.FIRST
        repeats.keep("me", f"key {number}", b"", answer(ADA if number % 2 else BOB))
    repeats.forget([ADA])
    assert len([*objects.list()]) == 20
    assert ADA.encode() not in everything(objects)
    assert repeats.begin("me", "key 0", b"") == answer(BOB)
    assert repeats.begin("me", "key 1", b"") is Turn.FIRST


def test_an_answer_that_was_on_its_way_is_not_kept(repeats: Repeats, objects: FolderObjects) -> None:
    """The request began before the erasure, and ends after it."""
    assert repeats.begin("me", "key", b"asked") is Turn.FIRST
    for _ in range(2):  # an erasure forgets before and after
        repeats.forget([ADA])
    assert repeats.begin("me", "key", b"asked") is Turn.BUSY
    repeats.keep("me", "key", b"asked", answer(ADA))
    assert everything(objects) == b""
    assert repeats.begin("me", "key", b"asked") is Turn.FIRST


def test_an_answer_that_is_kept_while_it_is_looked_at_goes(
    repeats: Repeats, objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeats.begin("me", "key", b"")
    replace = objects.replace

    def late(key: str, data: bytes, version: str) -> bool:
        monkeypatch.setattr(objects, "replace", replace)
        repeats.keep("me", "key", b"", answer(ADA))
        return replace(key, data, version)

    monkeypatch.setattr(objects, "replace", late)
    repeats.forget([ADA])
    assert everything(objects) == b""


def test_one_that_was_given_up_is_not_kept(repeats: Repeats, objects: FolderObjects) -> None:
    repeats.begin("me", "key", b"")
    repeats.give_up("me", "key")
    repeats.keep("me", "key", b"", answer(ADA))
    assert everything(objects) == b""


def test_a_clock_that_was_set_back_keeps_nobody_waiting(objects: FolderObjects) -> None:
    before, after = Repeats(objects, lambda: 1.7e9), Repeats(objects, lambda: 1.7e9 - 86400)
    for key in ("one", "two"):
        assert before.begin("me", key, b"") is Turn.FIRST
    before.keep("me", "two", b"", answer(ADA))
    assert after.begin("me", "one", b"") is Turn.FIRST
    assert after.begin("me", "one", b"") is Turn.BUSY
    assert after.begin("me", "two", b"") == answer(ADA)
