"""Which text may be an object's key: none that leads out of a store."""

from visage.core.errors import UsageError

LONGEST = 512
LONGEST_PART = 255  # bytes in UTF-8: what file systems take as a name

# A folder's own affairs, beside the objects: drafts and locks.
RESERVED = ".visage"


def check_key(key: str) -> str:
    """The key itself. Raises `UsageError` for whatever `core.ports.objects.Objects` does not allow."""
    if len(key) > LONGEST:
        raise UsageError(f"the key {key[:20]!a}... has {len(key)} characters; {LONGEST} are allowed")
    for part in key.split("/"):
        if problem := _problem(part):
            raise UsageError(f"the key {key!a} {problem}; choose another")
    return key


def _problem(part: str) -> str | None:
    if not part:
        return "is empty, or has a slash too many"
    if part in {".", "..", RESERVED}:
        return f"has {part!r} as a part"
    if "\\" in part:
        return "has a backslash"
    if not part.isprintable():
        return "has a character that cannot be printed"
    if len(part) > LONGEST_PART // 4 and len(part.encode()) > LONGEST_PART:
        return f"has a part of more than {LONGEST_PART} bytes"
    return None
