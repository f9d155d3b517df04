"""What is noted of corrections: which answers wait to be put right, and which answer a job learns for."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visage.core.errors import NoObjectError
from visage.core.ports.objects import Objects
from visage.core.tickets import Ticket
from visage.core.values import JobKind

# Where the output store has the notes of all answers that wait.
WAITING = "corrections"
_NOTE = re.compile(rf"{WAITING}/(?P<answer>[0-9a-f]{{32}})/(?P<at>[0-9]{{13}})-(?P<learning>[0-9a-f]{{32}})\.json")


@dataclass(frozen=True, slots=True)
class Note:
    """Something was said of an answer's faces. answer: its job. learning: the job that learns it. at: when it was said,
    milliseconds since 1970."""

    key: str
    answer: str
    learning: str
    at: int


class Notes:
    """Used by many threads and processes. Every method may raise `StorageError`."""

    def __init__(self, outputs: Objects) -> None:
        self._outputs = outputs

    def add(self, answer: str, learning: Ticket, places: Sequence[int]) -> None:
        """places: of the faces, in the answer's `faces`."""
        self._outputs.put(_link(learning.id), json.dumps({"job": answer}).encode())
        key = f"{WAITING}/{answer}/{int(learning.created * 1000):013d}-{learning.id}.json"
        self._outputs.put(key, json.dumps({"places": list(places)}).encode())

    def of(self, answer: str) -> list[Note]:
        """Those of one answer, in the order in which it was said."""
        return self._listed(f"{WAITING}/{answer}")

    def all(self) -> list[Note]:
        """Those of every answer, the oldest first."""
        return sorted(self._listed(WAITING), key=lambda note: note.at)

    def places(self, note: Note) -> list[int] | None:
        """None where the note is gone."""
        try:
            return list(json.loads(self._outputs.get(note.key))["places"])
        except NoObjectError:
            return None

    def drop(self, notes: Iterable[Note]) -> None:
        self._outputs.delete([note.key for note in notes])

    def _listed(self, folder: str) -> list[Note]:
        found = [(stored.key, _NOTE.fullmatch(stored.key)) for stored in self._outputs.list(folder)]
        return [Note(key, one["answer"], one["learning"], int(one["at"])) for key, one in found if one]


def answer_of(outputs: Objects, learning: Ticket) -> str | None:
    """The job whose answer is corrected by what this job learns; None for a job that is no correction."""
    if learning.job.kind is not JobKind.ENROLL or learning.job.enroll.box is None:
        return None
    try:
        return str(json.loads(outputs.get(_link(learning.id)))["job"])
    except (NoObjectError, ValueError, KeyError, TypeError):
        return None


def _link(learning: str) -> str:
    """Where the output store says of what a job is a correction, for as long as that job is kept."""
    return f"{learning}/corrects.json"
