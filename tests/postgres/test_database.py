"""What the PostgreSQL gallery promises about its database: many writers, rights, and one that goes away."""

import os
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

import visage
from tests.postgres.server import PASSWORD, Server, server  # noqa: F401 - a fixture
from visage.core.errors import GalleryError, NoGalleryError, StorageError, UsageError
from visage.core.values import Embeddings, EnrolledFace, Floats, Quality
from visage.postgres.gallery import PostgresGallery

CHILD = """
import os, sys, uuid, numpy as np
from visage.core.errors import StorageError
from visage.core.values import EnrolledFace, Quality
from visage.postgres.gallery import PostgresGallery
url = sys.argv[1]
def face():
    vector = np.eye(1, 16, dtype=np.float32)[0]
    points = np.zeros((5, 2), np.float32)
    return EnrolledFace(uuid.uuid4().hex, "", vector, "m", b"jpeg", points, "", "", Quality(1, 1, 0, 0, 0, 1), 0.0)
gallery = PostgresGallery(url, create=True)
"""


def child(url: str, script: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    command = [sys.executable, "-c", CHILD + textwrap.dedent(script), url]
    return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def unit(seed: int) -> Floats:
    vector = np.random.default_rng(seed).standard_normal(16)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def face(seed: int = 0) -> EnrolledFace:
    points = np.zeros((5, 2), np.float32)
    quality = Quality(1, 1, 0, 0, 0, 1)
    return EnrolledFace(uuid.uuid4().hex, "", unit(seed), "m", b"jpeg", points, "x.jpg", "", quality, 0.0)


def found(gallery: PostgresGallery, seed: int) -> str:
    return gallery.search("c", Embeddings(unit(seed)[None], "m"), 1)[0][0].name


@pytest.fixture
def url(server: Server) -> str:  # noqa: F811
    return server.database()


@pytest.fixture
def gallery(url: str) -> Iterator[PostgresGallery]:
    with closing(PostgresGallery(url, create=True, wait=5)) as opened:
        yield opened


def query(url: str, words: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        done = db.execute(words.encode())
        return done.fetchall() if done.description else []


def test_two_processes_enroll_at_once(url: str, gallery: PostgresGallery) -> None:
    """Into people of their own, and into the same new people: none is lost, and a name is one person's."""
    script = """
        for number in range(40):
            gallery.add("c", f"both {number}", face())
            gallery.add("c", f"{os.getpid()} {number}", face())
            gallery.add(f"collection {number}", "Ada", face())
    """
    running = [child(url, script) for _ in range(2)]
    for process in running:
        process.communicate(timeout=120)
    assert [process.returncode for process in running] == [0, 0]
    people = {person.name: person.faces for person in gallery.people("c")}
    assert people == {
        **{f"both {number}": 2 for number in range(40)},
        **{f"{process.pid} {number}": 1 for process in running for number in range(40)},
    }
    assert gallery.size("c") == 160
    assert [gallery.size(f"collection {number}") for number in range(40)] == [2] * 40
    versions = query(url, "SELECT version FROM visage.collections WHERE name = 'c'")
    assert versions == [(160,)]


def test_a_reader_misses_nothing_while_others_write(url: str, gallery: PostgresGallery) -> None:
    """Whatever was seen once is seen ever after, and in the end the vectors in memory are those of the table."""
    script = """
        for number in range(60):
            gallery.add("c", f"{os.getpid()} {number}", face())
    """
    running = [child(url, script) for _ in range(2)]
    last = 0
    while any(process.poll() is None for process in running):
        row = gallery.search("c", Embeddings(unit(1)[None], "m"), 1000)[0]
        assert last <= len(row)
        last = len(row)
    for process in running:
        process.communicate(timeout=60)
    assert len(gallery.search("c", Embeddings(unit(1)[None], "m"), 1000)[0]) == gallery.size("c") == 120


def test_many_processes_create_it_at_once(url: str) -> None:
    running = [child(url, 'gallery.add("c", "Ada", face())') for _ in range(4)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0] * 4
    with closing(PostgresGallery(url, create=False)) as gallery:
        assert gallery.size("c") == 4


def test_only_what_changed_is_read_again(url: str, gallery: PostgresGallery) -> None:
    for seed in range(20):
        gallery.add("c", f"p{seed}", face(seed))
    assert found(gallery, 3) == "p3"
    query(url, "UPDATE visage.faces SET vector = '\\x00' WHERE id IN (SELECT id FROM visage.faces LIMIT 10)")
    gallery.add("c", "new", face(100))
    gallery.remove("c", gallery.person("c", "p19").id)
    assert [found(gallery, seed) for seed in (3, 100)] == ["p3", "new"]
    with closing(PostgresGallery(url, create=False)) as other, pytest.raises(GalleryError, match="damaged"):
        found(other, 3)


def test_reading_does_not_wait_for_a_writer_and_writing_not_for_ever(url: str) -> None:
    with closing(PostgresGallery(url, create=True, wait=0.2)) as gallery:
        gallery.add("c", "Ada", face())
        with psycopg.connect(url) as other:
            other.execute("SELECT * FROM visage.gallery FOR UPDATE")
            assert found(gallery, 0) == "Ada"
            with pytest.raises(StorageError, match="another program kept it locked"):
                gallery.add("c", "Bob", face())
        assert gallery.add("c", "Bob", face()).faces == 1


def test_a_statement_that_takes_too_long_is_given_up(url: str) -> None:
    with closing(PostgresGallery(url, create=True, wait=60, limit=2.0)) as gallery, psycopg.connect(url) as other:
        other.execute("LOCK TABLE visage.collections IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StorageError, match="too long"):
            gallery.size("c")
        other.rollback()
        assert gallery.size("c") == 0


def test_a_database_that_goes_away_and_comes_back(server: Server, gallery: PostgresGallery) -> None:  # noqa: F811
    person = gallery.add("c", "Ada", face(1))
    assert found(gallery, 1) == "Ada"
    server.kill()
    try:
        for _ in range(2):
            for call in (lambda: found(gallery, 1), lambda: gallery.add("c", "Bob", face(2))):
                with pytest.raises(StorageError, match="cannot be reached") as raised:
                    call()
                assert PASSWORD not in str(raised.value)
        with pytest.raises(StorageError, match="cannot be reached"):
            PostgresGallery(server.url("postgres"), create=False)
    finally:
        server.start()
    assert gallery.people("c") == [person]
    gallery.add("c", "Bob", face(2))
    assert found(gallery, 2) == "Bob"


def test_a_restart_between_two_calls_is_not_noticed(server: Server, gallery: PostgresGallery) -> None:  # noqa: F811
    gallery.add("c", "Ada", face(1))
    server.stop()
    server.start()
    assert found(gallery, 1) == "Ada"
    assert gallery.add("c", "Ada", face(2)).faces == 2


def test_killed_at_any_moment_it_keeps_what_it_promised(server: Server, url: str) -> None:  # noqa: F811
    """A face whose keeping failed may be kept all the same, and is tried again under its id."""
    script = """
        import time
        for number in range(300):
            given = face()
            while True:
                try:
                    gallery.add("c", f"p{number % 7}", given)
                    break
                except StorageError:
                    time.sleep(0.02)
            print(given.id, flush=True)
        gallery.close()
    """
    promised: list[str] = []
    with child(url, script) as process:
        assert process.stdout
        for line in process.stdout:
            promised.append(line.strip())
            if len(promised) in {40, 150}:
                server.kill()
                server.start()
    assert process.returncode == 0
    with closing(PostgresGallery(url, create=False)) as gallery:
        assert sorted(kept.id for kept in gallery.faces("c")) == sorted(promised)
        assert len(promised) == gallery.size("c") == 300


def test_threads_share_it_while_the_database_restarts(server: Server, gallery: PostgresGallery) -> None:  # noqa: F811
    gallery.add("c", "Ada", face(1))
    stop, problems = threading.Event(), list[BaseException]()

    def work() -> None:
        while not stop.is_set():
            try:
                with suppress(StorageError):
                    assert found(gallery, 1) == "Ada"
                    assert gallery.size("c") == 1
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                problems.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.kill()
    server.start()
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert found(gallery, 1) == "Ada"


def test_no_gallery_yet(url: str) -> None:
    with pytest.raises(NoGalleryError, match="visage enroll FOLDER"):
        PostgresGallery(url, create=False)
    assert query(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'visage'") == []


def test_a_newer_schema(url: str) -> None:
    PostgresGallery(url, create=True).close()
    query(url, "UPDATE visage.gallery SET schema = 99")
    with pytest.raises(GalleryError, match="update Visage"):
        PostgresGallery(url, create=True)


def test_tables_of_somebody_else(url: str, gallery: PostgresGallery) -> None:
    query(url, "ALTER TABLE visage.people RENAME COLUMN name TO title")
    with pytest.raises(GalleryError, match="not those of this Visage"):
        gallery.add("c", "Ada", face())


@pytest.mark.parametrize(
    "wrong",
    ["postgresql://u:SECRET@host:notaport/d", "postgresql://u:SECRET@h/d?nonsense=1", "postgresql://u:SECRET@[x"],
)
def test_what_is_no_url_is_not_repeated(wrong: str) -> None:
    with pytest.raises((UsageError, StorageError)) as raised:
        PostgresGallery(wrong, create=True)
    assert "SECRET" not in str(raised.value)


def test_who_may_not_enter_is_told_so(server: Server) -> None:  # noqa: F811
    with pytest.raises(StorageError, match="the password is wrong") as raised:
        PostgresGallery(server.url("postgres", password="SECRET"), create=True)
    assert "SECRET" not in str(raised.value)
    with pytest.raises(StorageError, match="createdb"):
        PostgresGallery(server.url("nowhere"), create=True)


def test_a_user_who_may_only_look(server: Server, url: str, gallery: PostgresGallery) -> None:  # noqa: F811
    gallery.add("c", "Ada", face(1))
    name = f"reader_{uuid.uuid4().hex[:8]}"
    query(url, f"CREATE USER {name} PASSWORD 'x'")
    theirs = url.replace(f"visage:{PASSWORD}", f"{name}:x")
    with pytest.raises(StorageError, match="access is denied"):
        PostgresGallery(theirs, create=True)
    query(url, f"GRANT USAGE ON SCHEMA visage TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA visage TO {name}")
    with closing(PostgresGallery(theirs, create=True)) as reader:
        assert found(reader, 1) == "Ada"
        with pytest.raises(StorageError, match="access is denied"):
            reader.add("c", "Bob", face())
        with pytest.raises(StorageError, match="access is denied"):
            reader.remove("c", reader.person("c", "Ada").id)
    assert gallery.size("c") == 1


def test_a_server_that_only_reads(url: str) -> None:
    with closing(PostgresGallery(url, create=True)) as gallery:
        gallery.add("c", "Ada", face(1))
    with closing(PostgresGallery(url + "?options=-cdefault_transaction_read_only%3Don", create=True)) as gallery:
        assert found(gallery, 1) == "Ada"
        with pytest.raises(StorageError, match="only reads"):
            gallery.add("c", "Bob", face())


def test_a_database_of_another_encoding(server: Server) -> None:  # noqa: F811
    name = f"latin_{uuid.uuid4().hex[:8]}"
    query(server.url("postgres"), f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(GalleryError, match="UTF8"):
        PostgresGallery(server.url(name), create=True)


def test_removing_leaves_nothing_that_a_query_finds(url: str, gallery: PostgresGallery) -> None:
    ada = gallery.add("c", "Ada", face(1))
    gallery.add("c", "Bob", face(2))
    assert gallery.remove("c", ada.id) == 1
    for table in ("people", "faces", "crops"):
        assert query(url, f"SELECT count(*) FROM visage.{table}") == [(1,)]
    vacuumed = "SELECT DISTINCT relname FROM pg_stat_user_tables WHERE vacuum_count > 0 AND schemaname = 'visage'"
    assert {row[0] for row in query(url, vacuumed)} >= {"people", "faces", "crops"}


def test_removing_faces_leaves_nothing_either(url: str, gallery: PostgresGallery) -> None:
    given = face(1)
    gallery.add("c", "Ada", given)
    gallery.add("c", "Bob", face(2))
    assert gallery.remove_faces("c", [given.id]) == 1
    for table in ("people", "faces", "crops"):
        assert query(url, f"SELECT count(*) FROM visage.{table}") == [(1,)]


def test_a_reader_of_an_earlier_state_does_not_hold_up_a_removal(url: str, gallery: PostgresGallery) -> None:
    gallery.add("c", "Ada", face(1))
    with psycopg.connect(url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute("SELECT count(*) FROM visage.people").fetchone() == (1,)
        gallery.remove("c", gallery.person("c", "Ada").id)
        assert reader.execute("SELECT count(*) FROM visage.people").fetchone() == (1,)
    assert gallery.people("c") == []


def test_a_source_that_is_no_text_of_postgresql(gallery: PostgresGallery) -> None:
    gallery.add("c", "Ada", replace(face(), source=os.fsdecode(b"photo-\xff.jpg") + "\0"))
    (kept,) = gallery.faces("c")
    assert kept.source == "photo-\\udcff.jpg\\x00"


def test_closing_twice_and_using_it_then(gallery: PostgresGallery) -> None:
    gallery.close()
    gallery.close()
    for call in (lambda: gallery.people("c"), lambda: gallery.add("c", "Ada", face())):
        with pytest.raises(GalleryError, match="closed"):
            call()
