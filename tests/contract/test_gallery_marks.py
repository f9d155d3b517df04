"""What `core.ports.gallery.Gallery` promises of people who are hidden and of negative examples, asked of every
adapter."""

import uuid
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tests.contract.galleries import (  # noqa: F401 - fixtures among them
    DIMENSION,
    NO_ID,
    Store,
    face,
    gallery,
    probes,
    store,
    unit,
)
from tests.postgres.server import server  # noqa: F401 - a fixture

from visage.core.errors import GalleryError, NoFaceError, NoPersonError, OtherModelError
from visage.core.ports.gallery import Gallery
from visage.core.values import Embeddings

# ruff: noqa: F811 - fixtures are parameters of the same name


def test_somebody_hidden(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
        assert not ada.hidden
        version = gallery.version()
        assert gallery.hide("c", ada.id, True) == replace(ada, hidden=True)
        changed = gallery.version()
        assert changed != version
        for one in (gallery, other):
            assert one.people("c") == [replace(ada, hidden=True), bob]
            assert one.person("c", "Ada").hidden
            assert [c.hidden for c in one.search("c", probes(1), 2)[0]] == [True, False]
            assert (one.size("c"), one.population("c")) == (2, 2)
        assert gallery.hide("c", ada.id, True).hidden
        assert gallery.version() == changed
        assert gallery.add("c", "Ada", face(3)) == replace(ada, faces=2, hidden=True)
        assert gallery.rename("c", ada.id, "Eve").hidden
        assert gallery.hide("c", ada.id, False) == replace(ada, name="Eve", faces=2)
        assert not other.search("c", probes(1), 1)[0][0].hidden
    for wrong in ("Ada", "nobody", *NO_ID):
        with pytest.raises(NoPersonError):
            gallery.hide("c", wrong, True)
    with pytest.raises(NoPersonError):
        gallery.hide("d", ada.id, True)


def denied(gallery: Gallery, seed: int, k: int = 9, model: str = "one") -> dict[str, float | None]:
    """By name, how similar to the probe the nearest face is that is not theirs."""
    return {c.name: c.denied for c in gallery.search("c", probes(seed, model=model), k)[0]}


@pytest.mark.parametrize("crop", [None, b"\xff\xd8jpeg"])
def test_a_negative_example_comes_back_as_it_was_given(gallery: Gallery, crop: bytes | None) -> None:
    ada = gallery.add("c", "Ada", face(1))
    given = face(2, crop=crop, source="/photos/été 1.jpg", person_id="whoever")
    gallery.deny("c", ada.id, given)
    (kept,) = gallery.denials("c", ada.id)
    np.testing.assert_array_equal(kept.vector, given.vector)
    np.testing.assert_array_equal(kept.landmarks, given.landmarks)
    blank = {"vector": None, "landmarks": None, "person_id": ""}
    assert replace(kept, **blank) == replace(given, **blank)  # type: ignore[arg-type]
    assert kept.person_id == ada.id
    assert [one.crop for one in gallery.denials("c", crops=False)] == [None]
    assert [one.id for one in gallery.faces("c")] != [given.id]
    assert (gallery.size("c"), gallery.population("c"), gallery.people("c")) == (1, 1, [ada])
    with pytest.raises(NoFaceError):
        gallery.face("c", given.id)


def test_a_search_says_what_speaks_against_a_candidate(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
        assert denied(other, 1) == denied(gallery, 1) == {"Ada": None, "Bob": None}
        version = gallery.version()
        for seed in (7, 8):
            gallery.deny("c", ada.id, face(seed))
        assert gallery.version() != version
        for one in (gallery, other):
            found = denied(one, 9)
            assert found["Bob"] is None
            assert found["Ada"] == pytest.approx(max(float(unit(seed) @ unit(9)) for seed in (7, 8)), abs=1e-6)
        gallery.deny("c", bob.id, face(7))
        assert denied(other, 7)["Bob"] == denied(other, 7)["Ada"] == pytest.approx(1, abs=1e-6)
        assert denied(other, 7, k=1).keys() <= {"Ada", "Bob"}
        together = other.search("c", probes(7, 9), 2)
        assert together == [other.search("c", probes(seed), 2)[0] for seed in (7, 9)]


def test_a_face_is_as_similar_enrolled_as_denied(gallery: Gallery) -> None:
    """To the last bit, wherever it lies: who denies an enrolled face rules it out."""
    for seed in range(30):
        gallery.add("c", f"p{seed}", face(seed))
    for seed in range(30):
        for other in range(seed % 4):
            gallery.deny("c", gallery.person("c", f"p{seed}").id, face(100 + other))
        gallery.deny("c", gallery.person("c", f"p{seed}").id, face(seed))
    for seed in range(200, 230):
        for candidate in gallery.search("c", probes(seed), 30)[0]:
            assert candidate.denied is not None
            assert candidate.denied >= candidate.similarity


def test_a_negative_example_is_kept_once_for_each_person(gallery: Gallery) -> None:
    ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
    first, second = face(7), face(8)
    for person in (ada, bob, ada):
        gallery.deny("c", person.id, first)
    version = gallery.version()
    gallery.deny("c", ada.id, first)
    assert gallery.version() == version
    gallery.deny("c", ada.id, second)
    assert [one.id for one in gallery.denials("c", ada.id)] == [first.id, second.id]
    assert [one.person_id for one in gallery.denials("c")] == [ada.id, bob.id, ada.id]
    assert gallery.undeny("c", [first.id, "x", *NO_ID], person_id=bob.id) == 1
    assert gallery.denials("c", bob.id) == []
    assert gallery.undeny("c", [first.id], person_id=bob.id) == gallery.undeny("c", [first.id], person_id="x") == 0
    gallery.deny("c", bob.id, first)
    assert gallery.undeny("c", [first.id, second.id]) == 3
    assert denied(gallery, 7) == {"Ada": None, "Bob": None}
    version = gallery.version()
    assert gallery.undeny("c", [first.id]) == gallery.undeny("nowhere", [first.id]) == gallery.undeny("c", []) == 0
    assert gallery.version() == version


def test_what_cannot_be_denied(gallery: Gallery) -> None:
    ada = gallery.add("c", "Ada", face(1))
    for wrong in ("Ada", "nobody", *NO_ID):
        with pytest.raises(NoPersonError):
            gallery.deny("c", wrong, face(2))
        assert gallery.denials("c", wrong) == []
    with pytest.raises(NoPersonError):
        gallery.deny("d", ada.id, face(2))
    for refused in (face(2, "two"), face(2, vector=unit(2, DIMENSION * 2))):
        with pytest.raises(OtherModelError):
            gallery.deny("c", ada.id, refused)
    with pytest.raises(ValueError, match="unit"):
        gallery.deny("c", ada.id, face(2, vector=unit(2) * 2))
    assert gallery.denials("c") == gallery.denials("nowhere") == []


def test_the_last_word_on_a_face_counts(gallery: Gallery) -> None:
    ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
    added, moved = face(7), face(8)
    for person in (ada, bob):
        for given in (added, moved):
            gallery.deny("c", person.id, given)
    gallery.add("c", "Ada", added)
    gallery.add("c", "Eve", moved)
    gallery.move("c", [moved.id], "Bob")
    assert [one.id for one in gallery.denials("c", ada.id)] == [moved.id]
    assert [one.id for one in gallery.denials("c", bob.id)] == [added.id]
    assert denied(gallery, 8)["Ada"] == pytest.approx(1, abs=1e-6)
    assert denied(gallery, 8)["Bob"] == pytest.approx(float(unit(7) @ unit(8)), abs=1e-6)


def test_negative_examples_go_with_their_person(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        faces = [face(seed) for seed in range(4)]
        people = [gallery.add("c", name, one) for name, one in zip(["Ada", "Bob", "Eve", "Zoe"], faces, strict=True)]
        for person in people:
            gallery.deny("c", person.id, face(9))
        assert len(denied(other, 9)) == 4
        gallery.remove("c", people[0].id)
        assert [one.person_id for one in other.denials("c")] == [person.id for person in people[1:]]
        gallery.remove_faces("c", [faces[1].id])
        gallery.move("c", [faces[2].id], "Zoe")
        assert [one.person_id for one in other.denials("c")] == [people[3].id]
        assert denied(other, 9) == denied(gallery, 9) == {"Zoe": pytest.approx(1, abs=1e-6)}
        gallery.remove("c", people[3].id)
        assert gallery.denials("c") == []
        gallery.add("c", "Ada", face(0, "two"))
        assert denied(other, 9, model="two") == {"Ada": None}


def test_negative_examples_get_new_vectors_too(store: Store, gallery: Gallery) -> None:
    ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
    denials = [face(7), face(8)]
    gallery.deny("c", ada.id, denials[0])
    gallery.deny("c", bob.id, denials[0])
    gallery.deny("c", bob.id, denials[1])
    enrolled = [one.id for one in gallery.faces("c")]
    gallery.deny("c", bob.id, replace(face(1), id=enrolled[0]))
    with closing(store.open()) as other:
        assert denied(other, 7)["Ada"] == pytest.approx(1, abs=1e-6)
        with pytest.raises(GalleryError, match="changed meanwhile"):
            gallery.replace_vectors("c", enrolled, probes(11, 12, model="two"))
        ids = [*enrolled, *(one.id for one in denials)]
        wide = Embeddings(np.stack([unit(seed, 32) for seed in (11, 12, 17, 18)]), "two")
        gallery.replace_vectors("c", ids, wide)
        assert {one.model for one in gallery.denials("c")} == {"two"}
        (row,) = other.search("c", Embeddings(wide.vectors[2:3], "two"), 2)
        assert [c.denied for c in row] == [pytest.approx(1, abs=1e-6)] * 2
        (row,) = other.search("c", Embeddings(wide.vectors[:1], "two"), 2)
        assert {c.name: c.denied for c in row}["Bob"] == pytest.approx(1, abs=1e-6)


def test_whom_faces_are_moved_to_may_be_given_an_id(gallery: Gallery) -> None:
    faces = [face(seed) for seed in range(3)]
    ada = gallery.add("c", "Ada", faces[0])
    for given in faces[1:]:
        gallery.add("c", "Bob", given)
    bob = gallery.person("c", "Bob")
    gallery.move("c", [faces[0].id], "Bob")
    assert gallery.move("c", [faces[0].id], "Ada", person_id=ada.id) == ada
    assert gallery.move("c", [faces[1].id], "Eve", person_id=bob.id).id != bob.id  # taken
    assert gallery.move("c", [faces[1].id], "Ada", person_id=uuid.uuid4().hex).id == ada.id  # is there already
    assert gallery.move("c", [faces[1].id], "Zoe", person_id="no id").name == "Zoe"
