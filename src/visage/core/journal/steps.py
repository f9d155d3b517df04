"""The way back from a change of the gallery, step by step. A step knows what the change left behind, so that it is not
taken where something else was changed since."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from visage.core.errors import MessageError, NoFaceError, NoPersonError
from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrolledFace, Person

_GONE = "the person is not there any more"


class Back(ABC):
    """One step back in the gallery, in one collection. Each may raise `StorageError` and `GalleryError`."""

    @abstractmethod
    def undone(self, gallery: Gallery, collection: str) -> bool:
        """Whether it is as it was before the change."""

    @abstractmethod
    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        """Why it cannot be taken, in words for who asks; None where it can."""

    @abstractmethod
    def undo(self, gallery: Gallery, collection: str) -> None:
        """Take it. Twice is once."""


@dataclass(frozen=True, slots=True)
class Renamed(Back):
    """The person was called `was`, and is called `now`."""

    person_id: str
    was: str
    now: str

    def undone(self, gallery: Gallery, collection: str) -> bool:
        person = somebody(gallery, collection, self.person_id)
        return person is not None and person.name == self.was

    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        person = somebody(gallery, collection, self.person_id)
        if person is None:
            return _GONE
        if person.name != self.now:
            return "the person was renamed again since"
        return _taken(gallery, collection, self.was, self.person_id)

    def undo(self, gallery: Gallery, collection: str) -> None:
        gallery.rename(collection, self.person_id, self.was)


@dataclass(frozen=True, slots=True)
class Moved(Back):
    """The faces were those of the person `person_id` and are those of `holder`, and so are the negative examples
    `denials`. name, hidden: as the person was; they may be gone, having no face left."""

    faces: tuple[str, ...]
    person_id: str
    name: str
    holder: str
    denials: tuple[str, ...] = ()
    hidden: bool = False

    def undone(self, gallery: Gallery, collection: str) -> bool:
        return owners(gallery, collection, self.faces, self.person_id, self.holder) == {self.person_id}

    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        if not owners(gallery, collection, self.faces, self.holder) <= {self.holder, self.person_id}:
            return "some of the faces were moved or deleted since"
        if somebody(gallery, collection, self.person_id) is None:
            return _taken(gallery, collection, self.name, self.person_id)
        return None

    def undo(self, gallery: Gallery, collection: str) -> None:
        there = somebody(gallery, collection, self.person_id)
        gallery.move(collection, self.faces, there.name if there else self.name, person_id=self.person_id)
        if self.hidden and not there:
            gallery.hide(collection, self.person_id, True)
        for face in _undenied(gallery, collection, self.holder, self.denials):
            gallery.deny(collection, self.person_id, face)


@dataclass(frozen=True, slots=True)
class Hid(Back):
    """The person was made hidden, or (False) shown."""

    person_id: str
    hidden: bool

    def undone(self, gallery: Gallery, collection: str) -> bool:
        person = somebody(gallery, collection, self.person_id)
        return person is not None and person.hidden != self.hidden

    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        return None if somebody(gallery, collection, self.person_id) else _GONE

    def undo(self, gallery: Gallery, collection: str) -> None:
        gallery.hide(collection, self.person_id, not self.hidden)


@dataclass(frozen=True, slots=True)
class Added(Back):
    """These faces were added to the person."""

    person_id: str
    faces: tuple[str, ...]

    def undone(self, gallery: Gallery, collection: str) -> bool:
        return not present(gallery, collection, self.faces, self.person_id)

    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        there = present(gallery, collection, self.faces, self.person_id)
        return None if set(there.values()) <= {self.person_id} else "some of the faces are somebody else's since"

    def undo(self, gallery: Gallery, collection: str) -> None:
        gallery.remove_faces(collection, list(present(gallery, collection, self.faces, self.person_id)))


@dataclass(frozen=True, slots=True)
class Denied(Back):
    """These faces were kept as examples of who is not that person."""

    person_id: str
    faces: tuple[str, ...]

    def undone(self, gallery: Gallery, collection: str) -> bool:
        return not {face.id for face in gallery.denials(collection, self.person_id)}.intersection(self.faces)

    def obstacle(self, gallery: Gallery, collection: str) -> str | None:
        return None if somebody(gallery, collection, self.person_id) else _GONE

    def undo(self, gallery: Gallery, collection: str) -> None:
        _undenied(gallery, collection, self.person_id, self.faces)


@dataclass(frozen=True, slots=True)
class Pending:
    """These jobs enroll photos of `name`: which faces they add is in their results, once they have some."""

    jobs: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Something that is not in the gallery: `place` names who knows the way back (`History.knows`), `data` is what they
    need for it, as plain JSON."""

    place: str
    data: Mapping[str, Any]


Step = Renamed | Moved | Hid | Added | Denied | Pending | Elsewhere

PENDING = "pending"  # which stands in every change that has a step of that kind

_KINDS: dict[str, type[Step]] = {
    "rename": Renamed,
    "move": Moved,
    "hide": Hid,
    "add": Added,
    "deny": Denied,
    PENDING: Pending,
    "elsewhere": Elsewhere,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def step_to_json(step: Step) -> dict[str, Any]:
    return {"step": _NAMES[type(step)], **asdict(step)}


def step_from_json(data: Mapping[str, Any]) -> Step:
    """Raises `MessageError` for what is none."""
    try:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        kind = _KINDS[str(fields.pop("step"))]
        return kind(**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise MessageError("it is no step of this version of Visage") from error


def somebody(gallery: Gallery, collection: str, person_id: str) -> Person | None:
    """By id alone: a name may be somebody's id."""
    try:
        person = gallery.person(collection, person_id)
    except NoPersonError:
        return None
    return person if person.id == person_id else None


def present(gallery: Gallery, collection: str, faces: Sequence[str], *likely: str) -> dict[str, str]:
    """Of these faces those that are there, with their person's id. likely: people whose they may be, who are looked at
    first: that is one reading for however many faces."""
    found, wanted = {}, set(faces)
    for person_id in likely:
        for face in gallery.faces(collection, person_id, crops=False):
            if face.id in wanted:
                found[face.id] = face.person_id
    for face_id in wanted - found.keys():
        with suppress(NoFaceError):
            found[face_id] = gallery.face(collection, face_id).person_id
    return found


def owners(gallery: Gallery, collection: str, faces: Sequence[str], *likely: str) -> set[str]:
    """Whose they are; "" among them where one is not there."""
    found = present(gallery, collection, faces, *likely)
    return {found.get(face, "") for face in faces}


def _undenied(gallery: Gallery, collection: str, person_id: str, faces: Sequence[str]) -> list[EnrolledFace]:
    """Those of these negative examples that were the person's, and are not any more. One that speaks of somebody else
    too stays theirs."""
    if not faces:
        return []
    kept = [face for face in gallery.denials(collection) if face.id in faces]
    gallery.undeny(collection, faces)
    for face in kept:
        if face.person_id != person_id:
            gallery.deny(collection, face.person_id, face)
    return [face for face in kept if face.person_id == person_id]


def _taken(gallery: Gallery, collection: str, name: str, person_id: str) -> str | None:
    """Why the person cannot have that name, if they cannot."""
    try:
        other = gallery.person(collection, lookup_name(name))
    except NoPersonError:
        return None
    return None if other.id == person_id or other.name != name else f"somebody else is called {name!r} since"
