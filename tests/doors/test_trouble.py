"""Full disks, read-only folders, two at once, interruptions: one line each, and nothing enrolled is lost."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.doors.conftest import COMMAND, Done, Visage

PEOPLE = 30


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `visage ...` without waiting for it."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: object, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment | variables,
            # A test run in the background has Ctrl-C switched off, which its children would inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no thread holds a lock
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def crowd(samples: Path, tmp_path: Path) -> Path:
    """A folder of people who all look the same: enrolled with a warning each."""
    for i in range(PEOPLE):
        folder = tmp_path / "crowd" / f"Person {i:02d}"
        folder.mkdir(parents=True)
        shutil.copy(samples / "obama2.jpg", folder)
    return tmp_path / "crowd"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A small disk of its own, where the tests may mount one."""
    folders: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a disk")
    yield mount
    for folder in folders:
        subprocess.run(["umount", str(folder)], check=True)


def names(visage: Visage, **variables: str) -> list[str]:
    return [person["name"] for person in visage("people", "list", "--json", **variables).json["people"]]


def one_line(done: Done) -> str:
    (line,) = done.err.strip().splitlines()
    assert line.startswith("visage: ")
    return line


def test_a_full_disk_ends_it_and_keeps_what_was_done(
    visage: Visage, crowd: Path, samples: Path, mounted: Callable[..., Path]
) -> None:
    disk = mounted("size=1m")
    gallery = {"VISAGE_GALLERY": f"sqlite:///{disk}/gallery.sqlite"}
    assert visage("enroll", "--name", "Joe Biden", samples / "biden.jpg", **gallery).code == 0
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 200_000))
    done = visage("enroll", crowd, **gallery)
    assert done.code == 1
    assert "gallery.sqlite: the disk is full; make room" in one_line(done)
    told = [line for line in done.out.splitlines() if ": enrolled, 1 face now" in line]
    kept = names(visage, **gallery)
    assert len(kept) == 1 + len(told) < 1 + PEOPLE
    assert "Joe Biden" in kept
    refused = visage("enroll", "--json", crowd, **gallery)
    assert refused.code == 1
    assert refused.json["errors"][-1]["error"] == "StorageError"
    (disk / "ballast").unlink()
    assert visage("enroll", "--name", "Joe Biden", samples / "obama3.jpg", **gallery).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_one_line(environment: dict[str, str], samples: Path) -> None:
    for words in (["models", "list"], ["detect", "--json", str(samples / "obama.jpg")], ["--help"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
            )
        assert done.returncode == 1
        assert done.stderr.splitlines() == ["visage: the output cannot be written: No space left on device"]


def test_a_reader_who_has_had_enough_is_no_error(environment: dict[str, str]) -> None:
    command = f"{shlex.join([*COMMAND, 'models', 'show', '--json', 'resnet'])} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""


def test_files_that_may_not_grow_end_it_in_one_line(environment: dict[str, str], visage: Visage, crowd: Path) -> None:
    """Where no disk can be mounted this is the next best: the system refuses to write past a size."""
    command = f"ulimit -f 200; exec {shlex.join([*COMMAND, 'enroll', str(crowd)])}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "gallery.sqlite: " in one_line(Done(done.returncode, done.stdout, done.stderr))
    told = [line for line in done.stdout.splitlines() if ": enrolled, 1 face now" in line]
    assert len(names(visage)) == len(told) < PEOPLE


def test_annotated_pictures_on_a_full_disk(visage: Visage, samples: Path, mounted: Callable[..., Path]) -> None:
    disk = mounted("size=40k")
    done = visage("detect", "--json", samples / "obama.jpg", "--annotate", disk / "out")
    assert done.code == 1
    assert str(disk / "out") in one_line(done)
    assert [error["error"] for error in done.json["errors"]] == ["StorageError"]
    assert [path.name for path in (disk / "out").iterdir()] == []


def test_a_read_only_home_is_enough_to_look_and_says_what_it_cannot_do(
    visage: Visage, samples: Path, home: Path, mounted: Callable[..., Path]
) -> None:
    disk = mounted("size=200m")
    shutil.copytree(home / "cache", disk / "cache")
    readonly = {"VISAGE_HOME": str(disk), "VISAGE_GALLERY": ""}
    assert visage("enroll", "--name", "Barack Obama", samples / "obama.jpg", **readonly).code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert visage("detect", samples / "obama.jpg", **readonly).code == 0
    for words in (["enroll", "--name", "Joe Biden", samples / "biden.jpg"], ["models", "use", "mtcnn"]):
        done = visage(*words, **readonly)
        assert done.code == 1
        assert str(disk) in one_line(done)
    done = visage("recognize", "--names", samples / "obama2.jpg", **readonly)
    assert done.out == "Barack Obama\n" if done.code == 0 else str(disk) in one_line(done)


def test_two_enrollments_at_once_lose_nobody(
    start: Callable[..., "subprocess.Popen[str]"], visage: Visage, crowd: Path, samples: Path
) -> None:
    """Of different people, and of one person by two photos."""
    others = crowd.parent / "others"
    others.mkdir()
    for i in range(PEOPLE // 2):
        (crowd / f"Person {i:02d}").rename(others / f"Person {i:02d}")
    for folder, photo in ((crowd, "obama.jpg"), (others, "biden.jpg")):
        (folder / "Both").mkdir()
        shutil.copy(samples / photo, folder / "Both")
    for process in [start("enroll", crowd), start("enroll", others)]:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert f"{PEOPLE // 2 + 1} of {PEOPLE // 2 + 1} photos enrolled" in out
    people = visage("people", "list", "--json").json["people"]
    assert {person["name"]: person["faces"] for person in people} == {
        **{f"Person {i:02d}": 1 for i in range(PEOPLE)}, "Both": 2,
    }  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_what_was_enrolled_before_an_interruption_is_kept(
    how: signal.Signals, start: Callable[..., "subprocess.Popen[str]"], visage: Visage, crowd: Path
) -> None:
    process = start("enroll", crowd)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(2)]
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    told += out.splitlines()
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert one_line(Done(130, "", err)) == "visage: interrupted; what was done before is kept"
    done = sum(": enrolled, 1 face now" in line for line in told)
    assert 2 <= done < PEOPLE
    assert done <= len(names(visage)) <= done + 1  # one may have been kept and not yet told
    rest = visage("enroll", crowd)
    assert rest.code == 0
    assert rest.out.count("skipped, duplicate") in {done, done + 1}
    assert len(names(visage)) == PEOPLE
