"""/v1/bulk: many photos of many people in one request, as one job."""

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3.openapi import OpenAPI

from visage.core.bulk.plan import Bundle, Bundles, plan_of
from visage.core.journal.change import ChangeKind
from visage.core.names import check_name
from visage.core.service.reception import Asked
from visage.core.tickets import Ticket
from visage.core.values import EnrollOptions, Job, JobKind
from visage.web import document
from visage.web.asking import Service, accepted, fits
from visage.web.bodies import json_body, takes, with_body
from visage.web.bulk_types import BulkChoices, BulkForm, BulkJson, BulkPlace, BulkPlaces
from visage.web.parameters import AskHeaders
from visage.web.problems import Problem, problem_of, usage
from visage.web.uploads import ZIP, Source, archive

_TAKES = takes(BulkForm, BulkJson, bare=False)
_TAKES["requestBody"]["content"][ZIP] = {"schema": {"type": "string", "format": "binary"}}


def add_bulk(app: OpenAPI, service: Service) -> None:
    @app.post(
        "/v1/bulk",
        summary="Enroll many people from a ZIP, or from a folder of the server, with a folder of photos for each",
        description="The folder's name is the person's, as with `visage enroll FOLDER`. It is one job: "
        "/v1/jobs/ID says how far it is, and in the end what became of every photo. Other requests are answered "
        "in between.",
        operation_id="bulk",
        security=document.KEYS,
        openapi_extensions=_TAKES,
        responses=document.responses(401, 404, 409, 415, 422, s202=document.accepted()),
    )
    def bulk(query: BulkChoices, header: AskHeaders) -> Response:
        fits(service)
        body = json_body(request, BulkJson)
        source, folder = _asked(service.bundles, body)
        choices = with_body(query, request, body)
        job = Job(
            JobKind.BULK,
            (),
            check_name(choices.collection or service.collection),
            name=folder,
            enroll=EnrollOptions(largest=choices.largest, force=choices.force),
        )
        asked = Asked(job, [source], owner=g.account.id, request=g.request_id, key=header.idempotency_key)
        ticket = service.reception.submit(asked)
        g.job = ticket.id
        service.journal.handed_in(ChangeKind.BULK, replace(job, name=None), [ticket], service.reception.ticket)
        return accepted(ticket, applied=header.wish(0.0)[0])

    @app.get(
        "/v1/bulk",
        summary="Where many photos may come from",
        description="With a folder: whether this one may be named; a problem says why not.",
        operation_id="bulk_places",
        security=document.KEYS,
        responses=document.responses(401, 404, 422, s200=BulkPlaces),
    )
    def bulk_places(query: BulkPlace) -> Response:
        if query.folder is not None:
            with service.bundles.folder(_plain(query.folder)):
                pass
        return jsonify(folders=service.bundles.folders(), max_upload=service.max_upload)


def _asked(bundles: Bundles, body: BulkJson | None) -> tuple[Source, str | None]:
    """What is to be stored, and the folder if it is one. What can be told to be of no use is refused here already.
    Raises `Problem`, and what `Bundles` raises."""
    if body is None:
        name, data = archive(request)
        _check(bundles.archive(io.BytesIO(data) if isinstance(data, bytes) else data, name), name)
        return (name, data), None
    folder = _plain(body.folder)
    with bundles.folder(folder):
        return (folder, b""), folder


def _plain(folder: str) -> str:
    """As it is kept: "2026/" -> "2026"; empty, for the one that may be read itself -> "."."""
    return folder.rstrip("/") or folder[:1] or "."


def _check(opened: AbstractContextManager[Bundle], name: str) -> None:
    with opened as bundle:
        if not plan_of(bundle.files(), wrapped=True).parts:
            raise usage(f"{name}: no photo in it lies in a folder that says whose it is; put a folder for each person")


def result_of_many(service: Service, whole: Ticket, result: dict[str, Any] | None) -> dict[str, Any] | None:
    """The result of such a job, made here where nobody has come to it yet."""
    if result is None:
        far = service.outcomes.progress(whole.id)
        ready = far is not None and far["done"] >= far["total"]
    else:
        ready = not service.outcomes.is_settled(whole.id)  # whoever made it was killed before all was cleared away
    return service.reception.result(whole.id) if ready and service.outcomes.fold(whole) else result


def report_out(report: Mapping[str, Any]) -> dict[str, Any]:
    """As it goes out: nothing that is for the log alone."""
    return {**report, "photos": [_row(row) for row in report["photos"]]}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name != "kind"}
    if row["kind"]:
        problem: Problem = problem_of(row["kind"], row["detail"])
        told["detail"] = problem.detail
    return told
