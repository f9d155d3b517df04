"""Whose photos they are, and what is kept of a job that is many jobs."""

import json
from typing import Any

import pytest

from visage.core.bulk.outcomes import names_in, without
from visage.core.bulk.plan import WINDOW, Packed, erased_key, plan_of, plan_to_bytes, read_plan
from visage.core.errors import StorageError
from visage.core.tickets import Part, Ticket, ticket_from_text, ticket_to_text
from visage.core.values import EnrollOptions, Job, JobKind
from visage.objects.store import open_store


def whose(*paths: str, wrapped: bool = False) -> dict[str, str]:
    """The person of each path, or what is wrong with it."""
    plan = plan_of([Packed(path) for path in paths], wrapped=wrapped)
    return {photo.path: photo.problem or photo.name for photo in plan.photos}


def test_the_first_folder_names_the_person() -> None:
    assert whose("Ada/a.jpg", "Ada/2024/June/b.jpg", " Zoe\u0308 /c.jpg") == {
        "Ada/a.jpg": "Ada", "Ada/2024/June/b.jpg": "Ada", " Zoe\u0308 /c.jpg": "Zo\xeb",
    }  # fmt: skip


def test_what_names_nobody_is_told() -> None:
    told = whose("a.jpg", "unknown/b.jpg", "\u202eevil/c.jpg", f"{'x' * 201}/d.jpg")
    assert "no folder" in told["a.jpg"]
    assert "rename the folder" in told["unknown/b.jpg"]
    assert "direction" in told["\u202eevil/c.jpg"]
    assert "200 are allowed" in told[f"{'x' * 201}/d.jpg"]
    plan = plan_of([Packed("a.jpg"), Packed("Ada/b.jpg"), Packed("Ada/c.txt", "it is no photo")], wrapped=False)
    assert plan.parts == (1,)
    assert plan.photos[2].name == "Ada"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["people/Ada/a.jpg", "people/Bo/b.jpg"], {"Ada", "Bo"}),
        (["people/Ada/a.jpg", "people/Bo/x/b.jpg"], {"Ada", "Bo"}),
        (["Ada/x/a.jpg", "Ada/b.jpg"], {"Ada"}),
        (["Ada/a.jpg"], {"Ada"}),
        (["one/Ada/a.jpg", "two/Bo/b.jpg"], {"one", "two"}),
    ],
)
def test_a_folder_around_all_others_is_no_person_in_an_archive(paths: list[str], names: set[str]) -> None:
    assert set(whose(*paths, wrapped=True).values()) == names
    assert set(whose(*paths).values()) == {path.split("/")[0] for path in paths}


def test_what_is_no_photo_does_not_say_what_is_around_it() -> None:
    files = [Packed("people/Ada/a.jpg"), Packed("people/read me.txt", "it is no photo")]
    assert plan_of(files, wrapped=True).photos[0].name == "Ada"


def test_parts_follow_from_the_whole_and_the_path() -> None:
    whole = Ticket(
        "ab" * 16, Job(JobKind.BULK, (f"{'ab' * 16}/0",), "family", enroll=EnrollOptions(force=True)), ("people.zip",),
        "box", "req", "me", "print", False, 5.0,
    )  # fmt: skip
    plan = plan_of([Packed(f"Ada/{number:02}.jpg") for number in range(WINDOW + 1)], wrapped=False)
    parts = [plan.part(whole, rank) for rank in range(len(plan.parts))]
    assert len({part.id for part in parts}) == WINDOW + 1
    first, last = parts[0], parts[-1]
    assert first.part == Part(whole.id, 0, last.id)
    assert last.part == Part(whole.id, WINDOW, "")
    assert (first.job.kind, first.job.name, first.job.collection) == (JobKind.ENROLL, "Ada", "family")
    assert (first.job.enroll.force, first.names, first.reply, first.owner) == (True, ("Ada/00.jpg",), None, "me")
    for part in parts:
        assert ticket_from_text(ticket_to_text(part)) == part
    shorter = plan_of([Packed("Ada/00.jpg"), Packed("Bo/x.jpg")], wrapped=False)
    assert shorter.part_id(whole.id, 0) == first.id
    assert shorter.part_id("cd" * 16, 0) != first.id


def test_a_plan_is_read_as_it_was_written() -> None:
    store = open_store("memory:///")
    plan = plan_of([Packed("Ada/a\udc80.jpg"), Packed("Ada/b.txt", "it is no photo")], wrapped=False)
    assert read_plan(store, "ab" * 16) is None
    store.put(f"{'ab' * 16}/plan.json", plan_to_bytes(plan))
    assert read_plan(store, "ab" * 16) == plan
    for rubbish in (b"{", b"[]", b'{"visage":2,"photos":[]}', b'{"visage":1,"photos":[["a"]]}'):
        store.put(f"{'ab' * 16}/plan.json", rubbish)
        with pytest.raises(StorageError, match="damaged"):
            read_plan(store, "ab" * 16)


def test_who_was_erased_is_noted_without_their_name() -> None:
    key = erased_key("ab" * 16, "default", "Zo\xeb")
    assert key == erased_key("ab" * 16, " default", "Zoe\u0308 ")
    assert key != erased_key("ab" * 16, "family", "Zo\xeb")
    assert "Zo" not in key


def row(source: str, name: str, outcome: str, face_id: str | None = None, like: str | None = None) -> dict[str, Any]:
    resembles = {"name": like, "similarity": 0.7} if like else None
    told = {"detail": "", "face_id": face_id, "resembles": resembles, "kind": None}
    return {"source": source, "name": name, "outcome": outcome, **told}


def test_a_report_less_somebody() -> None:
    photos = [row("Ada/a.jpg", "Ada", "enrolled", "1"), row("Ada/b.jpg", "Ada", "no face")]
    photos += [row("Bo/a.jpg", "Bo", "enrolled", "2", like="Ada"), row("Bo/b.jpg", "Bo", "duplicate")]
    counts = {"enrolled": 2, "no face": 1, "duplicate": 1}
    report = {"collection": "default", "total": 4, "people": 2, "outcomes": counts, "photos": photos}
    result = {"id": "x", "report": report}
    assert names_in(report) == ["Ada", "Bo"]
    less = without(result, {"Ada"}, {"1"})
    assert "Ada" not in json.dumps(less)
    assert (less["report"]["total"], less["report"]["people"]) == (2, 1)
    assert less["report"]["outcomes"] == {"enrolled": 1, "duplicate": 1}
    assert without(result, (), {"2"})["report"]["total"] == 3
    assert without(result, (), ()) == result
