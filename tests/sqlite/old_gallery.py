"""A gallery's file, or a published copy, as the first schema had it: two people with a face each."""

import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from tests.sqlite.shop import QUALITY, unit

TABLES = (Path(__file__).parent / "schema1.sql").read_text()
IDS = {"Ada": uuid.uuid5(uuid.NAMESPACE_DNS, "ada").hex, "Bob": uuid.uuid5(uuid.NAMESPACE_DNS, "bob").hex}


def old_gallery(path: Path) -> None:
    """In the collection "c", of the model "m": Ada, who looks as `unit(0)`, and Bob, who looks as `unit(1)`."""
    with closing(sqlite3.connect(path)) as db:
        _fill(db, json.dumps(asdict(QUALITY)), b"\xff\xd8jpeg")
        db.execute("PRAGMA journal_mode = WAL")


def old_copy(version: str) -> bytes:
    """What was published of that gallery."""
    with closing(sqlite3.connect(":memory:")) as db:
        _fill(db, '{"size":0,"sharpness":0,"yaw":0,"pitch":0,"roll":0,"score":0}', None)
        db.execute("CREATE TABLE published (version TEXT NOT NULL) STRICT")
        db.execute("INSERT INTO published VALUES (?)", (version,))
        db.commit()
        return db.serialize()


def columns(path: Path) -> dict[str, list[str]]:
    """Of each table."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: [column[1] for column in db.execute(f"PRAGMA table_info({name})")] for name in names}


def schema(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def _fill(db: sqlite3.Connection, quality: str, crop: bytes | None) -> None:
    """A published copy has no crops, nor what belongs to them."""
    db.executescript(TABLES)
    db.execute("INSERT INTO collections VALUES (1, 'c', 'm', 16, 2, 2)")
    for number, (name, person_id) in enumerate(IDS.items(), 1):
        db.execute("INSERT INTO people VALUES (?, 1, ?, ?, 1.5e9)", (number, person_id, name))
        landmarks, source, digest = (unit(number)[:10].tobytes(), "photo.jpg", "digest") if crop else (b"", "", "")
        row = (number, number, f"face{number}", number, unit(number - 1).tobytes(), landmarks, source, digest, quality)
        db.execute("INSERT INTO faces VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 1.5e9)", row)
        if crop:
            db.execute("INSERT INTO crops VALUES (?, ?)", (number, crop))
    db.commit()
