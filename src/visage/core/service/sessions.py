"""Tokens of sessions: who it is and until when, signed, so that nothing of them need be kept."""

import base64
import hashlib
import hmac
import re

# The id of a key, when it ends (seconds since 1970), and the signature of both.
_TOKEN = re.compile("([0-9a-f]{12})\\.([0-9]{1,12})\\.([A-Za-z0-9_-]{43})", re.ASCII)


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
