"""The changes of an hour in one object: a line each, found by what stands in it."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from visage.core.journal.change import ID

VERSION = 1

_LINE = re.compile(f"(?P<id>{ID}) (?P<data>.*)".encode())


@dataclass(frozen=True, slots=True)
class Hour:
    """changes: JSON by the change's id. turn: how often it was changed. A store may make its version of the bytes
    alone, so that they have to differ even where nothing else does."""

    turn: int
    changes: Mapping[str, bytes]


class Words:
    """Texts that are sought in JSON, which is not parsed for that: they stand between two quotes."""

    def __init__(self, texts: Collection[str]) -> None:
        words = [json.dumps(text).encode() for text in texts]
        self._whole = {word[1:-1] for word in words if b'"' not in word[1:-1]}
        self._split = [word for word in words if b'"' in word[1:-1]]

    def are_in(self, data: bytes) -> bool:
        return not self._whole.isdisjoint(data.split(b'"')) or any(word in data for word in self._split)


def hour_to_bytes(hour: Hour) -> bytes:
    head = json.dumps({"visage": VERSION, "turn": hour.turn}).encode()
    # Between the lines of indented JSON there is nothing but space.
    lines = (one.encode() + b" " + b" ".join(hour.changes[one].splitlines()) for one in sorted(hour.changes))
    return b"\n".join([head, *lines, b""])


def hour_from_bytes(data: bytes) -> Hour:
    head = data.partition(b"\n")[0]
    try:
        turn = int(json.loads(head)["turn"])
    except (ValueError, KeyError, TypeError):  # it is damaged, or empty
        turn = 0
    return Hour(turn, lines_in(data))


def lines_in(data: bytes, words: Words | None = None) -> dict[str, bytes]:
    """The changes in an hour, those alone in which these words stand."""
    lines = data.split(b"\n")
    found = (_LINE.fullmatch(line) for line in lines if words is None or words.are_in(line))
    return {line["id"].decode(): line["data"] for line in found if line}
