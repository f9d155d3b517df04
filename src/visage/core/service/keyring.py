"""API keys: who may ask for what."""

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from visage.core.errors import NoKeyError, NoObjectError, StorageError, UsageError
from visage.core.names import check_name, lookup_name
from visage.core.ports.objects import Objects
from visage.core.service.sessions import Secret, read_token, write_token

KEYS = "keys.json"
VERSION = 1
FRESH = 2.0  # seconds for which what was read of the keys is believed

_KEY = re.compile("vsg_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_TRIES = 100


class Role(StrEnum):
    """What a key may do; each role includes those before it."""

    READ = "read"
    RECOGNIZE = "recognize"
    ENROLL = "enroll"
    ADMIN = "admin"

    def includes(self, needed: "Role") -> bool:
        """Whether who has this role may do what asks for `needed`."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks."""

    id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is kept. hash: SHA-256 of its secret, in hex. created, revoked: seconds since 1970; a key that
    was not revoked has None."""

    id: str
    name: str
    role: Role
    hash: str
    created: float
    revoked: float | None = None

    @property
    def account(self) -> Account:
        return Account(self.id, self.name, self.role)


class Keyring:
    """The keys in one object, `keys.json`, which is only ever replaced unchanged since it was read.

    So any number of processes may make and revoke keys at once. Of a key's secret only the SHA-256 is kept: the secret
    is 256 bits of chance, which nobody can try through, so a slow hash, as passwords need, would add nothing.

    What was read is believed for `FRESH` seconds, then asked for anew: a key that is revoked anywhere stops working
    here within that time. Where the keys cannot be read, or are damaged, every call raises `StorageError`; that is
    never taken for there being no keys. Threads may share a keyring.
    """

    def __init__(self, objects: Objects, *, now: Callable[[], float], new_secret: Callable[[], str]) -> None:
        """now: seconds since 1970. new_secret: 43 characters for 32 random bytes (base64, URL-safe, unpadded)."""
        self._objects = objects
        self._now = now
        self._new_secret = new_secret
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._version: str | None = None
        self._read_at: float | None = None
        self._secret = Secret(objects, now, new_secret, fresh=FRESH)

    def create(self, name: str, role: Role) -> tuple[Account, str]:
        """A new key: whose it is, and its text, which nobody can be told again.

        Raises `UsageError` for what is no name, and where a key that was not revoked has it.
        """
        name, secret = check_name(name), self._new_secret()
        key = Key(_hash(self._new_secret())[:12], name, role, _hash(secret), self._now())

        def added(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            if key in keys:  # an earlier try did succeed, though the store could not say so
                return keys
            if any(other.name == name and other.revoked is None for other in keys):
                raise UsageError(f"there is a key called {name!r} already; choose another name, or revoke that one")
            return (*keys, key)

        self._change(added)
        return key.account, f"vsg_{key.id}_{secret}"

    def list(self) -> tuple[Key, ...]:
        """All keys, also the revoked ones, in the order they were made."""
        try:
            return _from_bytes(self._objects.read(KEYS)[0])
        except NoObjectError:
            return ()

    def revoke(self, name: str) -> Account:
        """Let a key, by its id or name, not be used any more; whose it was. To a key that was revoked it is nothing.

        Raises `UsageError` where there is no such key.
        """
        revoked: list[Key] = []

        def changed(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            key = _find(keys, name)
            revoked[:] = [key]
            if key.revoked is not None:
                return keys
            return tuple(replace(one, revoked=self._now()) if one.id == key.id else one for one in keys)

        self._change(changed)
        return revoked[0].account

    def account(self, text: str) -> Account:
        """Whose key this is. Raises `NoKeyError` where it is none, is wrong, or was revoked."""
        found = _KEY.fullmatch(text)
        if not found:
            raise NoKeyError("this is no API key; they look like vsg_..., and visage keys create makes one")
        number, secret = found.groups()
        key = self._current().get(number)
        # The comparison takes as long wherever the first wrong digit is, and for an id that is not there.
        same = hmac.compare_digest(_hash(secret), key.hash if key else "")
        if not key or not same:
            raise NoKeyError("this API key is not known; make one with visage keys create")
        if key.revoked is not None:
            raise NoKeyError("this API key was revoked; ask for a new one")
        return key.account

    def begin(self, account: Account, seconds: float) -> str:
        """A session: a token that stands for this account for so long, and ends at once with its key."""
        return write_token(self._secret.text(), account.id, self._now() + seconds)

    def visitor(self, token: str) -> Account:
        """Whose session this is. Raises `NoKeyError` where it is none, is over, or its key was revoked."""
        number = read_token(self._secret.text(), token, self._now())
        key = self._current().get(number or "")
        if not key or key.revoked is not None:
            raise NoKeyError("you are not logged in any more; log in again")
        return key.account

    def any(self) -> bool:
        """Whether there is a key that can be used."""
        return any(key.revoked is None for key in self._current().values())

    def ever(self) -> bool:
        """Whether there is or was one: who has made keys, and revoked them, wants nobody let in without."""
        return bool(self._current())

    def _current(self) -> dict[str, Key]:
        """The keys by id, as they were at most `FRESH` seconds ago."""
        with self._lock:
            now = self._now()
            # A clock that was set back makes them old as well.
            if self._read_at is None or not 0 <= now - self._read_at < FRESH:
                self._refresh()
                self._read_at = now
            return self._keys

    def _refresh(self) -> None:
        if self._version is not None and self._objects.version(KEYS) == self._version:
            return
        try:
            data, version = self._objects.read(KEYS)
        except NoObjectError:
            self._keys, self._version = {}, None
            return
        self._keys, self._version = {key.id: key for key in _from_bytes(data)}, version

    def _change(self, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
        """Replace the keys by what `change` makes of them, again with those of now if another was quicker."""
        for _ in range(_TRIES):
            try:
                data, version = self._objects.read(KEYS)
            except NoObjectError:
                self._objects.create(KEYS, _to_bytes(()))
                continue
            keys = _from_bytes(data)
            changed = change(keys)
            if changed == keys or self._objects.replace(KEYS, _to_bytes(changed), version):
                with self._lock:
                    self._read_at = None
                return
        raise StorageError(f"{KEYS} is being changed by others all the time; try again")


def _find(keys: tuple[Key, ...], name: str) -> Key:
    """An id goes before a name, and a key in use before one that was revoked."""
    wanted = lookup_name(name)
    found = [key for key in keys if key.id == name] or [key for key in keys if key.name == wanted]
    if not found:
        raise UsageError(f"there is no API key {name!r}; visage keys list shows those there are")
    return next((key for key in found if key.revoked is None), found[-1])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _to_bytes(keys: tuple[Key, ...]) -> bytes:
    return json.dumps({"version": VERSION, "keys": [asdict(key) for key in keys]}, indent=1).encode()


def _from_bytes(data: bytes) -> tuple[Key, ...]:
    try:
        kept = json.loads(data)
        if kept["version"] != VERSION:
            raise StorageError(f"{KEYS} was written by another version of Visage; use that one")
        return tuple(_key(one) for one in kept["keys"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{KEYS} is damaged, so nobody is let in; put a copy of it back, or delete it and make new keys"
        ) from error


def _key(kept: dict[str, object]) -> Key:
    """Raises what a wrong type or a missing field raises."""
    texts = {name: kept[name] for name in ("id", "name", "hash")}
    created, revoked = kept["created"], kept["revoked"]
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a text is none")
    if not isinstance(created, int | float) or not isinstance(revoked, int | float | None):
        raise TypeError("a time is none")
    return Key(str(kept["id"]), str(kept["name"]), Role(str(kept["role"])), str(kept["hash"]), created, revoked)
