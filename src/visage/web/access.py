"""Who may ask: API keys and their roles, and without any keys programs on this machine alone, no web pages."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Request

from visage.core.errors import NoKeyError
from visage.core.keyring import Account, Keyring, Role
from visage.web.problems import Problem

# Wrong keys that one address may try in so many seconds.
TRIES = 20
WINDOW = 60.0

# Addresses remembered at most; the one that has been quiet for longest is forgotten first.
_ADDRESSES = 10_000

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

# What is asked from where there are no keys.
NOBODY = Account(id="", name="", role=Role.ADMIN)


class Access:
    """Used by many threads. May raise `StorageError` where the keys cannot be read."""

    def __init__(
        self, keyring: Keyring, *, open_without_keys: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """open_without_keys: whether only this machine can reach the server, so that it may do without keys."""
        self._keyring = keyring
        self._open = open_without_keys
        self._throttle = Throttle(clock)

    def admit(self, request: Request, role: Role | None) -> Account:
        """The account that asks. role: what the route needs at least; None: nothing, whoever it is.

        Raises `Problem` 401, 403 or 429.
        """
        if self._open and not self._keyring.ever():
            _refuse_web_pages(request)
            return NOBODY
        if role is None:
            return NOBODY
        account = self._account(request)
        if not account.role.includes(role):
            raise Problem(403, f"this key has the role {account.role.value!r}; this needs {role.value!r}")
        return account

    def _account(self, request: Request) -> Account:
        key = _key(request)
        try:
            if not key:
                raise NoKeyError("send an API key, as in `Authorization: Bearer KEY`")
            return self._keyring.account(key)
        except NoKeyError as error:
            if key:
                self._throttle.count(request.remote_addr or "")
            raise Problem(401, str(error), headers={"WWW-Authenticate": 'Bearer realm="visage"'}) from None


class Throttle:
    """Counts wrong keys by address, in a window that starts with the first of them.

    A right key is let in whatever came before from its address, which it may share with others: nobody guesses 256
    bits, so all that is to be bounded is how much work and log the wrong ones make.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, address: str) -> None:
        """One more. Raises `Problem` 429 where there were too many."""
        with self._lock:
            now = self._clock()
            count, start = self._counts.pop(address, (0, now))
            if now - start >= WINDOW:
                count, start = 0, now
            self._counts[address] = (count + 1, start)
            while len(self._counts) > _ADDRESSES:
                self._counts.popitem(last=False)
        if count >= TRIES:
            raise Problem(429, "too many wrong keys came from this address", retry=start + WINDOW - now)


def is_loopback(host: str) -> bool:
    """Whether a server that listens there is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return request.headers.get("X-API-Key", "").strip()


def _refuse_web_pages(request: Request) -> None:
    """A browser on this machine may be shown a page of anybody's, which must not drive this server: neither by asking
    across origins nor by a name of its own that leads here (DNS rebinding). Raises `Problem` 403."""
    host = request.headers.get("Host", "")
    if _hostname(host) not in _LOOPBACK:
        raise Problem(403, "without API keys this server is asked as localhost or 127.0.0.1 alone")
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in {f"http://{host}".lower(), f"https://{host}".lower()}:
        raise Problem(403, "without API keys this server answers no pages of other origins")
    if request.headers.get("Sec-Fetch-Site", "none").lower() not in {"none", "same-origin"}:
        raise Problem(403, "without API keys this server answers no pages of other sites")


def _hostname(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and not parts.username else None
    except ValueError:
        return None
