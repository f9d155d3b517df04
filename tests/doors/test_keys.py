"""visage keys, as a user runs it."""

import re
from pathlib import Path

import jsonschema
import pytest

from tests.doors.conftest import Done, Visage
from tests.doors.schemas import SCHEMAS
from visage.core.errors import NoKeyError
from visage.core.service.keyring import Role
from visage.settings import load_settings
from visage.wiring import open_keyring

KEY = r"vsg_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/keys"


@pytest.fixture
def keys(visage: Visage, url: str) -> Visage:
    def run(*words: object, **variables: str) -> Done:
        return visage("keys", *words, **{"VISAGE_KEYS": url, **variables})

    return run


def checked(done: Done, command: str) -> Done:
    assert done.code == 0, done.err
    jsonschema.validate(done.json, SCHEMAS[command])
    return done


def test_a_key_is_alone_on_standard_output_and_told_once(keys: Visage, url: str, tmp_path: Path) -> None:
    done = keys("create", "camera 1")
    assert done.code == 0
    assert re.fullmatch(KEY + "\n", done.out)
    assert done.err == "visage: this key of camera 1 is not shown again; keep it in a safe place\n"
    text = done.out.strip()
    account = open_keyring(load_settings(keys=url)).account(text)
    assert (account.name, account.role) == ("camera 1", Role.RECOGNIZE)

    listed = keys("list")
    assert re.search(rf"^{account.id} +camera 1 +recognize +\d{{4}}-\d\d-\d\d$", listed.out, re.MULTILINE)
    for told in (listed, keys("list", "--json"), keys("revoke", "camera 1")):
        assert told.code == 0
        assert text[-43:] not in told.out + told.err
    with pytest.raises(NoKeyError, match="revoked"):
        open_keyring(load_settings(keys=url)).account(text)
    for path in (tmp_path / "keys").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_in_json(keys: Visage) -> None:
    assert checked(keys("list", "--json"), "keys list").json == {"keys": []}
    made = checked(keys("create", "bot", "--role", "admin", "--json"), "keys create").json
    assert re.fullmatch(KEY, made["key"])
    (kept,) = checked(keys("list", "--json"), "keys list").json["keys"]
    assert {name: kept[name] for name in ("id", "name", "role")} == {"id": made["id"], "name": "bot", "role": "admin"}
    assert kept["revoked"] is None
    revoked = checked(keys("revoke", made["id"], "--json"), "keys revoke").json["revoked"]
    assert revoked == {"id": made["id"], "name": "bot", "role": "admin"}
    (kept,) = checked(keys("list", "--json"), "keys list").json["keys"]
    assert kept["created"] <= kept["revoked"]


def test_wrong_usage(keys: Visage) -> None:
    assert keys("create", "camera").code == 0
    for words, why in (
        (["create"], "Missing argument"),
        (["create", "camera"], "there is a key called 'camera' already"),
        (["create", "a/b"], "holds a slash"),
        (["create", "other", "--role", "king"], "'king' is not one of"),
        (["revoke", "nobody"], "there is no API key 'nobody'"),
    ):
        done = keys(*words)
        assert done.code == 2
        assert why in done.err
        assert done.out == ""
    assert keys("list", VISAGE_KEYS="ftp://somewhere").code == 2


def test_trouble(keys: Visage, tmp_path: Path) -> None:
    assert keys("create", "camera").code == 0
    (tmp_path / "keys" / "keys.json").write_text("{")
    for words in (["list"], ["create", "other"], ["revoke", "camera"]):
        done = keys(*words)
        assert done.code == 1
        assert "keys.json is damaged, so nobody is let in; put a copy of it back" in done.err
    (tmp_path / "file").write_text("")
    done = keys("create", "camera", VISAGE_KEYS=f"file://{tmp_path}/file")
    assert done.code == 1
    assert "a file where a folder should be" in done.err
