"""What is decided on unknown people, and the way back from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from visage.core.errors import NoFaceError, OtherModelError, UsageError
from visage.core.journal.change import Change, ChangeKind
from visage.core.journal.steps import Elsewhere, somebody
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import State
from visage.core.unknown.naming import Naming, person_named
from visage.core.unknown.somebody import Cluster
from visage.core.unknown.takeback import take_back
from visage.web.asking import Service

# Who knows the way back of these changes, in the history.
PLACE = "unknown"

# What puts faces back to where they were.
_BACK = {State.IGNORED: "ignore", State.NOT_A_FACE: "not-a-face"}
_THERE = {"ignore": State.IGNORED, "not-a-face": State.NOT_A_FACE, "restore": State.NEW}

_NOT_KEPT = "some of the faces are not kept any more"


def faces_of(cluster: Cluster, wanted: Sequence[str] | None) -> list[str]:
    """The ids of those that are meant: all, where none is named. Raises `NoFaceError`."""
    theirs = [face.id for face in cluster.faces]
    if wanted is None:
        return theirs
    if not set(theirs).issuperset(wanted):
        raise NoFaceError("not all of these are faces of that unknown person; nothing was changed")
    return list(dict.fromkeys(wanted))


def leave(inbox: Inbox, cluster: Cluster, faces: Sequence[str]) -> None:
    """Where these faces are taken out, the others stay what they are: else they would go with them, being alike."""
    rest = [face.id for face in cluster.faces if face.id not in set(faces)]
    if rest and cluster.state is not State.NAMED:
        move(inbox, _BACK.get(cluster.state, "restore"), cluster.collection, rest)


def named(service: Service, inbox: Inbox, collection: str, faces: list[str], name: str) -> tuple[Naming, Change]:
    """Broken off, it can be undone as far as it came; and later, when the faces are not kept any more."""
    there = person_named(service.gallery(), collection, name)
    places = inbox.places(collection, faces)

    def noted(person_id: str) -> Change:
        data = {"verb": "name", "faces": faces, "person": person_id, "places": places}
        return service.journal.changed(ChangeKind.NAME, collection, [(person_id, name)], [Elsewhere(PLACE, data)])

    change = noted(there.id if there else "")
    try:
        done = inbox.name(collection, faces, name)
    except (UsageError, NoFaceError, OtherModelError):  # nothing was done
        service.journal.dropped(change)
        raise
    if there is None or done.person.id != there.id:  # who is new has no id before
        known, change = change, noted(done.person.id)
        service.journal.dropped(known)
    if somebody(service.gallery(), collection, done.person.id) is None:  # who was erased meanwhile is not named again
        service.journal.dropped(change)
    return done, change


def move(inbox: Inbox, verb: str, collection: str, faces: Sequence[str]) -> int:
    moves = {"ignore": inbox.ignore, "not-a-face": inbox.not_a_face, "restore": inbox.restore}
    return moves[verb](collection, faces)


def way_back(service: Service, collection: str, data: Mapping[str, Any]) -> str | None:
    """Take back what was done to unknown faces; why not, where it cannot be."""
    try:
        if data["verb"] == "name":
            return _unname(service, collection, data)
        if service.inbox is None:
            return "unknown faces are not kept any more"
        return _put_back(service.inbox, collection, data)
    except NoFaceError:
        return _NOT_KEPT
    except UsageError as error:
        return str(error)


def _put_back(inbox: Inbox, collection: str, data: Mapping[str, Any]) -> str | None:
    faces = data["faces"]
    if not inbox.states(collection, faces) <= {_THERE[data["verb"]], State(data["was"])}:
        return "something else was decided on some of the faces since"
    if data["verb"] == "restore":
        move(inbox, _BACK.get(State(data["was"]), "restore"), collection, faces)
    else:
        inbox.restore(collection, faces)
    return None


def _unname(service: Service, collection: str, data: Mapping[str, Any]) -> str | None:
    """Also where the faces are not kept any more: the gallery and the answers are."""
    inbox, faces = service.inbox, data["faces"]
    kept = inbox.known(collection, faces) if inbox else []
    if inbox and len(kept) == len(faces):
        inbox.unname(collection, faces)
        return None
    if "places" not in data:  # of a version that did not note them
        return f"{_NOT_KEPT}; to take the name away, remove the person or their faces"
    gallery, inputs, outputs = service.gallery(), service.inputs, service.outputs
    take_back(gallery, inputs, outputs, collection, faces, data["person"], data["places"])
    if inbox and kept and State.NAMED in inbox.states(collection, kept):
        inbox.unname(collection, kept)
    return None
