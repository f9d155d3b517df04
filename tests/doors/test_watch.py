"""`visage watch` on real faces: what is put into a folder, however it is put there, is named once."""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.bad_files import sound_only
from tests.doors.conftest import BIDEN, OBAMA, Visage
from tests.doors.watched import LONG, Folders, clip_of, folders_in
from tests.processes.workers import soon


@pytest.fixture
def folders(tmp_path: Path, environment: dict[str, str], enrolled: Visage) -> Iterator[Folders]:
    with folders_in(tmp_path / "watched", environment) as made:
        yield made


@pytest.fixture(scope="session")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip of each person, by name; one of Obama that takes a while."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        OBAMA: clip_of(samples / "obama2.jpg", folder / "obama.mp4"),
        BIDEN: clip_of(samples / "biden.jpg", folder / "biden.mp4"),
        "long": clip_of(samples / "obama2.jpg", folder / "long.mp4", 20, height=720),
    }


def test_a_clip_is_named_and_named_anew_when_another_takes_its_place(
    folders: Folders, clips: dict[str, Path], samples: Path
) -> None:
    watcher = folders.start("--workers", 2)
    folders.put(clips[OBAMA], "clip.mp4")
    assert folders.text("clip.txt") == f"{OBAMA}\n"
    assert folders.says(f"clip.mp4: {OBAMA}")
    first = folders.result("clip.json")
    assert first["status"] == "done"
    assert first["answer"]["names"] == [OBAMA]
    folders.put(clips[BIDEN], "clip.mp4")
    assert folders.says(f"clip.mp4: {BIDEN}")
    assert folders.text("clip.txt") == f"{BIDEN}\n"
    second = folders.result("clip.json")
    assert int(second["source"]["order"], 16) > int(first["source"]["order"], 16)
    pictures = folders.stage / "pictures"
    pictures.mkdir()
    shutil.copy(samples / "obama3.jpg", pictures)
    assert folders.text("pictures/obama3.jpg.txt") == f"{OBAMA}\n"
    watcher.terminate()
    assert watcher.wait(LONG) == 0
    assert folders.complained == ""
    assert (folders.inputs / "clip.mp4").exists()


def test_a_file_is_taken_only_when_its_writer_has_done(folders: Folders, clips: dict[str, Path]) -> None:
    """Also if the writer pauses for long; and what other programs have not finished is not taken."""
    folders.start("--workers", 1)
    data = clips[OBAMA].read_bytes()
    folders.put(clips[OBAMA], "loaded.mp4.part")
    folders.put(clips[OBAMA], ".hidden.mp4")
    folders.put(clips[OBAMA], ".hidden/clip.mp4")
    (folders.inputs / "link.mp4").symlink_to(clips[OBAMA])
    with (folders.inputs / "slow.mp4").open("wb") as file:
        for start in range(0, len(data), len(data) // 3 + 1):
            file.write(data[start : start + len(data) // 3 + 1])
            file.flush()
            time.sleep(2.0)
        assert not folders.texts()
        assert not list(folders.stage.rglob("*.json"))
    assert folders.text("slow.txt") == f"{OBAMA}\n"
    (folders.inputs / "loaded.mp4.part").rename(folders.inputs / "loaded.mp4")
    assert folders.text("loaded.txt") == f"{OBAMA}\n"
    assert folders.says(f"loaded.mp4: {OBAMA}")
    assert sorted(folders.said) == [f"loaded.mp4: {OBAMA}", f"slow.mp4: {OBAMA}"]


def test_every_name_is_a_key_and_bad_files_have_a_plain_result(
    folders: Folders, clips: dict[str, Path], tmp_path: Path
) -> None:
    folders.start("--workers", 2)
    names = ["a b+c%20.mp4", "été/наше кино/clip.mov", "pictures/clip.mp4", "deep/er/and/deeper/clip.mp4"]
    moved = tmp_path / "moved"
    (moved / "inside").mkdir(parents=True)
    shutil.copy(clips[BIDEN], moved / "inside" / "clip.mp4")
    for name in names:
        folders.put(clips[OBAMA], name)
    moved.rename(folders.inputs / "moved")
    (folders.inputs / "text.mp4").write_text("no video at all")
    (folders.inputs / "empty.mp4").touch()
    sound_only(folders.inputs / "sound.mp4")
    (folders.inputs / "cut.mp4").write_bytes(clips[OBAMA].read_bytes()[:-2000])
    wanted = {
        "a b+c%20.txt": OBAMA, "été/наше кино/clip.mov.txt": OBAMA, "pictures/clip.txt": OBAMA,
        "deep/er/and/deeper/clip.txt": OBAMA, "moved/inside/clip.txt": BIDEN,
    }  # fmt: skip
    for name, person in wanted.items():
        assert folders.text(name) == f"{person}\n"
    for name in ("text", "empty", "sound", "cut"):
        text = folders.text(f"{name}.txt")
        assert text.startswith("error: ")
        assert text.count("\n") == 1
        assert folders.result(f"{name}.json")["status"] == "failed"
    assert soon(lambda: len(folders.said) == 9, LONG)
    assert len([line for line in folders.said if ": error: " in line]) == 4


def test_what_came_while_nobody_watched_is_done_once(folders: Folders, clips: dict[str, Path]) -> None:
    folders.put(clips[OBAMA], "one.mp4")
    folders.put(clips[BIDEN], "two/clip.mp4")
    (folders.inputs / "text.mp4").write_text("no video at all")
    done = folders.once("--json")
    assert done.returncode == 1
    lines = {line["source"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {key: line["names"] for key, line in lines.items()} == {
        "one.mp4": [OBAMA], "two/clip.mp4": [BIDEN], "text.mp4": [],
    }  # fmt: skip
    assert lines["text.mp4"]["status"] == "failed"
    assert "neither a photo" in lines["text.mp4"]["error"]
    assert Path(lines["two/clip.mp4"]["text"]).read_text() == f"{BIDEN}\n"
    assert "1 failed: text.mp4" in done.stderr
    (folders.inputs / "text.mp4").unlink()
    again = folders.once()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    folders.put(clips[OBAMA], "three.mp4")
    (folders.outputs / "one.txt").unlink()  # as if it had been ended between the two files of a result
    last = folders.once()
    assert (last.returncode, last.stdout) == (0, f"three.mp4: {OBAMA}\n")
    assert folders.text("one.txt") == f"{OBAMA}\n"


def test_what_is_of_no_upload_any_more_leaves_the_stage_and_nothing_else(
    folders: Folders, clips: dict[str, Path]
) -> None:
    folders.put(clips[OBAMA], "gone.mp4")
    folders.put(clips[OBAMA], "kept.mp4")
    assert folders.once().returncode == 0
    (folders.stage / "kept.mp4" / "notes.txt").write_text("a user's own")
    (folders.stage / "plan.json").write_text("a user's own")
    (folders.inputs / "gone.mp4").unlink()
    before = sorted(path for path in folders.stage.rglob("*") if "gone" not in str(path) and ".visage" not in str(path))
    assert folders.once().returncode == 0
    after = sorted(path for path in folders.stage.rglob("*") if ".visage" not in str(path))
    assert after == before
    assert folders.texts() == {"gone.txt": f"{OBAMA}\n", "kept.txt": f"{OBAMA}\n"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_stops_cleanly_amid_a_video_and_goes_on_with_it(
    folders: Folders, clips: dict[str, Path], number: int, code: int
) -> None:
    words = ("--workers", 1, "--every", "all", "--chunk", "5")
    folders.put(clips["long"], "long.mp4")
    folders.put(clips[BIDEN], "short.mp4")
    watcher = folders.start(*words)
    assert soon(lambda: bool(list(folders.stage.glob("long.mp4/*/000002.chunk.json"))), LONG)
    workers = watcher.children()
    begun = time.monotonic()
    watcher.send_signal(number)
    assert watcher.wait(LONG) == code
    assert time.monotonic() - begun < 20
    assert not any(worker.is_running() for worker in workers)
    (rest,) = folders.stage.glob("long.mp4/*/*.rest.json")  # cut so far; the rest is left to the next
    assert not list(folders.stage.glob("long.mp4/*/plan.json"))
    cut = {path: path.stat().st_mtime_ns for path in folders.stage.glob("long.mp4/*/*.chunk.json")}
    assert int(rest.name.partition(".")[0]) == len(cut) + 1
    done = folders.once(*words, "--every", "all", "--workers", 2)
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == [f"long.mp4: {OBAMA}", f"short.mp4: {BIDEN}"]
    assert folders.result("long.json")["answer"]["frames"] == 200
    assert {path: path.stat().st_mtime_ns for path in cut} == cut


def test_a_manifest_that_is_put_there_again_is_done_again(folders: Folders, clips: dict[str, Path]) -> None:
    folders.put(clips[OBAMA], "clip.mp4")
    folders.start("--workers", 1)
    assert folders.says(f"clip.mp4: {OBAMA}")
    (manifest,) = folders.stage.glob("clip.mp4/*/000001.chunk.json")
    for path in (
        manifest.parent / "answers" / "000001.json",
        folders.outputs / "clip.txt",
        folders.outputs / "clip.json",
    ):
        path.unlink()
    manifest.write_bytes(manifest.read_bytes())
    assert folders.text("clip.txt") == f"{OBAMA}\n"
    assert soon(lambda: folders.said == [f"clip.mp4: {OBAMA}"] * 2, LONG)


def test_folders_are_watched_by_one_alone(folders: Folders, tmp_path: Path) -> None:
    watcher = folders.start()
    assert soon((folders.stage / ".visage" / "watch").exists, LONG)
    assert soon(lambda: len(list((folders.outputs / ".visage").glob("watch-*"))) == 1, LONG)
    for words in ((), ("--stage", tmp_path / "another")):
        second = folders.once(*words)
        assert second.returncode == 2
        assert "another process is watching there; end it first" in second.stderr
    watcher.terminate()
    assert watcher.wait(LONG) == 0
    assert folders.once().returncode == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["{}/in", "--output", "{}/in/out"], "the outputs lie in the inputs"),
        (["{}/in", "--output", "{}/out", "--stage", "{}/out/stage"], "the stage lie"),
        (["{}/in", "--output", "{}"], "the inputs lie in the outputs"),
        (["{}/nothing"], "there is no such folder"),
        (["{}/in", "--every", "often"], "does not say which frames"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_begins(
    visage: Visage, enrolled: Visage, tmp_path: Path, words: list[str], why: str
) -> None:
    (tmp_path / "in").mkdir()
    done = visage("watch", *(word.format(tmp_path) for word in words))
    assert done.code == 2
    assert why in done.err
    assert sorted(path.name for path in tmp_path.iterdir() if "gallery" not in path.name) == ["in"]


def test_without_a_gallery_it_says_so(visage: Visage, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = visage("watch", tmp_path / "in", "--once")
    assert done.code == 1
    assert "enroll" in done.err


def test_defaults_lie_beside_the_folder_and_in_the_home(visage: Visage, clips: dict[str, Path], enrolled: Visage,
                                                        tmp_path: Path, home: Path) -> None:  # fmt: skip
    (tmp_path / "videos").mkdir()
    shutil.copy(clips[OBAMA], tmp_path / "videos" / "clip.mp4")
    assert visage("watch", tmp_path / "videos", "--once").code == 0
    assert (tmp_path / "videos-names" / "clip.txt").read_text() == f"{OBAMA}\n"
    assert list(home.glob("stage/*/clip.mp4/*/plan.json"))


def test_who_is_removed_is_gone_from_the_stage_and_the_results_stay(
    folders: Folders, clips: dict[str, Path], visage: Visage, samples: Path, tmp_path: Path
) -> None:
    # Under ids of their own: the same home knows other tests' stages, where the people of `enrolled` were seen.
    (tmp_path / "gallery.sqlite").unlink()
    for name, photo in ((OBAMA, "obama.jpg"), (BIDEN, "biden.jpg")):
        assert visage("enroll", "--name", name, samples / photo).code == 0
    folders.put(clips[BIDEN], "clip.mp4")
    folders.put(clips[OBAMA], "other.mp4")
    assert folders.once("--workers", 1).returncode == 0
    assert {path.name for path in folders.stage.iterdir()} > {"clip.mp4", "other.mp4"}
    done = visage("people", "remove", "--json", BIDEN)
    # Of the other clip he was the second most similar, so it spoke of him as well.
    assert {key: done.json[key] for key in ("faces", "jobs", "uploads", "results")} == {
        "faces": 1, "jobs": 0, "uploads": 2, "results": 2,
    }  # fmt: skip
    left = [path for path in folders.stage.rglob("*") if path.is_file() and ".visage" not in path.parts]
    assert left == [folders.stage / "erased" / "people.json"]
    assert folders.once("--workers", 1).stdout == "", "all has its result"
    assert folders.text("clip.txt") == f"{BIDEN}\n"
    folders.put(clips[BIDEN], "clip.mp4")
    assert folders.once("--workers", 1).returncode == 0
    assert folders.text("clip.txt") == "unknown\n"
    assert visage("enroll", "--name", BIDEN, samples / "biden.jpg").code == 0
    folders.put(clips[BIDEN], "again.mp4")
    assert folders.once("--workers", 1).returncode == 0
    assert folders.text("again.txt") == f"{BIDEN}\n"
