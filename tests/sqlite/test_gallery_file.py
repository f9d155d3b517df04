"""What the SQLite gallery promises about its file: rights, damage, power, locks, and erasing for real."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import visage
from visage.core.errors import GalleryError, NoGalleryError, StorageError
from visage.core.values import Embeddings, EnrolledFace, Floats, Quality
from visage.sqlite.gallery import SqliteGallery

CHILD = """
import os, sys, uuid, sqlite3, resource, numpy as np
from pathlib import Path
from visage.core.errors import VisageError
from visage.core.values import EnrolledFace, Quality
from visage.sqlite.gallery import SqliteGallery
path = Path(sys.argv[1])
def face(crop=None):
    points = np.zeros((5, 2), np.float32)
    vector = np.eye(1, 128, dtype=np.float32)[0]
    return EnrolledFace(uuid.uuid4().hex, "", vector, "m", crop, points, "", "", Quality(1, 1, 0, 0, 0, 1), 0.0)
"""


def child(path: Path, script: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    command = [sys.executable, "-c", CHILD + textwrap.dedent(script), str(path)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe)


def face(seed: int = 0, crop: bytes | None = None, source: str = "x.jpg") -> EnrolledFace:
    vector: Floats = np.random.default_rng(seed).standard_normal(128).astype(np.float32)
    vector /= np.linalg.norm(vector)
    points = np.zeros((5, 2), np.float32)
    quality = Quality(1, 1, 0, 0, 0, 1)
    return EnrolledFace(uuid.uuid4().hex, "", vector, "m", crop, points, source, "", quality, 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "gallery.sqlite"


@pytest.fixture
def gallery(path: Path) -> Iterator[SqliteGallery]:
    with closing(SqliteGallery(path, create=True, wait=5)) as opened:
        yield opened


def files(path: Path) -> dict[str, bytes]:
    """The gallery's file and whatever lies beside it."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_no_file_yet(path: Path) -> None:
    with pytest.raises(NoGalleryError, match="visage enroll FOLDER"):
        SqliteGallery(path, create=False)
    assert not path.parent.exists()


def test_an_empty_file_is_no_gallery_yet(tmp_path: Path) -> None:
    path = tmp_path / "g.sqlite"
    path.touch()
    with pytest.raises(NoGalleryError):
        SqliteGallery(path, create=False)
    SqliteGallery(path, create=True).close()
    SqliteGallery(path, create=False).close()


def test_only_the_owner_may_look(path: Path, gallery: SqliteGallery) -> None:
    gallery.add("c", "Ada", face())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(files(path)) == {"gallery.sqlite", "gallery.sqlite-wal", "gallery.sqlite-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"hello", b"plain text, and a good deal of it\n" * 100, bytes(5000)])
def test_a_file_that_is_not_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    for create in (True, False):
        with pytest.raises(GalleryError, match=r"notes\.txt"):
            SqliteGallery(path, create=create)
    assert path.read_bytes() == content


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="folder"):
        SqliteGallery(tmp_path, create=True)


@pytest.mark.parametrize("statement", ["CREATE TABLE t (x)", "PRAGMA application_id = 7"])
def test_the_database_of_somebody_else(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
    with pytest.raises(GalleryError, match="not a gallery"):
        SqliteGallery(path, create=True)


def test_a_newer_schema(path: Path) -> None:
    SqliteGallery(path, create=True).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(GalleryError, match="update Visage"):
        SqliteGallery(path, create=True)


def test_a_damaged_gallery_is_said_to_be_one(path: Path) -> None:
    with closing(SqliteGallery(path, create=True)) as gallery:
        for seed in range(50):
            gallery.add("c", f"p{seed}", face(seed))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with closing(SqliteGallery(path, create=False)) as gallery:
        with pytest.raises(GalleryError, match="damaged"):
            gallery.people("c")
        with pytest.raises(GalleryError, match="damaged"):
            gallery.add("c", "Ada", face())


def test_a_source_that_is_not_unicode(gallery: SqliteGallery) -> None:
    gallery.add("c", "Ada", face(source=os.fsdecode(b"photo-\xff.jpg")))
    (kept,) = gallery.faces("c")
    assert kept.source == "photo-\\udcff.jpg"


def test_vectors_must_be_unit_vectors(gallery: SqliteGallery) -> None:
    given = face()
    for wrong in (given.vector * 2, given.vector * np.float32("nan")):
        with pytest.raises(ValueError, match="unit"):
            gallery.add("c", "Ada", replace(given, vector=wrong))
    assert gallery.size("c") == 0


def test_a_portable_file_stands_alone(path: Path) -> None:
    with closing(SqliteGallery(path, create=True, portable=True)) as gallery:
        gallery.add("c", "Ada", face())
        assert list(files(path)) == ["gallery.sqlite"]
    with closing(SqliteGallery(path, create=False)) as gallery:
        assert gallery.size("c") == 1
        assert list(files(path)) == ["gallery.sqlite"]


def test_nothing_lies_beside_a_closed_gallery(path: Path) -> None:
    with closing(SqliteGallery(path, create=True)) as gallery:
        gallery.add("c", "Ada", face())
    assert list(files(path)) == ["gallery.sqlite"]


def test_many_processes_create_it_at_once(path: Path) -> None:
    script = """
        gallery = SqliteGallery(path, create=True)
        gallery.add("c", "Ada", face())
        gallery.close()
    """
    running = [child(path, script) for _ in range(4)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0] * 4
    with closing(SqliteGallery(path, create=False)) as gallery:
        assert gallery.size("c") == 4


def test_a_lock_that_does_not_go_away(path: Path) -> None:
    with closing(SqliteGallery(path, create=True, wait=0.2)) as gallery:
        gallery.add("c", "Ada", face())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="try again"):
                gallery.add("c", "Bob", face())
            assert gallery.size("c") == 1  # reading does not wait
        gallery.add("c", "Bob", face())


def test_a_full_disk_loses_nothing(path: Path) -> None:
    script = """
        gallery = SqliteGallery(path, create=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        done = 0
        try:
            while True:
                gallery.add("c", "Ada", face(os.urandom(50_000)))
                done += 1
        except VisageError as error:
            print(type(error).__name__, done, gallery.size("c"), flush=True)
        os._exit(0)
    """
    with child(path, script) as process:
        kind, done, size = process.communicate(timeout=60)[0].split()
    assert kind == "StorageError"
    assert int(done) == int(size) > 5
    with closing(SqliteGallery(path, create=False)) as gallery:
        assert gallery.size("c") == int(done)
        gallery.add("c", "Ada", face())


def test_a_file_that_may_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.sqlite"
        with closing(SqliteGallery(path, create=True, portable=True)) as gallery:
            gallery.add("c", "Ada", face())
        path.chmod(0o444)
        path.parent.chmod(0o555)
        script = """
            if os.geteuid() == 0:
                os.setuid(65534)
            gallery = SqliteGallery(path, create=True)
            print(gallery.size("c"))
            try:
                gallery.add("c", "Ada", face())
            except VisageError as error:
                print(type(error).__name__, "writable" in str(error))
            gallery.close()
        """
        with child(path, script) as process:
            assert process.communicate(timeout=60)[0].split() == ["1", "StorageError", "True"]
        path.parent.chmod(0o755)


def test_killed_at_any_moment_it_keeps_what_it_promised(path: Path) -> None:
    script = """
        gallery = SqliteGallery(path, create=True)
        while True:
            given = face(os.urandom(5000))
            gallery.add("c", "Ada", given)
            print(given.id, flush=True)
    """
    promised: set[str] = set()
    for seed in range(4):
        with child(path, script) as process:
            assert process.stdout
            promised.add(process.stdout.readline().strip())
            time.sleep(random.Random(seed).uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            promised |= {line.strip() for line in process.stdout if line.endswith("\n")}
        with closing(SqliteGallery(path, create=False)) as gallery:
            kept = {kept.id for kept in gallery.faces("c")}
            assert promised <= kept
            assert gallery.size("c") == len(kept) <= len(promised) + seed + 1
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


NAME = "Xanthippe of Alopeke"


def traces(path: Path, given: EnrolledFace) -> list[str]:
    """What is left of the face and of NAME in the files."""
    assert given.crop
    pieces = [given.crop[at : at + 24] for at in range(0, len(given.crop) - 24, 24)]
    pieces += [given.vector.tobytes()[:24], given.id.encode(), NAME.encode()]
    return [name for name, content in files(path).items() if any(piece in content for piece in pieces)]


def crowd(gallery: SqliteGallery) -> EnrolledFace:
    """Enroll many, with NAME among them; her face."""
    given = face(999, crop=random.Random(9).randbytes(20_000))
    for seed in range(60):
        gallery.add("c", f"before {seed}", face(seed, crop=b"crop" * 500))
    person = gallery.add("c", "Xan", given)
    gallery.rename("c", person.id, NAME)
    for seed in range(60):
        gallery.add("c", f"after {seed}", face(seed, crop=b"crop" * 100))
    return given


def test_removing_erases(path: Path, gallery: SqliteGallery) -> None:
    given = crowd(gallery)
    assert gallery.search("c", Embeddings(given.vector[None], "m"), 1)[0][0].name == NAME
    assert traces(path, given)
    gallery.remove("c", gallery.person("c", NAME).id)
    assert traces(path, given) == []
    assert gallery.size("c") == 120


def test_removing_faces_erases(path: Path, gallery: SqliteGallery) -> None:
    given = crowd(gallery)
    assert gallery.remove_faces("c", [given.id]) == 1
    assert traces(path, given) == []
    assert gallery.size("c") == 120


@pytest.mark.parametrize("how", ["undeny", "remove", "remove faces"])
def test_a_negative_example_is_erased_as_well(how: str, path: Path, gallery: SqliteGallery) -> None:
    enrolled = crowd(gallery)
    person = gallery.person("c", NAME)
    given = face(998, crop=random.Random(8).randbytes(20_000), source=NAME)
    gallery.deny("c", person.id, given)
    assert traces(path, given)
    if how == "undeny":
        gallery.rename("c", person.id, "Xan")
        assert gallery.undeny("c", [given.id]) == 1
    elif how == "remove":
        gallery.remove("c", person.id)
    else:
        gallery.remove_faces("c", [enrolled.id])
    assert traces(path, given) == []
    assert gallery.denials("c") == []


def test_removing_erases_what_moved_between_pages(path: Path) -> None:
    """SQLite zeroes what it deletes, but may leave copies where it split a page: with this seed it does, in 3.40."""
    rng, names = random.Random(5), list[str]()
    with closing(SqliteGallery(path, create=True, portable=True)) as gallery:
        for number in range(700):
            names.append(rng.randbytes(8).hex() + "-" * rng.randint(0, 180))
            gallery.add("c", names[-1], replace(face(), id=f"{number:032x}", source=""))
            if number % 5 == 4:
                gallery.remove("c", gallery.person("c", names.pop(rng.randrange(len(names)))).id)
        gone = rng.sample(names, 100)
        for name in gone:
            gallery.remove("c", gallery.person("c", name).id)
    content = path.read_bytes()
    assert [name for name in gone if name[:16].encode() in content] == []


def test_removing_erases_under_an_idle_process(path: Path, gallery: SqliteGallery) -> None:
    given = crowd(gallery)
    script = """
        gallery = SqliteGallery(path, create=False)
        next(gallery.faces("c"))
        print(gallery.size("c"), flush=True)
        input()
        print(gallery.size("c"))
        gallery.close()
    """
    with child(path, script) as process:
        assert process.stdout
        assert process.stdout.readline() == "121\n"
        gallery.remove("c", gallery.person("c", NAME).id)
        assert traces(path, given) == []
        assert process.communicate("\n", timeout=60)[0] == "120\n"


def test_a_reader_of_an_earlier_state_delays_erasing(path: Path) -> None:
    with closing(SqliteGallery(path, create=True, wait=0.2)) as gallery:
        given = crowd(gallery)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM people").fetchone()
            with pytest.raises(StorageError, match=r"not yet erased.*end that program"):
                gallery.remove("c", gallery.person("c", NAME).id)
            assert gallery.size("c") == 120
            assert traces(path, given)
            SqliteGallery(path, create=False).close()  # can do nothing yet, and does not wait
            assert traces(path, given)
        SqliteGallery(path, create=False).close()
        assert traces(path, given) == []


def test_a_process_killed_while_erasing_leaves_it_to_the_next(path: Path) -> None:
    with closing(SqliteGallery(path, create=True)) as gallery:
        given = crowd(gallery)
    script = f"""
        import visage.sqlite.gallery as module
        module.wipe = lambda db, path: os._exit(9) if db.execute("SELECT owed FROM wipe").fetchone()[0] else None
        gallery = SqliteGallery(path, create=False)
        gallery.remove("c", gallery.person("c", {NAME!r}).id)
    """
    with child(path, script) as process:
        process.communicate(timeout=60)
    assert process.returncode == 9
    SqliteGallery(path, create=False).close()
    assert traces(path, given) == []
    with closing(SqliteGallery(path, create=False)) as gallery:
        assert gallery.size("c") == 120
