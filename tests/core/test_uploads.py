"""What S3 tells, in its own words, and what that asks for."""

import copy
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.core.errors import MessageError
from visage.core.serverless.uploads import (
    PICTURE_SUFFIXES,
    Ask,
    Task,
    Upload,
    ask_of_stage,
    is_later,
    tasks_of_event,
    upload_of,
)

INPUTS, STAGE = "acme-input", "acme-stage-1"

# What S3 sends to a function, word for word but for the names.
PUT: dict[str, Any] = json.loads("""
{
  "Records": [
    {
      "eventVersion": "2.1",
      "eventSource": "aws:s3",
      "awsRegion": "us-east-1",
      "eventTime": "2025-03-01T10:15:30.123Z",
      "eventName": "ObjectCreated:Put",
      "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
      "requestParameters": {"sourceIPAddress": "203.0.113.7"},
      "responseElements": {
        "x-amz-request-id": "C3D13FE58DE4C810",
        "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"
      },
      "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "video-splitting-all-created",
        "bucket": {
          "name": "acme-input",
          "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
          "arn": "arn:aws:s3:::acme-input"
        },
        "object": {
          "key": "holiday+2025/caf%C3%A9.mp4",
          "size": 1305107,
          "eTag": "b21b84d653bb07b05b1e6b33684dc11b",
          "sequencer": "0067C2DBE21F5A3B9C"
        }
      }
    }
  ]
}
""")
MULTIPART = {
    "key": "ten%2Bhours.mov",
    "size": 48318382080,
    "eTag": "a5c3b6d0f3a44e7a8f9d1c2b3e4f5a6b-5760",
    "sequencer": "0067C2DBE21F5A3B9C01",
}
REMOVED = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "us-east-1",
    "eventTime": "2025-03-01T11:00:00.000Z",
    "eventName": "ObjectRemoved:Delete",
    "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
    "requestParameters": {"sourceIPAddress": "203.0.113.7"},
    "responseElements": {"x-amz-request-id": "0A49CE4060975EAC", "x-amz-id-2": "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2"},
    "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "video-splitting-all-created",
        "bucket": {
            "name": "acme-input",
            "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
            "arn": "arn:aws:s3:::acme-input",
        },
        "object": {"key": "clip.mp4", "sequencer": "0067C2E64CB0A1F3D2"},
    },
}
TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2025-03-01T10:00:00.000Z",
    "Bucket": "acme-input",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}


def event(key: str, bucket: str = INPUTS, name: str = "ObjectCreated:Put", **changed: object) -> dict[str, Any]:
    """S3's notification that `key` was created, with its key encoded as S3 does."""
    made = copy.deepcopy(PUT)
    record = made["Records"][0]
    record["eventName"] = name
    record["s3"]["bucket"].update(name=bucket, arn=f"arn:aws:s3:::{bucket}")
    record["s3"]["object"].update(key=quote_plus(key, safe="/"), **changed)
    return made


def spelled(key: object) -> dict[str, Any]:
    """The same with `key` as it is."""
    made = copy.deepcopy(PUT)
    made["Records"][0]["s3"]["object"]["key"] = key
    return made


def tasks(*events: dict[str, Any]) -> list[Task]:
    """Of one notification with the records of all."""
    return tasks_of_event({"Records": [record for one in events for record in one["Records"]]}, INPUTS, STAGE)


def test_an_object_that_was_put_is_to_be_split() -> None:
    tag = "b21b84d653bb07b05b1e6b33684dc11b"
    key, order = "holiday 2025/café.mp4", "0067C2DBE21F5A3B9C"
    assert tasks(PUT) == [Task(Ask.SPLIT, key, Upload(key, f"{order}-{tag}", order, f'"{tag}"', 1305107))]


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_however_it_was_created(name: str) -> None:
    made = event("", name=f"ObjectCreated:{name}")
    made["Records"][0]["s3"]["object"] = MULTIPART
    (task,) = tasks(made)
    assert task.key == "ten+hours.mov"
    assert task.upload == Upload(
        key="ten+hours.mov",
        version="0067C2DBE21F5A3B9C01-a5c3b6d0f3a44e7a8f9d1c2b3e4f5a6b-5760",
        order="0067C2DBE21F5A3B9C01",
        tag='"a5c3b6d0f3a44e7a8f9d1c2b3e4f5a6b-5760"',
        size=48318382080,
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("my+clip.mp4", "my clip.mp4"),
        ("my%20clip.mp4", "my clip.mp4"),
        ("a%2Bb.mp4", "a+b.mp4"),
        ("100%25.mp4", "100%.mp4"),
        ("100%2525.mp4", "100%25.mp4"),
        ("a%2520b.mp4", "a%20b.mp4"),
        ("%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%99%82.mp4", "日本語/🙂.mp4"),
        ("%e6%97%a5.mp4", "日.mp4"),
        ("a/b%2Fc/d.mp4", "a/b/c/d.mp4"),
        ("a%26b%3Dc%3Fd%23e.mp4", "a&b=c?d#e.mp4"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("日本.mp4", "日本.mp4"),
    ],
)
def test_keys_come_encoded(text: str, key: str) -> None:
    assert [task.key for task in tasks(spelled(text))] == [key]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: not key.endswith("/")))
def test_every_key_is_read_as_it_was(key: str) -> None:
    (task,) = tasks(event(key))
    assert task.upload
    assert task.key == task.upload.key == key


@pytest.mark.parametrize(
    ("key", "ask"),
    [
        ("clip.mp4/v1/000001.chunk.json", Ask.CHUNK),
        ("clip.mp4/v1/000003.rest.json", Ask.REST),
        ("clip.mp4/v1/plan.json", None),
        ("clip.mp4/v1/frame-000001.jpg", None),
        ("clip.mp4/v1/segment-000001.mkv", None),
        ("clip.mp4/v1/answers/000001.json", None),
        ("pictures/anna.jpg", Ask.PICTURE),
        ("pictures/of 2025/Anna.JPEG", Ask.PICTURE),
        ("pictures/anna.txt", None),
        ("pictures/anna", None),
        ("pictures.jpg", None),
        ("pictures", None),
        ("_pictures/anna.jpg", None),
        ("my pictures/anna.jpg", None),
        ("Pictures/anna.jpg", None),
        ("a/pictures/anna.jpg", None),
        ("chunk.json", None),
        ("a.chunk.json.txt", None),
        ("a.CHUNK.JSON", None),
    ],
)
def test_what_an_object_in_the_stage_asks_for(key: str, ask: Ask | None) -> None:
    assert ask_of_stage(key) == ask
    found = tasks(event(key, STAGE))
    if ask is None:
        assert found == []
    else:
        ((task),) = found
        assert (task.ask, task.key) == (ask, key)
        assert (task.upload is not None) == (ask is Ask.PICTURE)


def test_every_kind_of_picture_is_one() -> None:
    for suffix in PICTURE_SUFFIXES:
        assert ask_of_stage(f"pictures/a{suffix}") is Ask.PICTURE
        (task,) = tasks(event(f"pictures/a b{suffix}", STAGE))
        assert task.upload
        assert task.upload.key == task.key == f"pictures/a b{suffix}"


def test_in_the_inputs_a_name_asks_for_nothing_else() -> None:
    for key in ("a.chunk.json", "a.rest.json", "pictures/a.jpg", "plan.json", "no suffix"):
        (task,) = tasks(event(key))
        assert (task.ask, task.key) == (Ask.SPLIT, key)


def test_one_notification_may_tell_of_several() -> None:
    made = [event("a.mp4"), event("folder/"), event("a.mp4/v/000001.chunk.json", STAGE), {"Records": [REMOVED]},
            event("b.mp4")]  # fmt: skip
    assert [(task.ask, task.key) for task in tasks(*made)] == [
        (Ask.SPLIT, "a.mp4"),
        (Ask.CHUNK, "a.mp4/v/000001.chunk.json"),
        (Ask.SPLIT, "b.mp4"),
    ]


def test_what_asks_for_nothing() -> None:
    assert tasks_of_event(TEST_EVENT, INPUTS, STAGE) == []
    assert tasks_of_event({"Records": []}, INPUTS, STAGE) == []
    assert tasks(event("folder/", size=0, eTag="d41d8cd98f00b204e9800998ecf8427e")) == []
    assert tasks(event("a folder/in another/")) == []
    assert tasks({"Records": [REMOVED]}) == []
    for name in ("ObjectRemoved:DeleteMarkerCreated", "ObjectTagging:Put", "LifecycleExpiration:Delete",
                 "ObjectRestore:Completed", "ReducedRedundancyLostObject"):  # fmt: skip
        assert tasks(event("a.mp4", name=name)) == []


def test_another_bucket_is_none_of_ours() -> None:
    for bucket in ("acme-output", "acme-input2", ""):
        with pytest.raises(MessageError, match="neither acme-input nor acme-stage-1"):
            tasks(event("a.mp4", bucket))


def broken(*path: str | int) -> dict[str, Any]:
    """A notification without what lies there."""
    made = event("a.mp4")
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return made


@pytest.mark.parametrize(
    "garbage",
    [
        {}, [], None, 1, "Records", {"Records": None}, {"Records": 1}, {"Records": "abc"}, {"Records": {"a": 1}},
        {"Records": [None]}, {"Records": [[]]}, {"Records": [{}]}, {"Records": ["eventName"]},
        {"Records": [{"eventName": "ObjectCreated:Put", "s3": []}]},
        broken("Records"), broken("Records", 0, "eventName"), broken("Records", 0, "s3"),
        broken("Records", 0, "s3", "bucket"), broken("Records", 0, "s3", "object"),
        broken("Records", 0, "s3", "object", "key"), broken("Records", 0, "s3", "object", "eTag"),
        event("a", size="large"), event("a", size=None), event("a", size=float("inf")), event("a", eTag=""),
        event("a", eTag="../b"), event("a", eTag="a b"), event("a", sequencer="0/1"), event("a", eTag="é"),
        event("a", sequencer=None, eTag="a/b"), event("a", eTag="a" * 200),
        spelled(7), spelled("%ff"), spelled("\ud800"),
        {"version": "0", "detail-type": "Object Created", "source": "aws.s3", "detail": {}},
    ],
    ids=lambda garbage: ascii(garbage)[-40:],
)  # fmt: skip
def test_what_is_no_notification(garbage: Any) -> None:
    with pytest.raises(MessageError, match="no notification of S3"):
        tasks_of_event(garbage, INPUTS, STAGE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(JSON, st.sampled_from(["eventName", "s3", "bucket", "name", "object", "key", "eTag", "sequencer", "size"]))
def test_garbage_in_any_place_is_told_as_such(garbage: Any, place: str) -> None:
    made = event("a.mp4")
    record = made["Records"][0]
    for owner in (record, record["s3"], record["s3"]["bucket"], record["s3"]["object"]):
        if place in owner:
            owner[place] = garbage
    try:
        found = tasks_of_event(made, INPUTS, STAGE)
    except MessageError:
        return
    assert all(isinstance(task, Task) for task in found)


@pytest.mark.parametrize(
    ("order", "than"),
    [
        ("0067C2DBE21F5A3B9D", "0067C2DBE21F5A3B9C"),
        ("0067C2DBE21F5A3B9C01", "0067C2DBE21F5A3B9C"),  # the shorter is filled up with zeros
        ("1", "0FFFFFFFFFFFFFFFFF"),
        ("0067c2dbe21f5a3b9d", "0067C2DBE21F5A3B9C"),
        ("0067C2DBE21F5A3B9D", "0067c2dbe21f5a3b9c"),
        ("A", "9"),
        ("01", ""),
    ],
)
def test_a_later_sequencer(order: str, than: str) -> None:
    assert is_later(order, than)
    assert not is_later(than, order)


@pytest.mark.parametrize(("order", "than"), [("", ""), ("0A", "0A"), ("0A", "0A00"), ("0a", "0A"), ("0", "")])
def test_sequencers_of_one_time(order: str, than: str) -> None:
    assert not is_later(order, than)
    assert not is_later(than, order)


@settings(deadline=None)
@given(st.lists(st.text("0123456789abcdefABCDEF", max_size=20), min_size=3, max_size=3))
def test_sequencers_are_in_order(some: list[str]) -> None:
    a, b, c = some
    assert not (is_later(a, b) and is_later(b, a))
    assert not (is_later(a, b) and is_later(b, c)) or is_later(a, c)
    width = max(map(len, some))
    assert is_later(a, b) == (int(a.ljust(width, "0") or "0", 16) > int(b.ljust(width, "0") or "0", 16))


def test_the_same_bytes_put_again_are_another_upload() -> None:
    first, second = upload_of("a", "ab12", "01", 9), upload_of("a", "ab12", "02", 9)
    assert first.tag == second.tag == '"ab12"'
    assert first.version != second.version
    assert upload_of("a", '"ab12"', "01", 9) == first  # as the store itself spells it
    assert upload_of("a", "ab12", "", 9).version == "ab12"  # a store without sequencers
