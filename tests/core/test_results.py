"""Results: what they are called, and which of two stays."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.errors import FaultError, StorageError, UnreadableError
from visage.core.ports.objects import Objects
from visage.core.serverless.results import done, failed, json_key, keep, level, result_name, standing, text_key, text_of
from visage.core.serverless.uploads import Upload
from visage.objects.store import open_store

KEY = "holiday/clip.mp4"


def upload(version: str = "v1", order: str = "01", key: str = KEY) -> Upload:
    return Upload(key, version, order, version, 10)


def result(*names: str, chunks: int = 2, **of: str) -> dict[str, Any]:
    return done(upload(**of), {"names": list(names)}, chunks=chunks)


@pytest.fixture
def outputs() -> Objects:
    return open_store("memory:///")


def text(outputs: Objects) -> str:
    return outputs.get("holiday/clip.txt").decode()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("clip.mp4", "clip"),
        ("a b/clip.mp4", "a b/clip"),
        ("my.holiday.2026.mp4", "my.holiday.2026"),
        ("clip.mov", "clip.mov"),
        ("clip.MP4", "clip.MP4"),
        ("clip.mov.mp4", "clip.mov.mp4"),
        ("clip.mp4.mp4", "clip.mp4.mp4"),
        ("a.mov/.mp4", "a.mov/.mp4"),
        (".mp4", ".mp4"),
    ],
)
def test_a_result_is_called_after_its_video(key: str, name: str) -> None:
    assert result_name(key) == name
    assert (text_key(key), json_key(key)) == (name + ".txt", name + ".json")


SUFFIXES = st.sampled_from([".mp4", ".mov", ".MOV", ".webm", ".jpg", ".MP4", ""])


@given(st.lists(st.tuples(st.sampled_from(["a", "b/a", "a.b"]), SUFFIXES, SUFFIXES), min_size=2, max_size=8))
def test_two_videos_never_share_a_result(names: list[tuple[str, str, str]]) -> None:
    """As long as they are called as videos are."""
    keys = {"".join(parts) for parts in names if parts[2]}
    assert len({result_name(key) for key in keys}) == len(keys)


def test_where_two_would_share_a_result_all_the_same_the_second_is_refused(outputs: Objects) -> None:
    assert keep(outputs, "clip", result("Ada", key="clip"))
    with pytest.raises(StorageError, match=r"what lies there is not the result of clip\.mp4"):
        keep(outputs, "clip.mp4", result("Bo", key="clip.mp4"))
    assert outputs.get("clip.txt") == b"Ada\n"


def test_what_somebody_else_put_there_is_left_alone(outputs: Objects) -> None:
    outputs.put("holiday/clip.json", b"my notes")
    with pytest.raises(StorageError, match="move it away"):
        keep(outputs, KEY, result("Ada"))
    assert outputs.get("holiday/clip.json") == b"my notes"


def test_the_text_has_a_name_a_line() -> None:
    assert text_of(result("Ada", "Grace Hopper")) == "Ada\nGrace Hopper\n"
    assert text_of(result()) == ""
    failure = failed(upload(), UnreadableError("copy-17", "it is empty"))
    assert text_of(failure) == "error: holiday/clip.mp4: it is empty\n"
    assert text_of(failed(upload(), FaultError("two\nlines"))) == "error: two lines\n"


def test_a_later_upload_takes_the_place_of_an_earlier_one_and_never_the_other_way(outputs: Objects) -> None:
    assert keep(outputs, KEY, result("Ada", version="v2", order="0A"))
    assert not keep(outputs, KEY, result("Bo", version="v1", order="09FF", chunks=5))
    assert text(outputs) == "Ada\n"
    assert keep(outputs, KEY, result("Cy", version="v3", order="0B", chunks=1))
    found = standing(outputs, KEY)
    assert found
    assert (found.version, found.status, text(outputs)) == ("v3", "done", "Cy\n")


def test_of_one_upload_the_better_result_stays(outputs: Objects) -> None:
    failure, partial = failed(upload(), FaultError("no")), result("Ada", chunks=1)
    assert keep(outputs, KEY, failure)
    assert text(outputs) == "error: no\n"
    assert not keep(outputs, KEY, failure)
    assert keep(outputs, KEY, partial)
    assert not keep(outputs, KEY, failure)
    assert keep(outputs, KEY, result("Ada", "Bo", chunks=2))
    assert not keep(outputs, KEY, partial)
    assert text(outputs) == "Ada\nBo\n"


def test_a_text_that_was_not_written_is_made_up_for(outputs: Objects) -> None:
    keep(outputs, KEY, result("Ada"))
    outputs.delete(["holiday/clip.txt"])
    level(outputs, KEY)
    assert text(outputs) == "Ada\n"
    outputs.put("holiday/clip.txt", b"Bo\n")
    keep(outputs, KEY, result("Ada"))
    assert text(outputs) == "Ada\n"


def test_the_json_says_whose_result_it_is(outputs: Objects) -> None:
    keep(outputs, KEY, result("Ada"))
    data = json.loads(outputs.get("holiday/clip.json"))
    assert data["source"] == {"key": KEY, "version": "v1", "order": "01", "size": 10}
    assert data["status"] == "done"
    assert standing(outputs, "other.mp4") is None
