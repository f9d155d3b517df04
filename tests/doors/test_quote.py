"""visage quote: what videos would cost, told from their headers."""

from pathlib import Path

import jsonschema
import pytest

from tests.doors.bad_files import film
from tests.doors.conftest import Visage
from tests.doors.schemas import SCHEMAS
from tests.fakes import picture
from visage.core.cost.prices import US_EAST_1


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six seconds at ten frames a second, with a key frame every half second."""
    return film(tmp_path / "clip.mp4", [picture(1)] * 60)


def test_three_ways_to_do_one_video(visage: Visage, clip: Path) -> None:
    done = visage("quote", clip, "--chunk", 4)
    assert (done.code, done.err) == (0, "")
    header, frames, segments, scalable, note = done.out.splitlines()
    assert header.split() == ["file", "form", "frames", "invocations", "requests", "MB", "seconds", "dollars"]
    assert frames.split()[-6:-3] == ["6", "3", "44"]
    assert segments.split()[-6:-4] == ["6", "2"]
    assert scalable.split()[-6:-4] == ["6", "-"]
    assert all(0 < float(line.split()[-1]) < 0.001 for line in (frames, segments, scalable))
    assert US_EAST_1.region in note
    assert US_EAST_1.date in note


def test_json(visage: Visage, clip: Path, blank: Path) -> None:
    done = visage("quote", "--json", clip, blank, "--every", "2s", "--segment", 3, "--arm")
    assert done.code == 1
    assert [Path(error["source"]).name for error in done.json["errors"]] == ["blank.jpg"]
    jsonschema.validate(done.json, SCHEMAS["quote"])
    (video,) = done.json["files"]
    assert (video["frames"], video["key_frames"], video["codec"], video["duration"]) == (60, 12, "h264", 6.0)
    assert [one["form"] for one in video["quotes"]] == ["frames", "segments", "scalable"]
    assert [one["frames"] for one in video["quotes"]] == [3, 3, 3]
    assert video["quotes"][1]["chunks"] == 2
    for one in video["quotes"]:
        parts = {**one["dollars"]}
        assert parts.pop("total") == pytest.approx(sum(parts.values()), abs=1e-7)


def test_options_change_the_price(visage: Visage, clip: Path) -> None:
    def total(*words: object) -> float:
        done = visage("quote", "--json", clip, *words)
        assert done.code == 0, done.err
        return float(done.json["files"][0]["quotes"][0]["dollars"]["total"])

    assert total("--arm") < total() < total("--every", "all") < total("--every", "all", "--faces", 10)
    assert total("--memory", 7076) > total()


def test_several_files_and_their_total(visage: Visage, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    done = visage("quote", clip, broken, tmp_path / "none.mp4", clip)
    assert done.code == 1
    assert len(done.err.splitlines()) == 2
    assert "broken.mp4" in done.err
    assert "there is no such file" in done.err
    rows = [line.split() for line in done.out.splitlines()[1:-1]]
    assert len(rows) == 9
    assert [row[0] for row in rows[-3:]] == ["total"] * 3
    assert float(rows[6][-1]) == pytest.approx(2 * float(rows[0][-1]), rel=0.1)
    assert int(rows[6][-4]) == 2 * int(rows[0][-4])


@pytest.mark.parametrize("words", [["--every", "1h"], ["--chunk", "0"], ["--memory", "1"], ["--segment", "-1"]])
def test_wrong_usage(visage: Visage, clip: Path, words: list[str]) -> None:
    assert visage("quote", clip, *words).code == 2
