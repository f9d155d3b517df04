"""Unknown people as they go out as JSON, and where a page of them ends."""

import re
from typing import Any

from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import State
from visage.core.unknown.somebody import Cluster, UnknownFace
from visage.core.values import Match
from visage.core.wire import match_to_json, quality_to_json
from visage.web.problems import usage

WIRE = {state: state.value.replace("_", "-") for state in State}

# Faces by which somebody is shown in the list.
_MEMBERS = 6

_CURSOR = re.compile(r"(?P<faces>[0-9]{1,9})-(?P<last>[0-9]{1,12}(?:[.][0-9]{1,12})?)-(?P<id>[0-9a-f]{32})", re.ASCII)


def row(cluster: Cluster, suggestion: Match | None) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "state": WIRE[cluster.state],
        "faces": len(cluster.faces),
        "pictures": cluster.pictures,
        "jobs": cluster.jobs,
        "first": cluster.first,
        "last": cluster.last,
        "members": [face.id for face in cluster.faces[:_MEMBERS]],
        "suggestion": match_to_json(suggestion),
    }


def whole(inbox: Inbox, collection: str, face_id: str, *, sources: bool) -> dict[str, Any]:
    """As it goes out, with all the faces; sources: and with where they came from. Raises `NoFaceError`."""
    cluster = inbox.cluster(collection, face_id)
    [suggestion] = inbox.suggestions([cluster])
    return {**row(cluster, suggestion), "face_list": [_face(face, sources) for face in cluster.faces]}


def _face(face: UnknownFace, sources: bool) -> dict[str, Any]:
    return {
        "id": face.id,
        "job": face.job if sources else None,
        "source": face.source if sources else None,
        "time": round(face.time, 3),
        "created": face.created,
        "sightings": face.sightings,
        "crop": face.crop,
        "state": WIRE[face.state],
        "quality": quality_to_json(face.quality),
    }


def place(cluster: Cluster) -> tuple[int, float, str]:
    """By which they are sorted."""
    return -len(cluster.faces), -cluster.last, cluster.id


def cursor_of(cluster: Cluster) -> str:
    return f"{len(cluster.faces)}-{cluster.last!r}-{cluster.id}"


def place_in(cursor: str) -> tuple[int, float, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise usage("cursor: it is none of ours; take `next` of the page before")
    return -int(found["faces"]), -float(found["last"]), found["id"]
