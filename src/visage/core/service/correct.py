"""Corrections: somebody says who a face in an answer is, or who it is not.

A job learns from the face, over what came in for the answer's own job; until it is done a note lies beside the answer.
Whoever reads the answer next puts it right first, so nobody has to wait for the job, and no process that dies meanwhile
leaves an answer wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from visage.core.amend import amend, restore, rewrite
from visage.core.boxes import iou
from visage.core.errors import NoPersonError
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.recognize import SAME_PLACE
from visage.core.service.noted import Note, Notes, answer_of
from visage.core.service.overruled import Overruled
from visage.core.service.reception import Reception
from visage.core.tickets import Ticket
from visage.core.track import LARGEST_GAP
from visage.core.unknown.inbox import Inbox

# Answers that are put right on one occasion at most, for whoever asks for none of them.
_AT_A_TIME = 20


class Corrections:
    """Used by many threads and processes. Every method may raise `StorageError`."""

    def __init__(
        self,
        reception: Reception,
        inputs: Objects,
        outputs: Objects,
        gallery: Callable[[], Gallery],
        inbox: Inbox | None,
    ) -> None:
        """inbox: of faces that match nobody, where they are kept."""
        self._reception = reception
        self._inputs = inputs
        self._outputs = outputs
        self._notes = Notes(outputs)
        self._gallery = gallery
        self._inbox = inbox

    def note(self, job: str, learning: Ticket, places: Sequence[int]) -> None:
        """The answer of `job` is to be put right once the job `learning` is done. places: in its `faces`."""
        self._notes.add(job, learning, places)

    def overruled(self, ticket: Ticket, places: Sequence[int]) -> list[tuple[str, str]]:
        """(id, name) of those as whom these faces were enrolled by an earlier correction."""
        return self._learned(ticket).people(self._reception.result(ticket.id) or {}, places)

    def take_back(self, job: str, learning: str, places: Sequence[int]) -> str | None:
        """The answer is as it was before it was corrected in these places; whatever still waits is forgotten. The face
        that was enrolled for it is to be removed afterwards. Why it cannot be taken back, if it cannot: nothing is
        changed then."""
        ticket, result = self._reception.ticket(job), self._reception.result(job)
        sampling = ticket.job.sampling if ticket else None
        if ticket and result:
            before = restore(result, places, sampling, learning)
            if reason := self._learned(ticket).go_back(learning, result, before):
                return reason
        self._notes.drop(note for note in self._notes.of(job) if note.learning == learning)
        rewrite(self._outputs, job, lambda result: restore(result, places, sampling, learning))
        self._tell_anew(job, places)
        return None

    def settle(self, ticket: Ticket) -> bool:
        """Put this job's answer right by what was learned meanwhile, in the order it was said; whether there was any
        of it."""
        settled = False
        for note in self._notes.of(ticket.id):
            learning, result = self._reception.ticket(note.learning), self._reception.result(note.learning)
            if learning and result is None:
                break  # what was said after it waits too
            if learning and result and result["status"] == "done":
                self._put_right(ticket, note, learning, result["answer"]["enrollment"])
                # The copy that it learned from, which nobody who forgets the answer's job would think of.
                self._inputs.delete(learning.job.sources)
            self._notes.drop([note])
            settled = True
        return settled

    def settle_all(self) -> None:
        """The same of every job whose answer waits, whoever asked for it; of very many, of the first few."""
        for job in list(dict.fromkeys(note.answer for note in self._notes.all()))[:_AT_A_TIME]:
            if ticket := self._reception.ticket(job):
                self.settle(ticket)
            else:  # deleted since
                self._notes.drop(self._notes.of(job))

    def settle_after(self, learning: Ticket) -> None:
        """The same of the job whose answer waits for this one, if it is a correction."""
        job = answer_of(self._outputs, learning)
        if job and (ticket := self._reception.ticket(job)):
            self.settle(ticket)

    def _put_right(self, ticket: Ticket, note: Note, learning: Ticket, enrollment: Mapping[str, Any]) -> None:
        person, places = enrollment["person"], self._notes.places(note)
        if person is None or places is None:  # nobody of that name is there, for nothing was learned; or it is done
            return
        sampling, collection = ticket.job.sampling, learning.job.collection
        face_id = enrollment["face_id"] or self._gallery().covers(collection, [person["id"]]).get(person["id"])

        def said(result: Mapping[str, Any], changes: Mapping[int, Mapping[str, Any] | None]) -> Mapping[str, Any]:
            return amend(result, changes, sampling, learning.id)

        def change(result: dict[str, Any]) -> Mapping[str, Any]:
            there = [place for place in places if place < len(result["answer"]["faces"])]
            if learning.job.enroll.deny:
                return _without(result, there, person["id"], said)
            return said(result, _named(result, there, person, face_id))

        rewrite(self._outputs, ticket.id, change)
        if learning.job.enroll.deny:
            return
        self._tell(ticket.id, places, person["id"], face_id)
        # Afterwards, for then an erasure either has found the new name in the answer, or is seen here.
        if self._may_be_named(collection, person["id"]):
            self._learned(ticket).settle(self._reception.result(ticket.id) or {})
        else:
            self.take_back(ticket.id, learning.id, places)

    def _learned(self, ticket: Ticket) -> Overruled:
        return Overruled(self._reception.result, self._gallery(), ticket.job.collection)

    def _tell_anew(self, job: str, places: Sequence[int]) -> None:
        """Who they are by what the answer says now, which may be what somebody else has said of them."""
        faces = ((self._reception.result(job) or {}).get("answer") or {}).get("faces", ())
        named: dict[tuple[str | None, str | None], list[int]] = {}
        for place in places:
            match = (faces[place]["match"] if place < len(faces) else None) or {}
            named.setdefault((match.get("person_id"), match.get("face_id")), []).append(place)
        for (person_id, face_id), theirs in named.items():
            self._tell(job, theirs, person_id, face_id)

    def _tell(self, job: str, places: Sequence[int], person_id: str | None, face_id: str | None) -> None:
        """Whoever has a name now waits for none any more."""
        if self._inbox:
            self._inbox.told(job, places, person_id, face_id)

    def _may_be_named(self, collection: str, person_id: str) -> bool:
        try:
            person = self._gallery().person(collection, person_id)
        except NoPersonError:
            return False
        return person.id == person_id and not person.hidden


def same_face(faces: Sequence[Mapping[str, Any]], place: int) -> list[int]:
    """The places in an answer's `faces` of the face that is in this place: of a video also where it was, under the same
    name, in the pictures before and after, as long as it moved little from one to the next."""
    frames: dict[int, list[int]] = {}
    for other, face in enumerate(faces):
        frames.setdefault(face["frame"], []).append(other)
    order = sorted(frames)
    at = order.index(faces[place]["frame"])
    found = [place]
    for way in (order[at + 1 :], order[:at][::-1]):
        last = place
        for frame in way:
            following = _following(faces, last, frames[frame])
            if following is None:
                break
            found.append(following)
            last = following
    return sorted(found)


def _following(faces: Sequence[Mapping[str, Any]], last: int, candidates: Sequence[int]) -> int | None:
    face = faces[last]
    near = [
        place
        for place in candidates
        if _person(faces[place]["match"]) == _person(face["match"])
        and abs(faces[place]["time"] - face["time"]) <= LARGEST_GAP
    ]
    if not near:
        return None
    boxes = np.array([faces[place]["box"] for place in near], np.float32)
    overlaps = iou(np.array([face["box"]], np.float32), boxes)[0]
    best = int(overlaps.argmax())
    return near[best] if overlaps[best] >= SAME_PLACE else None


def _named(
    result: Mapping[str, Any], places: Sequence[int], person: Mapping[str, Any], face_id: str | None
) -> dict[int, Mapping[str, Any]]:
    """The match of each place. How similar it is was measured, where the person was weighed; what somebody says of it
    is certain."""
    said = {"person_id": person["id"], "name": person["name"], "probability": 1.0}
    changes: dict[int, Mapping[str, Any]] = {}
    for place in places:
        face = result["answer"]["faces"][place]
        weighed = [one for one in (face["nearest"], face["runner_up"]) if _person(one) == person["id"]]
        if weighed:
            changes[place] = {**weighed[0], **said}
        elif face_id:
            changes[place] = {**said, "face_id": face_id, "similarity": 1.0}
    return changes


Amend = Callable[[Mapping[str, Any], Mapping[int, Mapping[str, Any] | None]], Mapping[str, Any]]


def _without(result: Mapping[str, Any], places: Sequence[int], person_id: str, change: Amend) -> Mapping[str, Any]:
    """The result in which these faces are not that person: whoever came next, where that is similar enough, as the rule
    has it; else nobody."""
    faces, threshold = result["answer"]["faces"], result["answer"]["rule"]["threshold"]
    denied = [place for place in places if _person(faces[place]["match"]) == person_id]
    result = change(result, dict.fromkeys(denied))
    faces = result["answer"]["faces"]
    next_best = {place: faces[place]["nearest"] for place in denied if faces[place]["nearest"]}
    return change(result, {place: one for place, one in next_best.items() if one["similarity"] >= threshold})


def _person(match: Mapping[str, Any] | None) -> str | None:
    return match["person_id"] if match else None
