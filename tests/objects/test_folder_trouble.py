"""The folder where writers meet, are killed, are not allowed to write, or find the disk full."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import visage
from visage.core.errors import NoObjectError, StorageError
from visage.objects.folder import FolderObjects
from visage.objects.locks import locked

posix = pytest.mark.skipif(os.name != "posix", reason="rights, links and signals of POSIX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def objects(root: Path) -> FolderObjects:
    return FolderObjects(root)


@pytest.fixture
def mortal() -> Iterator[Path]:
    """A folder, and this process as its owner, whom rights bind: they do not bind root."""
    folder = Path(tempfile.mkdtemp(prefix="visage-test-"))
    superuser = os.name == "posix" and os.geteuid() == 0
    if superuser:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if superuser:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def drafts(root: Path) -> list[Path]:
    return list((root / ".visage").glob("draft-*"))


def test_every_writer_of_a_key_waits_for_its_lock(objects: FolderObjects, root: Path) -> None:
    """What replace-if-unchanged stands on: between its look at the version and its change nobody else comes."""
    objects.put("a", b"old")
    version = objects.version("a") or ""
    (lock,) = (root / ".visage").glob("lock-*")
    for change in (
        lambda: objects.put("a", b"new"),
        lambda: objects.replace("a", b"newer", objects.version("a") or version),
        lambda: objects.delete(["a"]),
        lambda: objects.create("a", b"newest"),
    ):
        before = objects.version("a")
        thread = threading.Thread(target=change)
        with locked(str(lock)):
            thread.start()
            thread.join(0.1)
            assert thread.is_alive()
            assert objects.version("a") == before  # and readers do not wait
        thread.join(10)
        assert not thread.is_alive()
        assert objects.version("a") != before


KILLED = """
import sys, time
from pathlib import Path
from visage.objects.folder import FolderObjects
class Slow:
    def read(self, size):
        print("reading", flush=True)
        time.sleep(60)
FolderObjects(Path(sys.argv[1])).put("a", Slow())
"""


@posix
def test_a_killed_writer_leaves_what_was_there(objects: FolderObjects, root: Path) -> None:
    objects.put("a", b"old")
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    command = [sys.executable, "-c", KILLED, str(root)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    assert [stored.key for stored in objects.list()] == ["a"]
    assert objects.get("a") == b"old"
    (draft,) = drafts(root)

    FolderObjects(root).put("b", b"")
    assert drafts(root) == [draft]  # its writer might be alive
    os.utime(draft, (time.time() - 2 * 86400,) * 2)
    FolderObjects(root).put("b", b"")
    assert drafts(root) == []


HOLDS = """
import sys, time
from visage.objects.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@posix
def test_a_lock_ends_with_who_holds_it(objects: FolderObjects, root: Path) -> None:
    objects.put("a", b"old")
    (lock,) = (root / ".visage").glob("lock-*")
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(lock)], env=environment, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        thread = threading.Thread(target=lambda: objects.put("a", b"new"))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        holder.send_signal(signal.SIGKILL)
        thread.join(10)
    assert objects.get("a") == b"new"


def test_a_part_of_a_file_that_is_written_in_its_place(objects: FolderObjects, root: Path) -> None:
    """As a camera or `cp` writes what comes by other means: the version that was told is not what there is any more."""
    root.mkdir()
    (root / "clip.mp4").write_bytes(bytes(1000))
    version = objects.version("clip.mp4") or ""
    assert objects.part("clip.mp4", 900, 200, version) == bytes(100)
    with (root / "clip.mp4").open("ab") as file:
        file.write(b"more")
        file.flush()
        with pytest.raises(NoObjectError, match=r"clip\.mp4: the object was replaced"):
            objects.part("clip.mp4", 900, 100, version)


def test_a_file_in_the_way_of_the_folder(objects: FolderObjects, root: Path) -> None:
    root.write_bytes(b"")
    for call in (lambda: objects.put("a", b""), lambda: objects.create("a", b"")):
        with pytest.raises(StorageError, match="a file where a folder should be"):
            call()
    root.unlink()
    objects.put("a", b"mended")
    shutil.rmtree(root)
    assert objects.version("a") is None
    objects.put("a", b"once more")
    assert objects.get("a") == b"once more"


@posix
def test_a_read_only_folder(mortal: Path) -> None:
    objects = FolderObjects(mortal)
    objects.put("in/a", b"old")
    for folder in (mortal, mortal / "in", mortal / ".visage"):
        folder.chmod(0o500)
    calls: list[Callable[[], object]] = [
        lambda: objects.put("in/a", b"new"),
        lambda: objects.put("out/b", b"new"),
        lambda: objects.create("in/b", b"new"),
        lambda: objects.replace("in/a", b"new", objects.version("in/a") or ""),
        lambda: objects.delete(["in/a"]),
    ]
    for call in calls:
        with pytest.raises(StorageError, match="access is denied"):
            call()
    assert objects.get("in/a") == b"old"
    (mortal / "in").chmod(0o000)
    for call in (lambda: objects.get("in/a"), lambda: objects.version("in/a"), lambda: list(objects.list())):
        with pytest.raises(StorageError, match="access is denied"):
            call()
    for folder in (mortal, mortal / "in", mortal / ".visage"):
        folder.chmod(0o700)
    objects.put("in/a", b"new")
    assert objects.get("in/a") == b"new"


@posix
def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be made by root on Linux")
    try:
        objects = FolderObjects(disk / "store")
        objects.put("a", b"old")
        for call in (lambda: objects.put("a", bytes(2 << 20)), lambda: objects.create("b", bytes(2 << 20))):
            with pytest.raises(StorageError, match="the disk is full; make room"):
                call()
        assert objects.get("a") == b"old"
        assert drafts(disk / "store") == []
        objects.put("a", bytes(500_000))
        assert len(objects.get("a")) == 500_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)
