"""The README is true: its Python runs, its commands exist and run, its settings are the settings."""

import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from tests.doors.bad_files import film, photo
from tests.doors.conftest import ROOT, Visage
from visage import load_settings
from visage.apps.cli.main import visage as program
from visage.settings import Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words after `visage` of every console line, without remarks."""
    lines = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ visage ")]
    return [shlex.split(line.removeprefix("$ visage "), comments=True) for line in lines]


@cache
def leaves() -> dict[str, click.Command]:
    """Every command by its full name."""
    return dict(_below(program, ""))


def _below(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _below(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def command_of(words: list[str]) -> str:
    return next(name for count in (3, 2, 1) if (name := " ".join(words[:count])) in leaves())


# These run until they are told to end, and speak in lines of JSON all the while.
SERVERS = {"serve", "web", "worker", "autoscale"}
# These change which models the other tests see, or ask the network for something.
NOT_HERE = {"models fetch", "models use", "models add", "gallery copy", "gallery publish", *SERVERS}


@pytest.fixture
def desk(samples: Path, tmp_path: Path) -> Path:
    """A folder in which the README's commands find what they name."""
    desk = tmp_path / "desk"
    (desk / "people" / "Grace Hopper").mkdir(parents=True)
    (desk / "photos").mkdir()
    (desk / "DIR" / "Grace").mkdir(parents=True)
    for place, sample in {
        "people/Grace Hopper/a.jpg": "obama.jpg", "a.jpg": "obama2.jpg", "b.jpg": "obama3.jpg",
        "party.jpg": "obama2.jpg",
        "photos/c.jpg": "obama.jpg", "obama.jpg": "obama.jpg", "obama2.jpg": "obama2.jpg", "biden.jpg": "biden.jpg",
        "DIR/Grace/Grace_0001.jpg": "obama.jpg", "DIR/Grace/Grace_0002.jpg": "obama2.jpg",
        "DIR/Joe/Joe_0001.jpg": "biden.jpg",
    }.items():  # fmt: skip
        (desk / place).parent.mkdir(exist_ok=True)
        shutil.copy(samples / sample, desk / place)
    film(desk / "clip.mp4", [photo(samples / "obama2.jpg", 360)] * 12)
    (desk / "input").mkdir()
    shutil.copy(desk / "clip.mp4", desk / "input")
    pair = "Grace\t1\t2\nGrace\t1\tJoe\t1\n"
    (desk / "pairs.txt").write_text("2\t1\n" + pair * 2)
    return desk


def test_the_python_in_the_readme_runs(desk: Path, environment: dict[str, str]) -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=desk, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    sighting, same, missing = done.stdout.splitlines()
    assert re.fullmatch(r"Barack Obama 0\.9\d+ \([\d., ]+\)", sighting)
    assert same == "False"
    assert missing.startswith("no-such-file.jpg: there is no such file")


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words: list[str]) -> None:
    command = leaves()[command_of(words)]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_the_everyday_commands_run_as_they_stand_there(
    desk: Path, visage: Visage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    said: dict[str, str] = {}
    for words in commands():
        if command_of(words) in NOT_HERE or (command_of(words) == "watch" and "--once" not in words):
            continue
        done = visage(*words)
        assert done.code == 0, (words, done.err)
        said[" ".join(words)] = done.out
    assert said["recognize party.jpg"].startswith("party.jpg: Grace Hopper (")
    seen = said["recognize clip.mp4 --every 1s"]
    assert re.fullmatch(r"clip\.mp4: Grace Hopper \((0\.9\d|1\.00)\) 0:00\.0-0:01\.0\n", seen)
    assert {path.name for path in (desk / "out").iterdir()} == {"c.jpg"}
    assert said["compare a.jpg b.jpg"].startswith("the same person")
    assert "Grace Hopper" in said["people list"]
    assert (desk / "roc.png").is_file()
    assert (desk / "output" / "clip.txt").read_text(encoding="utf-8") == "Grace Hopper\n"
    assert said["doctor"].endswith("all is well\n")


def test_every_command_is_mentioned_and_documented() -> None:
    for name, command in leaves().items():
        assert all(re.search(rf"\b{word}\b", README) for word in name.split()), f"the README is silent on {name}"
        assert command.help, name
        assert name in SERVERS or any("--json" in parameter.opts for parameter in command.params), name


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_the_settings_in_the_readme_are_the_settings(home: Path) -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in table("Settings")}
    defaults = dataclasses.asdict(load_settings({"VISAGE_HOME": str(home)}))
    assert list(documented) == [f"VISAGE_{field.name.upper()}" for field in dataclasses.fields(Settings)]
    documented.pop("VISAGE_HOME")
    assert documented.pop("VISAGE_GALLERY") == "sqlite:///VISAGE_HOME/gallery.sqlite"
    for variable, default in documented.items():
        name = variable.removeprefix("VISAGE_").lower()
        set_to = load_settings({"VISAGE_HOME": str(home), variable: default})
        assert getattr(set_to, name) == defaults[name], variable


def test_every_variable_that_the_readme_names_is_a_setting() -> None:
    known = {f"VISAGE_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    assert set(re.findall(r"VISAGE_[A-Z_]+", README)) <= known


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    picture = ROOT / "docs" / "demo.jpg"
    assert picture.stat().st_size <= 300_000
