"""Changes and their way back, on a real gallery and a real folder."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visage.core.errors import MessageError, NoPersonError, StorageError
from visage.core.journal.change import Change, ChangeKind
from visage.core.journal.history import History
from visage.core.journal.steps import (
    Added,
    Denied,
    Elsewhere,
    Hid,
    Moved,
    Pending,
    Renamed,
    Step,
    step_from_json,
    step_to_json,
)
from visage.core.ports.objects import Objects
from visage.core.values import EnrolledFace, Person, Quality
from visage.objects.folder import FolderObjects
from visage.sqlite.gallery import SqliteGallery

HERE = "default"


def a_face() -> EnrolledFace:
    vector = np.random.default_rng(uuid.uuid4().int).normal(size=8).astype(np.float32)
    quality = Quality(90, 0.8, 5, 5, 0, 0.7)
    return EnrolledFace(uuid.uuid4().hex, "", vector / np.linalg.norm(vector), "resnet", None,
                        np.zeros((5, 2), np.float32), "a.jpg", uuid.uuid4().hex, quality, 1.7e9)  # fmt: skip


class Watched(FolderObjects):
    """Knows what was read, and may break down before it deletes something."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[str] = []
        self.deletions = 1_000_000  # that succeed

    def read(self, key: str) -> tuple[bytes, str]:
        self.reads.append(key)
        return super().read(key)

    def delete(self, keys: Iterable[str]) -> None:
        if self.deletions == 0:
            raise StorageError("no space left")
        self.deletions -= 1
        super().delete(keys)


class House:
    """A gallery and its history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gallery = SqliteGallery(folder / "gallery.sqlite", create=True)
        self.objects: FolderObjects = FolderObjects(folder / "journal")
        self.clock = 1.7e9
        self.results: dict[str, Mapping[str, Any]] = {}
        self.history = self.another()

    def another(self, objects: Objects | None = None) -> History:
        """Another process's, or in another store."""
        return History(objects or self.objects, lambda: self.gallery, ended=self.results.get, now=self.now,
                       new_id=lambda: uuid.uuid4().hex)  # fmt: skip

    def watched(self) -> Watched:
        """The store of the history from now on, which is that of another process."""
        self.objects = objects = Watched(self.folder / "journal")
        self.history = self.another()
        return objects

    def everything(self) -> bytes:
        """All that lies in the store."""
        return b"".join(stored.key.encode() + self.objects.get(stored.key) for stored in self.objects.list())

    def forget(self, *ids: str) -> None:
        self.history.forget(self.history.about(ids))

    def fold(self) -> None:
        """A while later."""
        self.clock += 3600
        self.history.fold()

    def now(self) -> float:
        self.clock += 1.0
        return self.clock

    def enrolled(self, name: str, faces: int = 1) -> Person:
        people = [self.gallery.add(HERE, name, a_face()) for _ in range(faces)]
        return people[-1]

    def faces(self, person: Person) -> tuple[str, ...]:
        return tuple(face.id for face in self.gallery.faces(HERE, person.id))

    def add(self, kind: ChangeKind, people: list[Person], *steps: Step) -> Change:
        return self.history.add(kind, HERE, [(one.id, one.name) for one in people], steps, by="anna")

    def rename(self, person: Person, name: str) -> Change:
        change = self.add(ChangeKind.RENAME, [person], Renamed(person.id, person.name, name))
        self.gallery.rename(HERE, person.id, name)
        return change

    def merge(self, one: Person, other: Person) -> Change:
        step = Moved(self.faces(one), one.id, one.name, other.id, hidden=one.hidden)
        change = self.add(ChangeKind.MERGE, [one, other], step)
        self.gallery.move(HERE, step.faces, other.name)
        return change

    def names(self) -> list[str]:
        return [person.name for person in self.gallery.people(HERE)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with closing(made.gallery):
        yield made


def test_a_renaming_is_undone_once(house: House) -> None:
    ada = house.enrolled("Ada")
    change = house.rename(ada, "Countess")
    assert house.history.undo(change, "bob") is None
    assert house.names() == ["Ada"]
    assert house.history.undo(change, "bob") == "it was undone already"
    again = house.another().get(change.id)
    assert again
    assert again.undone
    assert again.undone[1] == "bob"
    assert again.people == ((ada.id, "Ada"),)


def test_a_change_that_was_never_made_is_none(house: House) -> None:
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    steps: list[Step] = [Renamed(ada.id, "Ada", "A"), Hid(ada.id, True), Added(ada.id, ("0" * 32,)),
                         Denied(ada.id, ("0" * 32,)), Moved(house.faces(ada), ada.id, "Ada", bob.id)]  # fmt: skip
    version = house.gallery.version()
    for step in steps:  # whoever wrote it was killed before they made it
        change = house.add(ChangeKind.RENAME, [ada], step)
        assert house.history.undo(change, "") == "everything is as it was before"
    assert house.gallery.version() == version
    dropped = house.add(ChangeKind.HIDE, [ada], Hid(ada.id, True))
    house.history.drop(dropped)
    assert house.history.get(dropped.id) is None


@pytest.mark.parametrize(
    ("since", "reason"), [("again", "renamed again"), ("taken", "somebody else is called 'Ada'"), ("gone", "not there")]
)
def test_what_was_changed_since_stands_in_the_way(house: House, since: str, reason: str) -> None:
    ada = house.enrolled("Ada")
    change = house.rename(ada, "Countess")
    if since == "again":
        house.gallery.rename(HERE, ada.id, "Lady")
    elif since == "taken":
        house.enrolled("Ada")
    else:
        house.gallery.remove(HERE, ada.id)
    before = house.gallery.version()
    assert reason in (house.history.undo(change, "") or "")
    assert house.gallery.version() == before
    known = house.history.get(change.id)
    assert known
    assert known.undone is None


def test_a_merging_is_undone_with_the_same_id(house: House) -> None:
    one, other = house.enrolled("Ada", 2), house.enrolled("Countess", 3)
    one = house.gallery.hide(HERE, one.id, True)
    faces = house.faces(one)
    change = house.merge(one, other)
    later = house.gallery.add(HERE, "Countess", a_face())
    assert house.history.undo(change, "") is None
    back = house.gallery.person(HERE, one.id)
    assert (back.id, back.name, back.hidden) == (one.id, "Ada", True)
    assert house.faces(back) == faces
    assert later.id == other.id
    assert house.gallery.person(HERE, other.id).faces == 4


def test_negative_examples_come_back_with_a_merging(house: House) -> None:
    one, other = house.enrolled("Ada"), house.enrolled("Countess")
    no, faces = a_face(), house.faces(one)
    house.gallery.deny(HERE, one.id, no)
    change = house.add(ChangeKind.MERGE, [one, other], Moved(faces, one.id, "Ada", other.id, (no.id,)))
    house.gallery.move(HERE, faces, "Countess")
    house.gallery.deny(HERE, other.id, no)
    assert house.history.undo(change, "") is None
    assert [face.id for face in house.gallery.denials(HERE, one.id)] == [no.id]
    assert house.gallery.denials(HERE, other.id) == []


def test_a_merging_whose_faces_went_on_is_not_undone(house: House) -> None:
    one, other = house.enrolled("Ada", 2), house.enrolled("Countess")
    faces = house.faces(one)
    change = house.merge(one, other)
    house.gallery.move(HERE, faces[:1], "Third")
    assert house.history.undo(change, "") == "some of the faces were moved or deleted since"
    house.gallery.move(HERE, faces[:1], "Countess")
    house.enrolled("Ada")
    assert house.history.undo(change, "") == "somebody else is called 'Ada' since"


def test_moving_hiding_adding_and_denying_are_undone(house: House) -> None:
    ada, bob = house.enrolled("Ada", 3), house.enrolled("Bob")
    faces = house.faces(ada)
    moved = house.add(ChangeKind.MOVE, [ada, bob], Moved(faces[:2], ada.id, "Ada", bob.id))
    house.gallery.move(HERE, faces[:2], "Bob")
    hidden = house.add(ChangeKind.HIDE, [ada], Hid(ada.id, True))
    house.gallery.hide(HERE, ada.id, True)
    new, no = a_face(), a_face()
    added = house.add(ChangeKind.ENROLL, [bob], Added(bob.id, (new.id,)))
    house.gallery.add(HERE, "Bob", new)
    denied = house.add(ChangeKind.DENY, [bob], Denied(bob.id, (no.id,)))
    house.gallery.deny(HERE, bob.id, no)
    for change in (denied, added, hidden, moved):
        assert house.history.undo(change, "") is None
    assert sorted(house.faces(ada)) == sorted(faces)
    assert not house.gallery.person(HERE, ada.id).hidden
    assert house.gallery.person(HERE, bob.id).faces == 1
    assert house.gallery.denials(HERE) == []


def test_faces_that_are_somebody_elses_by_now_do_not_go(house: House) -> None:
    ada, new = house.enrolled("Ada"), a_face()
    change = house.add(ChangeKind.ENROLL, [ada], Added(ada.id, (new.id,)))
    house.gallery.add(HERE, "Ada", new)
    house.gallery.move(HERE, [new.id], "Bob")
    assert house.history.undo(change, "") == "some of the faces are somebody else's since"
    house.gallery.remove_faces(HERE, [new.id])
    assert house.history.undo(change, "") == "everything is as it was before"


def test_a_change_that_was_half_undone_is_undone_to_the_end(house: House) -> None:
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    steps = (Renamed(ada.id, "Ada", "A"), Renamed(bob.id, "Bob", "B"))
    change = house.add(ChangeKind.RENAME, [ada, bob], *steps)
    house.gallery.rename(HERE, ada.id, "A")
    house.gallery.rename(HERE, bob.id, "B")
    house.gallery.rename(HERE, bob.id, "Bob")  # as if it had been killed after its first step back
    assert house.history.undo(change, "") is None
    assert house.names() == ["Ada", "Bob"]


def test_somebody_else_knows_the_way(house: House) -> None:
    ada = house.enrolled("Ada")
    steps = (Renamed(ada.id, "Ada", "A"), Elsewhere("inbox", {"faces": ["1"]}))
    change = house.add(ChangeKind.NAME, [ada], *steps)
    house.gallery.rename(HERE, ada.id, "A")
    assert "does not know" in (house.history.undo(change, "") or "")
    house.history.knows("inbox", lambda _collection, _data: "the faces are named otherwise since")
    assert house.history.undo(change, "") == "the faces are named otherwise since"
    assert house.names() == ["A"]
    told: list[tuple[str, Any]] = []
    house.history.knows("inbox", lambda collection, data: told.append((collection, dict(data))))
    assert house.history.undo(change, "") is None
    assert told == [(HERE, {"faces": ["1"]})]
    assert house.names() == ["Ada"]


def result(face: str | None, person: Person | None, outcome: str = "enrolled") -> dict[str, Any]:
    said = {"id": person.id, "name": person.name} if person else None
    return {"answer": {"enrollment": {"outcome": outcome, "face_id": face, "person": said}}}


def test_enrolling_is_settled_once_its_jobs_are_done(house: House) -> None:
    photos = Pending(("1" * 32, "2" * 32, "3" * 32), "Ada")
    change = house.history.add(ChangeKind.ENROLL, HERE, [("", "Ada")], [photos], by="")
    assert "wait" in (house.history.undo(change, "") or "")
    new = a_face()
    ada = house.gallery.add(HERE, "Ada", new)
    house.results["1" * 32] = result(new.id, ada)
    house.results["2" * 32] = result(None, ada, "duplicate")
    assert house.history.page(HERE, ada.id, 5) == ([], None)
    house.results["3" * 32] = {"error": {"kind": "UnreadableError", "detail": ""}}
    [settled], _ = house.another().page(HERE, ada.id, 5)
    assert settled.steps == (Added(ada.id, (new.id,)),)
    assert settled.people == ((ada.id, "Ada"),)
    house.results.clear()  # by now they are deleted
    assert house.history.undo(settled, "") is None
    assert house.names() == []


def test_enrolling_many_is_settled_by_its_report(house: House) -> None:
    house.history.add(ChangeKind.BULK, HERE, [("", "")], [Pending(("1" * 32,), "")], by="")
    faces = {name: [a_face(), a_face()] for name in ("Ada", "Bob")}
    for name, theirs in faces.items():
        for face in theirs:
            house.gallery.add(HERE, name, face)
    gone = {"name": "Eve", "outcome": "enrolled", "face_id": "0" * 32}
    rows = [{"name": "Ada", "outcome": "no face", "face_id": None}, gone]
    rows += [{"name": n, "outcome": "enrolled", "face_id": face.id} for n, theirs in faces.items() for face in theirs]
    house.results["1" * 32] = {"report": {"photos": rows}}
    [change], _ = house.history.page(HERE, None, 5)
    ids = {person.name: person.id for person in house.gallery.people(HERE)}
    assert change.people == ((ids["Ada"], "Ada"), (ids["Bob"], "Bob"))
    assert house.history.undo(change, "") is None
    assert house.names() == []


def test_enrolling_that_added_nobody_is_no_change(house: House) -> None:
    change = house.history.add(ChangeKind.ENROLL, HERE, [("", "Ada")], [Pending(("1" * 32,), "Ada")], by="")
    house.results["1" * 32] = result(None, None, "no face")
    assert house.history.page(None, None, 5) == ([], None)
    assert house.history.get(change.id) is None


def test_pages_go_back_in_time(house: House) -> None:
    ada, bob = house.enrolled("Ada"), house.enrolled("Bob")
    changes = [house.rename(one, f"{one.name} {number}") for number in range(12) for one in (ada, bob)]
    found, after = house.history.page(HERE, None, 5)
    assert found == changes[:-6:-1]
    rest, last = house.history.page(HERE, None, 50, after or "")
    assert [*found, *rest] == changes[::-1]
    assert last is None
    hers, _ = house.history.page(HERE, ada.id, 50)
    assert hers == changes[-2::-2]
    assert house.history.page("elsewhere", None, 50) == ([], None)


def test_one_that_is_told_twice_is_kept_once(house: House) -> None:
    ada = house.enrolled("Ada")
    for _ in range(2):
        house.history.add(ChangeKind.BULK, HERE, [(ada.id, "Ada")], [Added(ada.id, house.faces(ada))], by="",
                          key="5" * 32, at=1.7e9)  # fmt: skip
    assert len(house.history.page(None, None, 5)[0]) == 1


def test_erasing_somebody_takes_their_history(house: House) -> None:
    ada, bob, carl = house.enrolled("Ada"), house.enrolled("Bob"), house.enrolled("Carl")
    house.rename(ada, "Countess")
    undone = house.rename(ada, "Lady")
    house.history.undo(undone, "")
    house.merge(house.gallery.person(HERE, ada.id), bob)
    house.rename(bob, "Robert")
    his = house.rename(carl, "Carlo")
    ids = {bob.id, *house.faces(bob)}
    about = house.history.about(list(ids))
    assert about.ids >= {*ids, ada.id}
    house.history.forget(about)
    assert house.history.page(None, None, 50)[0] == [his]
    assert [stored.key for stored in house.objects.list()] == [f"history/{his.id}.json"]


def test_what_is_old_goes(house: House) -> None:
    ada = house.enrolled("Ada")
    old = house.rename(ada, "A")
    house.history.undo(old, "")
    house.clock += 86400
    new = house.rename(ada, "B")
    assert house.history.sweep(house.clock - 3600) == 1
    assert house.history.page(None, None, 50)[0] == [new]
    assert house.history.sweep(house.clock - 3600) == 0
    assert house.history.undo(old, "") == "nothing was changed, or it was erased"


def test_folding_again_reads_only_what_waits(house: House) -> None:
    objects = house.watched()
    ada = house.enrolled("Ada")
    house.rename(ada, "A")
    waits = house.add(ChangeKind.ENROLL, [ada], Pending(("a" * 32,), "Ada"))
    house.history.fold()
    objects.reads.clear()
    house.history.fold()
    assert [key for key in objects.reads if "hours" not in key] == [f"history/{waits.id}.json"]


def test_a_collection_has_its_history_however_its_name_is_spelled(house: House) -> None:
    change = house.history.add(ChangeKind.RENAME, "M\u00fcller", [], [], by="anna")
    assert house.history.page(" Mu\u0308ller ", None, 50)[0] == [change]


def test_one_that_is_damaged_hides_no_other(house: House) -> None:
    ada = house.enrolled("Ada")
    bad, good = house.rename(ada, "A"), house.rename(ada, "B")
    house.objects.put(f"history/{bad.id}.json", b'{"visage": 1}')
    assert house.history.page(None, None, 50)[0] == [good]
    assert house.history.get("../../etc/passwd") is None


def test_a_store_that_is_down_keeps_the_change_from_being_told(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    history = History(FolderObjects(tmp_path / "file"), lambda: house.gallery, ended=lambda _: None, now=house.now,
                      new_id=lambda: uuid.uuid4().hex)  # fmt: skip
    with pytest.raises(StorageError):
        history.add(ChangeKind.HIDE, HERE, [], [Hid("1", True)], by="")


@pytest.mark.parametrize(
    "step",
    [
        Renamed("1", "Ada", "Countess"),
        Moved(("2", "3"), "1", "Ada", "4", ("5",), hidden=True),
        Hid("1", True),
        Added("1", ("2",)),
        Denied("1", ("2",)),
        Pending(("6",), "Ada"),
        Elsewhere("inbox", {"states": {"2": "new"}}),
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_are_read_as_they_were_written(step: Step) -> None:
    assert step_from_json(step_to_json(step)) == step


@pytest.mark.parametrize("data", [{}, {"step": "fly"}, {"step": "hide"}, {"step": "hide", "person_id": "1", "more": 1}])
def test_what_is_no_step_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        step_from_json(data)


def test_nobody_is_looked_up_by_a_name_that_is_anothers_id(house: House) -> None:
    ada = house.enrolled("Ada")
    house.enrolled(ada.id)
    house.gallery.remove(HERE, ada.id)
    change = house.add(ChangeKind.HIDE, [ada], Hid(ada.id, True))
    assert "not there" in (house.history.undo(change, "") or "")
    with pytest.raises(NoPersonError):
        house.gallery.person(HERE, "Ada")
