"""Many photos as one job: whatever workers are cut short by, each photo is enrolled once, and all of it is told."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.core.many import BROKEN, Many
from visage.core.bulk import outcomes, unpacking
from visage.core.bulk import plan as bulk
from visage.core.bulk.plan import WINDOW
from visage.core.tickets import Ticket, index_key, result_key, ticket_key

PHOTOS = {f"people/{name}/{number}.jpg": b"a face" for name in ("Ada", "Bo") for number in range(3)}
FILES = PHOTOS | {"people/Bo/9.jpg": BROKEN, "people/Bo/notes.txt": b"hello"}
SCHEDULES = 120

# Notes of ends, which name nobody; and where a worker was killed over it, the failure of a part.
LATE = "/ends/|/result.json"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that there is much to be cut; and no two threads, so that a schedule can be played again."""
    for module in (unpacking, outcomes):
        monkeypatch.setattr(module, "_AT_ONCE", 1)
    for module in (unpacking, bulk):
        monkeypatch.setattr(module, "WINDOW", 2)
    monkeypatch.setattr(unpacking, "_CHUNK", 2)


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[list[Many]]:
    made: list[Many] = []
    yield made
    for world in made:
        world.close()


def check(world: Many, whole: Ticket, erased: str = "", *, late: str = "") -> None:
    """The report tells of every photo, each was enrolled once, and nothing but the report is left. late: what may be
    left until it is old, where a part came once more when all was over."""
    result = world.result(whole.id)
    assert result["status"] == "done", result
    rows = {row["source"]: (row["name"], row["outcome"], row["detail"]) for row in result["report"]["photos"]}
    wanted = {path: (path.split("/")[1], "enrolled", "enrolled") for path in PHOTOS}
    wanted["people/Bo/9.jpg"] = ("Bo", "failed", "it is no picture")
    wanted["people/Bo/notes.txt"] = ("Bo", "failed", "it is no photo, by its name")
    assert rows == {path: row for path, row in wanted.items() if row[0] != erased}
    assert list(rows) == sorted(rows)
    counts = Counter(row[1] for row in rows.values())
    assert (result["report"]["outcomes"], result["report"]["total"]) == (counts, len(rows))
    assert Counter(world.people.enrolled.values()) == {name: 3 for name in ("Ada", "Bo") if name != erased}
    left = world.left() - {ticket_key(whole.id), index_key(whole), result_key(whole.id)}
    assert {key for key in left if not (late and re.search(late, key))} == set()
    assert whole.id in world.told


def test_it_is_taken_apart_and_put_together(tmp_path: Path, worlds: list[Many]) -> None:
    worlds.append(world := Many(tmp_path, 0))
    whole = world.ask(FILES)
    assert world.outcomes.progress(whole.id) is None
    world.step()
    assert world.outcomes.progress(whole.id) == {
        "progress": 0.125, "at": 100.0, "done": 1, "total": 8, "outcomes": {"failed": 1},
    }  # fmt: skip
    assert f"{whole.id}/0" not in world.inputs.kept
    for _ in range(4):
        world.step()
    far = world.outcomes.progress(whole.id)
    assert far
    assert (far["done"], sum(far["outcomes"].values())) == (5, 5)
    world.run()
    check(world, whole)
    assert Counter(world.performed).most_common(1)[0][1] == 1
    assert world.queue.most == 2 + 1  # others wait for no more than these, and one that is about to be removed
    assert WINDOW == 16


def test_it_is_cut_at_every_place(tmp_path: Path, worlds: list[Many]) -> None:
    worlds.append(whole_run := Many(tmp_path, 0))
    whole_run.ask(FILES)
    whole_run.run()
    assert whole_run.calls > 100
    for cut in range(1, whole_run.calls + 1):
        worlds.append(world := Many(tmp_path, 0, cut=cut))
        whole = world.ask(FILES)
        world.run()
        check(world, whole)
        assert Counter(world.performed).most_common(1)[0][1] <= 2


@pytest.mark.parametrize("part", range(2))
def test_every_schedule_ends_with_one_right_report(tmp_path: Path, worlds: list[Many], part: int) -> None:
    """Messages that come twice and in any order, workers that overlap, are killed, or lose their stores."""
    for seed in range(part * SCHEDULES // 2, (part + 1) * SCHEDULES // 2):
        kinds = seed % 8
        worlds.append(
            world := Many(
                tmp_path,
                seed,
                trouble=0.02 if kinds & 1 else 0.0,
                overlap=0.05 if kinds & 2 else 0.0,
                twice=0.1 if kinds & 4 else 0.0,
            )
        )
        whole = world.ask(FILES)
        world.run()
        if not world.outcomes.is_settled(whole.id):  # the last one's message was gone before all was cleared away
            with world.quiet():
                assert world.outcomes.fold(whole)
        check(world, whole, late=LATE if kinds & 1 else "/ends/")


def test_what_comes_twice_is_not_done_twice_for_ever(tmp_path: Path, worlds: list[Many]) -> None:
    """Every message comes twice: the parts are performed hardly more often than once."""
    for seed in range(20):
        worlds.append(world := Many(tmp_path, seed, twice=0.5))
        whole = world.ask(FILES)
        world.run()
        check(world, whole)
        assert len(world.performed) <= 1.6 * 7


def erased_at(world: Many, call: int, name: str) -> None:
    world.cut, world.midway = call, partial(world.erase, name)


def test_who_is_erased_at_any_moment_is_not_enrolled_or_told_of(tmp_path: Path, worlds: list[Many]) -> None:
    worlds.append(whole_run := Many(tmp_path, 0))
    whole_run.ask(FILES)
    whole_run.run()
    for call in range(1, whole_run.calls + 1):
        worlds.append(world := Many(tmp_path, 0))
        whole = world.ask(FILES)
        erased_at(world, call, "Ada")
        world.run()
        check(world, whole, erased="Ada")


def test_who_is_erased_while_workers_overlap(tmp_path: Path, worlds: list[Many]) -> None:
    for seed in range(80):
        worlds.append(world := Many(tmp_path, seed, overlap=0.08, twice=0.1))
        whole = world.ask(FILES)
        erased_at(world, 1 + seed * 2, "Bo")
        world.run()
        if not world.outcomes.is_settled(whole.id):
            with world.quiet():
                assert world.outcomes.fold(whole)
        if world.calls > seed * 2:
            check(world, whole, erased="Bo", late=LATE)


def test_a_job_that_is_deleted_at_any_moment_leaves_nothing(tmp_path: Path, worlds: list[Many]) -> None:
    worlds.append(whole_run := Many(tmp_path, 0))
    whole_run.ask(FILES)
    whole_run.run()
    for call in range(1, whole_run.calls + 1):
        worlds.append(world := Many(tmp_path, 0))
        whole = world.ask(FILES)
        world.cut, world.midway = call, partial(world.forget, whole.id)
        world.run()
        assert {key for key in world.left() if not re.search("/ends/|/progress.json", key)} == set()


def test_an_archive_of_no_use_is_told_so(tmp_path: Path, worlds: list[Many]) -> None:
    worlds.append(world := Many(tmp_path, 0))
    whole = world.ask({"a.jpg": b"a face", "notes.txt": b"hello"})
    world.run()
    result = world.result(whole.id)
    assert (result["status"], result["error"]["kind"]) == ("failed", "UnreadableError")
    assert result["error"]["detail"].startswith("people.zip: no photo in it lies in a folder")
    assert world.told == [whole.id]


def test_a_part_that_is_put_aside_is_told_as_failed(tmp_path: Path, worlds: list[Many]) -> None:
    """A photo that ends its worker whenever it is looked at."""
    worlds.append(world := Many(tmp_path, 0))
    whole = world.ask(FILES)
    world.step()
    [deadly] = [one for one in world.queue.messages if "Ada/1" in one.body]
    world.bury(deadly)
    world.run()
    report = world.result(whole.id)["report"]
    assert "it is deadly" in [row["detail"] for row in report["photos"] if row["outcome"] == "failed"]
    assert report["outcomes"] == {"enrolled": 5, "failed": 3}
    assert world.queue.buried == ["why"]
