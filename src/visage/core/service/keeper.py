"""A worker's last look before and after it stores a result: who was erased and what was deleted while it had the job in
hand is not brought back.

Erasing deletes first and looks through the results then; a worker stores first and looks then whether everything is
still there. So one of them sees the other, whichever comes first.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import Any

from visage.core.amend import BEFORE, MATCHES, rewrite, without
from visage.core.answers import Outcome
from visage.core.bulk.outcomes import is_told
from visage.core.bulk.plan import is_erased
from visage.core.errors import NoFaceError, NoPersonError
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.service.records import Records
from visage.core.tickets import Ticket, result_key, ticket_key
from visage.core.unknown.kept import crops_folder, faces_key
from visage.core.unknown.strangers import Strangers
from visage.core.values import JobKind


class Kept(Enum):
    """What became of a result."""

    STORED = auto()
    ANOTHERS = auto()  # there was one already
    DELETED = auto()  # the job is no more


class Keeper:
    """Used by one thread. Every method may raise `StorageError` and `GalleryError`; both are worth a retry."""

    def __init__(
        self,
        records: Records,
        inputs: Objects,
        outputs: Objects,
        unknown: Objects | None,
        gallery: Callable[[], Gallery],
    ) -> None:
        """unknown: where faces that matched nobody are kept; None where they are not."""
        self._records = records
        self._inputs = inputs
        self._outputs = outputs
        self._unknown = unknown
        self._gallery = gallery

    def keep(self, ticket: Ticket, result: dict[str, Any], strangers: Strangers | None = None) -> Kept:
        """Store the result, unless there is one, and before it the strangers. Nothing is kept of a job that was deleted
        meanwhile, nor a face that it enrolled, and nobody is named who was erased."""
        named = _names_anybody(result)
        version = self._gallery().version() if named else ""
        result = self._less_erased(ticket, result) if named else result
        # Where there is a result already they were stored with it, and may have been erased since.
        if strangers and self._unknown and not self._records.has_result(ticket):
            strangers.store(self._unknown)
        first = self._records.keep(ticket, result)
        if self._inputs.version(ticket_key(ticket.id)) is None or is_erased(self._inputs, ticket):
            if is_told(self._outputs, ticket, _enrollment(result).get("face_id")):  # done before: its face stays
                self._outputs.delete([result_key(ticket.id)])
            else:
                self._take_back(ticket, result)
            return Kept.DELETED
        if first and named and self._gallery().version() != version:
            rewrite(self._outputs, ticket.id, lambda kept: self._less_erased(ticket, kept))
        return Kept.STORED if first else Kept.ANOTHERS

    def _take_back(self, ticket: Ticket, result: Mapping[str, Any]) -> None:
        self._outputs.delete([result_key(ticket.id)])
        if self._unknown:
            crops = [stored.key for stored in self._unknown.list(crops_folder(ticket.id))]
            self._unknown.delete([*crops, faces_key(ticket.id)])
        enrollment = _enrollment(result)
        if enrollment.get("face_id") is None:
            return
        if enrollment["outcome"] == Outcome.ENROLLED:
            self._gallery().remove_faces(ticket.job.collection, [enrollment["face_id"]])
        elif enrollment["outcome"] == Outcome.DENIED:
            self._gallery().undeny(ticket.job.collection, [enrollment["face_id"]])

    def _less_erased(self, ticket: Ticket, result: dict[str, Any]) -> dict[str, Any]:
        if ticket.job.kind is JobKind.ENROLL:
            return self._resembling(ticket, result)
        seen = dict(_people(result))
        gone = [person for person, face in seen.items() if not self._is_there(ticket.job.collection, person, face)]
        return without(result, gone, ticket.job.sampling) if gone else result

    def _resembling(self, ticket: Ticket, result: dict[str, Any]) -> dict[str, Any]:
        """That somebody resembles another is not said of one who is no more."""
        enrollment = _enrollment(result)
        resembles = enrollment.get("resembles")
        if not resembles or self._is_there(ticket.job.collection, resembles["name"]):
            return result
        detail = str(enrollment["detail"]).partition("; looks like ")[0]
        changed = {**enrollment, "resembles": None, "detail": detail}
        return {**result, "answer": {**result["answer"], "enrollment": changed}}

    def _is_there(self, collection: str, person: str, face_id: str = "") -> bool:
        """Also under another name and id: who was made one with somebody else is not erased."""
        gallery = self._gallery()
        try:
            gallery.person(collection, person)
        except NoPersonError:
            try:
                gallery.face(collection, face_id)
            except NoFaceError:
                return False
        return True


def _enrollment(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict((result.get("answer") or {}).get("enrollment") or {})


def _names_anybody(result: Mapping[str, Any]) -> bool:
    return next(_people(result), None) is not None or bool(_enrollment(result).get("resembles"))


def _people(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(person id, face id) of whom the answer names or weighs."""
    answer = result.get("answer") or {}
    for face in (*answer.get("faces", ()), *(result.get(BEFORE) or {}).values()):
        for key in MATCHES:
            if match := face.get(key):
                yield match["person_id"], match["face_id"]
