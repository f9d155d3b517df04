"""What may be the name of a person or of a collection."""

import unicodedata

from visage.core.errors import UsageError
from visage.core.values import UNKNOWN

LONGEST = 200

# Marks that turn the direction of writing: with them a name can be shown as another one.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORBIDDEN = {
    "Cc": "a control character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Cs": "half a character (a lone surrogate)",
}


def check_name(name: str) -> str:
    """The name as it is kept: trimmed, and in Unicode's composed form (NFC), so that one name has one spelling.

    Any script and any emoji will do. Raises `UsageError` for an empty name, one longer than 200 characters, a slash or
    backslash, control and direction characters, lone surrogates, "." and "..", and the reserved word "unknown".
    """
    kept = unicodedata.normalize("NFC", name).strip()
    for character in kept:
        if problem := _problem(character):
            raise UsageError(f"the name {name!a} holds {problem}; leave it out")
    # What joins or shapes characters is part of a name, but two names must not differ from a reserved one by it alone.
    seen = "".join(c for c in kept if unicodedata.category(c) != "Cf").strip()
    if not seen:
        raise UsageError(f"the name {name!a} is empty; give at least one letter")
    if len(kept) > LONGEST:
        raise UsageError(f"the name {kept[:20]!a}... has {len(kept)} characters; {LONGEST} are allowed")
    if seen in {".", ".."}:
        raise UsageError(f'the name "{seen}" means a folder; choose another')
    if seen.casefold() == UNKNOWN:
        raise UsageError(f'the name "{seen}" is what faces without a name are called; choose another')
    return kept


def lookup_name(name: str) -> str:
    """The spelling under which a name would be kept; for what cannot be a name "", which nobody has."""
    try:
        return check_name(name)
    except UsageError:
        return ""


def _problem(character: str) -> str | None:
    if character in "/\\":
        return "a slash" if character == "/" else "a backslash"
    if character in _BIDI:
        return f"U+{ord(character):04X}, which changes the direction of writing"
    return _FORBIDDEN.get(unicodedata.category(character))
