"""The keys of the stage, and the records under them."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from visage.core.errors import MessageError, UsageError
from visage.core.every import parse_every
from visage.core.serverless.staging import (
    Manifest,
    Plan,
    Rest,
    StagedFrame,
    StagedSegment,
    answer_key,
    answers_folder,
    folder_of,
    frame_key,
    manifest_from_bytes,
    manifest_key,
    plan_from_bytes,
    plan_key,
    rest_from_bytes,
    rest_key,
    segment_key,
    to_bytes,
)
from visage.core.serverless.uploads import Ask, Upload, ask_of_stage, upload_of
from visage.core.values import Media, Place
from visage.objects.keys import check_key

NUMBERS = st.integers(1, 2_000_000)
PARTS = st.one_of(
    st.sampled_from(["pictures", "_pictures", "long", "_long", "answers", "a.chunk.json", "a.rest.json", "plan.json"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)
KEYS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=6).map("/".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=1024),
    st.sampled_from(["pictures/anna.jpg", "pictures", "_" * 250 + "pictures/a.jpg", "a" * 249, "a" * 250, "a" * 251]),
).filter(bool)
SEQUENCERS = st.text("0123456789ABCDEF", max_size=20)
ETAGS = st.from_regex(r"[0-9a-f]{32}(-[1-9][0-9]{0,4})?", fullmatch=True)
UPLOADS = st.builds(upload_of, KEYS, ETAGS, SEQUENCERS, st.integers(0, 5 << 40))

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLACES = st.builds(Place, st.integers(0, 10**9), FINITE)
MEDIA = st.builds(
    Media,
    source=KEYS,
    width=st.integers(1, 10**5),
    height=st.integers(1, 10**5),
    duration=st.none() | FINITE,
    fps=st.none() | FINITE,
    problem=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)
SAMPLINGS = st.sampled_from(["1s", "0.5s", "2.25s", "10f", "1f", "12x", "first", "keys", "all"]).map(parse_every)
TOOK = st.dictionaries(st.sampled_from(["puts", "gets", "seconds", "bytes"]), FINITE)
FRAMES = st.builds(StagedFrame, NUMBERS, st.integers(0, 10**9), FINITE)
SEGMENTS = st.builds(StagedSegment, PLACES, PLACES, st.none() | PLACES)
MANIFESTS = st.builds(
    Manifest, UPLOADS, NUMBERS, MEDIA, SAMPLINGS, FINITE, FINITE, st.lists(FRAMES, max_size=3).map(tuple),
    st.none() | SEGMENTS,
)  # fmt: skip
PLANS = st.builds(Plan, UPLOADS, MEDIA, SAMPLINGS, NUMBERS, NUMBERS, TOOK)
RESTS = st.builds(Rest, UPLOADS, NUMBERS, TOOK)


def upload(key: str, version: str = "v1") -> Upload:
    return Upload(key, version, "01", '"tag"', 9)


def test_an_upload_lies_under_its_own_key() -> None:
    folder = folder_of(upload("holiday 2025/clip.mp4"))
    assert folder == "holiday 2025/clip.mp4/v1"
    assert frame_key(folder, 1) == "holiday 2025/clip.mp4/v1/frame-000001.jpg"
    assert segment_key(folder, 2) == "holiday 2025/clip.mp4/v1/segment-000002.mkv"
    assert manifest_key(folder, 3) == "holiday 2025/clip.mp4/v1/000003.chunk.json"
    assert rest_key(folder, 4) == "holiday 2025/clip.mp4/v1/000004.rest.json"
    assert plan_key(folder) == "holiday 2025/clip.mp4/v1/plan.json"
    assert answer_key(folder, 5) == "holiday 2025/clip.mp4/v1/answers/000005.json"


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("pictures/anna.jpg", "_pictures/anna.jpg/v1"),
        ("_pictures/anna.jpg", "__pictures/anna.jpg/v1"),
        ("pictures", "_pictures/v1"),  # else its frames would be pictures
        ("pictures.mp4", "pictures.mp4/v1"),
        ("my/pictures/a.jpg", "my/pictures/a.jpg/v1"),
        ("long/a.mp4", "_long/a.mp4/v1"),
        ("a" * 250, "a" * 250 + "/v1"),
    ],
)
def test_where_an_upload_lies(key: str, folder: str) -> None:
    assert folder_of(upload(key)) == folder


def test_a_long_key_has_a_folder_of_its_own() -> None:
    folders = {folder_of(upload("a" * 300 + end)) for end in ("", "a", "b")}
    assert len(folders) == 3
    assert {len(folder) for folder in folders} == {len("long//v1") + 64}


@settings(max_examples=300, deadline=None)
@given(UPLOADS, NUMBERS)
def test_nothing_but_manifests_and_rests_asks_for_work(upload: Upload, number: int) -> None:
    folder = folder_of(upload)
    assert ask_of_stage(manifest_key(folder, number)) is Ask.CHUNK
    assert ask_of_stage(rest_key(folder, number)) is Ask.REST
    for key in (
        frame_key(folder, number),
        segment_key(folder, number),
        plan_key(folder),
        answer_key(folder, number),
    ):
        assert ask_of_stage(key) is None


@settings(max_examples=300, deadline=None)
@given(UPLOADS, UPLOADS)
def test_no_two_uploads_share_a_folder(one: Upload, other: Upload) -> None:
    same = (one.key, one.version) == (other.key, other.version)
    assert (folder_of(one) == folder_of(other)) == same


@settings(deadline=None)
@given(KEYS, KEYS)
@example("pictures/a", "_pictures/a")
@example("long/" + "a" * 64, "_long/" + "a" * 64)
@example("a/v1", "a")
def test_no_two_keys_share_a_folder(one: str, other: str) -> None:
    assert (folder_of(upload(one)) == folder_of(upload(other))) == (one == other)


@settings(max_examples=300, deadline=None)
@given(UPLOADS, NUMBERS)
def test_every_key_is_one_that_any_store_takes(upload: Upload, number: int) -> None:
    """As far as the upload's own is."""
    folder = folder_of(upload)
    longest = max((frame_key(folder, number), answer_key(folder, number), manifest_key(folder, number)), key=len)
    assert len(longest) <= 512
    if is_key(upload.key):
        for key in (longest, rest_key(folder, number), plan_key(folder), segment_key(folder, number)):
            assert check_key(key) == key
        assert check_key(answers_folder(folder))


@pytest.mark.parametrize(
    "key",
    ["a" * 255, "_" * 246 + "pictures/a", "é" * 127 + "/" + "é" * 127, "d/" * 255 + "e", "a" * 10 + "/" + "b" * 255,
     "a" * 249 + "/.b/c", "日" * 85],
)  # fmt: skip
def test_the_longest_keys_of_a_store_have_a_folder(key: str) -> None:
    assert check_key(key) == key
    longest = upload_of(key, "0123456789abcdef" * 2 + "-10000", "0067C2DBE21F5A3B9C01", 9)
    assert check_key(answer_key(folder_of(longest), 123456))


def is_key(key: str) -> bool:
    try:
        return bool(check_key(key))
    except UsageError:
        return False


@settings(deadline=None)
@given(MANIFESTS)
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert manifest_from_bytes(to_bytes(manifest)) == manifest


@settings(deadline=None)
@given(PLANS)
def test_a_plan_is_read_as_it_was_written(plan: Plan) -> None:
    assert plan_from_bytes(to_bytes(plan)) == plan


@settings(deadline=None)
@given(RESTS)
def test_a_rest_is_read_as_it_was_written(rest: Rest) -> None:
    assert rest_from_bytes(to_bytes(rest)) == rest


READERS = [manifest_from_bytes, plan_from_bytes, rest_from_bytes]
MANIFEST = Manifest(
    upload("clip.mp4"), 1, Media("clip.mp4", 640, 360, 9.5, 25.0), parse_every("1s"), 0.0, 9.5,
    (StagedFrame(1, 0, 0.0), StagedFrame(2, 25, 1.0)), StagedSegment(Place(0, 0.0), Place(9, 0.5), Place(3, 0.1)),
)  # fmt: skip
PLAN = Plan(upload("clip.mp4"), MANIFEST.media, parse_every("1s"), 1, 10, {"puts": 12.0})
REST = Rest(upload("clip.mp4"), 7, {"puts": 12.0})
RECORDS = [MANIFEST, PLAN, REST]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_one_line_that_names_its_version(record: Manifest | Plan | Rest) -> None:
    text = to_bytes(record)
    assert b"\n" not in text
    assert json.loads(text)["visage"] == 1
    assert json.loads(text)["upload"]["key"] == "clip.mp4"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"7", b"\xff\xfe", b"{}", b'{"visage":2}', b'{"visage":1}', b"[" * 100_000]
)  # fmt: skip
def test_what_is_no_record(read: Any, text: bytes) -> None:
    with pytest.raises(MessageError):
        read(text)


JSON = st.sampled_from(
    ["", "a", "all", None, True, 1, -1, 1.5, float("inf"), float("nan"), [], {}, [1], {"a": 1}, "1s"]
)


@pytest.mark.parametrize(("read", "record"), list(zip(READERS, RECORDS, strict=True)), ids=["manifest", "plan", "rest"])
@settings(deadline=None)
@given(data=st.data())
def test_a_record_with_something_else_in_it_is_none(read: Any, record: Manifest | Plan | Rest, data: Any) -> None:
    """Wherever it is: it is read, as something, or told to be none."""
    changed = json.loads(to_bytes(record))
    place: Any = changed
    while True:
        steps = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        step = data.draw(st.sampled_from(steps))
        if not isinstance(place[step], dict | list) or not place[step] or data.draw(st.booleans()):
            break
        place = place[step]
    if isinstance(place, dict) and data.draw(st.booleans()):
        del place[step]
    else:
        place[step] = data.draw(JSON)
    try:
        assert type(read(json.dumps(changed).encode())) is type(record)
    except MessageError:
        pass
