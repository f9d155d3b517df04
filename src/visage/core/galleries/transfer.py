"""Copy a collection from one gallery to another: export, import, and moving to another kind of gallery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visage.core.errors import NoPersonError, OtherModelError
from visage.core.ports.gallery import Gallery
from visage.core.values import EnrolledFace, Person


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of it. people: new in the target; faces: added; skipped: faces that were there already."""

    people: int
    faces: int
    skipped: int


def copy_gallery(
    source: Gallery, target: Gallery, collections: Sequence[str], told: Callable[[], None] = lambda: None
) -> dict[str, Copied]:
    """Copy these collections, each under its name, as `copy_collection` does. Raises `OtherModelError` before anything
    is copied. told: called once for each face of `source`."""
    for name in collections:
        _check_models(source, target, name, name)
    return {name: copy_collection(source, target, name, name, told) for name in collections}


def copy_collection(
    source: Gallery,
    target: Gallery,
    from_collection: str,
    to_collection: str,
    told: Callable[[], None] = lambda: None,
) -> Copied:
    """Add everybody in `from_collection` of `source` to `to_collection` of `target`, changing nobody who is there, but
    for this: who is hidden in one of the two is hidden then. Negative examples come along, uncounted.

    People are the same if their id is, and failing that if their name is. A face is there already, whosever it is, if
    its id is, or one found at the same place in the same photo. Ids are kept; only a person whose name is known in
    the target takes the id from there. An empty or missing collection gives zeros.

    It can be broken off and started again at any time. Raises `OtherModelError` before anything is copied, and what
    the two galleries raise.
    """
    _check_models(source, target, from_collection, to_collection)
    names = {person.id: person.name for person in target.people(to_collection)}
    people = len(names)
    present = {mark for face in target.faces(to_collection, crops=False) for mark in _marks(face)}
    added = skipped = 0
    for person in source.people(from_collection):
        for face in source.faces(from_collection, person.id):
            marks = _marks(face)
            if present.isdisjoint(marks):
                target.add(to_collection, names.get(person.id, person.name), face)
                present |= marks
                added += 1
            else:
                skipped += 1
            told()
        _copy_rest(source, from_collection, person, target, to_collection, names.get(person.id, person.name))
    return Copied(target.population(to_collection) - people, added, skipped)


def _copy_rest(
    source: Gallery, from_collection: str, person: Person, target: Gallery, to_collection: str, name: str
) -> None:
    """That the person is hidden, and who they are not; where all their faces are somebody else's, it is nobody's."""
    denials = source.denials(from_collection, person.id)
    if not (denials or person.hidden):
        return
    try:
        theirs = target.person(to_collection, name)
    except NoPersonError:
        return
    if person.hidden:
        target.hide(to_collection, theirs.id, True)
    for face in denials:
        target.deny(to_collection, theirs.id, face)


def _check_models(source: Gallery, target: Gallery, from_collection: str, to_collection: str) -> None:
    theirs, ours = source.model(from_collection), target.model(to_collection)
    if theirs and ours and theirs != ours:
        raise OtherModelError(
            f"{from_collection!r} was enrolled with the model {theirs!r}, {to_collection!r} with {ours!r}; "
            "bring one of them to the other's model with `visage people migrate` first"
        )


def _marks(face: EnrolledFace) -> set[str | tuple[str, bytes]]:
    """What makes two records the same face; any one of these is enough."""
    marks: set[str | tuple[str, bytes]] = {face.id}
    if face.digest:
        marks.add((face.digest, face.landmarks.tobytes()))
    return marks
