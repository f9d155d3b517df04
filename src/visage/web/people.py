"""/v1: who is enrolled, with which faces; renaming, merging, moving, and erasing for good."""

import hashlib
import json
import threading
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.journal.audit import Action
from visage.core.ports.gallery import Gallery
from visage.core.values import Person
from visage.core.wire import person_to_json, quality_to_json
from visage.web import document
from visage.web.asking import Service
from visage.web.changes import Changes, person_by_id
from visage.web.directory import Directory
from visage.web.erasing import add_erasing
from visage.web.people_types import (
    ChangeHeaders,
    CollectionList,
    CollectionOption,
    FacePath,
    KeyHeaders,
    Merging,
    Moving,
    PeopleOptions,
    PeoplePage,
    PersonPath,
    Renaming,
    WholePerson,
)
from visage.web.pictures import picture
from visage.web.problems import Problem


def add_people(app: OpenAPI, service: Service) -> None:
    directory = service.directory
    _add_looking(app, service, directory)
    _add_changing(app, service)
    add_erasing(app, service, directory)


def _add_looking(app: OpenAPI, service: Service, directory: Directory) -> None:
    @app.get(
        "/v1/people",
        summary="Who is enrolled, by name, page by page",
        operation_id="people",
        security=document.KEYS,
        responses=document.responses(401, 422, s200=PeoplePage),
    )
    def people(query: PeopleOptions) -> Response:
        collection = query.collection or service.collection
        page = directory.page(collection, query.q, query.limit, query.cursor, query.hidden)
        covers = service.gallery().covers(collection, [person.id for person in page.people])
        rows = [{**person_to_json(person), "cover": covers.get(person.id)} for person in page.people]
        service.journal.glanced(collection, [person.id for person in page.people])
        return jsonify(people=rows, next=page.following, total=page.total)

    @app.get(
        "/v1/people/<id>",
        summary="A person and their faces",
        operation_id="person",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=document.tagged(WholePerson)),
    )
    def person(path: PersonPath, query: CollectionOption) -> Response:
        collection = query.collection or service.collection
        whole = whole_person(service.gallery(), collection, path.id)
        service.journal.note(Action.LOOK, collection=collection, people=[whole["id"]], faces=whole["faces"])
        return _tagged(whole)

    @app.get(
        "/v1/faces/<id>/crop",
        summary="The picture that is kept of an enrolled face",
        operation_id="face_crop",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=document.jpeg("The face with a margin."), s304=None),
    )
    def face_crop(path: FacePath, query: CollectionOption) -> Response:
        collection = query.collection or service.collection
        face = service.gallery().face(collection, path.id)
        if face.crop is None:
            raise Problem(404, "no picture is kept of this face")
        service.journal.glanced(collection, [face.person_id])
        return picture(face.crop)

    @app.get(
        "/v1/collections",
        summary="The collections, and how large they are",
        operation_id="collections",
        security=document.KEYS,
        responses=document.responses(401, s200=CollectionList),
    )
    def collections() -> Response:
        gallery = service.gallery()
        return jsonify(
            collections=[
                {
                    "name": name,
                    "people": gallery.population(name),
                    "faces": gallery.size(name),
                    "model": gallery.model(name),
                }
                for name in gallery.collections()
            ]
        )


def _add_changing(app: OpenAPI, service: Service) -> None:
    changing = threading.Lock()  # between looking whether somebody is as they were, and changing them
    once = service.journal.once

    @app.patch(
        "/v1/people/<id>",
        summary="Rename a person",
        operation_id="rename_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 412, 422, s200=WholePerson),
    )
    def rename_person(path: PersonPath, query: CollectionOption, header: ChangeHeaders, body: Renaming) -> Response:
        changes = Changes(service, query.collection or service.collection)

        def renamed() -> Response:
            with changing:
                if header.if_match is not None:
                    _check_unchanged(whole_person(changes.gallery, changes.collection, path.id))
                return _changed(changes, changes.rename(path.id, body.name))

        return once(header.idempotency_key, renamed)

    @app.post(
        "/v1/people/<id>/merge",
        summary="Make two people one: all the faces are the other's then",
        operation_id="merge_people",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=WholePerson),
    )
    def merge_people(path: PersonPath, query: CollectionOption, header: KeyHeaders, body: Merging) -> Response:
        changes = Changes(service, query.collection or service.collection)
        return once(header.idempotency_key, lambda: _changed(changes, changes.merge(path.id, body.into)))

    @app.post(
        "/v1/people/<id>/move",
        summary="Give some of a person's faces to somebody else, who may be new",
        operation_id="move_faces",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=WholePerson),
    )
    def move_faces(path: PersonPath, query: CollectionOption, header: KeyHeaders, body: Moving) -> Response:
        changes = Changes(service, query.collection or service.collection)
        return once(header.idempotency_key, lambda: _changed(changes, changes.move(path.id, body.faces, body.name)))

    @app.post(
        "/v1/people/<id>/hide",
        summary="Hide a person: they stay enrolled, and are named to nobody",
        operation_id="hide_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=WholePerson),
    )
    def hide_person(path: PersonPath, query: CollectionOption, header: KeyHeaders) -> Response:
        changes = Changes(service, query.collection or service.collection)
        return once(header.idempotency_key, lambda: _changed(changes, changes.hide(path.id, hidden=True)))

    @app.post(
        "/v1/people/<id>/unhide",
        summary="Let a person who is hidden be named again",
        operation_id="unhide_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=WholePerson),
    )
    def unhide_person(path: PersonPath, query: CollectionOption, header: KeyHeaders) -> Response:
        changes = Changes(service, query.collection or service.collection)
        return once(header.idempotency_key, lambda: _changed(changes, changes.hide(path.id, hidden=False)))


def whole_person(gallery: Gallery, collection: str, person_id: str) -> dict[str, Any]:
    """As it goes out, with all the faces. Raises `NoPersonError`."""
    person = person_by_id(gallery, collection, person_id)
    faces = [
        {
            "id": face.id,
            "created": face.created,
            "source": face.source,
            "quality": quality_to_json(face.quality),
            "crop": face.crop is not None,
        }
        for face in gallery.faces(collection, person.id)
    ]
    cover = next((face["id"] for face in faces if face["crop"]), None)
    return {**person_to_json(person), "faces": len(faces), "cover": cover, "face_list": faces}


def _changed(changes: Changes, person: Person) -> Response:
    return _tagged(whole_person(changes.gallery, changes.collection, person.id))


def _tag(person: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(person).encode()).hexdigest()[:32]


def _tagged(person: dict[str, Any]) -> Response:
    response = jsonify(person)
    response.set_etag(_tag(person))
    return response


def _check_unchanged(person: dict[str, Any]) -> None:
    """Raises `Problem` 412 where the request was made for another state of the person."""
    if not request.if_match.contains(_tag(person)):
        raise Problem(412, "the person was changed meanwhile; read them again")
