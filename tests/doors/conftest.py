"""The command as a user runs it: in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Visage = Callable[..., Done]

COMMAND = [sys.executable, "-m", "visage.apps.cli.main"]


@pytest.fixture
def environment(tmp_path: Path, home: Path) -> dict[str, str]:
    """A gallery in tmp_path; models and converted networks are those of the whole run."""
    return os.environ | {
        "VISAGE_GALLERY": f"sqlite:///{tmp_path / 'gallery.sqlite'}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def visage(environment: dict[str, str]) -> Visage:
    """Runs `visage ...`; nothing raw may reach the user, whatever the words."""

    def run(*words: object, **variables: str) -> Done:
        done = subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True, text=True, check=False, timeout=120, env=environment | variables,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert "a fault of Visage itself" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def both(home: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of both people, to be copied; enrolled from a folder each."""
    folder = tmp_path_factory.mktemp("both")
    for name, photo in ((OBAMA, "obama.jpg"), (BIDEN, "biden.jpg")):
        (folder / name).mkdir()
        shutil.copy(samples / photo, folder / name)
    gallery = tmp_path_factory.mktemp("gallery") / "gallery.sqlite"
    environment = os.environ | {"VISAGE_GALLERY": f"sqlite:///{gallery}", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*COMMAND, "enroll", str(folder)], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    assert "2 of 2 photos enrolled; 2 people with 2 faces" in done.stdout
    return gallery


@pytest.fixture
def enrolled(visage: Visage, both: Path, tmp_path: Path) -> Visage:
    """Both people are in the gallery."""
    shutil.copy(both, tmp_path / "gallery.sqlite")
    return visage


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    """A photo of nothing."""
    path = tmp_path / "blank.jpg"
    Image.new("RGB", (320, 240), "gray").save(path)
    return path
