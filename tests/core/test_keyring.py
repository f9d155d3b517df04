"""Keys that are made, shown, checked and revoked, by several at once."""

import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import visage
from visage.core.errors import NoKeyError, StorageError, UsageError
from visage.core.ports.objects import Objects
from visage.core.service.keyring import FRESH, KEYS, Account, Keyring, Role
from visage.core.service.sessions import SESSIONS
from visage.objects.store import open_store


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


def new_secret() -> str:
    return secrets.token_urlsafe(32)


@pytest.fixture
def objects() -> Objects:
    return open_store("memory:///")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(objects: Objects, clock: Clock) -> Keyring:
    return Keyring(objects, now=clock, new_secret=new_secret)


def test_a_role_includes_those_before_it() -> None:
    order = [Role.READ, Role.RECOGNIZE, Role.ENROLL, Role.ADMIN]
    assert list(Role) == order
    for i, role in enumerate(order):
        assert [role.includes(needed) for needed in order] == [j <= i for j in range(4)]


def test_a_key_opens_its_account(keyring: Keyring) -> None:
    assert not keyring.any()
    account, text = keyring.create(" camera 1 ", Role.RECOGNIZE)
    assert (account.name, account.role) == ("camera 1", Role.RECOGNIZE)
    assert re.fullmatch(f"vsg_{account.id}_[A-Za-z0-9_-]{{43}}", text)
    assert keyring.any()
    assert keyring.account(text) == account
    other, _ = keyring.create("camera 2", Role.READ)
    assert other.id != account.id
    assert keyring.account(text) == account
    assert [(key.name, key.role, key.created, key.revoked) for key in keyring.list()] == [
        ("camera 1", Role.RECOGNIZE, 1000.0, None),
        ("camera 2", Role.READ, 1000.0, None),
    ]


def test_no_secret_is_kept(keyring: Keyring, objects: Objects) -> None:
    account, text = keyring.create("camera", Role.ADMIN)
    secret = text.removeprefix(f"vsg_{account.id}_")
    kept = objects.get(KEYS)
    assert secret.encode() not in kept
    assert secret[:12].encode() not in kept
    (entry,) = json.loads(kept)["keys"]
    assert entry["hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert entry["id"] not in entry["hash"]
    assert "hash" not in repr(account)


def test_every_other_text_is_refused(keyring: Keyring) -> None:
    account, text = keyring.create("camera", Role.ADMIN)
    other, other_text = keyring.create("other", Role.ADMIN)
    wrong = [
        "", "vsg_", text[:-1], text + "A", text + "\n", " " + text, text.upper(), text.removeprefix("vsg_"),
        text[:-1] + ("A" if text[-1] != "A" else "B"), f"vsg_{other.id}_{text[-43:]}", f"vsg_{'0' * 12}_{text[-43:]}",
        f"vsg_{account.id}_{'é' * 43}", f"vsg_{account.id}_{hashlib.sha256(text[-43:].encode()).hexdigest()[:43]}",
        "x" * 100_000, "\0", "vsg_" + "\ud800" * 12 + "_" + "A" * 43,
    ]  # fmt: skip
    for key in wrong:
        with pytest.raises(NoKeyError) as caught:
            keyring.account(key)
        assert len(key) < 20 or key not in str(caught.value)
    assert keyring.account(text) == account
    assert keyring.account(other_text) == other


def test_names(keyring: Keyring) -> None:
    keyring.create("camera", Role.READ)
    for name in ("", "a/b", "a\nb", "x" * 201, "camera", " camera"):
        with pytest.raises(UsageError):
            keyring.create(name, Role.READ)
    assert len(keyring.list()) == 1
    keyring.revoke("camera")
    assert keyring.create("camera", Role.READ)[0].name == "camera"  # the next of that name
    with pytest.raises(UsageError, match="already"):
        keyring.create("camera", Role.READ)


def test_a_revoked_key_is_refused(keyring: Keyring, clock: Clock) -> None:
    account, text = keyring.create("camera", Role.READ)
    clock.time = 2000.0
    assert keyring.revoke("camera") == account
    with pytest.raises(NoKeyError, match="revoked"):
        keyring.account(text)
    assert not keyring.any()
    clock.time = 3000.0
    assert keyring.revoke(account.id) == account  # again is nothing
    assert [key.revoked for key in keyring.list()] == [2000.0]
    for name in ("nobody", "", "a/b", "0" * 12):
        with pytest.raises(UsageError, match="no API key"):
            keyring.revoke(name)


def test_an_id_goes_before_a_name_and_a_used_key_before_a_revoked_one(keyring: Keyring) -> None:
    first, _ = keyring.create("camera", Role.READ)
    named, _ = keyring.create(first.id, Role.READ)
    assert keyring.revoke(first.id) == first
    second, _ = keyring.create("camera", Role.READ)
    assert keyring.revoke("camera") == second
    assert [key.id for key in keyring.list() if key.revoked is None] == [named.id]


class Counted:
    """A store whose reads are counted."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        return getattr(self._objects, name)


def test_a_change_elsewhere_is_seen_within_two_seconds(objects: Objects, clock: Clock, keyring: Keyring) -> None:
    counted = Counted(objects)
    here = Keyring(counted, now=clock, new_secret=new_secret)  # type: ignore[arg-type]
    assert not here.any()
    _, text = keyring.create("camera", Role.READ)
    with pytest.raises(NoKeyError):
        here.account(text)
    clock.time += FRESH
    account = here.account(text)
    counted.calls.clear()
    for _ in range(100):
        assert here.account(text) == account
    assert counted.calls == []  # from memory
    clock.time += FRESH
    here.account(text)
    assert counted.calls == ["version"]  # nothing is read that did not change
    keyring.revoke("camera")
    clock.time += FRESH - 0.1
    here.account(text)
    clock.time += 0.1
    with pytest.raises(NoKeyError, match="revoked"):
        here.account(text)


def test_a_clock_that_is_set_back_keeps_no_key_alive(objects: Objects, clock: Clock, keyring: Keyring) -> None:
    here = Keyring(objects, now=clock, new_secret=new_secret)
    _, text = keyring.create("camera", Role.READ)
    here.account(text)
    keyring.revoke("camera")
    clock.time -= 3600
    with pytest.raises(NoKeyError, match="revoked"):
        here.account(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"{}", b'{"version": 1}', b'{"version": 2, "keys": []}', b'{"version": 1, "keys": {}',
     b'{"version": 1, "keys": 5}', b'{"version": 1, "keys": [{}]}', b'{"version": 1, "keys": [[]]}', b"\xff" * 9,
     b'{"version": 1, "keys": [{"id": "0", "name": "a", "role": "king", "hash": "", "created": 1, "revoked": null}]}',
     b'{"version": 1, "keys": [{"id": 0, "name": "a", "role": "read", "hash": "", "created": 1, "revoked": null}]}',
     b'{"version": 1, "keys": [{"id": "0", "name": "a", "role": "read", "hash": "", "created": "", "revoked": null}]}',
     b"[" * 100_000],
)  # fmt: skip
def test_damaged_keys_let_nobody_in(objects: Objects, keyring: Keyring, clock: Clock, data: bytes) -> None:
    _, text = keyring.create("camera", Role.READ)
    assert keyring.any()
    good = objects.get(KEYS)
    objects.put(KEYS, data)
    clock.time += FRESH
    for _ in range(2):
        for call in (keyring.any, keyring.list, lambda: keyring.account(text), lambda: keyring.revoke("camera")):
            with pytest.raises(StorageError, match=r"damaged, so nobody is let in|another version"):
                call()
        with pytest.raises(StorageError):
            keyring.create("other", Role.READ)
    assert objects.get(KEYS) == data  # for whoever mends it
    objects.put(KEYS, good)
    assert keyring.account(text).name == "camera"


def test_keys_that_cannot_be_reached_let_nobody_in(tmp_path: Path, clock: Clock) -> None:
    keyring = Keyring(open_store(f"file://{tmp_path}/keys"), now=clock, new_secret=new_secret)
    _, text = keyring.create("camera", Role.READ)
    keyring.account(text)
    (tmp_path / "keys" / KEYS).rename(tmp_path / "kept")
    (tmp_path / "keys" / KEYS).symlink_to(tmp_path / "kept")  # which a store does not follow
    clock.time += FRESH
    with pytest.raises(StorageError):
        keyring.account(text)
    (tmp_path / "kept").rename(tmp_path / "keys" / KEYS)
    assert keyring.account(text).name == "camera"


def test_threads_share_a_keyring(keyring: Keyring) -> None:
    made: list[tuple[Account, str]] = []
    threads = [
        threading.Thread(target=lambda n=n: made.append(keyring.create(f"camera {n}", Role.READ))) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(keyring.list()) == 16
    for account, text in made:
        assert keyring.account(text) == account


CREATE = """
import secrets, sys, time
from visage.core.service.keyring import Keyring, Role
from visage.objects.store import open_store
keyring = Keyring(open_store(sys.argv[1]), now=time.time, new_secret=lambda: secrets.token_urlsafe(32))
for number in range(10):
    print(keyring.create(f"{sys.argv[2]} {number}", Role.READ)[1])
    if number % 2:
        keyring.revoke(f"{sys.argv[2]} {number}")
"""


def test_processes_lose_no_key(tmp_path: Path, clock: Clock) -> None:
    url = f"file://{tmp_path}/keys"
    environment = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    processes = [
        subprocess.Popen([sys.executable, "-c", CREATE, url, name], env=environment, text=True, stdout=subprocess.PIPE)
        for name in "abc"
    ]
    texts = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    keyring = Keyring(open_store(url), now=clock, new_secret=new_secret)
    assert len(keyring.list()) == 30
    for name, made in zip("abc", texts, strict=True):
        for number, text in enumerate(made):
            if number % 2:
                with pytest.raises(NoKeyError, match="revoked"):
                    keyring.account(text)
            else:
                assert keyring.account(text).name == f"{name} {number}"


def test_whoever_deletes_the_secret_logs_everybody_out_in_every_process(objects: Objects, clock: Clock) -> None:
    here, there = (Keyring(objects, now=clock, new_secret=new_secret) for _ in range(2))
    account, _ = here.create("ada", Role.READ)
    token = here.begin(account, 3600)
    assert there.visitor(token) == account
    objects.delete([SESSIONS])
    clock.time += FRESH
    for keyring in (here, there):
        with pytest.raises(NoKeyError):
            keyring.visitor(token)
    anew = there.begin(account, 3600)
    assert [keyring.visitor(anew) for keyring in (here, there)] == [account, account]
