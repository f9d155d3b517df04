"""What becomes of uploads that cannot be done, or not wholly, or not at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.schedules import INPUTS, STAGE, Lambda, film
from tests.core.service_fakes import enroll_both
from visage.core.errors import MessageError
from visage.core.serverless.failures import give_up, is_failure, tasks_of_failure
from visage.core.serverless.staging import answer_key, folder_of, frame_key, manifest_key, plan_key
from visage.core.serverless.uploads import Ask, tasks_of_event

CLIP = ["ada"] * 8 + ["bo"] * 6  # every second frame is looked at: chunks of three, the last of one


@pytest.fixture
def world(tmp_path: Path) -> Lambda:
    enroll_both(tmp_path)
    return Lambda(tmp_path, seed=1)


def result(world: Lambda, name: str = "clip") -> dict[str, Any]:
    return dict(json.loads(world.stores.outputs.get(f"{name}.json")))


def text(world: Lambda, name: str = "clip") -> str:
    return world.stores.outputs.get(f"{name}.txt").decode()


def folder(world: Lambda) -> str:
    """Of the upload whose event waits."""
    (task,) = tasks_of_event(world.events[0].body, INPUTS, STAGE)
    assert task.upload
    return folder_of(task.upload)


def test_what_is_no_video_gets_a_line_that_says_so(world: Lambda) -> None:
    world.stores.inputs.put("clip.mp4", b"some text")
    world.run()
    assert text(world) == "error: clip.mp4: it is no film\n"
    assert result(world)["error"] == {"kind": "UnreadableError", "detail": "clip.mp4: it is no film"}
    assert not world.dead


def test_what_was_deleted_before_it_was_read_gets_one_too(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    world.stores.inputs.delete(["clip.mp4"])
    world.run()
    assert text(world).startswith("error: clip.mp4: it was deleted before it was read")


def test_of_what_was_replaced_before_it_was_read_only_the_later_is_looked_at(world: Lambda) -> None:
    world.upload("clip.mp4", ["ada"] * 4)
    first = folder(world)
    world.upload("clip.mp4", ["bo"] * 4)
    world.run()
    assert text(world) == "Bo\n"
    assert not list(world.stores.stage.list(first))


def test_a_chunk_that_fails_for_good_is_missing_and_the_rest_is_told(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    where = folder(world)
    world.step()
    lost = world.stores.stage.get(frame_key(where, 5))
    world.stores.stage.put(frame_key(where, 5), b"damaged")
    world.run()
    found = result(world)
    assert found["status"] == "partial"
    assert found["missing"] == [{"from": 0.6, "to": 1.0, "error": "KeyError('damaged')"}]
    assert text(world) == "Ada\nBo\n"
    assert [face["frame"] for face in found["answer"]["faces"]] == [0, 2, 4, 12]
    assert world.dead

    world.stores.stage.put(frame_key(where, 5), lost)
    world.replay()
    found = result(world)
    assert found["status"] == "done"
    assert "missing" not in found
    assert [face["frame"] for face in found["answer"]["faces"]] == [0, 2, 4, 6, 8, 10, 12]


def test_putting_a_manifest_again_mends_a_result_too(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    where = folder(world)
    world.step()
    lost = world.stores.stage.get(frame_key(where, 1))
    world.stores.stage.put(frame_key(where, 1), b"damaged")
    world.run()
    world.stores.stage.put(frame_key(where, 1), lost)
    key = manifest_key(where, 1)
    world.stores.stage.put(key, world.stores.stage.get(key))
    world.run()
    assert result(world)["status"] == "done"


def test_where_every_chunk_fails_the_text_says_why(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    where = folder(world)
    world.step()
    for number in range(1, 8):
        world.stores.stage.put(frame_key(where, number), b"damaged")
    world.run()
    assert text(world) == "error: clip.mp4: KeyError('damaged')\n"
    assert len(result(world)["missing"]) == 3


def test_an_upload_that_fails_for_good_gets_a_line_and_replaying_it_mends_that(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    world.trouble = 1.0
    for _ in range(4):
        while world.events and not is_failure(world.events[0].body):
            world.step()
    world.trouble = 0.0
    world.run()
    assert text(world).startswith("error: clip.mp4: ")
    assert result(world)["error"]["kind"] == "FaultError"
    world.replay()
    assert text(world) == "Ada\nBo\n"


def test_the_rest_is_left_to_others_again_and_again_and_nothing_differs(tmp_path: Path) -> None:
    enroll_both(tmp_path)
    texts, faces = set(), []
    for haste in (0.0, 1.0):
        world = Lambda(tmp_path, seed=3, haste=haste)
        world.upload("clip.mp4", CLIP)
        where = folder(world)
        world.run()
        plan = json.loads(world.stores.stage.get(plan_key(where)))
        assert plan["chunks"] == (7 if haste else 3)
        assert plan["frames"] == 7
        texts.add(text(world))
        faces.append([(face["frame"], face["name"]) for face in result(world)["answer"]["faces"]])
    assert texts == {"Ada\nBo\n"}
    assert faces[0] == faces[1]


def test_a_large_chunk_is_read_as_a_whole(tmp_path: Path) -> None:
    enroll_both(tmp_path)
    world = Lambda(tmp_path, seed=4, chunk=25)
    world.upload("clip.mp4", ["ada", "bo"] * 26)
    world.run()
    assert [face["frame"] for face in result(world)["answer"]["faces"]] == list(range(0, 52, 2))


def test_an_event_that_comes_again_much_later_changes_nothing(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    event = world.events[0]
    world.run()
    before = [world.stores.outputs.read(key) for key in ("clip.json", "clip.txt")]
    world.events.append(event)
    world.run()
    assert [world.stores.outputs.read(key) for key in ("clip.json", "clip.txt")] == before


def test_the_result_says_what_it_took(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    world.overlap = 0.0
    world.run()
    took = result(world)["took"]
    assert took["invocations"] == 4
    assert took["puts"] >= 7 + 3
    assert took["received"] >= len(film(CLIP))


def test_what_the_memory_of_functions_cost_is_told_too(tmp_path: Path) -> None:
    enroll_both(tmp_path)
    world = Lambda(tmp_path, seed=1, memory=2.0)
    world.upload("clip.mp4", CLIP)
    world.run()
    found = result(world)
    took, cost = found["took"], found["dollars"]
    assert took["gb_seconds"] == pytest.approx(2 * took["seconds"])
    assert cost["requests"] == pytest.approx((took["puts"] + took["lists"]) * 5e-6 + took["gets"] * 4e-7)
    assert cost["total"] == pytest.approx(cost["seconds"] + cost["invocations"] + cost["requests"])


def test_a_record_of_a_failure_names_what_failed_and_records_of_records_nothing() -> None:
    found = {"key": "a+b/clip.mp4", "size": 3, "eTag": "abc", "sequencer": "01"}
    event = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": INPUTS}, "object": found}}]}
    record = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event,
              "responsePayload": {"errorMessage": "Task timed out after 900.00 seconds"}}  # fmt: skip
    (task,), reason = tasks_of_failure(record, INPUTS, STAGE)
    assert (task.ask, task.key, reason) == (Ask.SPLIT, "a b/clip.mp4", "Task timed out after 900.00 seconds")
    assert tasks_of_failure({**record, "requestPayload": record}, INPUTS, STAGE) == ([], "")
    assert tasks_of_failure({**record, "responsePayload": None}, INPUTS, STAGE)[1] == "RetriesExhausted"
    assert is_failure(record)
    assert not is_failure(event)
    with pytest.raises(MessageError):
        tasks_of_failure({"requestContext": {}}, INPUTS, STAGE)


def test_giving_up_what_is_done_already_changes_nothing(world: Lambda) -> None:
    world.upload("clip.mp4", CLIP)
    event, where = world.events[0].body, folder(world)
    world.run()
    before = world.stores.outputs.get("clip.json")
    for body in (event, {"Records": [_put(manifest_key(where, 1))]}, {"Records": [_put("gone/000001.chunk.json")]}):
        for task in tasks_of_event(body, INPUTS, STAGE):
            give_up(task, "late", world.stores)
    assert world.stores.outputs.get("clip.json") == before
    assert json.loads(world.stores.stage.get(answer_key(where, 1)))["status"] == "done"


def _put(key: str) -> dict[str, Any]:
    found = {"key": key, "size": 3, "eTag": "abc", "sequencer": "01"}
    return {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": STAGE}, "object": found}}
