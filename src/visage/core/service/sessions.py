"""Tokens of sessions: who it is and until when, signed, so that nothing of them need be kept but the secret."""

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Callable

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Objects

SESSIONS = "sessions.secret"
SECRET_LENGTH = 43

# The id of a key, when it ends (seconds since 1970), and the signature of both.
_TOKEN = re.compile("([0-9a-f]{12})\\.([0-9]{1,12})\\.([A-Za-z0-9_-]{43})", re.ASCII)


class Secret:
    """What all processes sign with; the first of them to need it makes it. Threads may share it."""

    def __init__(
        self, objects: Objects, now: Callable[[], float], new_secret: Callable[[], str], *, fresh: float
    ) -> None:
        """new_secret: `SECRET_LENGTH` characters. fresh: seconds for which what was read is believed: whoever deletes
        it logs everybody out, in every process, and they all sign with the same one again."""
        self._objects = objects
        self._now = now
        self._new_secret = new_secret
        self._fresh = fresh
        self._lock = threading.Lock()
        self._read: tuple[str, float] | None = None

    def text(self) -> str:
        """Raises `StorageError`."""
        with self._lock:
            now = self._now()
            if self._read is None or not 0 <= now - self._read[1] < self._fresh:
                self._read = self._kept(), now
            return self._read[0]

    def _kept(self) -> str:
        try:
            data = self._objects.get(SESSIONS)
        except NoObjectError:
            self._objects.create(SESSIONS, self._new_secret().encode())
            data = self._objects.get(SESSIONS)
        if len(data) < SECRET_LENGTH:
            raise StorageError(f"{SESSIONS} is damaged, so nobody can log in; delete it, and all log in anew")
        return data.decode(errors="replace")


def write_token(secret: str, key_id: str, until: float) -> str:
    """secret: 256 bits of chance, as text. until: seconds since 1970."""
    said = f"{key_id}.{int(until)}"
    return f"{said}.{_sign(secret, said)}"


def read_token(secret: str, token: str, now: float) -> str | None:
    """The key's id; None where the token is none of ours, or over."""
    found = _TOKEN.fullmatch(token)
    if not found:
        return None
    key_id, until, signature = found.groups()
    if not hmac.compare_digest(_sign(secret, f"{key_id}.{until}"), signature) or int(until) <= now:
        return None
    return key_id


def _sign(secret: str, said: str) -> str:
    # The word before it: should the secret ever sign something else, neither is taken for the other.
    digest = hmac.new(secret.encode(), f"session.{said}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
