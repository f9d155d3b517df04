"""An unknown person gets a name: the best faces are enrolled, and the old answers say who it was.

Each step may be repeated, and is: whatever breaks off is done again from the start, and does nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from visage.core.amend import amend, restore, rewrite
from visage.core.cards import EmbedderCard
from visage.core.enroll import SAME_PICTURE
from visage.core.errors import NoFaceError, NoObjectError, NoPersonError, UsageError
from visage.core.match import probabilities
from visage.core.names import check_name
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.unknown.kept import Haul, State, Unknown, crop_key, decided
from visage.core.unknown.pile import Held, Pile
from visage.core.unknown.takeback import OTHERS, sampling_of
from visage.core.values import EnrolledFace, Floats, Match, Person
from visage.core.wire import match_to_json

# Faces of one naming that are enrolled at most.
ENROLLED = 10


@dataclass(frozen=True, slots=True)
class Naming:
    """What naming did. person: as they are now. new: whether they were not enrolled before. faces: all that were
    named. enrolled: those of them that are in the gallery now, at most 10. answers: how many old ones were changed."""

    person: Person
    new: bool
    faces: tuple[str, ...]
    enrolled: tuple[str, ...]
    answers: int


@dataclass(frozen=True)
class Namer:
    """objects: with the crops. inputs, outputs: of jobs. now: seconds since 1970. sign: called before every step; it
    raises `UsageError` where somebody else is at it by now."""

    pile: Pile
    objects: Objects
    inputs: Objects
    outputs: Objects
    gallery: Gallery
    card: EmbedderCard
    now: Callable[[], float]
    sign: Callable[[], None]

    def name(self, collection: str, faces: Sequence[Held], name: str) -> Naming:
        """See `Inbox.name`."""
        name = check_name(name)
        was = person_named(self.gallery, collection, name)
        for held in faces:
            if held.face.state is State.NAMED and (was is None or not self._is(collection, held.face, was)):
                raise UsageError(f"the face {held.face.id} is named as somebody else already; undo that first")
        chosen = best_of(faces, ENROLLED)
        person = self._enroll(collection, chosen, name)
        vectors = np.stack([held.face.vector for held in chosen])
        ids = [held.face.id for held in chosen]
        people = self.gallery.population(collection)
        answers = 0
        named: dict[str, tuple[str, float]] = {}
        written: dict[str, Haul | None] = {}
        for held in faces:
            scores = vectors @ held.face.vector
            near = int(np.argmax(scores))
            same = held.face.id in ids
            named[held.face.id] = (held.face.id, 1.0) if same else (ids[near], float(scores[near]))
        for job, theirs in _by_job(faces).items():
            self.sign()
            answers += self._amend(
                job, theirs, named, lambda face_id, s: self._match(person, face_id, s, people), person.id
            )
            self.pile.change(job, lambda face: _named(face, person, named.get(face.id)), written)
        self.pile.settle(written)
        return Naming(person, was is None, tuple(held.face.id for held in faces), tuple(ids), answers)

    def unname(self, collection: str, faces: Sequence[Held]) -> int:
        """See `Inbox.unname`."""
        named = [held for held in faces if held.face.state is State.NAMED]
        if not named:
            raise UsageError("the faces are not named; there is nothing to undo")
        people = {held.face.person_id for held in named}
        enrolled = []
        for held in faces:  # also those that were enrolled, and naming broke off then
            owner = self._owner(collection, held.face.id)
            if owner in people:
                enrolled.append(held.face.id)
            elif owner is not None:
                raise UsageError(OTHERS)
        faces = named
        answers = 0
        for job, theirs in _by_job(faces).items():
            self.sign()
            answers += self._restore(job, theirs)
        self.gallery.remove_faces(collection, enrolled)
        ids = {held.face.id for held in faces}
        written: dict[str, Haul | None] = {}
        for job in _by_job(faces):
            self.pile.change(job, lambda face: decided(face, State.NEW) if face.id in ids else face, written)
        self.pile.settle(written)
        return answers

    def enrolled_face(self, held: Held) -> EnrolledFace:
        """The face as the gallery keeps it."""
        face = held.face
        return EnrolledFace(
            id=face.id,
            person_id="",
            vector=face.vector,
            model=held.haul.model,
            crop=self._crop(held),
            landmarks=face.landmarks,
            source=held.haul.source,
            digest=face.digest,
            quality=face.quality,
            created=self.now(),
        )

    def _enroll(self, collection: str, chosen: Sequence[Held], name: str) -> Person:
        """All of them are that person's then, also those that broken-off naming gave to somebody else."""
        for held in chosen:
            self.sign()
            self.gallery.add(collection, name, self.enrolled_face(held))
        self.sign()
        return self.gallery.move(collection, [held.face.id for held in chosen], name)

    def _amend(
        self,
        job: str,
        faces: Sequence[Held],
        named: Mapping[str, tuple[str, float]],
        match: Callable[[str, float], dict[str, Any] | None],
        by: str,
    ) -> bool:
        """Whether the job's answer was changed. Who has a name in it by now, keeps it."""
        haul = self.pile.read(job)
        ids = {held.face.id for held in faces}
        changes: dict[int, dict[str, Any] | None] = {}
        for face in haul.faces if haul else ():
            if face.id in ids:
                face_id, similarity = named[face.id]
                for place, own in zip(face.stands.places.tolist(), face.stands.similarities.tolist(), strict=True):
                    changes[place] = match(face_id, min(own, similarity))
        sampling = sampling_of(self.inputs, job)
        return rewrite(self.outputs, job, lambda result: amend(result, _nameless(result, changes), sampling, by))

    def _restore(self, job: str, faces: Sequence[Held]) -> bool:
        haul = self.pile.read(job)
        people = {held.face.id: held.face.person_id for held in faces}
        places: dict[str, list[int]] = {}
        for face in haul.faces if haul else ():
            if person_id := people.get(face.id):
                places.setdefault(person_id, []).extend(face.stands.places.tolist())
        sampling = sampling_of(self.inputs, job)

        def nameless(result: Mapping[str, Any]) -> Mapping[str, Any]:
            for person_id, theirs in places.items():
                result = restore(result, theirs, sampling, person_id)
            return result

        return rewrite(self.outputs, job, nameless)

    def _match(self, person: Person, face_id: str, similarity: float, people: int) -> dict[str, Any] | None:
        (chance,) = probabilities(np.array([similarity]), self.card, people)
        return match_to_json(Match(person.id, person.name, face_id, similarity, float(chance)))

    def _crop(self, held: Held) -> bytes | None:
        if not held.face.crop:
            return None
        try:
            return self.objects.get(crop_key(held.haul.job, held.face.place))
        except NoObjectError:
            return None

    def _is(self, collection: str, face: Unknown, person: Person) -> bool:
        return person.id in {face.person_id, self._owner(collection, face.face_id)}

    def _owner(self, collection: str, face_id: str | None) -> str | None:
        """Whose that enrolled face is by now."""
        try:
            return self.gallery.face(collection, face_id or "").person_id
        except NoFaceError:
            return None


def best_of(faces: Sequence[Held], most: int) -> list[Held]:
    """The best faces, and different ones: the best first, then ever the one that is good and least like the others.
    What comes from the same picture as another is left out."""
    left = sorted(faces, key=lambda held: (-held.face.quality.score, held.face.id))
    vectors: Floats = np.stack([held.face.vector for held in left])
    worth = np.array([held.face.quality.score for held in left], np.float32)
    chosen = [0]
    alike = vectors @ vectors[0]
    while len(chosen) < most:
        scores = np.where(alike > SAME_PICTURE, -1.0, (0.1 + worth) * (1.0 - alike))
        best = int(np.argmax(scores))
        if scores[best] <= 0.0:
            break
        chosen.append(best)
        alike = np.maximum(alike, vectors @ vectors[best])
    return [left[number] for number in chosen]


def person_named(gallery: Gallery, collection: str, name: str) -> Person | None:
    try:
        person = gallery.person(collection, name)
    except NoPersonError:
        return None
    return person if person.name == name else None  # it may be somebody's id


def _named(face: Unknown, person: Person, found: tuple[str, float] | None) -> Unknown:
    if found is None:
        return face
    after = replace(face, state=State.NAMED, person_id=person.id, face_id=found[0])
    same = (face.state, face.person_id, face.face_id) == (after.state, after.person_id, after.face_id)
    return face if same else after


def _by_job(faces: Sequence[Held]) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for held in faces:
        found.setdefault(held.haul.job, []).append(held)
    return found


def _nameless(
    result: Mapping[str, Any], changes: Mapping[int, dict[str, Any] | None]
) -> dict[int, dict[str, Any] | None]:
    """The changes of faces that have no name yet."""
    faces = result["answer"]["faces"]
    return {place: match for place, match in changes.items() if place < len(faces) and not faces[place]["match"]}
