"""How far a job is that is many jobs, and what became of each of its photos.

Every part that has ended has a note, whose name alone tells what became of it: so one listing says how far the whole
is. Whoever finds that all have ended makes the result, out of the parts' own, and deletes those.
"""

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from visage.core.answers import Outcome
from visage.core.bulk.plan import (
    FAILED,
    Photo,
    Plan,
    ends_folder,
    erased_folder,
    erased_key,
    forget_parts,
    outcome_in,
    part_ids,
    plan_key,
    read_plan,
)
from visage.core.errors import NoObjectError, StorageError
from visage.core.names import lookup_name
from visage.core.ports.objects import Objects
from visage.core.tickets import Ticket, input_key, progress_key, report_of, result_key, result_to_bytes, ticket_key

# Results that are read at the same time.
_AT_ONCE = 16
_TRIES = 10


class Outcomes:
    """Used by many threads and processes at once. now: seconds since 1970. Every call may raise `StorageError`."""

    def __init__(self, inputs: Objects, outputs: Objects, now: Callable[[], float]) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._now = now

    def planned(self, whole_id: str, plan: Plan, *, apart: bool) -> None:
        """Note how many photos there are. apart: whether the job is taken apart, and its parts are under way; that is
        never taken back."""
        left_out = len(plan.photos) - len(plan.parts)
        note = json.dumps({"total": len(plan.photos), "left_out": left_out, "apart": apart}).encode()
        if apart:
            self._outputs.put(progress_key(whole_id), note)
        else:
            self._outputs.create(progress_key(whole_id), note)

    def is_apart(self, whole_id: str) -> bool:
        """Whether a worker has done so, or all is over."""
        note = self._planned(whole_id)
        return bool(note and note["apart"]) or self._outputs.version(result_key(whole_id)) is not None

    def is_settled(self, whole_id: str) -> bool:
        """Whether nothing of its parts is left, or nothing was made yet."""
        return self._inputs.version(plan_key(whole_id)) is None

    def progress(self, whole_id: str) -> dict[str, Any] | None:
        """As it goes out; None where no worker has looked at the job yet."""
        note = self._planned(whole_id)
        if note is None:
            return None
        outcomes = {FAILED: note["left_out"]} if note["left_out"] else {}
        for outcome in self._ends(whole_id).values():
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        done, total = sum(outcomes.values()), note["total"]
        at = round(self._now(), 3)
        return {"progress": round(done / total, 4), "at": at, "done": done, "total": total, "outcomes": outcomes}

    def fold(self, whole: Ticket) -> bool:
        """Make the result if all parts have ended; whether there is one now."""
        plan = read_plan(self._inputs, whole.id)
        made = self._outputs.version(result_key(whole.id)) is not None
        if plan is None:
            return made
        if not made:
            if len(self._ends(whole.id)) < len(plan.parts):
                return False
            self._outputs.create(result_key(whole.id), result_to_bytes(self._result(whole, plan)))
        self._strike(whole)
        if self._inputs.version(ticket_key(whole.id)) is None:  # forgotten meanwhile
            self._outputs.delete([result_key(whole.id)])
        self._clear(whole, plan)
        return True

    def _result(self, whole: Ticket, plan: Plan) -> dict[str, Any]:
        ranks = {place: rank for rank, place in enumerate(plan.parts)}

        def row(place: int) -> dict[str, Any] | None:
            photo = plan.photos[place]
            if place not in ranks:
                return {**_row(photo), "detail": photo.problem}
            return self._part(plan.part_id(whole.id, ranks[place]), photo)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            rows = [one for one in threads.map(row, range(len(plan.photos))) if one is not None]
        return report_of(whole, _report(whole.job.collection, rows), self._now())

    def _part(self, part_id: str, photo: Photo) -> dict[str, Any] | None:
        """The row of a part; None where its person was erased."""
        try:
            result = json.loads(self._outputs.get(result_key(part_id)))
        except NoObjectError:
            return None
        outcome = outcome_in(result)
        if outcome == FAILED:
            detail = str(result["error"]["detail"]).removeprefix(f"{photo.path}: ")
            return {**_row(photo), "detail": detail, "kind": result["error"]["kind"]}
        enrollment = result["answer"]["enrollment"]
        told = {name: enrollment[name] for name in ("detail", "face_id", "resembles")}
        return {**_row(photo), "outcome": outcome, **told}

    def _strike(self, whole: Ticket) -> None:
        """Take out of the result whoever was erased while it was made."""
        erased = {stored.key for stored in self._inputs.list(erased_folder(whole.id))}
        for _ in range(_TRIES if erased else 0):
            data, version = self._outputs.read(result_key(whole.id))
            result = json.loads(data)
            names = {row["name"] for row in result["report"]["photos"]}
            gone = {name for name in names if erased_key(whole.id, whole.job.collection, name) in erased}
            kept = result_to_bytes(without(result, gone, set()))
            if not gone or self._outputs.replace(result_key(whole.id), kept, version):
                return
        if erased:
            raise StorageError(f"{result_key(whole.id)}: it is written again and again; try again")

    def _clear(self, whole: Ticket, plan: Plan) -> None:
        """The plan last: as long as it is there, this may be done again."""
        forget_parts(self._inputs, self._outputs, part_ids(plan, whole.id))
        ends = [stored.key for stored in self._outputs.list(ends_folder(whole.id))]
        self._outputs.delete([*ends, progress_key(whole.id)])
        notes = [stored.key for stored in self._inputs.list(erased_folder(whole.id))]
        self._inputs.delete([*notes, input_key(whole.id, 0), plan_key(whole.id)])

    def _ends(self, whole_id: str) -> dict[int, str]:
        """What became of the parts that have ended, by their ranks."""
        names = (stored.key.rpartition("/")[2] for stored in self._outputs.list(ends_folder(whole_id)))
        pairs = (name.partition("-") for name in names)
        return {int(rank): outcome.replace("_", " ") for rank, _, outcome in pairs}

    def _planned(self, whole_id: str) -> Mapping[str, Any] | None:
        try:
            note = json.loads(self._outputs.get(progress_key(whole_id)))
        except (NoObjectError, ValueError):
            return None
        return note if isinstance(note, dict) and "total" in note else None


def without(result: dict[str, Any], names: Collection[str], face_ids: Collection[str]) -> dict[str, Any]:
    """The result of such a job less the people of these names, and less what is told of these faces."""
    report = result["report"]
    rows = []
    for row in report["photos"]:
        if row["name"] in names or row["face_id"] in face_ids:
            continue
        like = row["resembles"]
        rows.append({**row, "resembles": None} if like and like["name"] in names else row)
    return {**result, "report": _report(report["collection"], rows)}


def is_told(outputs: Objects, part: Ticket, face_id: str | None) -> bool:
    """Whether the whole is over, and tells of this face: the part was done before."""
    if part.part is None or face_id is None:
        return False
    try:
        report = json.loads(outputs.get(result_key(part.part.of))).get("report", {})
    except (NoObjectError, ValueError):
        return False
    return any(row["face_id"] == face_id for row in report.get("photos", ()))


def names_in(report: Mapping[str, Any]) -> list[str]:
    """Who was added, or was there already, in the order of the photos."""
    good = {Outcome.ENROLLED, Outcome.DUPLICATE}
    return list(dict.fromkeys(row["name"] for row in report["photos"] if row["outcome"] in good))


def _row(photo: Photo) -> dict[str, Any]:
    blank = {"detail": "", "face_id": None, "resembles": None, "kind": None}
    return {"source": photo.path, "name": photo.name, "outcome": FAILED, **blank}


def _report(collection: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes: dict[str, int] = {}
    for row in rows:
        outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    people = len({row["name"] for row in rows if row["outcome"] == Outcome.ENROLLED})
    return {
        "collection": lookup_name(collection),
        "total": len(rows),
        "people": people,
        "outcomes": outcomes,
        "photos": rows,
    }
