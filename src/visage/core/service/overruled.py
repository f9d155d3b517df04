"""A face that was corrected more than once is enrolled once: as whom the last correction says it is.

Somebody says of a face in an answer that it is Ada, and it is learned as hers; later somebody says that it is Bo, and
it leaves Ada. For the way back it need not be kept: the same picture is enrolled as Bo's. Of a video that may be
another picture of the face; then Ada's becomes Bo's too, under an id of its own.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from visage.core.amend import said_in
from visage.core.answers import Outcome
from visage.core.enroll import SAME_PICTURE
from visage.core.errors import NoFaceError, NoPersonError
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrolledFace, Person

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Naming:
    """A correction that says who a face is. job: the one that learned it. face: the id that it was enrolled under; None
    where it was not."""

    job: str
    person_id: str
    name: str
    face: str | None

    @property
    def spare(self) -> str:
        """The id of the same face while it is somebody else's."""
        return hashlib.sha256(f"overruled\0{self.job}".encode()).hexdigest()[:32]


class Overruled:
    """In one collection. Whatever breaks off may be repeated. Every method may raise `StorageError`."""

    def __init__(self, result: Callable[[str], Result | None], gallery: Gallery, collection: str) -> None:
        """result: of a job, by its id."""
        self._result = result
        self._gallery = gallery
        self._collection = collection

    def people(self, result: Result, places: Sequence[int]) -> list[tuple[str, str]]:
        """(id, name) of those whom these faces of an answer leave when it is corrected once more."""
        last = _last_words(result, self._namings(result))
        named = [last[place] for place in places if place in last]
        return list(dict.fromkeys((one.person_id, one.name) for one in named if one.face))

    def settle(self, result: Result) -> None:
        """Let each face of an answer, as it was corrected so far, be enrolled as whom the last correction names."""
        namings = self._namings(result)
        last = _last_words(result, namings)
        for place, marks in said_in(result).items():
            for one in (namings[mark] for mark in marks if mark in namings):
                if one not in last.values():
                    self._take(one, last[place])

    def go_back(self, undone: str, was: Result, now: Result) -> str | None:
        """An answer goes back from `was` to `now`, since one correction is undone whose own face is still there. The
        faces become those of whom the last one that is left names. Why that cannot be, if it cannot: nothing is changed
        then."""
        namings = self._namings(was)
        before, after = _last_words(was, namings), _last_words(now, namings)
        back = [one for one in namings.values() if one in after.values() and one not in before.values()]
        for one in back:
            if self._person(one.person_id) is None and self._person(one.name):
                return f"somebody else is called {one.name!r} since"
        for one in back:
            self._give_back(one, namings.get(undone))
        spares = [one.spare for one in namings.values() if one in back or one.job == undone]
        self._gallery.remove_faces(self._collection, spares)
        return None

    def _take(self, one: _Naming, to: _Naming) -> None:
        """What `one` enrolled becomes that of whom `to` names, unless somebody made it another's by hand."""
        person, learned = self._person(to.person_id), self._face(to.face)
        if person is None:
            return
        own = self._face(one.face)
        if own and own.person_id == one.person_id != person.id:
            if not _same(own, learned):
                self._gallery.add(self._collection, person.name, replace(own, id=one.spare, person_id=person.id))
            self._gallery.remove_faces(self._collection, [own.id])
        spare = self._face(one.spare)
        if spare and spare.person_id != person.id:
            self._gallery.move(self._collection, [spare.id], person.name)

    def _give_back(self, one: _Naming, undone: _Naming | None) -> None:
        if one.face is None or self._face(one.face):
            return
        face = self._face(one.spare) or self._face(undone.face if undone else None)
        if face:
            there = self._person(one.person_id)
            name = there.name if there else one.name
            self._gallery.add(self._collection, name, replace(face, id=one.face, person_id=one.person_id))

    def _namings(self, result: Result) -> dict[str, _Naming]:
        """Of all that was said of an answer's faces, by the jobs that learned it, as far as these are kept."""
        found = {}
        for job in {by for marks in said_in(result).values() for by in marks}:
            said = (self._result(job) or {}).get("answer") or {}
            enrollment = said.get("enrollment") or {}
            person, outcome = enrollment.get("person"), enrollment.get("outcome")
            if person and outcome != Outcome.DENIED:
                face = enrollment["face_id"] if outcome == Outcome.ENROLLED else None
                found[job] = _Naming(job, person["id"], person["name"], face)
        return found

    def _person(self, id_or_name: str) -> Person | None:
        try:
            return self._gallery.person(self._collection, id_or_name)
        except NoPersonError:
            return None

    def _face(self, face_id: str | None) -> EnrolledFace | None:
        try:
            return self._gallery.face(self._collection, face_id) if face_id else None
        except NoFaceError:
            return None


def _last_words(result: Result, namings: Mapping[str, _Naming]) -> dict[int, _Naming]:
    """By place, the last of those that say who the face is."""
    said = {place: [mark for mark in marks if mark in namings] for place, marks in said_in(result).items()}
    return {place: namings[marks[-1]] for place, marks in said.items() if marks}


def _same(face: EnrolledFace, other: EnrolledFace | None) -> bool:
    """Whether both are of the same picture."""
    return other is not None and float(face.vector @ other.vector) > SAME_PICTURE
