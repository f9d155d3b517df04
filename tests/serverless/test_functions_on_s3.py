"""Both functions, started as AWS starts them, on a stand-in for S3: a video is put there, names come out."""

import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.serverless.buckets import INPUT, OUTPUT, RESOURCES, STAGE
from tests.serverless.cloud import (
    BIDEN,
    BOTH,
    OBAMA,
    RECOGNITION,
    SPLITTING,
    Cloud,
    emptied_cloud,  # noqa: F401 - a fixture
    filmed_clips,  # noqa: F401 - a fixture
    seen,
    small_cloud,  # noqa: F401 - a fixture
)

pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it with: pip install -e '.[test]'")

TELLING = """
import sys
from {module} import handler as inner

def handler(event, context):
    return [*sys.modules] if event == "loaded" else inner(event, context)
"""
NEEDED = {SPLITTING: "av", RECOGNITION: "openvino"}


def test_a_video_becomes_a_list_of_names(cloud: Cloud, clips: dict[str, bytes]) -> None:
    cloud.buckets.put("clip.mp4", clips["both"])
    cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text("clip") == f"{OBAMA}\n{BIDEN}\n"
    result = cloud.buckets.result("clip")
    assert (result["status"], result["chunks"]) == ("done", 3)
    assert (result["answer"]["names"], result["answer"]["frames"]) == ([OBAMA, BIDEN], 5)
    assert seen(result) == BOTH
    assert (result["source"]["key"], result["source"]["size"]) == ("clip.mp4", len(clips["both"]))
    took = result["took"]
    assert took["invocations"] == 4
    assert took["received"] > len(clips["both"])
    assert took["gb_seconds"] == pytest.approx(took["seconds"] * 3538 / 1024, rel=1e-6)
    # Each event was delivered to whom it is for, and to nobody else.
    assert [name for name, _ in cloud.delivered] == [SPLITTING] + [RECOGNITION] * 3
    assert cloud.buckets.all(OUTPUT).keys() == {"clip.txt", "clip.json"}
    assert cloud.buckets.all(INPUT).keys() == {"clip.mp4"}
    version = result["source"]["version"]
    staged = {key.removeprefix(f"clip.mp4/{version}/") for key in cloud.buckets.all(STAGE)}
    parts = (("frame-00000{}.jpg", 5), ("00000{}.chunk.json", 3), ("answers/00000{}.json", 3))
    assert staged == {"plan.json", *(part.format(n) for part, count in parts for n in range(1, count + 1))}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a b+c%20d/été 🙂/наше кино.mp4", "a b+c%20d/été 🙂/наше кино"),
        ("=&;,:@$!'()*~#?[]{}^|\"<>.MP4", "=&;,:@$!'()*~#?[]{}^|\"<>.MP4"),
        ("pictures/clip.mov", "pictures/clip.mov"),
        ("of/" + "long names/" * 25 + "clip.mp4", "of/" + "long names/" * 25 + "clip"),
    ],
)  # fmt: skip
def test_every_key_is_read_and_leads_to_its_result(cloud: Cloud, clips: dict[str, bytes], key: str, name: str) -> None:
    cloud.buckets.put(key, clips[BIDEN])
    cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text(name) == f"{BIDEN}\n"
    assert cloud.buckets.result(name)["source"]["key"] == key


def test_what_is_put_under_the_same_key_has_its_own_result_and_no_event_undoes_it(
    cloud: Cloud, clips: dict[str, bytes]
) -> None:
    cloud.buckets.put("again.mp4", clips[OBAMA])
    cloud.settle()
    assert cloud.buckets.text("again") == f"{OBAMA}\n"
    cloud.buckets.put("again.mp4", clips[BIDEN])
    cloud.settle()
    assert cloud.buckets.text("again") == f"{BIDEN}\n"
    events = list(cloud.delivered)  # of both uploads
    before = [cloud.buckets.all(bucket) for bucket in (STAGE, OUTPUT)]
    result = cloud.buckets.result("again")
    time.sleep(1.1)  # S3 tells times in whole seconds
    for name, event in [*events, *reversed(events)]:
        cloud.deliver(name, event)
    assert not cloud.dead
    assert not cloud.buckets.take()  # nothing was written
    assert [cloud.buckets.all(bucket) for bucket in (STAGE, OUTPUT)] == before
    assert cloud.buckets.result("again") == result


def test_the_same_file_put_again_is_looked_at_again(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """Others may be enrolled by then."""
    for _ in range(2):
        cloud.buckets.put("same.mp4", clips[OBAMA])
        cloud.settle()
    assert [name for name, _ in cloud.delivered] == [SPLITTING, RECOGNITION] * 2
    assert cloud.buckets.text("same") == f"{OBAMA}\n"


def test_of_two_uploads_before_the_first_event_the_later_counts(cloud: Cloud, clips: dict[str, bytes]) -> None:
    cloud.buckets.put("twice.mp4", clips[OBAMA])
    cloud.buckets.put("twice.mp4", clips[BIDEN])
    (first, second) = cloud.buckets.take()
    cloud.deliver(*second)
    cloud.deliver(*first)
    cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text("twice") == f"{BIDEN}\n"


def test_a_picture_in_the_stage(cloud: Cloud, samples: Path) -> None:
    cloud.buckets.put("pictures/a b/me+you.JPG", samples / "biden.jpg", STAGE)
    cloud.buckets.put("pictures/notes.txt", b"no picture", STAGE)
    cloud.buckets.put("pictures/broken.png", b"no picture", STAGE)
    cloud.settle()
    assert [name for name, _ in cloud.delivered] == [RECOGNITION] * 2
    assert cloud.buckets.text("pictures/a b/me+you.JPG") == f"{BIDEN}\n"
    assert cloud.buckets.text("pictures/broken.png").startswith("error: pictures/broken.png: ")
    assert not cloud.dead


def test_of_a_large_file_only_what_is_needed_travels(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """Its index lies behind 60 MB of nothing."""
    index, gap = clips["both"].index(b"moov") - 4, 60_000_000
    padding = struct.pack(">I4s", 8 + gap, b"free") + bytes(gap)
    cloud.buckets.put("large.mp4", clips["both"][:index] + padding + clips["both"][index:])
    cloud.settle()
    assert not cloud.dead
    result = cloud.buckets.result("large")
    assert seen(result) == BOTH
    assert result["took"]["received"] < gap / 2


def test_segments_in_place_of_frames(cloud: Cloud, clips: dict[str, bytes]) -> None:
    with cloud.running(cloud.function(SPLITTING, VISAGE_SEGMENT="2")):
        cloud.buckets.put("segments.mp4", clips["both"])
        cloud.settle()
    assert not cloud.dead
    assert cloud.buckets.text("segments") == f"{OBAMA}\n{BIDEN}\n"
    assert seen(cloud.buckets.result("segments")) == BOTH
    ends = {key.rpartition(".")[2] for key in cloud.buckets.all(STAGE, "segments.mp4/")}
    assert ends == {"mkv", "json"}


def test_near_its_time_limit_it_leaves_the_rest_to_another_invocation(cloud: Cloud, clips: dict[str, bytes]) -> None:
    """A limit so short that there is never time for another frame."""
    with cloud.running(cloud.function(SPLITTING, timeout=10)):
        cloud.buckets.put("long.mp4", clips["both"])
        cloud.settle()
    assert not cloud.dead
    assert [name for name, _ in cloud.delivered].count(SPLITTING) == 6
    result = cloud.buckets.result("long")
    assert seen(result) == BOTH
    assert (result["chunks"], result["took"]["invocations"]) == (5, 11)
    assert cloud.buckets.text("long") == f"{OBAMA}\n{BIDEN}\n"


@pytest.mark.parametrize("name", RESOURCES)
def test_each_loads_what_it_needs_and_no_more(cloud: Cloud, clips: dict[str, bytes], tmp_path: Path, name: str) -> None:
    """Whatever is loaded is waited for at every cold start."""
    function = cloud.function(name)
    module = function.handler.removesuffix(".handler")
    (tmp_path / "telling.py").write_text(TELLING.format(module=module))
    with cloud.running(replace(function, handler="telling.handler", folder=tmp_path)) as telling:
        cloud.buckets.put(f"{name}.mp4", clips[OBAMA])
        cloud.settle()
        loaded = set(telling.invoke("loaded"))
    assert not cloud.dead
    assert cloud.buckets.text(name) == f"{OBAMA}\n"
    assert {"torch", "openvino", "av", "boto3", "botocore", "click", "flask", "tqdm"} & loaded == {NEEDED[name]}
