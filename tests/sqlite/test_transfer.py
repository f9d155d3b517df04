"""Copying collections, with SQLite files on both sides."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from visage.core.errors import OtherModelError
from visage.core.galleries.transfer import Copied, copy_collection, copy_gallery
from visage.core.values import EnrolledFace, Quality
from visage.sqlite.gallery import SqliteGallery


def face(seed: int, model: str = "m", digest: str = "") -> EnrolledFace:
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal(16)
    vector = (direction / np.linalg.norm(direction)).astype(np.float32)
    points = rng.uniform(0, 90, (5, 2)).astype(np.float32)
    quality = Quality(1, 1, 0, 0, 0, 1)
    return EnrolledFace(uuid.uuid4().hex, "", vector, model, b"jpeg", points, "x.jpg", digest, quality, float(seed))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SqliteGallery]:
    with closing(SqliteGallery(tmp_path / "source.sqlite", create=True)) as opened:
        for seed in range(4):
            opened.add("c", ("Ada", "Bob")[seed % 2], face(seed))
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SqliteGallery]:
    with closing(SqliteGallery(tmp_path / "target.sqlite", create=True, portable=True)) as opened:
        yield opened


def test_a_copy_is_the_same_people_and_faces(source: SqliteGallery, target: SqliteGallery) -> None:
    assert copy_collection(source, target, "c", "d") == Copied(people=2, faces=4, skipped=0)
    assert [replace(person, collection="c") for person in target.people("d")] == source.people("c")
    for person in source.people("c"):
        pairs = zip(source.faces("c", person.id), target.faces("d", person.id), strict=True)
        for given, kept in pairs:
            np.testing.assert_array_equal(given.vector, kept.vector)
            assert (given.id, given.crop, given.created) == (kept.id, kept.crop, kept.created)


def test_copying_again_adds_nothing(source: SqliteGallery, target: SqliteGallery) -> None:
    copy_collection(source, target, "c", "c")
    source.add("c", "Eve", face(9))
    assert copy_collection(source, target, "c", "c") == Copied(people=1, faces=1, skipped=4)
    assert copy_collection(source, source, "c", "c") == Copied(people=0, faces=0, skipped=5)


def test_people_merge_by_name(source: SqliteGallery, target: SqliteGallery) -> None:
    ada = target.add("c", "Ada", face(50))
    assert copy_collection(source, target, "c", "c") == Copied(people=1, faces=4, skipped=0)
    assert target.person("c", "Ada") == replace(ada, faces=3)


def test_a_person_renamed_in_the_target_stays_one(source: SqliteGallery, target: SqliteGallery) -> None:
    copy_collection(source, target, "c", "c")
    target.rename("c", target.person("c", "Bob").id, "Robert")
    source.add("c", "Bob", face(9))
    assert copy_collection(source, target, "c", "c") == Copied(people=0, faces=1, skipped=4)
    assert [person.name for person in target.people("c")] == ["Ada", "Robert"]


def test_one_photo_enrolled_on_both_sides_is_one_face(source: SqliteGallery, target: SqliteGallery) -> None:
    source.add("c", "Eve", face(7, digest="d1"))
    target.add("c", "Eve", face(7, digest="d1"))  # the same place in the same photo, under another id
    target.add("c", "Eve", face(8, digest="d1"))  # another face in that photo
    assert copy_collection(source, target, "c", "c").skipped == 1
    assert target.person("c", "Eve").faces == 2


def test_who_is_hidden_stays_so_and_negative_examples_come_along(source: SqliteGallery, target: SqliteGallery) -> None:
    ada, bob = source.people("c")
    source.hide("c", ada.id, True)
    first, second = face(20), face(21)
    source.deny("c", bob.id, first)
    source.deny("c", ada.id, second)
    assert copy_collection(source, target, "c", "d") == Copied(people=2, faces=4, skipped=0)
    assert [(one.name, one.hidden) for one in target.people("d")] == [("Ada", True), ("Bob", False)]
    assert [(one.id, one.crop, one.person_id) for one in target.denials("d")] == [
        (second.id, b"jpeg", ada.id), (first.id, b"jpeg", bob.id),
    ]  # fmt: skip
    assert copy_collection(source, target, "c", "d") == Copied(people=0, faces=0, skipped=4)
    assert len(target.denials("d")) == 2


def test_who_is_hidden_on_one_side_is_hidden_on_both(source: SqliteGallery, target: SqliteGallery) -> None:
    """So that one broken off halfway, started again, leaves nobody to be named who was not to be."""
    copy_collection(source, target, "c", "c")
    ada, bob = source.people("c")
    source.hide("c", ada.id, True)
    target.hide("c", bob.id, True)
    assert copy_collection(source, target, "c", "c").skipped == 4
    assert [one.hidden for one in target.people("c")] == [True, True]
    assert [one.hidden for one in source.people("c")] == [True, False]


def test_what_is_said_of_somebody_who_is_somebody_else_there_is_left_out(
    source: SqliteGallery, target: SqliteGallery
) -> None:
    copy_collection(source, target, "c", "c")
    bob = source.person("c", "Bob")
    target.move("c", [one.id for one in target.faces("c", bob.id)], "Ada")
    source.hide("c", bob.id, True)
    source.deny("c", bob.id, face(20))
    assert copy_collection(source, target, "c", "c") == Copied(people=0, faces=0, skipped=4)
    assert [(one.name, one.hidden) for one in target.people("c")] == [("Ada", False)]
    assert target.denials("c") == []


def test_another_model_is_refused(source: SqliteGallery, target: SqliteGallery) -> None:
    target.add("c", "Ada", face(1, "other"))
    with pytest.raises(OtherModelError, match="visage people migrate"):
        copy_collection(source, target, "c", "c")
    assert target.size("c") == 1


def test_nothing_to_copy(source: SqliteGallery, target: SqliteGallery) -> None:
    assert copy_collection(source, target, "nowhere", "c") == Copied(0, 0, 0)
    assert target.people("c") == []


def test_a_whole_gallery(source: SqliteGallery, target: SqliteGallery) -> None:
    source.add("d", "王", face(9, "other"))
    told: list[None] = []
    copied = copy_gallery(source, target, source.collections(), lambda: told.append(None))
    assert copied == {"c": Copied(people=2, faces=4, skipped=0), "d": Copied(people=1, faces=1, skipped=0)}
    assert len(told) == 5
    assert target.collections() == ["c", "d"]
    assert [target.people(name) for name in ("c", "d")] == [source.people(name) for name in ("c", "d")]
    assert copy_gallery(source, target, ["d"])["d"] == Copied(people=0, faces=0, skipped=1)


def test_one_collection_of_another_model_keeps_all_from_being_copied(
    source: SqliteGallery, target: SqliteGallery
) -> None:
    source.add("d", "Eve", face(9))
    target.add("d", "Eve", face(9, "other"))
    with pytest.raises(OtherModelError):
        copy_gallery(source, target, ["c", "d"])
    assert target.collections() == ["d"]
