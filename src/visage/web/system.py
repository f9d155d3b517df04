"""/v1/models and /v1/system: which networks there are, and how the service stands."""

import json
import math
import time
from collections.abc import Iterator
from typing import Any

from flask import Response, g, jsonify
from flask_openapi3.openapi import OpenAPI

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.service.keyring import Role
from visage.core.service.records import WORKERS
from visage.web import document
from visage.web.asking import Service
from visage.web.facts import Finding, Level, ModelState
from visage.web.remembered import Remembered
from visage.web.system_types import ModelList, SystemState

# Seconds for which it is good enough: what the stores hold, the rest.
_STORAGE_AGE = 60.0
_AGE = 5.0

# Dead letters that are counted at most; workers' reports that are read: how many, how old (seconds), how long (bytes).
_MOST_DEAD = 1000
_MOST_REPORTS = 100
_OLDEST_REPORT = 24 * 3600.0
_LONGEST_REPORT = 4096

# A job that waits longer while no autoscaler is there waits for nobody; seconds.
_TOO_LONG = 30.0


def add_system(app: OpenAPI, service: Service) -> None:
    survey = Survey(service)

    @app.get(
        "/v1/models",
        summary="The networks there are, whose they are, and which are in use",
        operation_id="models",
        security=document.KEYS,
        responses=document.responses(401, s200=ModelList),
    )
    def models() -> Response:
        return jsonify(models=[_model(state) for state in service.facts.models()])

    @app.get(
        "/v1/system",
        summary="How queue, fleet, stores and people stand, and what is to be done",
        operation_id="system",
        security=document.KEYS,
        responses=document.responses(401, s200=SystemState),
    )
    def system() -> Response:
        return jsonify(survey.state(keys=g.account.role is Role.ADMIN))


class Survey:
    """Asks everything that the service stands on. What does not answer is None in the state, with a finding that says
    so: the page that shows it is looked at when something does not answer."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._inputs = Remembered(lambda: _size(service.inputs), _STORAGE_AGE)
        self._outputs = Remembered(lambda: _size(service.outputs), _STORAGE_AGE)
        self._dead = Remembered(lambda: len(service.queue.dead(_MOST_DEAD)), _AGE)
        self._reports = Remembered(lambda: list(_reports(service.outputs, time.time())), _AGE)
        self._collections = Remembered(self._count, _AGE)
        self._check = Remembered(service.facts.check, _AGE)

    def state(self, *, keys: bool) -> dict[str, Any]:
        """As `SystemState` has it. keys: whether to tell of them."""
        facts = self._service.facts
        state: dict[str, Any] = {
            "version": facts.version,
            "collections": self._collections(),
            "queue": self._queue(),
            "fleet": self._fleet(),
            "storage": {"inputs": self._inputs(), "outputs": self._outputs()},
            "keep_days": facts.keep_days,
            "keys": self._keys() if keys else None,
            "limits": dict(facts.limits),
        }
        found = [*(self._check() or ()), *_findings(state)]
        return state | {"findings": [{"level": one.level, "what": one.what, "remedy": one.remedy} for one in found]}

    def _count(self) -> list[dict[str, Any]]:
        gallery = self._service.gallery()
        return [
            {
                "name": name,
                "people": gallery.population(name),
                "faces": gallery.size(name),
                "model": gallery.model(name),
            }
            for name in gallery.collections()
        ]

    def _queue(self) -> dict[str, Any] | None:
        try:
            depth = self._service.load.depth()
        except StorageError:
            return None
        return {"waiting": depth.waiting, "in_flight": depth.in_flight, "oldest": depth.oldest, "dead": self._dead()}

    def _fleet(self) -> dict[str, Any] | None:
        try:
            fleet = self._service.load.fleet()
        except StorageError:
            return None
        return {
            "workers": fleet.size if fleet else None,
            "wanted": fleet.wanted if fleet else None,
            "max": fleet.max if fleet else None,
            "reports": self._reports() or [],
        }

    def _keys(self) -> list[dict[str, Any]]:
        return [
            {"id": key.id, "name": key.name, "role": key.role, "created": key.created, "revoked": key.revoked}
            for key in self._service.facts.all_keys()
        ]


def _findings(state: dict[str, Any]) -> Iterator[Finding]:
    """What can be read off the state."""
    queue, fleet, storage = state["queue"], state["fleet"], state["storage"]
    if queue is None:
        yield Finding(Level.PROBLEM, "The queue does not answer.", "Look into the log of the web tier for the reason.")
    elif fleet and fleet["workers"] is None and (queue["oldest"] or 0) > _TOO_LONG:
        yield Finding(
            Level.PROBLEM,
            "Jobs are waiting, and no autoscaler has been heard of for a minute.",
            "Start one with visage autoscale, or a worker with visage worker.",
        )
    if queue and queue["dead"]:
        yield Finding(
            Level.WARNING,
            "Some jobs were put aside because they ended their worker again and again, or were no jobs.",
            "visage queue dead list says which; visage queue dead replay tries them again.",
        )
    for name, words in (("inputs", "what came in"), ("outputs", "what was found")):
        if storage[name] is None:
            yield Finding(
                Level.WARNING,
                f"The store of {words} could not be counted.",
                "Wait a minute if it is large; else look into the log of the web tier.",
            )
    if state["collections"] is None:
        yield Finding(Level.PROBLEM, "The gallery of people does not answer.", "visage doctor says more.")
    elif not state["collections"]:
        yield Finding(Level.ADVICE, "Nobody is enrolled yet.", "Add people with a photo or two of each.")
    if state["keys"] == []:
        yield Finding(
            Level.ADVICE,
            "There are no API keys, so programs on this machine can use everything, and no others anything.",
            "To let others in, make keys with visage keys create NAME.",
        )


def _model(state: ModelState) -> dict[str, Any]:
    card = state.card
    return {
        "name": card.name,
        "title": card.title,
        "kind": card.kind,
        "license": card.license,
        "source": card.source,
        "notes": card.notes,
        "accuracy": card.accuracy,
        "installed": state.installed,
        "in_use": state.in_use,
    }


def _size(store: Objects) -> dict[str, int]:
    objects = total = 0
    for stored in store.list():
        objects += 1
        total += stored.size
    return {"objects": objects, "bytes": total}


def _reports(outputs: Objects, now: float) -> Iterator[dict[str, Any]]:
    """What workers say of themselves; what is no report is left out, since anybody may have written it."""
    for stored in [*outputs.list(WORKERS)][:_MOST_REPORTS]:
        if stored.size > _LONGEST_REPORT:
            continue
        try:
            kept = json.loads(outputs.get(stored.key))
            jobs, busy, at = int(kept["jobs"]), float(kept["busy"]), float(kept["at"])
        except (NoObjectError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        if math.isfinite(busy) and now - at < _OLDEST_REPORT:
            name = stored.key.removeprefix(f"{WORKERS}/").removesuffix(".json")
            yield {"name": name, "jobs": jobs, "busy": busy, "at": at}
