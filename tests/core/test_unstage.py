"""Erasing and the stage of the serverless form: nothing there speaks of whom was erased, and each upload still has its
one right result, whatever is under way."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.core.schedules import Event, KilledError, Lambda
from tests.core.service_fakes import enroll_both
from visage.core.errors import StorageError
from visage.core.ports.objects import Objects
from visage.core.serverless.results import json_key, text_key
from visage.core.serverless.staging import erased_key
from visage.core.serverless.struck import KEPT, Note, drop_notes, note, notes_in, speaks_of
from visage.core.serverless.unstage import Stage
from visage.core.serverless.uploads import Ask, ask_of_stage
from visage.core.service.erasure import Erased, Eraser
from visage.objects.store import open_store

SEEDS = 60
KEYS = ("clip.mp4", "a b/clip+1.mov", "erased/é.mp4")
BOTH = ["ada", "bo", "nobody"] * 6  # of which every second frame is looked at, three in a chunk


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("enrolled")
    enroll_both(made)
    return made


@pytest.fixture
def world(enrolled: Path, tmp_path: Path) -> Lambda:
    return world_in(enrolled, tmp_path / "world", 1)


def world_in(enrolled: Path, folder: Path, seed: int, **trouble: Any) -> Lambda:
    """With a gallery of its own."""
    shutil.copytree(enrolled, folder)
    return Lambda(folder, seed, **trouble)


def erase(world: Lambda, name: str = "Ada", now: float = 1000.0) -> Erased:
    """As often as it takes."""
    memory: Objects = open_store("memory:///")
    eraser = Eraser(
        world.gallery, memory, memory, lambda _: None, queue=None, inbox=None,
        stages=lambda: [Stage(world.stores.stage, world.stores.outputs, now)],
    )  # fmt: skip
    person = world.gallery.person("default", name)
    while True:
        try:
            return eraser.person(person)
        except (StorageError, KilledError):
            continue


def ids_of(world: Lambda, name: str = "Ada") -> frozenset[str]:
    person = world.gallery.person("default", name)
    return frozenset({person.id, *(face.id for face in world.gallery.faces("default", person.id))})


def staged(world: Lambda) -> set[str]:
    return {stored.key for stored in world.stores.stage.list()} - {erased_key()}


def speaking(world: Lambda, ids: Iterable[str]) -> list[str]:
    """Keys of what speaks of them in the stage."""
    return [key for key in sorted(staged(world)) if speaks_of(world.stores.stage.get(key), set(ids))]


def result(world: Lambda, key: str = "clip.mp4") -> dict[str, Any]:
    return dict(json.loads(world.stores.outputs.get(json_key(key))))


def do(world: Lambda, wanted: Callable[[Event], bool], times: int = 1) -> None:
    """Events that are on their way, in the order in which they came; no other."""
    for event in [one for one in world.events if wanted(one)][:times]:
        world.events.remove(event)
        world._invoke(event.body)


def asks_for(ask: Ask | None) -> Callable[[Event], bool]:
    """None: for the splitting of an upload."""

    def wanted(event: Event) -> bool:
        (record,) = event.body["Records"]
        staged = record["s3"]["bucket"]["name"].startswith("stage")
        return (ask_of_stage(record["s3"]["object"]["key"]) if staged else None) is ask

    return wanted


def snapshot(world: Lambda) -> dict[str, bytes]:
    """The results, while nothing else happens."""
    trouble, overlap, world.trouble, world.overlap = world.trouble, world.overlap, 0.0, 0.0
    outputs = world.stores.outputs
    found = {stored.key: outputs.get(stored.key) for stored in outputs.list()}
    world.trouble, world.overlap = trouble, overlap
    return found


def names_in(world: Lambda, key: str = "clip.mp4") -> list[str]:
    return [face["name"] for face in result(world, key)["answer"]["faces"]]


def test_of_an_upload_with_its_result_nothing_stays_in_the_stage(world: Lambda) -> None:
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    world.upload("bo.mp4", ["bo"] * 8)
    events = [Event(event.body) for event in world.events]
    world.run()
    before = result(world)
    kept = {key for key in staged(world) if key.startswith("bo.mp4/")}
    assert len(kept) < len(staged(world))
    assert erase(world) == Erased(faces=1, crops=0, jobs=0, uploads=2, results=2), "Bo's were weighed against Ada"
    assert staged(world) == set()
    assert result(world) == before, "it is the user's own"
    world.events += events
    world.run()
    assert result(world) == before
    assert staged(world) == set()
    assert speaking(world, ids) == []


def test_what_does_not_speak_of_them_stays(world: Lambda) -> None:
    world.upload("clip.mp4", ["nobody"] * 8)
    world.run()
    before = staged(world)
    assert erase(world) == Erased(faces=1, crops=0, jobs=0)
    assert staged(world) == before != set()


def test_the_text_is_made_level_before_the_stage_is_emptied(world: Lambda) -> None:
    """Whoever wrote the JSON was killed before the text, and whoever tries again finds no manifest any more."""
    world.upload("clip.mp4", BOTH)
    world.run()
    text = world.stores.outputs.get(text_key("clip.mp4"))
    world.stores.outputs.delete([text_key("clip.mp4")])
    assert erase(world).uploads == 1
    assert world.stores.outputs.get(text_key("clip.mp4")) == text


def test_of_an_upload_under_way_the_result_does_not_name_them(world: Lambda) -> None:
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    do(world, asks_for(Ask.CHUNK), 2)
    before = staged(world)
    assert len(speaking(world, ids)) == 2
    assert erase(world) == Erased(faces=1, crops=0, jobs=0, uploads=1, results=0)
    assert staged(world) == before, "all of it is still needed"
    assert speaking(world, ids) == []
    world.run()
    said = result(world)
    assert (said["status"], said["answer"]["frames"], said["answer"]["names"]) == ("done", 9, ["Bo"])
    assert names_in(world) == ["unknown", "Bo"] * 3
    assert not speaks_of(json.dumps(said, separators=(",", ":")).encode(), ids)
    assert world.stores.outputs.get(text_key("clip.mp4")) == b"Bo\n"


def test_of_a_part_that_failed_the_rest_stays_to_be_done(world: Lambda) -> None:
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    lost = next(event for event in world.events if asks_for(Ask.CHUNK)(event))
    world.events.remove(lost)
    world._failed(Event(lost.body, 2), "it died")
    world.run()
    assert result(world)["status"] == "partial"
    assert erase(world) == Erased(faces=1, crops=0, jobs=0, uploads=1, results=1)
    assert speaking(world, ids) == []
    world.replay()
    said = result(world)
    assert (said["status"], said["answer"]["names"], names_in(world)) == ("done", ["Bo"], ["unknown", "Bo"] * 3)


def test_who_is_erased_while_a_chunk_is_recognized_does_not_come_back(
    world: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gallery was searched, and the answer is stored only when all was looked through."""
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    stage = world.stores.stage
    create = stage.create
    erased: list[Erased] = []

    def late(key: str, data: bytes) -> bool:
        if "/answers/" in key and not erased:
            assert speaks_of(data, ids)
            erased.append(erase(world))
        return create(key, data)

    monkeypatch.setattr(stage, "create", late)
    do(world, asks_for(Ask.CHUNK))
    assert erased == [Erased(faces=1, crops=0, jobs=0)]
    assert speaking(world, ids) == []
    world.run()
    assert result(world)["answer"]["names"] == ["Bo"]


@pytest.mark.parametrize("settled", [False, True])
def test_whoever_dies_before_striking_out_leaves_it_to_others(
    world: Lambda, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    """settled: the upload got its result from another, and its manifests are gone."""
    ids = ids_of(world)
    world.upload("clip.mp4", ["ada"] * 4)
    do(world, asks_for(None))
    (chunk,) = [event for event in world.events if asks_for(Ask.CHUNK)(event)]
    if settled:
        world._invoke(chunk.body)
    stage = world.stores.stage
    create = stage.create
    told: list[Erased] = []

    def late(key: str, data: bytes) -> bool:
        if "/answers/" not in key:
            return create(key, data)
        told.append(erase(world))
        assert create(key, data)
        raise KilledError

    if settled:  # whoever comes now had looked before whether there is an answer
        monkeypatch.setattr("visage.core.serverless.chunks.is_done", lambda *_: False)
    monkeypatch.setattr(stage, "create", late)
    with pytest.raises(KilledError):
        world._invoke(chunk.body)
    monkeypatch.undo()
    assert told == [Erased(faces=1, crops=0, jobs=0, uploads=int(settled), results=int(settled))]
    assert len(speaking(world, ids)) == 1
    world._invoke(chunk.body)
    assert speaking(world, ids) == []
    assert result(world)["answer"]["names"] == (["Ada"] if settled else ["unknown"])


def test_an_answer_that_was_left_behind_is_not_folded_as_it_is(world: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stored it died, and another folds."""
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    monkeypatch.setattr("visage.core.serverless.chunks.strike_erased", lambda *_: None)
    do(world, asks_for(Ask.CHUNK), 2)
    note(world.stores.stage, Note("default", "", ids, 0.0))
    do(world, asks_for(Ask.CHUNK))
    assert len(speaking(world, ids)) == 3
    assert result(world)["answer"]["names"] == ["Bo"]


def test_who_is_enrolled_again_is_named_again(world: Lambda) -> None:
    """With the ids of before, as out of a file that was exported."""
    person = world.gallery.person("default", "Ada")
    (face,) = world.gallery.faces("default", person.id)
    erase(world)
    world.gallery.add("default", "Ada", face)
    drop_notes(world.stores.stage, "default", [one.id for one in world.gallery.people("default")])
    world.upload("clip.mp4", BOTH)
    world.run()
    assert result(world)["answer"]["names"] == ["Ada", "Bo"]


def test_of_another_collection_nothing_is_touched(world: Lambda) -> None:
    ids = ids_of(world)
    person = world.gallery.person("default", "Ada")
    for face in world.gallery.faces("default", person.id):
        world.gallery.add("family", "Ada", face)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    do(world, asks_for(Ask.CHUNK), 1)
    stage = world.stores.stage
    (answer,) = [key for key in staged(world) if "/answers/" in key]
    stage.put(answer, stage.get(answer).replace(b'"collection":"default"', b'"collection":"family"'))
    assert erase(world) == Erased(faces=1, crops=0, jobs=0)
    assert speaking(world, ids) == [answer]


def test_damaged_answers_that_may_be_about_them_go(world: Lambda) -> None:
    ids = ids_of(world)
    world.upload("clip.mp4", BOTH)
    do(world, asks_for(None))
    do(world, asks_for(Ask.CHUNK), 1)
    stage = world.stores.stage
    (answer,) = [key for key in staged(world) if "/answers/" in key]
    stage.put(answer, stage.get(answer)[:-9])
    assert erase(world).uploads == 1
    assert speaking(world, ids) == []
    assert answer not in staged(world)


def test_notes_are_dropped_when_they_are_old() -> None:
    stage = open_store("memory:///")
    for day, person in enumerate(("a", "b", "c")):
        note(stage, Note("default", person, frozenset({person}), day * KEPT * 0.6))
    assert [one.person for one in notes_in(stage)] == ["b", "c"]
    drop_notes(stage, "family", ["b"])
    drop_notes(stage, "default", ["b"])
    assert [one.person for one in notes_in(stage)] == ["c"]
    stage.put(erased_key(), b"{}")
    with pytest.raises(StorageError, match="damaged"):
        notes_in(stage)


@pytest.mark.parametrize("part", range(3))
def test_every_schedule_with_an_erasure_ends_right(enrolled: Path, tmp_path: Path, part: int) -> None:
    """Duplicated, reordered, concurrent and failing events, and somebody is erased in the midst of them."""
    for seed in range(part * SEEDS // 3, (part + 1) * SEEDS // 3):
        world = world_in(
            enrolled, tmp_path / str(seed), seed,
            segment=0.4 if seed & 1 else 0.0, trouble=0.02 if seed & 2 else 0.0, haste=0.3 if seed & 4 else 0.0,
            overlap=0.08,
        )  # fmt: skip
        try:
            _play(world)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def _play(world: Lambda) -> None:
    ids = ids_of(world)
    uploads = world.random.randint(1, 4)
    erasing = world.random.randrange(uploads)
    for number in range(uploads):
        trouble, world.trouble = world.trouble, 0.0
        frames = world.random.choices(["ada", "bo", "nobody"], k=world.random.randint(1, 20))
        world.upload(world.random.choice(KEYS), frames)
        world.trouble = trouble
        for _ in range(world.random.randint(0, 20)):
            if world.events:
                world.step()
        if number == erasing:
            erase(world)
            own = snapshot(world)
    world.run()
    world.trouble = 0.0
    world.replay()
    assert speaking(world, ids) == []
    for key, frames in world.latest.items():
        said, looked_at = result(world, key), frames[::2]
        assert (said["status"], said["answer"]["frames"]) == ("done", len(looked_at))
        before = speaks_of(world.stores.outputs.get(json_key(key)), ids)
        assert not before or own[json_key(key)] == world.stores.outputs.get(json_key(key)), "it came after the erasure"
        called = {"ada": "Ada" if before else "unknown", "bo": "Bo"}
        assert [face["frame"] // 2 for face in said["answer"]["faces"]] == [
            i for i, name in enumerate(looked_at) if name != "nobody"
        ]
        for face, name in zip(names_in(world, key), [name for name in looked_at if name != "nobody"], strict=True):
            assert face == called[name]
        text = "".join(f"{name}\n" for name in said["answer"]["names"])
        assert world.stores.outputs.get(text_key(key)).decode() == text
