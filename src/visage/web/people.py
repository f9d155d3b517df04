"""/v1: who is enrolled, with which faces; renaming, merging, moving, and erasing for good."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.erasure import Erased, Eraser
from visage.core.errors import NoFaceError, NoPersonError
from visage.core.ports import Gallery
from visage.core.values import Person
from visage.core.wire import person_to_json, quality_to_json
from visage.web import document
from visage.web.asking import Service
from visage.web.directory import Directory
from visage.web.people_types import (
    ChangeHeaders,
    CollectionList,
    CollectionOption,
    ErasedOut,
    FacePath,
    Merging,
    Moving,
    PeopleOptions,
    PeoplePage,
    PersonPath,
    Renaming,
    WholePerson,
)
from visage.web.problems import Problem, usage


def add_people(app: OpenAPI, service: Service) -> None:
    directory = Directory(service.gallery)
    _add_looking(app, service, directory)
    _add_changing(app, service)
    _add_erasing(app, service, directory)


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
        page = directory.page(collection, query.q, query.limit, query.cursor)
        covers = service.gallery().covers(collection, [person.id for person in page.people])
        rows = [{**person_to_json(person), "cover": covers.get(person.id)} for person in page.people]
        return jsonify(people=rows, next=page.following, total=page.total)

    @app.get(
        "/v1/people/<id>",
        summary="A person and their faces",
        operation_id="person",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=document.tagged(WholePerson)),
    )
    def person(path: PersonPath, query: CollectionOption) -> Response:
        return _tagged(whole_person(service.gallery(), query.collection or service.collection, path.id))

    @app.get(
        "/v1/faces/<id>/crop",
        summary="The picture that is kept of an enrolled face",
        operation_id="face_crop",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=document.jpeg("The face with a margin.")),
    )
    def face_crop(path: FacePath, query: CollectionOption) -> Response:
        face = service.gallery().face(query.collection or service.collection, path.id)
        if face.crop is None:
            raise Problem(404, "no picture is kept of this face")
        return Response(face.crop, content_type="image/jpeg")

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
    renaming = threading.Lock()  # between looking whether somebody is as they were, and changing them

    @app.patch(
        "/v1/people/<id>",
        summary="Rename a person",
        operation_id="rename_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 412, 422, s200=WholePerson),
    )
    def rename_person(path: PersonPath, query: CollectionOption, header: ChangeHeaders, body: Renaming) -> Response:
        gallery, collection = service.gallery(), query.collection or service.collection
        with renaming:
            if header.if_match is not None:
                _check_unchanged(whole_person(gallery, collection, path.id))
            person = gallery.rename(collection, path.id, body.name)
        return _tagged(whole_person(gallery, collection, person.id))

    @app.post(
        "/v1/people/<id>/merge",
        summary="Make two people one: all the faces are the other's then",
        operation_id="merge_people",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=WholePerson),
    )
    def merge_people(path: PersonPath, query: CollectionOption, body: Merging) -> Response:
        gallery, collection = service.gallery(), query.collection or service.collection
        one, other = person_by_id(gallery, collection, path.id), person_by_id(gallery, collection, body.into)
        if one.id == other.id:
            raise usage("into: it is the person themselves; name somebody else")
        while faces := [face.id for face in gallery.faces(collection, one.id, crops=False)]:
            other = gallery.move(collection, faces, other.name)  # until no other process has added one meanwhile
        return _tagged(whole_person(gallery, collection, other.id))

    @app.post(
        "/v1/people/<id>/move",
        summary="Give some of a person's faces to somebody else, who may be new",
        operation_id="move_faces",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=WholePerson),
    )
    def move_faces(path: PersonPath, query: CollectionOption, body: Moving) -> Response:
        gallery, collection = service.gallery(), query.collection or service.collection
        person = person_by_id(gallery, collection, path.id)
        theirs = {face.id for face in gallery.faces(collection, person.id, crops=False)}
        if not theirs.issuperset(body.faces):
            raise NoFaceError(f"not all of these are faces of {person.name!r}; nothing was moved")
        return _tagged(whole_person(gallery, collection, gallery.move(collection, body.faces, body.name).id))


def _add_erasing(app: OpenAPI, service: Service, directory: Directory) -> None:
    def erased(erase: Callable[[Eraser], Erased]) -> Response:
        try:
            done = erase(Eraser(service.gallery(), service.inputs, service.outputs, service.reception.forget))
        finally:
            directory.forget()
        return jsonify(erased=asdict(done))

    @app.delete(
        "/v1/people/<id>",
        summary="Erase a person for good: faces, crops, and the kept jobs that name them",
        operation_id="erase_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=ErasedOut),
    )
    def erase_person(path: PersonPath, query: CollectionOption) -> Response:
        person = person_by_id(service.gallery(), query.collection or service.collection, path.id)
        return erased(lambda eraser: eraser.person(person))

    @app.delete(
        "/v1/faces/<id>",
        summary="Erase a face for good, with the job that enrolled it; with its last face a person goes",
        operation_id="erase_face",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=ErasedOut),
    )
    def erase_face(path: FacePath, query: CollectionOption) -> Response:
        return erased(lambda eraser: eraser.face(query.collection or service.collection, path.id))


def person_by_id(gallery: Gallery, collection: str, person_id: str) -> Person:
    """By id alone: a name may be somebody's id. Raises `NoPersonError`."""
    person = gallery.person(collection, person_id)
    if person.id != person_id:
        raise NoPersonError("there is no such person, or not any more")
    return person


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
