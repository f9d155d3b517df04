"""Files that are broken, absent or odd: one line for each, the others are done, and the exit code tells."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import jsonschema
import pytest

from tests.doors.bad_files import encoded, film, photo, png_bomb, png_of, sound_only
from tests.doors.conftest import COMMAND, Done, Visage
from tests.doors.schemas import SCHEMAS

# What stands in the line about each, and the kind of error in the JSON. Some of them are looked at all the same.
BAD = {
    "damaged.jpg": ("UnreadableError", "damaged or cut off"),
    "cut.png": ("UnreadableError", "damaged or cut off"),
    "text.jpg": ("UnreadableError", "neither a photo"),
    "zero.jpg": ("UnreadableError", "0 bytes"),
    "bomb.png": ("TooLargeError", "900 megapixels"),
    "sound.mp4": ("UnreadableError", "no video in it"),
    "headless.mp4": ("UnreadableError", "damaged, or cut off before its index"),
    "gone.jpg": ("NotFoundError", "no such file"),
    "empty": ("UnreadableError", "no photo or video in this folder"),
    "x" * 300 + ".jpg": ("UnreadableError", "name too long"),
    "half.jpg": ("UnreadableError", "cut off"),
    "tail.mp4": ("UnreadableError", "what is there was looked at"),
}
ANSWERED = {"half.jpg", "tail.mp4"}
GOOD = {"obama.jpg", "png.jpg", "one.png"}


@pytest.fixture
def zoo(samples: Path, tmp_path: Path) -> Path:
    """A folder of good and bad files."""
    folder = tmp_path / "zoo"
    (folder / "empty").mkdir(parents=True)
    face = photo(samples / "obama.jpg", 400)
    jpeg, png = encoded(face, "JPEG"), encoded(face, "PNG")
    whole = film(folder / "film.mp4", [face] * 20, movflags="faststart").read_bytes()
    headless = film(folder / "film.mp4", [face] * 20).read_bytes()
    (folder / "film.mp4").unlink()
    shutil.copy(samples / "obama.jpg", folder)
    for name, data in {
        "png.jpg": png, "one.png": png_of(1, 1, zlib.compress(bytes(4))), "damaged.jpg": jpeg[:600],
        "cut.png": png[: len(png) // 2], "text.jpg": b"this is no picture\n", "zero.jpg": b"", "bomb.png": png_bomb(),
        "headless.mp4": headless[: len(headless) // 2], "half.jpg": jpeg[: len(jpeg) * 3 // 4],
        "tail.mp4": whole[: len(whole) * 2 // 3],
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)
    sound_only(folder / "sound.mp4")
    return folder


def lines(done: Done) -> list[str]:
    """The lines on standard error; each one is ours."""
    found = done.err.splitlines()
    assert all(line.startswith("visage: ") for line in found), done.err
    return found


def test_every_bad_file_gets_one_line_and_the_others_are_done(visage: Visage, zoo: Path) -> None:
    done = visage("detect", "--json", *(zoo / name for name in sorted({*BAD, *GOOD})))
    assert done.code == 1
    jsonschema.validate(done.json, SCHEMAS["detect"])
    assert {Path(answer["source"]).name for answer in done.json["answers"]} == GOOD | ANSWERED
    errors = {Path(error["source"]).name: error for error in done.json["errors"]}
    assert set(errors) == set(BAD)
    assert len(lines(done)) == len(BAD)
    for name, (kind, said) in BAD.items():
        assert (errors[name]["error"], said in errors[name]["detail"]) == (kind, True), errors[name]
        (line,) = [line for line in lines(done) if line.startswith(f"visage: {zoo / name}: ")]
        assert said in line
    faces = {Path(answer["source"]).name: len(answer["faces"]) for answer in done.json["answers"]}
    assert faces["obama.jpg"] == faces["png.jpg"] == 1
    assert faces["one.png"] == 0
    assert faces["tail.mp4"] > 5


def test_enrollment_takes_the_good_ones_and_keeps_who_was_there(visage: Visage, zoo: Path, samples: Path) -> None:
    assert visage("enroll", "--name", "Joe Biden", samples / "biden.jpg").code == 0
    done = visage("enroll", "--json", "--name", "Barack Obama", *(zoo / name for name in sorted({*BAD, *GOOD})))
    assert done.code == 1
    jsonschema.validate(done.json, SCHEMAS["enroll"])
    outcomes = {Path(a["source"]).name: a["enrollment"]["outcome"] for a in done.json["answers"]}
    assert outcomes.pop("tail.mp4", "duplicate") in {"duplicate", "enrolled"}
    assert outcomes == {"obama.jpg": "enrolled", "png.jpg": "duplicate", "one.png": "no face"}
    assert {Path(error["source"]).name for error in done.json["errors"]} >= set(BAD) - {"tail.mp4"}
    people = visage("people", "list", "--json").json["people"]
    assert [person["name"] for person in people] == ["Barack Obama", "Joe Biden"]


# A process of its own measures: a child's largest size counts from before it takes up its program, when it is as large
# as its parent, and the tests' own process is large.
MEASURE = """
import json, os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime]))
"""


def test_a_pixel_bomb_costs_neither_time_nor_memory(environment: dict[str, str], zoo: Path) -> None:
    words = [sys.executable, "-c", MEASURE, *COMMAND, "detect", str(zoo / "bomb.png")]
    code, most, seconds = json.loads(subprocess.run(words, capture_output=True, check=True, env=environment).stdout)
    assert code == 1
    assert most < 700_000  # kB; decoded it would be 2,700,000
    assert seconds < 10


def test_an_empty_folder_is_a_failure_of_its_own(visage: Visage, tmp_path: Path) -> None:
    (tmp_path / "people" / "Ada").mkdir(parents=True)
    for words in (
        ["detect", tmp_path / "people"],
        ["enroll", tmp_path / "people"],
        ["enroll", tmp_path / "people/Ada"],
    ):
        done = visage(*words)
        assert (done.code, done.out) == (1, "")
        assert len(lines(done)) == 1
        assert str(tmp_path / "people") in done.err


ODD_NAMES = [
    "ünïcödé.jpg", "e\u0301.jpg", "日本語.jpg", "👩\u200d👩\u200d👧.jpg", "صورة.jpg", " spaces  .jpg", "-dash.jpg",
    "quo\"te'.jpg", "%s {} $HOME `id`.jpg", "back\\slash.jpg", "new\nline.jpg", "tab\t.jpg", "\x1b[31mred.jpg",
    "#?&.jpg", "\udcff\udcfe.jpg", "e\u202egpj.jpg", "ä" * 120 + ".jpg",
]  # fmt: skip


def test_any_name_of_a_file_will_do(visage: Visage, samples: Path, tmp_path: Path) -> None:
    """Also one that breaks lines, steers the terminal, or is no text at all; the JSON has it as it is."""
    folder = tmp_path / "od\td 名"
    folder.mkdir()
    for name in ODD_NAMES:
        os.link(shutil.copy(samples / "obama2.jpg", tmp_path), folder / name)
    told = visage("detect", folder, PYTHONIOENCODING="utf-8")
    assert (told.code, told.err) == (0, "")
    assert len(told.out.splitlines()) == 2 * len(ODD_NAMES)
    assert "\x1b" not in told.out
    asked = visage("enroll", "--json", "--name", "Ada", folder, PYTHONIOENCODING="utf-8")
    assert asked.code == 0, asked.err
    assert {Path(answer["source"]).name for answer in asked.json["answers"]} == set(ODD_NAMES)
    narrow = visage("detect", "--json", folder, PYTHONIOENCODING="latin-1")
    assert {Path(answer["source"]).name for answer in narrow.json["answers"]} == set(ODD_NAMES)
    assert "\x1b" not in visage("people", "show", "Ada", PYTHONIOENCODING="ascii").out


def test_any_name_of_a_person_without_slash_or_control_character_will_do(
    visage: Visage, samples: Path, tmp_path: Path
) -> None:
    good = ["Ünïcödé", "日本語", "👩\u200d👩\u200d👧", "صورة", 'O\'Brien "Bo"', "-dash", "%s {}"]
    bad = ["new\nline", "\x1b[31mred", "unknown", "\udcff", "back\\slash", "e\u202eman"]
    for i, name in enumerate([*good, *bad]):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(samples / ("obama.jpg" if i % 2 else "biden.jpg"), tmp_path / "people" / name / "a.jpg")
    done = visage("enroll", tmp_path / "people", PYTHONIOENCODING="utf-8")
    assert done.code == 1
    assert len(lines(done)) == len(bad)
    assert "\x1b" not in done.err
    people = visage("people", "list", "--json").json["people"]
    assert sorted(person["name"] for person in people) == sorted(good)
    for name in ("a/b", "a\nb", "bell\x07", "", "."):
        refused = visage("enroll", "--name", name, samples / "obama.jpg")
        assert (refused.code, refused.out, len(lines(refused))) == (2, "", 1)


def test_a_missing_gallery_is_said_at_once_and_not_made(visage: Visage, samples: Path, tmp_path: Path) -> None:
    for words in (["recognize", samples / "obama.jpg"], ["people", "list"], ["people", "migrate"]):
        done = visage(*words)
        assert (done.code, len(lines(done))) == (1, 1)
        assert "gallery.sqlite: nobody has been enrolled yet" in done.err
        assert "visage enroll" in done.err
    assert not (tmp_path / "gallery.sqlite").exists()


@pytest.mark.parametrize("damage", ["text", "cut", "torn", "another"])
def test_a_corrupt_gallery_is_named_and_left_alone(damage: str, visage: Visage, samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "gallery.sqlite"
    if damage in {"cut", "torn"}:
        visage("enroll", "--name", "Ada", samples / "obama.jpg")
        whole = path.read_bytes()
        middle = bytes(4096 * 3) if damage == "torn" else b""
        path.write_bytes(whole[:4096] + middle + (whole[4096 * 4 :] if damage == "torn" else b""))
    elif damage == "another":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE recipes (name TEXT)")
        db.close()
    else:
        path.write_text("these are my notes\n" * 100)
    content = path.read_bytes()
    for words in (["recognize", samples / "obama.jpg"], ["enroll", "--name", "Bo", samples / "biden.jpg"]):
        done = visage(*words)
        assert (done.code, done.out, len(lines(done))) == (1, "", 1)
        assert f"{path}: " in done.err
    assert path.read_bytes() == content


def test_a_setting_or_home_that_cannot_be_is_named(visage: Visage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wrong = visage("detect", "x.jpg", VISAGE_THREADS="many")
    assert (wrong.code, lines(wrong)) == (2, ["visage: threads must be a number, not 'many'"])
    nowhere = visage("people", "list", VISAGE_HOME="~nobody-of-that-name/x")
    assert (nowhere.code, len(lines(nowhere))) == (2, 1)
    broken = visage("people", "list", VISAGE_HOME=str(tmp_path / "file"), VISAGE_GALLERY="")
    assert (broken.code, len(lines(broken))) == (2, 1)
    assert str(tmp_path / "file") in broken.err
