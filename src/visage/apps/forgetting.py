"""Erasing somebody with the command: all that the web tier erases, where it was ever kept. Nothing is made for that."""

import time
import uuid
from collections.abc import Collection
from contextlib import ExitStack, closing

from visage.apps.stages import stages
from visage.core.journal.history import History
from visage.core.journal.repeats import Repeats
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.service.deleting import delete_job
from visage.core.service.erasure import Erased, Eraser
from visage.core.tickets import result_key, ticket_key
from visage.core.unknown.kept import forget_named, forget_of_job
from visage.core.values import Person
from visage.settings import Settings
from visage.wiring import open_objects, open_queue_if_there


def erase(settings: Settings, gallery: Gallery, person: Person) -> Erased:
    """From the gallery, the kept jobs, the journal, the faces that were unknown, and the stages. Raises `VisageError`;
    it is worth a retry."""
    gallery.undeny(person.collection, [])  # a copy, which cannot be changed, says so before anything goes
    ids = [person.id, *(face.id for face in gallery.faces(person.collection, person.id, crops=False))]
    inputs, outputs = open_objects(settings.inputs_url), open_objects(settings.outputs_url)
    unknown = open_objects(settings.unknown_url)

    def forget(job: str) -> None:
        delete_job(inputs, outputs, job)
        forget_of_job(unknown, job)

    with ExitStack() as stack:
        queue = open_queue_if_there(settings)
        if queue:
            stack.enter_context(closing(queue))
        eraser = Eraser(
            gallery, inputs, outputs, forget, queue=queue, inbox=_Unknowns(unknown), stages=lambda: stages(settings)
        )
        _forget_changes(settings, gallery, inputs, outputs, ids)
        erased = eraser.person(person)
        _forget_changes(settings, gallery, inputs, outputs, ids)  # what was changed meanwhile
    return erased


class _Unknowns:
    """`core.service.deleting.Unknowns` with nothing in memory."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def forget_person(self, collection: str, person_id: str | None, face_ids: Collection[str]) -> int:
        return forget_named(self._objects, collection, person_id, face_ids)


def _forget_changes(
    settings: Settings, gallery: Gallery, inputs: Objects, outputs: Objects, ids: Collection[str]
) -> None:
    def ended(job: str) -> dict[str, str] | None:
        """So that a change whose jobs were erased goes with them, and the name that they were to enroll."""
        gone = inputs.version(ticket_key(job)) is None and outputs.version(result_key(job)) is None
        return {} if gone else None

    objects = open_objects(settings.journal_url)
    history = History(objects, lambda: gallery, ended=ended, now=time.time, new_id=lambda: uuid.uuid4().hex)
    about = history.about(list(ids))
    Repeats(objects, time.time).forget(about.ids)  # also of people who were made one with them
    history.forget(about)
