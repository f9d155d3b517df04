"""Who may ask: API keys and their roles, and without any keys programs on this machine alone, no web pages."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Request

from visage.core.errors import NoKeyError
from visage.core.service.keyring import Account, Keyring, Role
from visage.web.problems import Problem

# Wrong keys that one address may try in so many seconds.
TRIES = 20
WINDOW = 60.0

# Addresses remembered at most; the one that has been quiet for longest is forgotten first.
_ADDRESSES = 10_000

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

# The cookie of who has logged in on the page, and seconds for which it is good.
COOKIE = "visage_session"
SESSION_SECONDS = 12 * 3600

# A header that a page of another origin cannot send without asking first, and is told no.
OWN_PAGE = "X-Visage"

_READING = {"GET", "HEAD", "OPTIONS"}

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
        if not self.wants_keys():
            _refuse_web_pages(request)
            return NOBODY
        if role is None:
            return NOBODY
        account = self._account(request)
        if not account.role.includes(role):
            raise Problem(403, f"this key has the role {account.role.value!r}; this needs {role.value!r}")
        return account

    def wants_keys(self) -> bool:
        """Whether one needs a key, or a session, for anything at all."""
        return not self._open or self._keyring.ever()

    def log_in(self, request: Request, key: str) -> tuple[Account, str]:
        """Whose key it is, and the token of a new session. Raises `Problem` 401, 403 or 429."""
        refuse_foreign(request)
        account = self._checked(request, key)
        return account, self._keyring.begin(account, SESSION_SECONDS)

    def visitor(self, request: Request) -> Account | None:
        """Whoever is logged in on the page that asks, if anybody is. Raises `Problem` 403 as `admit` does."""
        if not self.wants_keys():
            return NOBODY
        try:
            return self._visitor(request)
        except NoKeyError:
            return None

    def secure(self, request: Request) -> bool:
        """Whether the cookie is for TLS alone: everywhere but on a server that this machine alone can reach."""
        return request.is_secure or not self._open

    def _account(self, request: Request) -> Account:
        if key := _key(request):
            return self._checked(request, key)
        try:
            return self._visitor(request)
        except NoKeyError as error:
            raise _unauthorized(error) from None

    def _checked(self, request: Request, key: str) -> Account:
        try:
            return self._keyring.account(key)
        except NoKeyError as error:
            self._throttle.count(request.remote_addr or "")
            raise _unauthorized(error) from None

    def _visitor(self, request: Request) -> Account:
        """By the cookie. Raises `NoKeyError`; and `Problem` 403 where a page of somebody else's may have sent it along
        to change something."""
        token = request.cookies.get(COOKIE, "")
        if not token:
            raise NoKeyError("send an API key, as in `Authorization: Bearer KEY`, or log in")
        account = self._keyring.visitor(token)
        if request.method not in _READING:
            if not request.headers.get(OWN_PAGE):
                raise Problem(403, f"who is logged in by a cookie sends the header `{OWN_PAGE}: 1` to change anything")
            refuse_foreign(request, sure=True)
        return account


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


def refuse_foreign(request: Request, *, sure: bool = False) -> None:
    """A page of another origin must not ask this. sure: it has to be certain that none does. Raises `Problem` 403."""
    site = request.headers.get("Sec-Fetch-Site")
    # A browser says it truly where the server is reached over TLS or on this machine; an Origin that another name of
    # this server stands in, as behind a proxy, says less.
    own = site.lower() == "same-origin" if site else _own_origin(request, sure=sure)
    if not own:
        raise Problem(403, "this is asked by the pages of this server alone")


def _own_origin(request: Request, *, sure: bool) -> bool:
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if origin is None:
        return not sure
    return origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}


def _unauthorized(error: NoKeyError) -> Problem:
    return Problem(401, str(error), headers={"WWW-Authenticate": 'Bearer realm="visage"'})


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
    if not _own_origin(request, sure=False):
        raise Problem(403, "without API keys this server answers no pages of other origins")
    if request.headers.get("Sec-Fetch-Site", "none").lower() not in {"none", "same-origin"}:
        raise Problem(403, "without API keys this server answers no pages of other sites")


def _hostname(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and not parts.username else None
    except ValueError:
        return None
