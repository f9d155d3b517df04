"""/v1/history and /v1/audit: what was changed, undoing it, and who did what."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.errors import GalleryError, VisageError
from visage.core.journal.audit import Action, Entry
from visage.core.journal.change import Change
from visage.core.journal.steps import Renamed
from visage.core.service.keyring import Role
from visage.web import document
from visage.web.asking import Service
from visage.web.history_types import AuditOptions, AuditPage, ChangeOut, ChangePath, HistoryOptions, HistoryPage
from visage.web.journal import faces_in
from visage.web.people_types import KeyHeaders
from visage.web.problems import Problem

# Endpoints that show somebody what was found in a job.
_ANSWERS = {"job", "job_text", "job_events", "job_source"}


def add_history(app: OpenAPI, service: Service) -> None:
    _add_changes(app, service)
    _add_audit(app, service)
    _add_looks(app, service)


def _add_changes(app: OpenAPI, service: Service) -> None:
    kept = service.journal.history

    @app.get(
        "/v1/history",
        summary="What was changed among the people, newest first",
        operation_id="history",
        security=document.KEYS,
        responses=document.responses(401, 422, s200=HistoryPage),
    )
    def history(query: HistoryOptions) -> Response:
        found, after = kept.page(query.collection, query.person, query.limit, query.cursor or "")
        names = _key_names(service)
        for collection in {change.collection for change in found}:
            people = [person for change in found if change.collection == collection for person, _ in change.people]
            service.journal.glanced(collection, list(filter(None, dict.fromkeys(people))))
        return jsonify(changes=[_change(change, names) for change in found], next=after)

    @app.post(
        "/v1/history/<id>/undo",
        summary="Undo a change",
        description="409 where something was changed since that stands in the way: then nothing is done. What was "
        "erased is never undone.",
        operation_id="undo",
        security=document.KEYS,
        responses=document.responses(401, 404, 409, 422, s200=ChangeOut),
    )
    def undo(path: ChangePath, header: KeyHeaders) -> Response:
        return service.journal.once(header.idempotency_key, lambda: undone(path.id))

    def undone(change_id: str) -> Response:
        change = kept.get(change_id)
        if change is None:
            raise Problem(404, "there is no such change, or not any more: it is too old, or somebody in it was erased")
        people = [person for person, _ in change.people if person]
        faces = faces_in(change.steps)
        service.journal.note(Action.UNDO, collection=change.collection, people=people, faces=faces)
        if reason := kept.undo(change, g.account.id):
            raise Problem(409, f"it cannot be undone: {reason}")
        return jsonify(_change(kept.get(change_id) or change, _key_names(service)))


def _add_audit(app: OpenAPI, service: Service) -> None:
    @app.get(
        "/v1/audit",
        summary="Who enrolled, searched, looked at, changed and erased whom, newest first",
        operation_id="audit",
        security=document.KEYS,
        responses=document.responses(401, 422, s200=AuditPage),
    )
    def audit(query: AuditOptions) -> Response:
        def wanted(entry: Entry) -> bool:
            return (
                query.action in {None, entry.action}
                and query.account in {None, entry.account}
                and (query.person is None or query.person in entry.people)
            )

        found, after = service.journal.log.page(wanted, query.limit, query.cursor or "")
        keys, people = _key_names(service), _people_names(service, found)
        return jsonify(entries=[_entry(entry, keys, people) for entry in found], next=after)


def _add_looks(app: OpenAPI, service: Service) -> None:
    @app.after_request
    def looked(response: Response) -> Response:
        """Whoever is shown the answer of a job looks at those in it."""
        if request.endpoint in _ANSWERS and request.view_args and response.status_code == 200:
            service.journal.glanced("", jobs=[request.view_args["id"]])
        return response


def _change(change: Change, keys: Mapping[str, str]) -> dict[str, Any]:
    renamed = next((step.now for step in change.steps if isinstance(step, Renamed)), None)
    return {
        "id": change.id,
        "kind": change.kind.value,
        "collection": change.collection,
        "people": [{"id": person, "name": name} for person, name in change.people],
        "name": renamed,
        "faces": faces_in(change.steps),
        "at": round(change.at, 3),
        "by": _who(change.by, keys),
        "pending": bool(change.pending),
        "undone": {"at": round(change.undone[0], 3), "by": _who(change.undone[1], keys)} if change.undone else None,
    }


def _entry(entry: Entry, keys: Mapping[str, str], people: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "at": round(entry.at, 3),
        "account": entry.account,
        "by": keys.get(entry.account),
        "action": entry.action.value,
        "collection": entry.collection,
        "people": [{"id": person, "name": people.get((entry.collection, person))} for person in entry.people],
        "faces": entry.faces,
        "jobs": list(entry.jobs),
        "request": entry.request,
    }


def _who(account: str, keys: Mapping[str, str]) -> str | None:
    """The key's name: admins know them all, and everybody their own."""
    if g.account.role is not Role.ADMIN and account != g.account.id:
        return None
    return keys.get(account)


def _key_names(service: Service) -> Mapping[str, str]:
    try:
        return {key.id: key.name for key in service.facts.all_keys()}
    except VisageError:  # then nobody's name is told
        return {}


def _people_names(service: Service, entries: Sequence[Entry]) -> dict[tuple[str, str], str]:
    """By collection and id, of those who are enrolled."""
    names = {}
    for collection, person_id in {(entry.collection, person) for entry in entries for person in entry.people}:
        try:
            person = service.gallery().person(collection, person_id)
        except GalleryError:
            continue
        if person.id == person_id:
            names[collection, person_id] = person.name
    return names
