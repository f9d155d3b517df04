"""/v1: erasing people and faces for good."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from flask import Response, jsonify
from flask_openapi3.openapi import OpenAPI

from visage.core.journal.audit import Action
from visage.core.service.erasure import Erased, Eraser
from visage.core.values import Person
from visage.web import document
from visage.web.asking import Service
from visage.web.changes import person_by_id
from visage.web.directory import Directory
from visage.web.people_types import CollectionOption, ErasedOut, FacePath, KeyHeaders, PersonPath


def add_erasing(app: OpenAPI, service: Service, directory: Directory) -> None:
    def erased(person: Person, faces: Sequence[str], erase: Callable[[Eraser], Erased]) -> Response:
        """faces: those that go; where they are all, the person goes too, and their history with them."""
        journal, ids = service.journal, [person.id, *faces] if len(faces) == person.faces else []
        journal.note(Action.ERASE, collection=person.collection, people=[person.id], faces=len(faces))
        journal.forget(ids)
        try:
            done = erase(_eraser(service))
        finally:
            directory.forget()
        journal.forget(ids)  # what was changed meanwhile
        return jsonify(erased=asdict(done))

    def erased_person(collection: str, person_id: str) -> Response:
        gallery = service.gallery()
        person = person_by_id(gallery, collection, person_id)
        faces = [face.id for face in gallery.faces(collection, person.id, crops=False)]
        return erased(person, faces, lambda eraser: eraser.person(person))

    def erased_face(collection: str, face_id: str) -> Response:
        gallery = service.gallery()
        person = person_by_id(gallery, collection, gallery.face(collection, face_id).person_id)
        return erased(person, [face_id], lambda eraser: eraser.face(collection, face_id))

    @app.delete(
        "/v1/people/<id>",
        summary="Erase a person for good: faces, crops, and the kept jobs that name them",
        operation_id="erase_person",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=ErasedOut),
    )
    def erase_person(path: PersonPath, query: CollectionOption, header: KeyHeaders) -> Response:
        collection = query.collection or service.collection
        return service.journal.once(header.idempotency_key, lambda: erased_person(collection, path.id))

    @app.delete(
        "/v1/faces/<id>",
        summary="Erase a face for good, with the job that enrolled it; with its last face a person goes",
        operation_id="erase_face",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=ErasedOut),
    )
    def erase_face(path: FacePath, query: CollectionOption, header: KeyHeaders) -> Response:
        collection = query.collection or service.collection
        return service.journal.once(header.idempotency_key, lambda: erased_face(collection, path.id))


def _eraser(service: Service) -> Eraser:
    return Eraser(
        service.gallery(),
        service.inputs,
        service.outputs,
        service.forget,
        queue=service.queue,
        inbox=service.inbox,
        stages=service.stages,
    )
