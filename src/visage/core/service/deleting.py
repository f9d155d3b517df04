"""Deleting a job: what came in, and what was found. And what else may be asked to forget somebody."""

from collections.abc import Collection
from typing import Protocol

from visage.core.bulk.plan import forget_parts, part_ids, read_plan
from visage.core.errors import MessageError, NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.tickets import ID, index_key, ticket_from_text, ticket_key


class Unknowns(Protocol):
    """Faces that were unknown and got a name, as `core.unknown.inbox.Inbox` has them."""

    def forget_person(self, collection: str, person_id: str | None, face_ids: Collection[str]) -> int:
        """Erase those named as this person, and those that go by one of these enrolled faces; how many."""


def delete_job(inputs: Objects, outputs: Objects, ticket_id: str) -> None:
    """Of a job that is many jobs, all of them. Nothing for anything that is no job's id. The ticket goes last, so that
    it can be asked for again if that breaks off. Raises `StorageError`."""
    if not ID.fullmatch(ticket_id):
        return
    try:
        plan = read_plan(inputs, ticket_id)
    except StorageError:  # damaged: what the parts left is swept with all that is old
        plan = None
    parts = part_ids(plan, ticket_id) if plan else []
    forget_parts(inputs, outputs, parts)
    outputs.delete([found.key for found in outputs.list(ticket_id)])
    inputs.delete([*_listed(inputs, ticket_id), *(found.key for found in inputs.list(ticket_id))])
    # What a worker has stored meanwhile; from now on it sees that nobody wants it.
    forget_parts(inputs, outputs, parts)
    outputs.delete([found.key for found in outputs.list(ticket_id)])


def _listed(inputs: Objects, ticket_id: str) -> list[str]:
    """The key under which the job is listed, if it can be told."""
    try:
        return [index_key(ticket_from_text(inputs.get(ticket_key(ticket_id)).decode()))]
    except (NoObjectError, MessageError, UnicodeDecodeError):  # if damaged, it is swept with all that is old
        return []
