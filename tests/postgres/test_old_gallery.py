"""A database of the first schema is brought up to date by whoever opens it and may do so."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

from tests.postgres.server import PASSWORD, Server, server  # noqa: F401 - a fixture
from tests.sqlite.old_gallery import IDS
from tests.sqlite.shop import QUALITY, face, probes, unit
from tests.sqlite.test_old_gallery import everybody, marked
from visage.core.errors import GalleryError, StorageError
from visage.postgres.gallery import PostgresGallery

TABLES = (Path(__file__).parent / "schema1.sql").read_text()


@contextmanager
def asking(url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        yield db


@pytest.fixture
def url(server: Server) -> str:  # noqa: F811
    """The same people as in the old file of SQLite."""
    url = server.database()
    with asking(url) as db:
        db.execute(TABLES.encode())
        db.execute(
            """INSERT INTO visage.collections (name, model, dimension, size, version) VALUES ('c', 'm', 16, 2, 2)"""
        )
        for number, (name, person_id) in enumerate(IDS.items(), 1):
            db.execute(
                "INSERT INTO visage.people (collection, id, name, created) VALUES (1, %s, %s, 1.5e9)", (person_id, name)
            )
            row = (number, f"face{number}", number, unit(number - 1).tobytes(), b"", json.dumps(asdict(QUALITY)))
            db.execute(
                """INSERT INTO visage.faces
                (collection, person, id, changed, vector, landmarks, source, digest, quality, created)
                VALUES (1, %s, %s, %s, %s, %s, '', '', %s, 1.5e9)""",
                row,
            )
        db.execute("UPDATE visage.gallery SET changes = 2")
    return url


def schema(url: str) -> object:
    with asking(url) as db:
        return db.execute("SELECT schema FROM visage.gallery").fetchone()


def test_nobody_is_lost_and_everything_new_can_be_done(url: str) -> None:
    with closing(PostgresGallery(url, create=False)) as gallery:
        assert schema(url) == (2,)
        everybody(gallery)
        marked(gallery)
    with closing(PostgresGallery(url, create=True)) as gallery:
        assert gallery.person("c", "Ada").hidden
        assert [kept.person_id for kept in gallery.denials("c")] == [IDS["Bob"]]


def test_it_is_made_what_a_new_one_is(url: str, server: Server) -> None:  # noqa: F811
    new = server.database()
    seen = []
    for one in (url, new):
        PostgresGallery(one, create=True).close()
        with asking(one) as db:
            query = """SELECT table_name, column_name, data_type, is_nullable, column_default
                FROM information_schema.columns WHERE table_schema = 'visage' ORDER BY 1, ordinal_position"""
            seen.append(db.execute(query).fetchall())
    assert seen[0] == seen[1]


def test_many_open_it_at_once(url: str) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            with closing(PostgresGallery(url, create=True)) as gallery:
                everybody(gallery)
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert schema(url) == (2,)


def test_whoever_reads_meanwhile_is_waited_for(url: str) -> None:
    with asking(url) as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        assert old.execute("SELECT count(*) FROM visage.collections").fetchone() == (1,)
        with pytest.raises(StorageError, match="locked"):
            PostgresGallery(url, create=False, wait=0.2)
        assert schema(url) == (1,)
        threading.Timer(0.3, lambda: old.execute("COMMIT")).start()
        with closing(PostgresGallery(url, create=False)) as gallery:
            everybody(gallery)
        assert schema(url) == (2,)
        old.execute("INSERT INTO visage.people (collection, id, name, created) VALUES (1, 'e', 'Eve', 0)")
        with closing(PostgresGallery(url, create=False)) as gallery:
            marked(gallery)
            old.execute("DELETE FROM visage.faces WHERE person = 2")
            old.execute("DELETE FROM visage.people WHERE number = 2")
            assert gallery.denials("c") == []


def test_who_may_only_look_is_told_who_has_to_open_it(url: str) -> None:
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with asking(url) as db:
        db.execute(f"CREATE USER {name} PASSWORD 'x'".encode())
        db.execute(f"GRANT USAGE ON SCHEMA visage TO {name}".encode())
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA visage TO {name}".encode())
    theirs = url.replace(f"visage:{PASSWORD}", f"{name}:x")
    with pytest.raises(StorageError, match="open it once as its owner"):
        PostgresGallery(theirs, create=False)
    with closing(PostgresGallery(url, create=False)) as gallery:
        marked(gallery)
    with closing(PostgresGallery(theirs, create=False)) as reader:
        (row,) = reader.search("c", probes(7), 2)
        assert {one.name: one.denied for one in row} == {"Ada": None, "Bob": pytest.approx(1)}
        with pytest.raises(StorageError, match="access is denied"):
            reader.deny("c", IDS["Ada"], face(8))


def test_a_standby_waits_for_its_server(url: str) -> None:
    with pytest.raises(StorageError, match="open it once as its owner"):
        PostgresGallery(url + "?options=-cdefault_transaction_read_only%3Don", create=False)
    assert schema(url) == (1,)


def test_a_newer_one_is_refused(url: str) -> None:
    with asking(url) as db:
        db.execute("UPDATE visage.gallery SET schema = 3")
    with pytest.raises(GalleryError, match=r"made by a newer Visage \(schema 3, this one knows 2\); update Visage"):
        PostgresGallery(url, create=True)
    assert schema(url) == (3,)
