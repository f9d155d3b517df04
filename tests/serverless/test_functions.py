"""Both functions, started as AWS starts them, where something fails: it is retried, buried with its reason, made known
in the result, and mended by a replay; and the next event is served."""

import json
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.serverless.buckets import INPUT, PEOPLE, RESOURCES, STAGE
from tests.serverless.cloud import (
    BIDEN,
    BOTH,
    OBAMA,
    RECOGNITION,
    SPLITTING,
    Cloud,
    Letter,
    emptied_cloud,  # noqa: F401 - a fixture
    filmed_clips,  # noqa: F401 - a fixture
    record_of,
    seen,
    small_cloud,  # noqa: F401 - a fixture
)
from tests.serverless.runtime import FunctionError
from visage import load_settings, open_engine
from visage.wiring import open_publisher

pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it with: pip install -e '.[test]'")

NO_EVENTS: list[Any] = [
    {},
    [],
    None,
    3,
    "text",
    {"Records": [{}]},
    {"Records": 1},
    {"requestPayload": 1, "requestContext": 1},
]


def test_what_failed_for_good_is_missing_and_the_dead_letter_mends_it(cloud: Cloud, clips: dict[str, bytes]) -> None:
    cloud.buckets.put("partial.mp4", clips["both"])
    cloud.deliver(*cloud.buckets.take()[0])
    (lost,) = (key for key in cloud.buckets.all(STAGE, "partial.mp4/") if key.endswith("frame-000003.jpg"))
    frame = cloud.buckets.delete(lost, STAGE)
    cloud.settle()
    (letter,) = cloud.dead
    assert letter.function == RECOGNITION
    assert letter.event["Records"][0]["s3"]["object"]["key"].endswith("000002.chunk.json")
    assert "a part of it is not in the stage any more" in letter.reason
    assert cloud.buckets.text("partial") == f"{OBAMA}\n{BIDEN}\n"
    result = cloud.buckets.result("partial")
    assert (result["status"], result["chunks"]) == ("partial", 2)
    (missing,) = result["missing"]
    assert (missing["from"], missing["to"]) == (2.0, 3.0)
    assert missing["error"] == letter.reason
    assert [frame for frame, _, _ in seen(result)] == [0, 2, 8]
    cloud.buckets.put(lost, frame, STAGE)
    cloud.replay()
    assert not cloud.dead
    mended = cloud.buckets.result("partial")
    assert mended["status"] == "done"
    assert "missing" not in mended
    assert seen(mended) == BOTH


def test_a_failure_that_lambda_tells_of_without_a_word(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """As of an event that was too old: nobody answered anything."""
    cloud.buckets.put("old.mp4", clips[OBAMA])
    ((name, event),) = cloud.buckets.take()
    record = record_of(Letter(name, event, ""))
    del record["responsePayload"], record["responseContext"]
    cloud.deliver(RECOGNITION, record)
    assert cloud.buckets.text("old") == "error: old.mp4: RetriesExhausted\n"
    cloud.deliver(SPLITTING, record_of(Letter(RECOGNITION, record, "again")))  # a record of a record
    cloud.deliver(name, event)
    cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text("old") == f"{OBAMA}\n"


def test_a_gallery_that_is_missing_then_empty_then_has_somebody(
    cloud: Cloud, clips: dict[str, bytes], samples: Path, tmp_path: Path
) -> None:
    """All in one process, which goes on."""
    place, own = f"s3://{cloud.buckets.name(PEOPLE)}/later/gallery.sqlite", f"sqlite:///{tmp_path / 'gallery.sqlite'}"
    with (
        cloud.running(cloud.function(RECOGNITION, VISAGE_GALLERY=place)) as recognition,
        open_engine(load_settings(gallery=own)) as registrar,
    ):
        cloud.buckets.put("early.mp4", clips[OBAMA])
        cloud.settle()
        (letter,) = cloud.dead
        assert letter.reason == f"{place}: nothing is published there; publish a gallery with `visage gallery publish`"
        assert cloud.buckets.text("early") == f"error: early.mp4: {letter.reason}\n"
        process = recognition.pid
        publisher = open_publisher(place, registrar.gallery(create=True))
        publisher.step()
        cloud.replay()
        assert not cloud.dead
        assert cloud.buckets.text("early") == "unknown\n"
        registrar.enroll(str(samples / "obama.jpg"), OBAMA)
        publisher.step()
        time.sleep(2.1)  # for so long nobody looks whether there is another
        cloud.buckets.put("early.mp4", clips[OBAMA])
        cloud.settle()
        assert cloud.buckets.text("early") == f"{OBAMA}\n"
        assert recognition.pid == process


def test_no_permission(cloud: Cloud, clips: dict[str, bytes]) -> None:
    stage = cloud.buckets.name(STAGE)
    objects = f"arn:aws:s3:::{stage}/*"
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    cloud.buckets.client.put_bucket_policy(Bucket=stage, Policy=policy)
    try:
        cloud.buckets.put("denied.mp4", clips[OBAMA])
        cloud.settle()
    finally:
        cloud.buckets.client.delete_bucket_policy(Bucket=stage)
    (letter,) = cloud.dead
    assert letter.reason == f"s3://{stage}: access is denied; allow this account or role to use the bucket"
    assert cloud.buckets.text("denied") == f"error: denied.mp4: {letter.reason}\n"
    cloud.replay()
    assert cloud.buckets.text("denied") == f"{OBAMA}\n"


def test_a_bucket_that_is_not_there(cloud: Cloud, clips: dict[str, bytes]) -> None:
    cloud.buckets.put("nowhere.mp4", clips[OBAMA])
    ((_, event),) = cloud.buckets.take()
    with cloud.running(cloud.function(SPLITTING, VISAGE_STAGE="s3://nobodys-bucket")) as splitting:
        with pytest.raises(FunctionError, match="s3://nobodys-bucket: there is no such bucket") as told:
            splitting.invoke(event)
        assert told.value.kind == "StorageError"


def test_what_is_deleted_what_nobody_can_keep_and_what_is_no_event(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """The same process serves the next."""
    cloud.buckets.put("gone.mp4", clips[OBAMA])
    cloud.buckets.delete("gone.mp4", INPUT)
    cloud.buckets.put("folder/", b"")
    cloud.settle()
    assert cloud.buckets.text("gone") == "error: gone.mp4: it was deleted before it was read; put it there again\n"
    assert not cloud.dead
    process = cloud.functions[SPLITTING].pid
    cloud.buckets.put("a//b.mp4", clips[OBAMA])
    cloud.settle()
    letters = [(letter.function, letter.reason.partition(" ")[2]) for letter in cloud.dead]
    assert [name for name, _ in letters] == [SPLITTING, RECOGNITION]  # the other could not write the result either
    assert all("has a slash too many; choose another" in reason for _, reason in letters)
    for event in NO_EVENTS:
        for function in cloud.functions.values():
            with pytest.raises(FunctionError) as told:
                function.invoke(event)
            assert told.value.kind == "MessageError", event
    cloud.buckets.put("next.mp4", clips[BIDEN])
    cloud.settle()
    assert cloud.buckets.text("next") == f"{BIDEN}\n"
    assert cloud.functions[SPLITTING].pid == process


def test_a_disk_that_takes_nothing(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """No file may grow by a byte, in /tmp or elsewhere: neither function needs one."""
    full = ("bash", "-c", 'exec > >(cat) 2>&1; ulimit -f 0; exec "$0" "$@"', sys.executable)
    with ExitStack() as opened:
        for name in RESOURCES:
            opened.enter_context(cloud.running(replace(cloud.function(name), python=full)))
        cloud.buckets.put("full.mp4", clips["both"])
        cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text("full") == f"{OBAMA}\n{BIDEN}\n"
