"""Results less somebody who was only weighed in them, while another was named, or nobody."""

from collections.abc import Collection
from typing import Any

from visage.core.amend import BEFORE

# Whom a sighting was compared with, and need not be.
_WEIGHED = {"nearest", "runner_up"}


def less(result: dict[str, Any], ids: Collection[str]) -> dict[str, Any]:
    """ids: of the person and their faces. Where they are named they still are."""
    struck: dict[str, Any] = _struck(_as_it_is(result, ids), ids)
    return struck


def _as_it_is(result: dict[str, Any], ids: Collection[str]) -> dict[str, Any]:
    """The result, which may be taken back to what it was before it was amended, but not to the person."""
    before = {
        place: {key: None if _speaks_of(match, ids) else match for key, match in was.items()}
        for place, was in (result.get(BEFORE) or {}).items()
    }
    return {**result, BEFORE: before} if before else result


def _struck(value: Any, ids: Collection[str]) -> Any:
    """The value less the person wherever they were only weighed."""
    if isinstance(value, list):
        return [_struck(one, ids) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: None if key in _WEIGHED and _speaks_of(one, ids) else _struck(one, ids) for key, one in value.items()}


def _speaks_of(match: Any, ids: Collection[str]) -> bool:
    return isinstance(match, dict) and any(match.get(key) in ids for key in ("person_id", "face_id"))
