"""Folders that are watched as a user has them watched: by processes of their own."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.doors.bad_files import film, photo
from tests.doors.conftest import COMMAND
from tests.processes.workers import soon

# Seconds that anything may take, on a machine that is busy with other things.
LONG = 60.0


class Folders:
    """Three folders, and whoever watches them."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.inputs, self.stage, self.outputs = root / "in", root / "stage", root / "out"
        self.inputs.mkdir(parents=True)
        self.environment = environment
        self._watchers: list[psutil.Popen] = []

    def words(self, *words: object) -> list[str]:
        places = ("--stage", self.stage, "--output", self.outputs)
        return [*COMMAND, "watch", *map(str, (self.inputs, *places, *words))]

    def start(self, *words: object) -> psutil.Popen:
        """In the background. What it says goes to files: nobody reads a pipe meanwhile."""
        with (self.root / "said").open("ab") as out, (self.root / "complained").open("ab") as err:
            watcher = psutil.Popen(
                self.words(*words), env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        self._watchers.append(watcher)
        return watcher

    def once(self, *words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.words("--once", *words),
            env=self.environment, capture_output=True, text=True, check=False, timeout=2 * LONG,
        )  # fmt: skip

    def put(self, clip: Path, key: str) -> Path:
        """A copy of the clip, written at once."""
        place = self.inputs / key
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(clip, place))

    @property
    def said(self) -> list[str]:
        return (self.root / "said").read_text(encoding="utf-8").splitlines()

    @property
    def complained(self) -> str:
        return (self.root / "complained").read_text(encoding="utf-8")

    def says(self, line: str) -> bool:
        """Whether it does, by and by."""
        return soon(lambda: line in self.said, LONG)

    def text(self, name: str) -> str:
        """A result's text, once it is there."""
        place = self.outputs / name
        assert soon(place.exists, LONG), self.complained
        return place.read_text(encoding="utf-8")

    def result(self, name: str) -> Any:
        return json.loads((self.outputs / name).read_bytes())

    def texts(self) -> dict[str, str]:
        """Every text there is, by its name."""
        found = self.outputs.rglob("*.txt")
        return {path.relative_to(self.outputs).as_posix(): path.read_text(encoding="utf-8") for path in found}

    def end(self) -> None:
        for watcher in self._watchers:
            for process in [*children(watcher), watcher]:
                kill(process)
            watcher.wait(LONG)


def children(watcher: psutil.Popen) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = watcher.children()
    except psutil.NoSuchProcess:
        return []
    return found


def kill(process: psutil.Process) -> None:
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@contextmanager
def folders_in(root: Path, environment: dict[str, str]) -> Iterator[Folders]:
    """Whoever watches them is ended afterwards."""
    folders = Folders(root, environment)
    try:
        yield folders
    finally:
        folders.end()


def clip_of(picture: Path, path: Path, seconds: int = 1, height: int = 240) -> Path:
    """A film in which nothing moves."""
    return film(path, [photo(picture, height)] * (10 * seconds))
