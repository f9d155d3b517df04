"""visage gallery: copies between databases, and a published gallery that follows every change."""

import sqlite3
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

from tests.doors.conftest import BIDEN, OBAMA, Done, Visage
from tests.doors.schemas import COUNT, TEXT, Schema, many, record
from tests.postgres.server import PASSWORD, Server, server  # noqa: F401 - a fixture
from visage.core.errors import UsageError
from visage.wiring import open_gallery

COPIED: Schema = record(collections=many(record(collection=TEXT, people=COUNT, faces=COUNT, skipped=COUNT), 1))
PUBLISHED: Schema = record(published=TEXT, people=COUNT, faces=COUNT)


def checked(done: Done, schema: Schema) -> Done:
    assert done.code == 0, done.err
    jsonschema.validate(done.json, schema)
    return done


@pytest.fixture(scope="module")
def kept() -> list[bytes]:
    """The gallery's file, once it was made."""
    return []


@pytest.fixture
def enrolled(visage: Visage, samples: Path, tmp_path: Path, kept: list[bytes]) -> Visage:
    """One person in the default collection, another in "others"."""
    if not kept:
        assert visage("enroll", "--name", OBAMA, samples / "obama.jpg").code == 0
        assert visage("enroll", "--name", BIDEN, "--collection", "others", samples / "biden.jpg").code == 0
        kept.append((tmp_path / "gallery.sqlite").read_bytes())
    (tmp_path / "gallery.sqlite").write_bytes(kept[0])
    return visage


@pytest.fixture
def published(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'readers' / 'names.sqlite'}"


def test_to_postgresql_and_back(
    enrolled: Visage, samples: Path, tmp_path: Path, server: Server  # noqa: F811
) -> None:  # fmt: skip
    here, there = f"sqlite:///{tmp_path / 'gallery.sqlite'}", server.database()
    done = checked(enrolled("gallery", "copy", here, there, "--json"), COPIED)
    assert done.json["collections"] == [
        {"collection": name, "people": 1, "faces": 1, "skipped": 0} for name in ("default", "others")
    ]
    again = checked(enrolled("gallery", "copy", here, there, "--json"), COPIED).json
    assert [one["skipped"] for one in again["collections"]] == [1, 1]

    def shown(url: str) -> object:
        return enrolled("people", "show", "--json", OBAMA, VISAGE_GALLERY=url).json

    assert shown(there) == shown(here)
    assert enrolled("recognize", "--names", samples / "obama2.jpg", VISAGE_GALLERY=there).out == f"{OBAMA}\n"
    back = f"sqlite:///{tmp_path / 'back.sqlite'}"
    done = enrolled("gallery", "copy", there, back, "--collection", "others")
    assert [line.split() for line in done.out.splitlines()[1:]] == [["others", "1", "1", "0"]]


def test_a_published_gallery_is_enough_to_recognize(enrolled: Visage, samples: Path, published: str) -> None:
    done = checked(enrolled("gallery", "publish", published, "--json"), PUBLISHED)
    assert done.json == {"published": published, "people": 2, "faces": 2}
    assert enrolled("recognize", "--names", samples / "obama2.jpg", VISAGE_GALLERY=published).out == f"{OBAMA}\n"
    refused = enrolled("enroll", "--name", BIDEN, samples / "biden.jpg", VISAGE_GALLERY=published)
    assert refused.code == 1
    assert "change the gallery it was made from" in refused.err


def test_every_change_is_published(enrolled: Visage, samples: Path, published: str) -> None:
    def names(collection: str = "default") -> list[str]:
        words = ("people", "list", "--json", "--collection", collection)
        return [person["name"] for person in enrolled(*words, VISAGE_GALLERY=published).json["people"]]

    following = {"VISAGE_PUBLISH": published}
    assert enrolled("enroll", "--name", BIDEN, samples / "biden.jpg", **following).code == 0
    assert names() == [OBAMA, BIDEN]
    assert names("others") == [BIDEN]
    assert enrolled("people", "rename", BIDEN, "Joseph Biden", **following).code == 0
    assert names() == [OBAMA, "Joseph Biden"]
    assert enrolled("people", "hide", OBAMA, **following).code == 0
    assert enrolled("recognize", "--names", samples / "obama2.jpg", VISAGE_GALLERY=published).out == "unknown\n"
    assert enrolled("people", "remove", OBAMA, **following).code == 0
    assert names() == ["Joseph Biden"]
    assert enrolled("recognize", "--names", samples / "obama2.jpg", VISAGE_GALLERY=published).out == "unknown\n"


def test_what_cannot_be_published_is_kept_and_said(enrolled: Visage, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    following = {"VISAGE_PUBLISH": f"file://{tmp_path / 'file' / 'names.sqlite'}"}
    done = enrolled("enroll", "--name", BIDEN, samples / "biden.jpg", **following)
    assert done.code == 1
    assert "not yet published; `visage gallery publish` makes up for that" in done.err
    assert [person["name"] for person in enrolled("people", "list", "--json").json["people"]] == [OBAMA, BIDEN]


def test_nothing_of_another_kind_is_written_over(enrolled: Visage, tmp_path: Path) -> None:
    done = enrolled("gallery", "publish", f"file://{tmp_path / 'gallery.sqlite'}")
    assert done.code == 1
    assert "name another" in done.err
    (tmp_path / "notes").write_text("mine")
    assert enrolled("gallery", "publish", f"file://{tmp_path / 'notes'}").code == 1
    assert (tmp_path / "notes").read_text() == "mine"
    with closing(sqlite3.connect(tmp_path / "gallery.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM crops").fetchone() == (2,)


def test_what_is_no_gallery_is_said_to_be_none(visage: Visage, tmp_path: Path, published: str) -> None:
    done = visage("people", "list", VISAGE_GALLERY=published)
    assert (done.code, "visage gallery publish" in done.err) == (1, True)
    done = visage("gallery", "publish")
    assert (done.code, "VISAGE_PUBLISH" in done.err) == (2, True)
    empty = f"sqlite:///{tmp_path / 'nowhere.sqlite'}"
    assert visage("gallery", "copy", empty, f"sqlite:///{tmp_path / 'new.sqlite'}").code == 1
    assert not (tmp_path / "new.sqlite").exists()


@pytest.mark.parametrize("url", ["s3://bucket", "file:///", "gallery.sqlite", "sqlite:///", "mysql://u:SECRET@host/db"])
def test_what_is_no_url_of_a_gallery(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_gallery(url)
    assert "SECRET" not in str(raised.value)


def test_a_database_out_of_reach_is_one_line_without_the_password(visage: Visage) -> None:
    done = visage("people", "list", VISAGE_GALLERY=f"postgresql://visage:{PASSWORD}@127.0.0.1:1/faces")
    assert done.code == 1
    assert done.err.startswith("visage: postgresql://127.0.0.1:1/faces: it cannot be reached")
    assert PASSWORD not in done.err


@pytest.mark.parametrize("command", ["copy", "publish"])
def test_help(visage: Visage, command: str) -> None:
    done = visage("gallery", command, "--help")
    assert done.code == 0
    assert len(done.out) > 300
