"""Both functions, started as AWS starts them, on a stand-in for S3: a video is put there, names come out."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.aws.moto_server import aws_server
from tests.doors.bad_files import film, photo
from tests.serverless.buckets import GALLERY, RESOURCES, Buckets, Cloud, Letter, function_of, record_of, runtime_of
from tests.serverless.conftest import GIVEN
from tests.serverless.runtime import FunctionError, Runtime
from tests.templates import Stack
from visage import load_settings, open_engine
from visage.wiring import open_publisher

pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it with: pip install -e '.[test]'")

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
INPUT, STAGE, OUTPUT = "visage-input", "visage-stage-1", "visage-output"
SPLITTING, RECOGNITION = RESOURCES
Start = Callable[..., Runtime]


@pytest.fixture(scope="module")
def stack(template: dict[str, Any]) -> Stack:
    """Two frames a chunk, so that a short clip has several."""
    return Stack(template, GIVEN | {"ChunkFrames": 2})


@pytest.fixture(scope="module")
def buckets(stack: Stack, home: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    """With two people in the gallery."""
    file = tmp_path_factory.mktemp("gallery") / "gallery.sqlite"
    with aws_server(), Buckets(stack) as made, open_engine(load_settings(gallery=f"sqlite:///{file}")) as registrar:
        registrar.enroll(str(samples / "obama.jpg"), OBAMA)
        registrar.enroll(str(samples / "biden.jpg"), BIDEN)
        assert open_publisher(GALLERY, registrar.gallery()).step()
        yield made


@pytest.fixture(scope="module")
def running(buckets: Buckets, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runtime]]:
    """Both functions, for all tests: what is wrong in one of these must not spoil the next."""
    folder = tmp_path_factory.mktemp("task")
    with ExitStack() as opened:
        yield {name: opened.enter_context(runtime_of(stack, name, folder)) for name in RESOURCES}


@pytest.fixture
def start(buckets: Buckets, stack: Stack, tmp_path: Path) -> Iterator[Start]:
    """Starts a function of a test's own: its name, its time limit, its variables."""
    with ExitStack() as opened:

        def started(name: str, timeout: int | None = None, **variables: str) -> Runtime:
            return opened.enter_context(runtime_of(stack, name, tmp_path, timeout, **variables))

        yield started


@pytest.fixture
def cloud(buckets: Buckets, running: dict[str, Runtime]) -> Cloud:
    buckets.take()  # what a test before did not
    return Cloud(buckets, running)


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """both: three seconds of Obama, then two of Biden. A second of each, by name."""
    obama, biden = (photo(samples / name, 320)[:, :240] for name in ("obama2.jpg", "biden.jpg"))
    folder = tmp_path_factory.mktemp("clips")
    return {
        "both": film(folder / "both.mp4", [obama] * 6 + [biden] * 4, rate=2).read_bytes(),
        OBAMA: film(folder / "obama.mp4", [obama] * 2, rate=2).read_bytes(),
        BIDEN: film(folder / "biden.mp4", [biden] * 2, rate=2).read_bytes(),
    }


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


def seen(result: Any) -> list[tuple[int, float, str]]:
    return [(face["frame"], face["time"], face["name"]) for face in result["answer"]["faces"]]


BOTH = [(0, 0.0, OBAMA), (2, 1.0, OBAMA), (4, 2.0, OBAMA), (6, 3.0, BIDEN), (8, 4.0, BIDEN)]


def test_a_video_becomes_a_list_of_names(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]) -> None:
    buckets.put("clip.mp4", clips["both"])
    cloud.settle()
    assert not cloud.dead
    assert buckets.text("clip") == f"{OBAMA}\n{BIDEN}\n"
    result = buckets.result("clip")
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
    assert buckets.all(OUTPUT).keys() == {"clip.txt", "clip.json"}
    assert buckets.all(INPUT).keys() == {"clip.mp4"}
    version = result["source"]["version"]
    staged = {key.removeprefix(f"clip.mp4/{version}/") for key in buckets.all(STAGE)}
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
def test_every_key_is_read_and_leads_to_its_result(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes], key: str, name: str
) -> None:
    buckets.put(key, clips[BIDEN])
    cloud.settle()
    assert not cloud.dead
    assert buckets.text(name) == f"{BIDEN}\n"
    assert buckets.result(name)["source"]["key"] == key


def test_what_is_put_under_the_same_key_has_its_own_result_and_no_event_undoes_it(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]
) -> None:
    buckets.put("again.mp4", clips[OBAMA])
    cloud.settle()
    assert buckets.text("again") == f"{OBAMA}\n"
    earlier = list(cloud.delivered)
    buckets.put("again.mp4", clips[BIDEN])
    cloud.settle()
    assert buckets.text("again") == f"{BIDEN}\n"
    both = list(cloud.delivered)
    before = [buckets.all(bucket) for bucket in (STAGE, OUTPUT)]
    result = buckets.result("again")
    time.sleep(1.1)  # S3 tells times in whole seconds
    for name, event in [*earlier, *both, *reversed(both)]:
        cloud.deliver(name, event)
    assert not cloud.dead
    assert not buckets.take()  # nothing was written
    assert [buckets.all(bucket) for bucket in (STAGE, OUTPUT)] == before
    assert buckets.result("again") == result


def test_the_same_file_put_again_is_looked_at_again(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]) -> None:
    """Others may be enrolled by then."""
    for _ in range(2):
        buckets.put("same.mp4", clips[OBAMA])
        cloud.settle()
    assert [name for name, _ in cloud.delivered] == [SPLITTING, RECOGNITION] * 2
    assert buckets.text("same") == f"{OBAMA}\n"


def test_of_two_uploads_before_the_first_event_the_later_counts(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]
) -> None:
    buckets.put("twice.mp4", clips[OBAMA])
    buckets.put("twice.mp4", clips[BIDEN])
    (first, second) = buckets.take()
    cloud.deliver(*second)
    cloud.deliver(*first)
    cloud.settle()
    assert not cloud.dead
    assert buckets.text("twice") == f"{BIDEN}\n"


def test_a_picture_in_the_stage(cloud: Cloud, buckets: Buckets, samples: Path) -> None:
    buckets.put("pictures/a b/me+you.JPG", samples / "biden.jpg", STAGE)
    buckets.put("pictures/notes.txt", b"no picture", STAGE)
    buckets.put("pictures/broken.png", b"no picture", STAGE)
    cloud.settle()
    assert [name for name, _ in cloud.delivered] == [RECOGNITION] * 2
    assert buckets.text("pictures/a b/me+you.JPG") == f"{BIDEN}\n"
    assert buckets.text("pictures/broken.png").startswith("error: pictures/broken.png: ")
    assert not cloud.dead


def test_segments_in_place_of_frames(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes], start: Start) -> None:
    cloud.functions[SPLITTING] = start(SPLITTING, VISAGE_SEGMENT="2")
    buckets.put("segments.mp4", clips["both"])
    cloud.settle()
    assert not cloud.dead
    assert buckets.text("segments") == f"{OBAMA}\n{BIDEN}\n"
    assert seen(buckets.result("segments")) == BOTH
    ends = {key.rpartition(".")[2] for key in buckets.all(STAGE, "segments.mp4/")}
    assert ends == {"mkv", "json"}


def test_near_its_time_limit_it_leaves_the_rest_to_another_invocation(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes], start: Start
) -> None:
    """A limit so short that there is never time for another frame."""
    cloud.functions[SPLITTING] = start(SPLITTING, timeout=10)
    buckets.put("long.mp4", clips["both"])
    cloud.settle()
    assert not cloud.dead
    assert [name for name, _ in cloud.delivered].count(SPLITTING) == 6
    result = buckets.result("long")
    assert seen(result) == BOTH
    assert (result["chunks"], result["took"]["invocations"]) == (5, 11)
    assert buckets.text("long") == f"{OBAMA}\n{BIDEN}\n"


def test_what_failed_for_good_is_missing_and_the_dead_letter_mends_it(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]
) -> None:
    buckets.put("partial.mp4", clips["both"])
    cloud.deliver(*buckets.take()[0])
    (lost,) = (key for key in buckets.all(STAGE, "partial.mp4/") if key.endswith("frame-000003.jpg"))
    frame = buckets.delete(lost, STAGE)
    cloud.settle()
    (letter,) = cloud.dead
    assert letter.function == RECOGNITION
    assert letter.event["Records"][0]["s3"]["object"]["key"].endswith("000002.chunk.json")
    assert "a part of it is not in the stage any more" in letter.reason
    assert buckets.text("partial") == f"{OBAMA}\n{BIDEN}\n"
    result = buckets.result("partial")
    assert (result["status"], result["chunks"]) == ("partial", 2)
    (missing,) = result["missing"]
    assert (missing["from"], missing["to"]) == (2.0, 3.0)
    assert missing["error"] == letter.reason
    assert [frame for frame, _, _ in seen(result)] == [0, 2, 8]
    buckets.put(lost, frame, STAGE)
    cloud.replay()
    assert not cloud.dead
    mended = buckets.result("partial")
    assert mended["status"] == "done"
    assert "missing" not in mended
    assert seen(mended) == BOTH


def test_a_failure_that_lambda_tells_of_without_a_word(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]) -> None:
    """As of an event that was too old: nobody answered anything."""
    buckets.put("old.mp4", clips[OBAMA])
    ((name, event),) = buckets.take()
    record = record_of(Letter(name, event, ""))
    del record["responsePayload"], record["responseContext"]
    cloud.deliver(RECOGNITION, record)
    assert buckets.text("old") == "error: old.mp4: RetriesExhausted\n"
    cloud.deliver(SPLITTING, record_of(Letter(RECOGNITION, record, "again")))  # a record of a record
    cloud.deliver(name, event)
    cloud.settle()
    assert not cloud.dead
    assert buckets.text("old") == f"{OBAMA}\n"


def test_a_gallery_that_is_missing_then_empty_then_has_somebody(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes], start: Start, samples: Path, tmp_path: Path
) -> None:
    """All in one process, which goes on."""
    place = "s3://somebody-gallery/later/gallery.sqlite"
    cloud.functions[RECOGNITION] = recognition = start(RECOGNITION, VISAGE_GALLERY=place)
    buckets.put("early.mp4", clips[OBAMA])
    cloud.settle()
    (letter,) = cloud.dead
    assert letter.reason == f"{place}: nothing is published there; publish a gallery with `visage gallery publish`"
    assert buckets.text("early") == f"error: early.mp4: {letter.reason}\n"
    process = recognition.pid
    with open_engine(load_settings(gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}")) as registrar:
        publisher = open_publisher(place, registrar.gallery(create=True))
        publisher.step()
        cloud.replay()
        assert not cloud.dead
        assert buckets.text("early") == "unknown\n"
        registrar.enroll(str(samples / "obama.jpg"), OBAMA)
        publisher.step()
    time.sleep(2.1)  # for so long nobody looks whether there is another
    buckets.put("early.mp4", clips[OBAMA])
    cloud.settle()
    assert buckets.text("early") == f"{OBAMA}\n"
    assert recognition.pid == process


def test_no_permission(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]) -> None:
    denied = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", '
        f'"Resource": "arn:aws:s3:::{STAGE}/*"}}]}}'
    )
    buckets.client.put_bucket_policy(Bucket=STAGE, Policy=denied)
    try:
        buckets.put("denied.mp4", clips[OBAMA])
        cloud.settle()
    finally:
        buckets.client.delete_bucket_policy(Bucket=STAGE)
    (letter,) = cloud.dead
    assert letter.reason == f"s3://{STAGE}: access is denied; allow this account or role to use the bucket"
    assert buckets.text("denied") == f"error: denied.mp4: {letter.reason}\n"
    cloud.replay()
    assert buckets.text("denied") == f"{OBAMA}\n"


def test_a_bucket_that_is_not_there(cloud: Cloud, buckets: Buckets, clips: dict[str, bytes], start: Start) -> None:
    cloud.functions[SPLITTING] = start(SPLITTING, VISAGE_STAGE="s3://nobodys-bucket")
    buckets.put("nowhere.mp4", clips[OBAMA])
    ((name, event),) = buckets.take()
    with pytest.raises(FunctionError, match="s3://nobodys-bucket: there is no such bucket") as told:
        cloud.functions[name].invoke(event)
    assert told.value.kind == "StorageError"


def test_what_is_deleted_what_nobody_can_keep_and_what_is_no_event(
    cloud: Cloud, buckets: Buckets, clips: dict[str, bytes]
) -> None:
    """The same process serves the next."""
    buckets.put("gone.mp4", clips[OBAMA])
    buckets.delete("gone.mp4", INPUT)
    buckets.put("folder/", b"")
    cloud.settle()
    assert buckets.text("gone") == "error: gone.mp4: it was deleted before it was read; put it there again\n"
    assert not cloud.dead
    process = cloud.functions[SPLITTING].pid
    buckets.put("a//b.mp4", clips[OBAMA])
    cloud.settle()
    letters = [(letter.function, letter.reason.partition(" ")[2]) for letter in cloud.dead]
    assert [name for name, _ in letters] == [SPLITTING, RECOGNITION]  # the other could not write the result either
    assert all("has a slash too many; choose another" in reason for _, reason in letters)
    for event in NO_EVENTS:
        for function in cloud.functions.values():
            with pytest.raises(FunctionError) as told:
                function.invoke(event)
            assert told.value.kind == "MessageError", event
    buckets.put("next.mp4", clips[BIDEN])
    cloud.settle()
    assert buckets.text("next") == f"{BIDEN}\n"
    assert cloud.functions[SPLITTING].pid == process


def test_a_disk_that_takes_nothing(
    cloud: Cloud, buckets: Buckets, stack: Stack, clips: dict[str, bytes], tmp_path: Path
) -> None:
    """No file may grow by a byte, /tmp/ included: neither function needs one."""
    full = ("bash", "-c", 'exec > >(cat) 2>&1; ulimit -f 0; exec "$0" "$@"', sys.executable)
    with ExitStack() as opened:
        for name in RESOURCES:
            function = replace(function_of(stack, name, tmp_path), python=full)
            cloud.functions[name] = opened.enter_context(Runtime(function))
        buckets.put("full.mp4", clips["both"])
        cloud.settle()
    assert not cloud.dead
    assert buckets.text("full") == f"{OBAMA}\n{BIDEN}\n"
