"""The folder as files on a disk: what they are named, who may read them, and what is left where a writer is killed."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.core.errors import NoObjectError, StorageError, UsageError
from visage.objects.folder import FolderObjects

posix = pytest.mark.skipif(os.name != "posix", reason="rights, links and signals of POSIX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def objects(root: Path) -> FolderObjects:
    return FolderObjects(root)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if ".visage" not in path.parts)


def test_an_object_is_the_file_at_its_key(objects: FolderObjects, root: Path) -> None:
    objects.put("in/été 1/photo#1.jpg", b"data")
    assert (root / "in/été 1/photo#1.jpg").read_bytes() == b"data"
    with objects.as_file("in/été 1/photo#1.jpg") as path:
        assert path == str(root / "in/été 1/photo#1.jpg")


def test_nothing_is_made_before_the_first_write(objects: FolderObjects, root: Path) -> None:
    assert list(objects.list()) == []
    objects.delete(["a"])
    assert not root.exists()


@settings(deadline=None)
@given(st.text(st.sampled_from("aé/.\\\0\n~# %:🙂\u202e") | st.characters(), max_size=30))
def test_any_text_is_refused_or_kept_inside(key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "outer" / "store"
        objects = FolderObjects(root)
        try:
            objects.put(key, b"data")
        except UsageError:
            assert not root.exists()
        else:
            assert objects.get(key) == b"data"
            assert [stored.key for stored in objects.list()] == [key]
            assert (root / key).resolve().is_relative_to(root.resolve())
        assert {path.name for path in Path(folder).iterdir()} <= {"outer"}
        assert {path.name for path in (Path(folder) / "outer").glob("*")} <= {"store"}


@posix
def test_only_the_owner_may_read(objects: FolderObjects, root: Path) -> None:
    objects.put("a/b/c", b"")
    objects.create("a/d", b"")
    objects.replace("a/d", b"new", objects.version("a/d") or "")
    for path in (root, *root.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@posix
def test_a_folder_that_was_there_keeps_its_rights(objects: FolderObjects, root: Path) -> None:
    root.mkdir()
    root.chmod(0o755)
    objects.put("a", b"")
    assert root.stat().st_mode & 0o777 == 0o755


def test_empty_folders_go(objects: FolderObjects, root: Path) -> None:
    objects.put("a/b/c", b"")
    objects.put("a/d", b"")
    objects.delete(["a/b/c"])
    assert files(root) == ["a", "a/d"]
    objects.delete(["a/d"])
    assert files(root) == []
    assert root.is_dir()


def test_a_folder_comes_and_goes_under_writers(objects: FolderObjects, root: Path) -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            objects.put("deep/er/one", b"")
            objects.delete(["deep/er/one"])

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(300):
            objects.put(f"deep/er/{number}", b"kept")
            assert objects.get(f"deep/er/{number}") == b"kept"
            objects.delete([f"deep/er/{number}"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@posix
def test_a_link_leads_nowhere(objects: FolderObjects, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    objects.put("a", b"")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside" / "secret")
    calls: list[Callable[[], object]] = [
        lambda: objects.put("folder/new", b""),
        lambda: objects.create("folder/new", b""),
        lambda: objects.put("folder/secret", b""),
        lambda: objects.get("folder/secret"),
        lambda: objects.version("folder/secret"),
        lambda: objects.delete(["folder/secret"]),
        lambda: list(objects.list("folder/deeper")),
    ]
    for call in calls:
        with pytest.raises(StorageError, match="folder: it is a link"):
            call()
    assert [stored.key for stored in objects.list()] == ["a"]
    assert list(objects.list("folder")) == []
    assert objects.version("file") is None
    with pytest.raises(StorageError, match="symbolic link"):
        objects.get("file")
    with pytest.raises(NoObjectError):
        objects.as_file("file").__enter__()
    objects.delete(["file"])
    objects.put("file", b"ours")  # in place of the link
    assert objects.get("file") == b"ours"
    assert files(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


@posix
def test_the_folder_itself_may_be_a_link(objects: FolderObjects, root: Path, tmp_path: Path) -> None:
    root.symlink_to(tmp_path / "disk")
    with pytest.raises(StorageError, match="a folder is gone; put it back"):
        objects.put("a", b"")
    (tmp_path / "disk").mkdir()
    objects.put("a", b"data")
    assert (tmp_path / "disk" / "a").read_bytes() == b"data"


@posix
def test_what_is_no_file_is_no_object(objects: FolderObjects, root: Path) -> None:
    objects.put("folder/a", b"")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(root)  # a socket's path must be short
        made.bind("socket")
        os.chdir(here)
    (root / os.fsdecode(b"not \xff Unicode")).write_bytes(b"")
    (root / "back\\slash").write_bytes(b"")
    (root / "new\nline").write_bytes(b"")
    assert [stored.key for stored in objects.list()] == ["folder/a"]
    for key in ("fifo", "folder"):
        assert objects.version(key) is None
        with pytest.raises(NoObjectError):
            objects.get(key)


def test_a_key_is_not_both_object_and_folder(objects: FolderObjects) -> None:
    objects.put("a", b"file")
    objects.put("b/c", b"file")
    with pytest.raises(StorageError, match="a file where a folder should be"):
        objects.put("a/b", b"")
    with pytest.raises(StorageError, match="a key cannot be both"):
        objects.put("b", b"")
    assert objects.get("a") == objects.get("b/c") == b"file"


def test_a_file_from_elsewhere_is_an_object(objects: FolderObjects, root: Path) -> None:
    (root / "in").mkdir(parents=True)
    (root / "in" / "clip.mp4").write_bytes(b"frames")
    data, version = objects.read("in/clip.mp4")
    assert data == b"frames"
    assert not objects.create("in/clip.mp4", b"")
    assert objects.replace("in/clip.mp4", b"new", version)
    objects.delete(["in/clip.mp4"])
    assert files(root) == []


def test_a_clock_that_is_set_back_changes_the_version_all_the_same(
    objects: FolderObjects, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_600_000_000_000_000_000)
    times = []
    for _ in range(300):  # a freed file's number is soon used again: the time alone must do
        objects.put("a", b"same")
        times.append((root / "a").stat().st_mtime_ns)
    assert times[0] == 1_600_000_000_000_000_000
    assert times == sorted(set(times))
