"""Changing people, each change with its way back in the journal before it is made."""

import uuid
from collections.abc import Sequence

from visage.core.errors import NoFaceError, NoPersonError
from visage.core.journal.change import ChangeKind
from visage.core.journal.steps import Hid, Moved, Renamed, somebody
from visage.core.names import check_name
from visage.core.ports.gallery import Gallery
from visage.core.values import Person
from visage.web.asking import Service
from visage.web.problems import usage


class Changes:
    """In one collection. Every method returns the person as they are then; each raises `NoPersonError`, `UsageError`
    and `StorageError`, and nothing is changed then."""

    def __init__(self, service: Service, collection: str) -> None:
        self.collection = collection
        self.gallery = service.gallery()
        self._journal = service.journal

    def rename(self, person_id: str, name: str) -> Person:
        person, name = person_by_id(self.gallery, self.collection, person_id), check_name(name)
        if name == person.name:
            return person
        steps = [Renamed(person.id, person.name, name)]
        with self._journal.changing(ChangeKind.RENAME, person.collection, [(person.id, person.name)], steps):
            return self.gallery.rename(self.collection, person.id, name)

    def hide(self, person_id: str, *, hidden: bool) -> Person:
        person = person_by_id(self.gallery, self.collection, person_id)
        if person.hidden is hidden:
            return person
        kind = ChangeKind.HIDE if hidden else ChangeKind.UNHIDE
        steps = [Hid(person.id, hidden)]
        with self._journal.changing(kind, person.collection, [(person.id, person.name)], steps):
            return self.gallery.hide(self.collection, person.id, hidden)

    def merge(self, person_id: str, into: str) -> Person:
        one = person_by_id(self.gallery, self.collection, person_id)
        other = person_by_id(self.gallery, self.collection, into)
        if one.id == other.id:
            raise usage("into: it is the person themselves; name somebody else")
        merged = self._give(ChangeKind.MERGE, one, self._faces(one), other.name)
        while faces := self._faces(one):  # until no other process has added one meanwhile
            merged = self.gallery.move(self.collection, faces, other.name)
        return merged

    def move(self, person_id: str, faces: Sequence[str], name: str) -> Person:
        """Raises `NoFaceError` too."""
        person = person_by_id(self.gallery, self.collection, person_id)
        name = check_name(name)
        if not set(self._faces(person)).issuperset(faces):
            raise NoFaceError(f"not all of these are faces of {person.name!r}; nothing was moved")
        return person if name == person.name else self._give(ChangeKind.MOVE, person, list(dict.fromkeys(faces)), name)

    def _give(self, kind: ChangeKind, person: Person, faces: Sequence[str], name: str) -> Person:
        """Give somebody's faces to the person of that name, who is made if need be; with the last of them go the
        negative examples."""
        goes = len(faces) == person.faces
        denied = self.gallery.denials(self.collection, person.id) if goes else []
        holder = self._id_of(name)

        def step(holder: str) -> Moved:
            denials = tuple(face.id for face in denied)
            return Moved(tuple(faces), person.id, person.name, holder, denials, hidden=person.hidden)

        people = [(person.id, person.name), (holder, name)]
        with self._journal.changing(kind, person.collection, people, [step(holder)]) as change:
            owner = self.gallery.move(self.collection, faces, name, person_id=holder)
            for face in denied:
                self.gallery.deny(self.collection, owner.id, face)
        if owner.id != holder:  # somebody of that name was made just now by another process
            people = [(person.id, person.name), (owner.id, name)]
            known, change = change, self._journal.changed(kind, person.collection, people, [step(owner.id)])
            self._journal.dropped(known)
            if somebody(self.gallery, self.collection, owner.id) is None:  # who was erased meanwhile is not named again
                self._journal.dropped(change)
        return owner

    def _faces(self, person: Person) -> list[str]:
        return [face.id for face in self.gallery.faces(self.collection, person.id, crops=False)]

    def _id_of(self, name: str) -> str:
        """Of the person of that name, or a new one."""
        try:
            person = self.gallery.person(self.collection, name)
        except NoPersonError:
            return uuid.uuid4().hex
        return person.id if person.name == name else uuid.uuid4().hex


def person_by_id(gallery: Gallery, collection: str, person_id: str) -> Person:
    """By id alone: a name may be somebody's id. Raises `NoPersonError`."""
    person = somebody(gallery, collection, person_id)
    if person is None:
        raise NoPersonError("there is no such person, or not any more")
    return person
