"""What `core.ports.gallery.Gallery` promises, asked of every adapter. The vectors are random: a gallery looks at no
faces."""

import os
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.contract.galleries import (  # noqa: F401 - fixtures among them
    DIMENSION,
    NO_ID,
    QUALITY,
    Store,
    face,
    found,
    gallery,
    probes,
    store,
    unit,
)
from tests.postgres.server import server  # noqa: F401 - a fixture

import visage
from visage.core.errors import GalleryError, NoFaceError, NoPersonError, OtherModelError, UsageError
from visage.core.ports.gallery import Gallery
from visage.core.values import Embeddings

# ruff: noqa: F811 - fixtures are parameters of the same name


def elsewhere(store: Store, script: str) -> "subprocess.Popen[str]":
    """Run `script` in another process; it finds `gallery`, `face` and `np`."""
    source = f"""
import os, uuid, numpy as np
from visage.core.values import EnrolledFace, Quality
{store.code}
def face(seed):
    vector = np.random.default_rng(seed).standard_normal({DIMENSION})
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    points = np.zeros((5, 2), np.float32)
    return EnrolledFace(uuid.uuid4().hex, "", vector, "one", None, points, "", "", Quality(1, 1, 0, 0, 0, 1), 0.0)
{script}
gallery.close()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", source], env=environment, text=True, stdout=subprocess.PIPE)


def approximately(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-6)


def test_an_empty_collection(gallery: Gallery) -> None:
    assert gallery.collections() == []
    assert gallery.people("nowhere") == []
    assert gallery.population("nowhere") == 0
    assert list(gallery.faces("nowhere")) == []
    assert list(gallery.faces("nowhere", "nobody")) == []
    assert gallery.model("nowhere") is None
    assert gallery.size("nowhere") == 0
    assert gallery.search("nowhere", probes(1, 2), 3) == [[], []]
    gallery.replace_vectors("nowhere", [], Embeddings(np.empty((0, 4), np.float32), "any"))
    with pytest.raises(NoPersonError):
        gallery.person("nowhere", "Ada")
    with pytest.raises(NoPersonError):
        gallery.remove("nowhere", "nobody")


@pytest.mark.parametrize("crop", [None, b"\xff\xd8jpeg"])
def test_a_face_comes_back_as_it_was_given(gallery: Gallery, crop: bytes | None) -> None:
    given = face(1, crop=crop, source="/photos/été 1.jpg")
    person = gallery.add("c", "Ada", given)
    (kept,) = gallery.faces("c", person.id)
    np.testing.assert_array_equal(kept.vector, given.vector)
    np.testing.assert_array_equal(kept.landmarks, given.landmarks)
    assert [str(array.dtype) for array in (kept.vector, kept.landmarks)] == ["float32", "float32"]
    assert kept.person_id == person.id
    blank = {"vector": None, "landmarks": None, "person_id": ""}
    assert replace(kept, **blank) == replace(given, **blank)  # type: ignore[arg-type]


def test_people_gather_faces(gallery: Gallery) -> None:
    first = gallery.add("c", "bob", face(1, created=10.0))
    second = gallery.add("c", "bob", face(2, created=20.0))
    gallery.add("c", "Ada", face(3))
    assert (first.faces, second.faces) == (1, 2)
    assert (second.id, second.name, second.collection, second.created) == (first.id, "bob", "c", 10.0)
    assert [person.name for person in gallery.people("c")] == ["Ada", "bob"]
    assert gallery.people("c")[1] == second == gallery.person("c", "bob") == gallery.person("c", second.id)
    assert [kept.source for kept in gallery.faces("c")] == ["1.jpg", "2.jpg", "3.jpg"]
    assert [kept.source for kept in gallery.faces("c", second.id)] == ["1.jpg", "2.jpg"]
    assert (gallery.size("c"), gallery.population("c"), gallery.model("c")) == (3, 2, "one")


def test_crops_may_be_left_out(gallery: Gallery) -> None:
    given = [face(seed, crop=b"\xff\xd8jpeg") for seed in range(3)]
    for seed, one in enumerate(given):
        gallery.add("c", f"p{seed % 2}", one)
    assert [kept.id for kept in gallery.faces("c", crops=False)] == [one.id for one in given]
    assert {kept.crop for kept in gallery.faces("c", crops=False)} == {None}
    assert {kept.crop for kept in gallery.faces("c")} == {b"\xff\xd8jpeg"}
    first = gallery.person("c", "p0").id
    assert [kept.id for kept in gallery.faces("c", first, crops=False)] == [given[0].id, given[2].id]


def test_every_change_makes_a_new_version(store: Store, gallery: Gallery) -> None:
    """In both orders of emptying two collections, so that the same contents come back again and again."""
    seen = [gallery.version()]

    def changed() -> None:
        assert gallery.version() not in seen
        with closing(store.open()) as other:
            assert other.version() == gallery.version()
        seen.append(gallery.version())

    for order in (("c", "d"), ("d", "c")):
        for name in order:
            given = face(1)
            person = gallery.add(name, "Ada", given)
            changed()
            gallery.rename(name, person.id, "Eve")
            changed()
            gallery.replace_vectors(name, [given.id], probes(2))
            changed()
        assert gallery.collections() == ["c", "d"]
        for name in order:
            gallery.remove(name, gallery.person(name, "Eve").id)
            changed()
    with pytest.raises(NoPersonError):
        gallery.rename("c", "nobody", "Eve")
    gallery.search("c", probes(1), 1)
    assert gallery.version() == seen[-1]


def test_more_faces_than_are_read_at_once(gallery: Gallery) -> None:
    given = [gallery.add("c", f"p{seed % 3}", face(seed)) and seed for seed in range(150)]
    assert [kept.source for kept in gallery.faces("c")] == [f"{seed}.jpg" for seed in given]


def test_faces_may_be_read_while_people_come_and_go(gallery: Gallery) -> None:
    for seed in range(100):
        gallery.add("c", f"p{seed}", face(seed))
    reading = gallery.faces("c")
    next(reading)
    gallery.remove("c", gallery.person("c", "p99").id)
    gallery.add("c", "new", face(100))
    assert len(list(reading)) in {98, 99, 100}


def test_a_name_has_one_spelling(gallery: Gallery) -> None:
    person = gallery.add("c", " Zoe\u0301 ", face(1))
    assert person.name == "Zo\u00e9"
    assert gallery.add("c", "Zo\u00e9", face(2)).id == person.id
    assert gallery.person("c", "Zoe\u0301\n") == gallery.people("c")[0]
    assert gallery.size("e\u0301") == gallery.size("\u00e9") == 0
    gallery.add("e\u0301", "x", face(3))
    assert gallery.size("\u00e9") == 1


@pytest.mark.parametrize("name", ["Łukasz Żółć", "王小明", "محمد", "O'Brien; DROP TABLE--", "👩‍👩‍👧", "%_*", "-x"])
def test_any_script_will_do(gallery: Gallery, name: str) -> None:
    person = gallery.add(name, name, face(1))
    assert gallery.person(name, name) == person
    assert found(gallery, 1, collection=name) == [name]


@pytest.mark.parametrize("name", ["", "a/b", "..", "Unknown", "a\nb", "\ud800"])
def test_what_is_no_name_is_refused_and_found_nowhere(gallery: Gallery, name: str) -> None:
    person = gallery.add("c", "Ada", face(1))
    with pytest.raises(UsageError):
        gallery.add("c", name, face(2))
    with pytest.raises(UsageError):
        gallery.add(name, "Bob", face(2))
    with pytest.raises(UsageError):
        gallery.rename("c", person.id, name)
    assert gallery.people("c") == [person]
    assert gallery.people(name) == []
    with pytest.raises(NoPersonError):
        gallery.person("c", name)


def test_a_face_is_added_once(gallery: Gallery) -> None:
    given = face(1)
    person = gallery.add("c", "Ada", given)
    assert gallery.add("c", "Ada", given) == person
    renamed = gallery.rename("c", person.id, "Countess")
    assert gallery.add("c", "Ada", given) == renamed
    assert gallery.size("c") == 1


def test_a_new_person_may_bring_an_id(gallery: Gallery) -> None:
    wanted = uuid.uuid4().hex
    assert gallery.add("c", "Ada", face(1, person_id=wanted)).id == wanted
    assert gallery.add("c", "Bob", face(2, person_id=wanted)).id != wanted  # taken
    assert gallery.add("c", "Ada", face(3, person_id=uuid.uuid4().hex)).id == wanted
    assert gallery.add("c", "Eve", face(4, person_id="Ada")).id != "Ada"  # not an id
    assert gallery.add("d", "Bob", face(5, person_id=wanted)).id == wanted


def test_vectors_of_another_model_are_refused(gallery: Gallery) -> None:
    person = gallery.add("c", "Ada", face(1))
    wide = face(2, vector=unit(2, DIMENSION * 2))
    for refused in (face(2, "two"), wide):
        with pytest.raises(OtherModelError, match="visage people migrate"):
            gallery.add("c", "Bob", refused)
    with pytest.raises(OtherModelError, match="visage people migrate"):
        gallery.search("c", probes(1, model="two"), 1)
    assert gallery.people("c") == [person]


def test_collections_are_apart(gallery: Gallery) -> None:
    given = face(1)
    gallery.add("c", "Ada", given)
    gallery.add("d", "Bob", replace(given, model="two"))
    assert found(gallery, 1) == ["Ada"]
    assert found(gallery, 1, collection="d", model="two") == ["Bob"]
    bob = gallery.person("d", "Bob")
    assert list(gallery.faces("c", bob.id)) == []
    with pytest.raises(NoPersonError):
        gallery.remove("c", bob.id)
    gallery.remove("d", bob.id)
    assert (gallery.size("c"), gallery.size("d")) == (1, 0)


def test_renaming(gallery: Gallery) -> None:
    ada, bob = gallery.add("c", "Ada", face(1)), gallery.add("c", "Bob", face(2))
    assert gallery.rename("c", ada.id, "Ada") == ada
    with pytest.raises(UsageError):
        gallery.rename("c", ada.id, "Bob")
    with pytest.raises(NoPersonError):
        gallery.rename("c", "Ada", "Eve")  # an id is asked for
    assert gallery.rename("c", ada.id, " Eve") == replace(ada, name="Eve")
    assert found(gallery, 1) == ["Eve"]
    assert gallery.people("c") == [bob, replace(ada, name="Eve")]


def test_removing(gallery: Gallery) -> None:
    ada = gallery.add("c", "Ada", face(1))
    gallery.add("c", "Ada", face(2))
    bob = gallery.add("c", "Bob", face(3))
    assert found(gallery, 1) == ["Ada"]
    assert gallery.remove("c", ada.id) == 2
    assert found(gallery, 1, k=5) == ["Bob"]
    with pytest.raises(NoPersonError):
        gallery.remove("c", ada.id)
    assert gallery.remove("c", bob.id) == 1
    assert (gallery.model("c"), gallery.people("c"), gallery.search("c", probes(1), 1)) == (None, [], [[]])
    gallery.add("c", "Ada", face(1, "two"))  # an emptied collection takes any model
    assert gallery.model("c") == "two"


@pytest.mark.parametrize("crop", [None, b"\xff\xd8jpeg"])
def test_one_face(gallery: Gallery, crop: bytes | None) -> None:
    given = face(1, crop=crop)
    ada = gallery.add("c", "Ada", given)
    gallery.add("d", "Bob", face(2))
    kept = gallery.face("c", given.id)
    assert (kept.id, kept.person_id, kept.model, kept.crop) == (given.id, ada.id, "one", crop)
    assert (kept.source, kept.digest, kept.quality, kept.created) == ("1.jpg", "1", QUALITY, 1.5e9)
    np.testing.assert_array_equal(kept.vector, given.vector)
    np.testing.assert_array_equal(kept.landmarks, given.landmarks)
    for collection, wanted in [("d", given.id), ("nowhere", given.id), ("c", ada.id), *(("c", none) for none in NO_ID)]:
        with pytest.raises(NoFaceError):
            gallery.face(collection, wanted)


def test_a_cover_is_the_first_face_with_a_crop(gallery: Gallery) -> None:
    faces = [face(seed, crop=b"\xff\xd8" if seed in {2, 3, 4} else None) for seed in range(6)]
    for seed, name in enumerate(["Ada", "Bob", "Ada", "Ada", "Eve", "Zoe"]):
        gallery.add("c", name, faces[seed])
    ids = {person.name: person.id for person in gallery.people("c")}
    assert gallery.covers("c", list(ids.values())) == {ids["Ada"]: faces[2].id, ids["Eve"]: faces[4].id}
    assert gallery.covers("c", [ids["Eve"], "x", *NO_ID]) == {ids["Eve"]: faces[4].id}
    assert gallery.covers("c", []) == gallery.covers("nowhere", [ids["Ada"]]) == {}


def test_moving_a_face_to_somebody_else(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        faces = [face(seed, created=1.5e9 + seed) for seed in range(4)]
        for given in faces[:3]:
            gallery.add("c", "Ada", given)
        bob = gallery.add("c", "Bob", faces[3])
        assert [found(one, 1) for one in (gallery, other)] == [["Ada"]] * 2
        version = gallery.version()
        assert gallery.move("c", [faces[1].id], "Bob") == replace(bob, faces=2)
        assert gallery.version() != version
        assert [found(one, seed)[0] for seed in range(4) for one in (gallery, other)] == [
            "Ada", "Ada", "Bob", "Bob", "Ada", "Ada", "Bob", "Bob",
        ]  # fmt: skip
        assert gallery.face("c", faces[1].id).person_id == bob.id
        assert gallery.size("c") == 4


def test_moving_makes_who_is_new_and_lets_go_whom_no_face_is_left(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        faces = [face(seed, created=1.5e9 + seed) for seed in range(3)]
        for given in faces:
            ada = gallery.add("c", "Ada", given)
        assert found(other, 2) == ["Ada"]
        eve = gallery.move("c", [faces[2].id, faces[1].id, faces[2].id], " Eve ")
        assert (eve.name, eve.faces, eve.created) == ("Eve", 2, faces[1].created)
        assert eve.id != ada.id
        assert gallery.people("c") == other.people("c") == [replace(ada, faces=1), eve]
        assert [found(one, 2) for one in (gallery, other)] == [["Eve"]] * 2
        whole = gallery.move("c", [faces[0].id], "Eve")
        assert gallery.people("c") == [whole] == [replace(eve, faces=3)]
        assert [found(one, 0, k=5) for one in (gallery, other)] == [["Eve"]] * 2
        with pytest.raises(NoPersonError):
            gallery.person("c", ada.id)


def test_moving_is_all_or_nothing(gallery: Gallery) -> None:
    given = face(1)
    ada = gallery.add("c", "Ada", given)
    elsewhere = face(2)
    gallery.add("d", "Bob", elsewhere)
    version = gallery.version()
    for wrong in ([], ["x"], [given.id, elsewhere.id], [given.id, NO_ID[1]]):
        with pytest.raises(NoFaceError):
            gallery.move("c", wrong, "Eve")
    with pytest.raises(NoFaceError):
        gallery.move("nowhere", [given.id], "Eve")
    with pytest.raises(UsageError):
        gallery.move("c", [given.id], "a/b")
    assert gallery.move("c", [given.id], "Ada") == ada  # to whose it is
    assert gallery.people("c") == [ada]
    assert gallery.version() == version


def test_removing_faces(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        faces = [face(seed, crop=b"\xff\xd8") for seed in range(4)]
        for given, name in zip(faces, ["Ada", "Ada", "Bob", "Eve"], strict=True):
            gallery.add("c", name, given)
        assert found(other, 1) == ["Ada"]
        assert gallery.remove_faces("c", [faces[1].id, faces[2].id, faces[1].id, "x", *NO_ID]) == 2
        assert {one.name: one.faces for one in gallery.people("c")} == {"Ada": 1, "Eve": 1}
        assert {one.id for one in gallery.faces("c")} == {faces[0].id, faces[3].id}
        for one in (gallery, other):
            assert sorted(found(one, 1, k=5)) == ["Ada", "Eve"]
            assert one.search("c", probes(1), 1)[0][0].similarity < 0.99
        assert gallery.remove_faces("c", [faces[1].id]) == gallery.remove_faces("nowhere", [faces[0].id]) == 0
        assert gallery.remove_faces("c", [faces[0].id, faces[3].id]) == 2
        assert (gallery.collections(), gallery.model("c"), other.search("c", probes(1), 1)) == ([], None, [[]])


def test_replacing_all_vectors(gallery: Gallery) -> None:
    for seed in range(3):
        gallery.add("c", f"p{seed}", face(seed))
    assert found(gallery, 0) == ["p0"]
    ids = [kept.id for kept in gallery.faces("c")]
    new = Embeddings(np.stack([unit(seed + 10, 32) for seed in range(3)]), "two")
    gallery.replace_vectors("c", ids[::-1], Embeddings(new.vectors[::-1].copy(), "two"))
    assert gallery.model("c") == "two"
    assert [kept.model for kept in gallery.faces("c")] == ["two"] * 3
    assert [row[0].name for row in gallery.search("c", new, 1)] == ["p0", "p1", "p2"]


def test_replacing_is_all_or_nothing(gallery: Gallery) -> None:
    for seed in range(3):
        gallery.add("c", f"p{seed}", face(seed))
    ids = [kept.id for kept in gallery.faces("c")]
    for wrong in (ids[:2], [*ids, "x"], [ids[0], ids[0], ids[1]], [*ids[:2], "x"], []):
        vectors = np.stack([unit(9)] * len(wrong)) if wrong else np.empty((0, DIMENSION), np.float32)
        with pytest.raises(GalleryError):
            gallery.replace_vectors("c", wrong, Embeddings(vectors, "two"))
        assert gallery.model("c") == "one"
        assert found(gallery, 0) == ["p0"]


def test_search_is_exact_and_by_person(gallery: Gallery) -> None:
    vectors = {seed: unit(seed) for seed in range(60)}
    for seed in vectors:
        gallery.add("c", f"p{seed % 20}", face(seed))
    probe = unit(999)
    best = sorted(
        ((max(float(vectors[s] @ probe) for s in range(p, 60, 20)), f"p{p}") for p in range(20)), reverse=True
    )
    (row,) = gallery.search("c", Embeddings(probe[None], "one"), 5)
    assert [candidate.name for candidate in row] == [name for _, name in best[:5]]
    np.testing.assert_allclose([candidate.similarity for candidate in row], [value for value, _ in best[:5]], atol=1e-6)
    ids = {kept.id: kept for kept in gallery.faces("c")}
    assert all(ids[candidate.face_id].person_id == candidate.person_id for candidate in row)


def test_the_corners_of_a_search(gallery: Gallery) -> None:
    for seed in range(4):
        gallery.add("c", f"p{seed % 2}", face(seed))
    assert gallery.search("c", Embeddings(np.empty((0, DIMENSION), np.float32), "one"), 1) == []
    assert gallery.search("c", probes(0, 1), 0) == [[], []]
    assert len(found(gallery, 0, k=100)) == 2
    together = gallery.search("c", probes(0, 1, 2), 2)
    assert together == [gallery.search("c", probes(seed), 2)[0] for seed in (0, 1, 2)]
    assert together[0][0].similarity == pytest.approx(1, abs=1e-6)


def test_equal_similarities_come_in_one_order(gallery: Gallery) -> None:
    for seed in range(20):
        gallery.add("c", f"p{seed}", face(seed, vector=unit(7)))
    assert found(gallery, 7, k=3) == found(gallery, 7, k=20)[:3]


def test_another_gallery_sees_every_change(store: Store, gallery: Gallery) -> None:
    with closing(store.open()) as other:
        person = gallery.add("c", "Ada", face(1))
        assert found(other, 1) == ["Ada"]
        gallery.add("c", "Bob", face(2))
        assert found(other, 2) == ["Bob"]
        gallery.rename("c", person.id, "Eve")
        assert found(other, 1) == ["Eve"]
        ids = [kept.id for kept in gallery.faces("c")]
        gallery.replace_vectors("c", ids, probes(2, 1, model="two"))
        assert found(other, 1, model="two") == ["Bob"]
        gallery.remove("c", person.id)
        assert found(other, 2, k=5, model="two") == ["Bob"]
        gallery.remove("c", gallery.person("c", "Bob").id)
        gallery.add("c", "New", face(3, "three"))
        assert found(other, 3, model="three") == ["New"]


def test_another_process_sees_and_is_seen(store: Store, gallery: Gallery) -> None:
    gallery.add("c", "Ada", face(1))
    assert found(gallery, 2) == ["Ada"]
    script = 'print([p.name for p in gallery.people("c")]); gallery.add("c", "Bob", face(2))'
    with elsewhere(store, script) as process:
        assert process.communicate(timeout=60)[0] == "['Ada']\n"
    assert found(gallery, 2) == ["Bob"]


def test_two_processes_enroll_at_once(store: Store, gallery: Gallery) -> None:
    script = 'for i in range(40): gallery.add("c", f"p{i % 10}", face(os.getpid() * 100 + i))'
    with elsewhere(store, script) as one, elsewhere(store, script) as two:
        one.communicate(timeout=60)
        two.communicate(timeout=60)
    assert (one.returncode, two.returncode) == (0, 0)
    assert gallery.size("c") == 80
    assert [person.faces for person in gallery.people("c")] == [8] * 10


def test_many_threads(gallery: Gallery) -> None:
    gallery.add("c", "Ada", face(0))
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                gallery.add("c", f"p{number}", face(number * 100 + step))
                assert found(gallery, number * 100 + step) == [f"p{number}"]
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert gallery.size("c") == 41


def test_closing_twice(store: Store) -> None:
    gallery = store.open()
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError):
        gallery.people("c")


def test_against_a_plain_model(store: Store) -> None:
    """Any sequence of changes leaves what the same changes leave in a dict; a second gallery only watches."""
    names = st.sampled_from(["Ada", "Bob", "王"])
    seeds = st.integers(0, 30)

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[str, dict[str, int]] = {}  # name -> face id -> seed of its vector
            self.denied: dict[str, dict[str, int]] = {}
            self.hidden: set[str] = set()
            self.epoch = 0
            self.name = uuid.uuid4().hex

        @property
        def model(self) -> str:
            return f"model {self.epoch}"

        @rule(name=names, seed=seeds)
        def add(self, name: str, seed: int) -> None:
            given = face(seed, self.model)
            writer.add(self.name, name, given)
            self.kept.setdefault(name, {})[given.id] = seed

        @precondition(lambda self: self.kept)
        @rule(data=st.data(), hidden=st.booleans())
        def hide(self, data: st.DataObject, hidden: bool) -> None:
            name = data.draw(st.sampled_from(sorted(self.kept)))
            assert writer.hide(self.name, writer.person(self.name, name).id, hidden).hidden == hidden
            self.hidden = self.hidden | {name} if hidden else self.hidden - {name}

        @precondition(lambda self: self.kept)
        @rule(data=st.data(), seed=seeds)
        def deny(self, data: st.DataObject, seed: int) -> None:
            name = data.draw(st.sampled_from(sorted(self.kept)))
            given = face(seed, self.model)
            writer.deny(self.name, writer.person(self.name, name).id, given)
            self.denied.setdefault(name, {})[given.id] = seed

        @precondition(lambda self: self.denied)
        @rule(data=st.data())
        def undeny(self, data: st.DataObject) -> None:
            gone = data.draw(st.sampled_from(sorted(i for faces in self.denied.values() for i in faces)))
            assert writer.undeny(self.name, [gone]) == 1
            self.denied = {n: {i: s for i, s in faces.items() if i != gone} for n, faces in self.denied.items()}
            self.denied = {name: faces for name, faces in self.denied.items() if faces}

        def forget_who_left(self) -> None:
            self.denied = {name: faces for name, faces in self.denied.items() if name in self.kept}
            self.hidden &= set(self.kept)

        @precondition(lambda self: self.kept)
        @rule(data=st.data(), name=names)
        def rename(self, data: st.DataObject, name: str) -> None:
            old = data.draw(st.sampled_from(sorted(self.kept)))
            person = writer.person(self.name, old)
            if name in self.kept and name != old:
                with pytest.raises(UsageError):
                    writer.rename(self.name, person.id, name)
            else:
                writer.rename(self.name, person.id, name)
                self.kept[name] = self.kept.pop(old)
                if old in self.denied:
                    self.denied[name] = self.denied.pop(old)
                if old in self.hidden:
                    self.hidden = self.hidden - {old} | {name}

        @precondition(lambda self: self.kept)
        @rule(data=st.data())
        def remove(self, data: st.DataObject) -> None:
            name = data.draw(st.sampled_from(sorted(self.kept)))
            person = writer.person(self.name, name)
            assert writer.remove(self.name, person.id) == len(self.kept.pop(name))
            self.forget_who_left()

        @precondition(lambda self: self.kept)
        @rule(data=st.data(), name=names)
        def move(self, data: st.DataObject, name: str) -> None:
            moved = self.some(data)
            for faces in self.kept.values():
                for face_id in moved.keys() & faces.keys():
                    del faces[face_id]
            self.kept.setdefault(name, {}).update(moved)
            self.kept = {name: faces for name, faces in self.kept.items() if faces}
            assert writer.move(self.name, list(moved), name).faces == len(self.kept[name])
            self.forget_who_left()

        @precondition(lambda self: self.kept)
        @rule(data=st.data())
        def remove_faces(self, data: st.DataObject) -> None:
            gone = self.some(data)
            left = {name: {i: s for i, s in faces.items() if i not in gone} for name, faces in self.kept.items()}
            self.kept = {name: faces for name, faces in left.items() if faces}
            assert writer.remove_faces(self.name, list(gone)) == len(gone)
            self.forget_who_left()

        def some(self, data: st.DataObject) -> dict[str, int]:
            """Faces of anybody, at least one."""
            faces = {face_id: seed for faces in self.kept.values() for face_id, seed in faces.items()}
            chosen = data.draw(st.sets(st.integers(0, len(faces) - 1), min_size=1))
            return {face_id: seed for at, (face_id, seed) in enumerate(faces.items()) if at in chosen}

        @precondition(lambda self: self.kept)
        @rule()
        def migrate(self) -> None:
            self.epoch += 1
            self.kept = {name: {i: seed + 1 for i, seed in faces.items()} for name, faces in self.kept.items()}
            self.denied = {name: {i: seed + 1 for i, seed in faces.items()} for name, faces in self.denied.items()}
            everybody = [*self.kept.values(), *self.denied.values()]
            seeds = {face_id: seed for faces in everybody for face_id, seed in faces.items()}
            writer.replace_vectors(self.name, list(seeds), probes(*seeds.values(), model=self.model))

        @invariant()
        def agrees(self) -> None:
            assert {p.name: p.faces for p in reader.people(self.name)} == {n: len(f) for n, f in self.kept.items()}
            assert (self.name in reader.collections()) == bool(self.kept)
            assert reader.population(self.name) == len(self.kept)
            assert reader.size(self.name) == sum(map(len, self.kept.values()))
            assert reader.model(self.name) == (self.model if self.kept else None)
            (row,) = reader.search(self.name, probes(5, model=self.model), 3)
            best = {n: max(float(unit(seed) @ unit(5)) for seed in f.values()) for n, f in self.kept.items()}
            np.testing.assert_allclose([c.similarity for c in row], sorted(best.values(), reverse=True), atol=1e-6)
            np.testing.assert_allclose([best[c.name] for c in row], [c.similarity for c in row], atol=1e-6)
            assert {c.name for c in row if c.hidden} == {c.name for c in row} & self.hidden
            against = {n: max(float(unit(seed) @ unit(5)) for seed in f.values()) for n, f in self.denied.items()}
            assert {c.name: c.denied for c in row} == {c.name: approximately(against.get(c.name)) for c in row}
            assert {p.name for p in reader.people(self.name) if p.hidden} == self.hidden
            assert len(reader.denials(self.name)) == sum(map(len, self.denied.values()))

    with closing(store.open()) as writer, closing(store.open()) as reader:
        rules = settings(max_examples=25, stateful_step_count=15, deadline=None, database=None)
        run_state_machine_as_test(Machine, settings=rules)
