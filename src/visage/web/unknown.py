"""/v1/unknown: who was seen and matched nobody; naming them, putting them aside, and erasing them for good."""

from collections.abc import Sequence
from typing import Any

from flask import Response, g, jsonify
from flask_openapi3.openapi import OpenAPI

from visage.core.journal.audit import Action
from visage.core.journal.change import ChangeKind
from visage.core.journal.steps import Denied, Elsewhere
from visage.core.names import check_name
from visage.core.service.keyring import Role
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import State
from visage.core.unknown.somebody import Cluster
from visage.core.wire import person_to_json
from visage.web import document
from visage.web.asking import Service
from visage.web.changes import person_by_id
from visage.web.people_types import CollectionOption, KeyHeaders
from visage.web.pictures import picture
from visage.web.problems import Problem
from visage.web.unknown_changes import PLACE, faces_of, leave, move, named, way_back
from visage.web.unknown_rows import WIRE, cursor_of, place, place_in, row, whole
from visage.web.unknown_types import (
    ClusterPath,
    Denying,
    FaceCount,
    NamedOut,
    Naming,
    SomeFaces,
    UnknownFacePath,
    UnknownOptions,
    UnknownPage,
    WholeUnknown,
)

_ASIDE: dict[str, Any] = {
    "security": document.KEYS,
    "responses": document.responses(401, 404, 409, 422, s200=FaceCount),
}

_STATES = {text: state for state, text in WIRE.items()}


def add_unknown(app: OpenAPI, service: Service) -> None:
    service.journal.history.knows(PLACE, lambda collection, data: way_back(service, collection, data))
    _add_looking(app, service)
    _add_naming(app, service)
    _add_putting_aside(app, service)


def _add_looking(app: OpenAPI, service: Service) -> None:
    @app.get(
        "/v1/unknown",
        summary="Who was seen and matched nobody, most often seen first",
        operation_id="unknown",
        security=document.KEYS,
        responses=document.responses(401, 422, s200=UnknownPage),
    )
    def unknown(query: UnknownOptions) -> Response:
        inbox = service.inbox
        if inbox is None:
            return jsonify(enabled=False, days=0.0, clusters=[], next=None, total=0, grouping=False)
        collection = query.collection or service.collection
        behind = inbox.behind
        found = inbox.clusters(collection, _STATES[query.state])
        behind = behind or inbox.behind
        after = place_in(query.cursor) if query.cursor is not None else None
        rest = [one for one in found if after is None or place(one) > after]
        shown = rest[: query.limit]
        _looked(service, collection, shown, wait=False)
        rows = [row(one, match) for one, match in zip(shown, inbox.suggestions(shown), strict=True)]
        following = cursor_of(shown[-1]) if len(rest) > len(shown) else None
        return jsonify(enabled=True, days=inbox.days, clusters=rows, next=following, total=len(found), grouping=behind)

    @app.get(
        "/v1/unknown/<id>",
        summary="Somebody unknown, with all their faces",
        operation_id="unknown_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=WholeUnknown),
    )
    def unknown_person(path: ClusterPath, query: CollectionOption) -> Response:
        inbox, collection = _open(service), query.collection or service.collection
        _looked(service, collection, [inbox.cluster(collection, path.id)], wait=True)
        return jsonify(whole(inbox, collection, path.id, sources=g.account.role.includes(Role.ENROLL)))

    @app.get(
        "/v1/unknown/faces/<id>/crop",
        summary="The picture that is kept of an unknown face",
        operation_id="unknown_crop",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=document.jpeg("The face with a margin."), s304=None),
    )
    def unknown_crop(path: UnknownFacePath) -> Response:
        inbox = _open(service)
        crop = inbox.crop(path.id)
        service.journal.note(Action.LOOK, collection=inbox.collection_of(path.id), faces=1, wait=False)
        return picture(crop)


def _add_naming(app: OpenAPI, service: Service) -> None:
    @app.post(
        "/v1/unknown/<id>/name",
        summary="Say who it is: their best faces are enrolled, and the kept answers amended",
        operation_id="name_unknown",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=NamedOut),
    )
    def name_unknown(path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: Naming) -> Response:
        inbox, collection = _open(service), query.collection or service.collection

        def given() -> Response:
            cluster = inbox.cluster(collection, path.id)
            faces = faces_of(cluster, body.faces)
            leave(inbox, cluster, faces)
            done, change = named(service, inbox, collection, faces, check_name(body.name))
            return jsonify(
                person=person_to_json(done.person),
                enrolled=len(done.enrolled),
                answers=done.answers,
                change=change.id,
            )

        return service.journal.once(header.idempotency_key, given)

    @app.post(
        "/v1/unknown/<id>/deny",
        summary="Say who it is not: from now on no such face is taken for that person",
        operation_id="deny_unknown",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=WholeUnknown),
    )
    def deny_unknown(path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: Denying) -> Response:
        inbox, collection = _open(service), query.collection or service.collection

        def denied() -> Response:
            person = person_by_id(service.gallery(), collection, body.person_id)
            faces = faces_of(inbox.cluster(collection, path.id), None)
            step = Denied(person.id, tuple(inbox.deny(collection, faces, person.id)))
            service.journal.changed(ChangeKind.DENY, collection, [(person.id, person.name)], [step])
            return jsonify(whole(inbox, collection, path.id, sources=True))

        return service.journal.once(header.idempotency_key, denied)


def _add_putting_aside(app: OpenAPI, service: Service) -> None:
    def put(verb: str, path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: SomeFaces) -> Response:
        inbox, collection = _open(service), query.collection or service.collection

        def moved() -> Response:
            cluster = inbox.cluster(collection, path.id)
            faces = faces_of(cluster, body.faces)
            if cluster.state is State.NAMED:
                raise Problem(409, "they have a name by now; to take it back, undo the naming")
            leave(inbox, cluster, faces)
            step = Elsewhere(PLACE, {"verb": verb, "faces": faces, "was": cluster.state.value})
            with service.journal.changing(ChangeKind(verb), collection, [], [step]) as change:
                return jsonify(faces=move(inbox, verb, collection, faces), change=change.id)

        return service.journal.once(header.idempotency_key, moved)

    @app.post(
        "/v1/unknown/<id>/ignore",
        summary="Let somebody be: they come back no more",
        operation_id="ignore_unknown",
        **_ASIDE,
    )
    def ignore_unknown(path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: SomeFaces) -> Response:
        return put("ignore", path, query, header, body)

    @app.post(
        "/v1/unknown/<id>/not-a-face", summary="Say that it is no face at all", operation_id="not_a_face", **_ASIDE
    )
    def not_a_face(path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: SomeFaces) -> Response:
        return put("not-a-face", path, query, header, body)

    @app.post(
        "/v1/unknown/<id>/restore", summary="Put back among the new ones", operation_id="restore_unknown", **_ASIDE
    )
    def restore_unknown(path: ClusterPath, query: CollectionOption, header: KeyHeaders, body: SomeFaces) -> Response:
        return put("restore", path, query, header, body)

    @app.delete(
        "/v1/unknown/<id>",
        summary="Erase somebody unknown for good: what was measured, and the pictures",
        operation_id="erase_unknown",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=FaceCount),
    )
    def erase_unknown(path: ClusterPath, query: CollectionOption) -> Response:
        inbox, collection = _open(service), query.collection or service.collection
        faces = faces_of(inbox.cluster(collection, path.id), None)
        service.journal.note(Action.ERASE, collection=collection, faces=len(faces))
        gone = inbox.erase(collection, faces)
        service.journal.forget(faces)
        return jsonify(faces=gone, change=None)


def _open(service: Service) -> Inbox:
    """Raises `Problem` 404 where such faces are not kept."""
    if service.inbox is None:
        raise Problem(404, "faces that match nobody are not kept here; VISAGE_UNKNOWN_DAYS says for how many days to")
    return service.inbox


def _looked(service: Service, collection: str, clusters: Sequence[Cluster], *, wait: bool) -> None:
    """Whoever is shown them looked at somebody, though nobody knows at whom."""
    faces = sum(len(cluster.faces) for cluster in clusters)
    service.journal.note(Action.LOOK, collection=collection, faces=faces, wait=wait)
