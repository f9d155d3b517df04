"""Who matches nobody: what is kept of them, and what each kept face stands for."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import face, match, picture, quality
from visage.core.errors import StorageError
from visage.core.tickets import Ticket
from visage.core.unknown.kept import Haul, State, crop_key, decided, faces_key, haul_from_bytes, haul_to_bytes
from visage.core.unknown.strangers import MOST, OF_ONE, Gatherer, Strangers
from visage.core.values import Floats, Frame, Job, JobKind, Media, Pixels, Sighting
from visage.objects.folder import FolderObjects

JOB = "a" * 32
PICTURE = picture(1)
PHOTO, FILM = Media("x", 400, 300), Media("x", 400, 300, duration=10.0, fps=10.0)
GOOD, POOR = quality(), replace(quality(), size=20.0)


def ticket(job: str = JOB) -> Ticket:
    asked = Job(JobKind.RECOGNIZE, (f"{job}/0",), collection="family", id=job)
    return Ticket(job, asked, ("party.jpg",), None, "req", "me", "", vectors=False, created=1000.5)


def somebody(seed: int, near: Floats | None = None, similarity: float = 0.0) -> Floats:
    """A unit vector, of that similarity to another."""
    vector = np.random.default_rng(seed).normal(size=128)
    if near is not None:
        vector -= (vector @ near) * near
        vector = similarity * near + (1 - similarity**2) ** 0.5 * vector / np.linalg.norm(vector)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


ADA, BO = somebody(1), somebody(2)


def seen(vector: Floats, frame: int = 0, *, good: bool = True, score: float = 0.9) -> Sighting:
    measured = replace(GOOD, score=score) if good else POOR
    return Sighting(frame, frame / 10, face(), measured, vector=vector)


def away(vector: Floats, *, good: bool = True) -> Sighting:
    """Somebody in the other corner of the picture."""
    return replace(seen(vector, good=good), face=face(x=260))


def jpeg(pixels: Pixels) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()


def gathered(media: Media, *pictures: Sequence[Sighting]) -> Strangers:
    gatherer = Gatherer(link=0.5, to_jpeg=jpeg)
    for number, found in enumerate(pictures):
        gatherer(Frame(PICTURE, number, number / 10), found, media)
    return gatherer.strangers(ticket(), "net")


def places(strangers: Strangers) -> list[list[int]]:
    return [one.stands.places.tolist() for one in strangers.haul.faces]


def test_in_a_photo_every_good_stranger_is_kept_with_a_crop() -> None:
    named = replace(seen(ADA), match=match("Ada"))
    hidden = replace(seen(ADA), withheld=True)
    found = gathered(PHOTO, [named, seen(ADA), hidden, seen(BO), seen(somebody(3), good=False)])
    assert places(found) == [[1], [3]]
    assert found.haul.apart is None
    assert (found.haul.job, found.haul.collection, found.haul.model) == (JOB, "family", "net")
    assert (found.haul.source, found.haul.created) == ("party.jpg", 1000.5)
    assert [one.digest for one in found.haul.faces] == [hashlib.sha256(PICTURE.tobytes()).hexdigest()] * 2
    assert all(np.array_equal(one.vector, who) for one, who in zip(found.haul.faces, [ADA, BO], strict=True))
    assert found.crops.keys() == {1, 3}
    assert [one.crop for one in found.haul.faces] == [True, True]
    assert found.haul.pictures(0) & found.haul.pictures(1), "who is in one photo is not one person"


def test_twins_in_a_photo_are_two() -> None:
    assert places(gathered(PHOTO, [seen(ADA), seen(ADA)])) == [[0], [1]]


def test_of_a_person_in_a_video_a_few_faces_stand_for_all() -> None:
    film = [[seen(somebody(100 + i, ADA, 0.85), i), seen(somebody(500 + i, BO, 0.85), i)] for i in range(200)]
    found = gathered(FILM, *film)
    counts = Counter(one.group for one in found.haul.faces)
    assert counts.keys() == {0, 1}
    assert max(counts.values()) <= OF_ONE
    for group, start in ((0, 0), (1, 1)):
        theirs = [place for one in found.haul.faces if one.group == group for place in one.stands.places.tolist()]
        assert sorted(theirs) == list(range(start, 400, 2))
    assert found.haul.apart == ((0, 1),)


def test_the_similarities_are_those_to_the_kept_face() -> None:
    other = somebody(9, ADA, 0.9)
    found = gathered(FILM, [seen(ADA, 0)], [seen(other, 1)])
    (kept,) = found.haul.faces
    assert kept.stands.similarities.tolist() == pytest.approx([1.0, 0.9], abs=1e-5)


def test_a_better_and_a_different_face_are_kept_beside_the_first() -> None:
    first, alike = somebody(3, ADA, 0.95), somebody(4, ADA, 0.95)
    aside = somebody(5, first, 0.6)
    found = gathered(
        FILM, [seen(first, 0, score=0.5)], [seen(alike, 1, score=0.55)], [seen(alike, 2, score=0.9)], [seen(aside, 3)]
    )
    assert places(found) == [[0, 1], [2], [3]]
    assert {one.group for one in found.haul.faces} == {0}


def test_a_poor_face_is_stood_for_but_never_kept() -> None:
    near = somebody(3, ADA, 0.8)
    found = gathered(
        FILM, [seen(near, 0, good=False)], [seen(ADA, 1)], [seen(near, 2, good=False)], [seen(BO, 3, good=False)]
    )
    assert places(found) == [[1, 2, 0]]


def test_two_poor_faces_of_one_picture_are_not_one_person() -> None:
    near = somebody(3, ADA, 0.8)
    found = gathered(FILM, [seen(near, good=False), away(near, good=False)], [], [], [], [], [], [seen(ADA, 6)])
    assert places(found) == [[2, 0]]


def test_who_is_in_one_picture_is_not_one_person() -> None:
    """Two who look alike, together in the last picture: the poor face of the first one is that of neither there."""
    twin = somebody(3, ADA, 0.9)
    found = gathered(FILM, [seen(ADA, 0)], [seen(ADA, 1), seen(twin, 1)], [seen(twin, 2)])
    assert [one.group for one in found.haul.faces] == [0, 1]
    assert places(found) == [[0, 1], [2, 3]]
    assert found.haul.pictures(0) & found.haul.pictures(1)
    apart = gathered(FILM, [seen(ADA, 0)], [seen(BO, 1)])
    assert apart.haul.apart == ()
    assert not apart.haul.pictures(0) & apart.haul.pictures(1)


def test_who_is_followed_is_one_person_however_they_turn() -> None:
    """Each picture is like the one before, the last not at all like the first; then somebody takes their place."""
    turning = [ADA]
    for i in range(40):
        turning.append(somebody(100 + i, turning[-1], 0.9))
    assert float(turning[0] @ turning[-1]) < 0.3
    found = gathered(FILM, *[[seen(vector, i)] for i, vector in enumerate(turning)], [seen(BO, 41)])
    assert {one.group for one in found.haul.faces} == {0, 1}
    assert sorted(place for group in places(found)[:-1] for place in group) == list(range(41))
    assert places(found)[-1] == [41]


@pytest.mark.parametrize("who", [{"match": match("Ada")}, {"withheld": True}])
@pytest.mark.parametrize("order", [1, -1])
def test_who_is_followed_to_somebody_known_is_no_stranger(who: dict[str, Any], order: int) -> None:
    """As where somebody who is hidden turns aside."""
    vectors = [ADA, somebody(3, ADA, 0.9), somebody(4, ADA, 0.9)]
    film = [[replace(seen(vectors[0]), **who)], [seen(vectors[1])], [seen(vectors[2]), away(BO)]]
    film = [[replace(one, frame=i, time=i / 10) for one in found] for i, found in enumerate(film[::order])]
    found = gathered(FILM, *film)
    assert places(found) == ([[3]] if order == 1 else [[1]])
    assert found.crops.keys() == {one.place for one in found.haul.faces}


def test_who_is_elsewhere_or_later_is_not_followed() -> None:
    known = replace(seen(ADA), match=match("Ada"))
    near = somebody(3, ADA, 0.9)
    seldom = Gatherer(link=0.5, to_jpeg=None)
    for number, found in ((0, known), (8, seen(near, 8))):
        seldom(Frame(PICTURE, number, number / 10), [found], FILM)
    assert places(seldom.strangers(ticket(), "net")) == [[1]]
    assert places(gathered(FILM, [known], [replace(away(near), frame=1, time=0.1)])) == [[1]]
    assert places(gathered(FILM, [known], [], [], [], [], [], [], [], [seen(near, 8)])) == [[1]]


def test_a_crowd_is_kept_up_to_a_limit() -> None:
    film = [[seen(somebody(1000 + 50 * i + j), i) for j in range(50)] for i in range(8)]
    found = gathered(FILM, *film)
    assert len(found.haul.faces) == len(found.crops) == MOST


def test_without_crops_none_are_kept() -> None:
    gatherer = Gatherer(link=0.5, to_jpeg=None)
    gatherer(Frame(PICTURE), [seen(ADA)], PHOTO)
    found = gatherer.strangers(ticket(), "net")
    assert found.crops == {}
    assert not found.haul.faces[0].crop


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    found = gathered(FILM, [seen(ADA, 0), seen(BO, 0)], [seen(ADA, 1)])
    assert found.store(objects)
    stored = haul_from_bytes(objects.get(faces_key(JOB)), faces_key(JOB))
    assert haul_to_bytes(stored) == haul_to_bytes(found.haul)
    assert stored.apart == ((0, 1),)
    assert all(one.vector.flags.aligned and len(one.id) == 32 for one in stored.faces)
    assert [objects.get(crop_key(JOB, number)) for number in (0, 1)] == [found.crops[0], found.crops[1]]


def test_storing_twice_changes_nothing(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    found = gathered(PHOTO, [seen(ADA), seen(BO)])
    assert found.store(objects)
    haul = replace(found.haul, faces=(decided(found.haul.faces[0], State.IGNORED),))
    objects.put(faces_key(JOB), haul_to_bytes(haul))
    objects.delete([crop_key(JOB, 1)])
    assert not found.store(objects)
    assert [stored.key for stored in objects.list()] == [crop_key(JOB, 0), faces_key(JOB)]
    assert objects.get(faces_key(JOB)) == haul_to_bytes(haul)


def test_where_nobody_is_a_stranger_nothing_is_stored(tmp_path: Path) -> None:
    assert not gathered(PHOTO, [replace(seen(ADA), match=match("Ada"))]).store(FolderObjects(tmp_path))
    assert not list(FolderObjects(tmp_path).list())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"visage":2}', b'{"visage":1,"job":"x","faces":[{}]}'])
def test_what_is_damaged_says_so(data: bytes) -> None:
    with pytest.raises(StorageError, match="damaged"):
        haul_from_bytes(data, "faces/x.json")


def test_a_haul_is_small() -> None:
    film = [[seen(somebody(100 + i, ADA, 0.85), i)] for i in range(3000)]
    haul: Haul = gathered(FILM, *film).haul
    assert len(haul_to_bytes(haul)) < 3000 * 11 + OF_ONE * 2000
