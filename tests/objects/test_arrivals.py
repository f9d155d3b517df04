"""What comes into a real folder: which keys are told, and when a file is whole."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.workers import soon
from visage.core.errors import StorageError, UsageError
from visage.objects.alone import alone
from visage.objects.arrivals import FolderArrivals

KEYS = ["clip.mp4", "a b+c%20.mp4", "été/наше кино/clip.mov", "deep/er/and/deeper/clip.mp4", ".hidden"]


class Ear:
    """A folder, and the keys that were told."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self.keys: set[str] = set()
        self.arrivals = FolderArrivals(root)
        self.arrivals.begin(self.keys.update)
        self.hears("ready")  # the system needs a moment until it tells of anything

    def hears(self, key: str) -> None:
        """Whether it is told that the file changes, by and by."""
        self.keys.discard(key)

        def told() -> bool:
            self.write(key)
            return soon(lambda: key in self.keys, 0.5)

        assert soon(told, 20)

    def write(self, key: str) -> Path:
        place = self.root / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"some bytes")
        return place


@pytest.fixture(params=["", "1"], ids=["events", "polling"])
def ear(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", request.param)
    made = Ear(tmp_path / "in")
    with closing(made.arrivals):
        yield made


def test_files_are_told_by_their_keys_whatever_their_names(ear: Ear, tmp_path: Path) -> None:
    for key in KEYS:
        ear.write(key)
    (tmp_path / "moved" / "inside").mkdir(parents=True)
    (tmp_path / "moved" / "inside" / "clip.mp4").touch()
    (tmp_path / "moved").rename(ear.root / "moved")
    assert soon(lambda: ear.keys.issuperset([*KEYS, "moved/inside/clip.mp4"]), 20), ear.keys


def test_what_is_none_of_the_stores_is_not_told(ear: Ear, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (ear.root / "linked").symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "clip.mp4").touch()
    (ear.root / "link.mp4").symlink_to(tmp_path / "outside" / "clip.mp4")
    ear.write(r"back\slash.mp4")
    ear.write(".visage/draft")
    Path(os.fsdecode(os.fsencode(ear.root) + b"/\xff.mp4")).touch()
    ear.hears("last.mp4")
    assert ear.keys <= {"ready", "last.mp4"}


def test_a_folder_that_is_gone_is_said_and_watched_again_when_it_is_back(ear: Ear) -> None:
    assert ear.arrivals.renew()
    shutil.rmtree(ear.root)
    assert not ear.arrivals.renew()
    ear.root.mkdir()
    assert ear.arrivals.renew()
    ear.hears("clip.mp4")


def test_after_closing_nothing_is_told(ear: Ear) -> None:
    ear.arrivals.close()
    ear.arrivals.close()
    ear.keys.clear()
    ear.write("clip.mp4")
    assert not soon(lambda: bool(ear.keys), 1.5)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell who has a file open")
def test_a_file_is_whole_when_nobody_has_it_open_for_writing(tmp_path: Path) -> None:
    arrivals = FolderArrivals(tmp_path)
    place = tmp_path / "clip.mp4"
    assert arrivals.whole("clip.mp4") is None
    with place.open("wb") as file:
        file.write(b"1234")
        file.flush()
        assert arrivals.whole("clip.mp4") is None
    assert arrivals.whole("clip.mp4") == 4
    with place.open("rb"):
        assert arrivals.whole("clip.mp4") == 4
    script = f"import time; f = open({str(place)!r}, 'ab'); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"open\n"
        assert arrivals.whole("clip.mp4") is None
        writer.kill()
    assert arrivals.whole("clip.mp4") == 4
    place.unlink()
    place.mkdir()
    assert arrivals.whole("clip.mp4") is None
    (tmp_path / "link.mp4").symlink_to("/etc/hostname")
    assert arrivals.whole("link.mp4") is None


def test_one_process_alone_holds_a_folder_until_it_ends(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from visage.objects.alone import alone\n"
        "with alone(Path(sys.argv[1]), 'work', 'works there'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(UsageError, match="another process works there; end it first"),
            alone(tmp_path, "work", "works there"),
        ):
            pass
        with alone(tmp_path, "other work", "works there"):
            pass
        other.kill()
    with alone(tmp_path, "work", "works there"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), alone(tmp_path / "file", "work", "works there"):
        pass
