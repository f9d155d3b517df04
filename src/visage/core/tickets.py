"""A job on its way: the ticket that travels through the queue, and the result that is kept for it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from visage.core.answers import Answer
from visage.core.errors import InputError, MessageError, VisageError
from visage.core.values import EnrollOptions, Job, JobKind, MatchOptions, Sampling
from visage.core.wire import answer_to_json

ID = re.compile("[0-9a-f]{32}")
VERSION = 1

# Where the input store lists all jobs; and a time that has no more than 13 digits of milliseconds.
INDEX = "jobs"
_END = 10**13 - 1

# What tickets say of enrollment only where it is not this.
_LATER: dict[str, Any] = {"box": None, "frame": None, "deny": False}


@dataclass(frozen=True, slots=True)
class Part:
    """Of which job that is many jobs this is one. of: that job's id. rank: its place among the parts, from 0. then: the
    id of the part that is to be sent when this one has ended, or nothing."""

    of: str
    rank: int
    then: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job, and what is to be known of it beside.

    id: 32 hex digits, from which all its keys in the stores follow. job: its sources are keys in the input store; it
    knows its id and their names too. names: what the client called them. reply: the mailbox of the web process that
    waits, or None. request: the id of the HTTP request, for the logs. owner: the account that asked, empty where there
    are no accounts. print: a hash of all that was asked, where the client gave an idempotency key; else empty. vectors:
    whether the result is to hold the faces' embeddings, which are kept of nobody who did not ask for them. created:
    seconds since 1970. part: None for a job that is asked for by itself.
    """

    id: str
    job: Job
    names: tuple[str, ...]
    reply: str | None
    request: str
    owner: str
    print: str
    vectors: bool
    created: float
    part: Part | None = None


def input_key(ticket_id: str, number: int) -> str:
    """Where the source of that number lies in the input store."""
    return f"{ticket_id}/{number}"


def ticket_key(ticket_id: str) -> str:
    """Where the ticket lies in the input store."""
    return f"{ticket_id}/ticket.json"


def index_key(ticket: Ticket) -> str:
    """Where the input store says that there is this job: in the order of these keys the newest comes first, and they
    tell whose it is, so that a list of jobs reads only those that it shows."""
    until_the_end = _END - int(min(max(ticket.created, 0.0) * 1000, _END))
    return "-".join((f"{INDEX}/{until_the_end:013d}", ticket.id, *filter(None, [ticket.owner])))


def result_key(ticket_id: str) -> str:
    """Where the result lies in the output store."""
    return f"{ticket_id}/result.json"


def progress_key(ticket_id: str) -> str:
    """Where a worker notes in the output store how far into a video it has come."""
    return f"{ticket_id}/progress.json"


def try_key(ticket_id: str, number: int) -> str:
    """Where a worker notes in the output store that it performs this job alone, for the number-th time."""
    return f"{ticket_id}/try-{number}"


def ticket_to_text(ticket: Ticket) -> str:
    """One line of JSON."""
    data = {"visage": VERSION, **asdict(ticket), "job": job_to_json(ticket.job)}
    if ticket.part is None:
        del data["part"]
    return json.dumps(data, separators=(",", ":"))


def job_to_json(job: Job) -> dict[str, Any]:
    """What is asked, without what the ticket says of it."""
    data = asdict(job)
    del data["called"], data["id"]
    # Said only where it is asked for, so that older workers understand what they can do.
    if not job.limit:
        del data["limit"]
    data["enroll"] = {
        name: value for name, value in data["enroll"].items() if name not in _LATER or value != _LATER[name]
    }
    return data


def ticket_from_text(text: str) -> Ticket:
    """Raises `MessageError` for whatever `ticket_to_text` did not write: the queue may hold other people's messages."""
    try:
        data = _read(text)
        if not isinstance(data, dict) or data.get("visage") != VERSION:
            raise MessageError("the message is no ticket of this version of Visage")
        ticket_id, names = _text(data, "id"), _texts(data, "names")
        ticket = Ticket(
            id=ticket_id,
            job=replace(_job(data["job"]), called=names, id=ticket_id),
            names=names,
            reply=_text(data, "reply") if data["reply"] is not None else None,
            request=_text(data, "request"),
            owner=_text(data, "owner"),
            print=_text(data, "print"),
            vectors=_truth(data, "vectors"),
            created=float(data["created"]),
            part=_part(data["part"]) if "part" in data else None,
        )
        if _read(ticket_to_text(ticket)) != data:
            raise MessageError("the message is no ticket: it says more or something else than a ticket does")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise MessageError("the message is no ticket of this version of Visage") from error
    if not ID.fullmatch(ticket.id) or len(ticket.names) != len(ticket.job.sources):
        raise MessageError("the message is no ticket: its id or its names are none")
    if ticket.part and not (ID.fullmatch(ticket.part.of) and ID.fullmatch(ticket.part.then or ticket.part.of)):
        raise MessageError("the message is no ticket: it is part of no job")
    if list(ticket.job.sources) != [input_key(ticket.id, i) for i in range(len(ticket.names))]:
        raise MessageError("the message is no ticket: it asks for other jobs' files")
    return ticket


def result_of(ticket: Ticket, answer: Answer, finished: float) -> dict[str, Any]:
    """What is kept of a job that was done."""
    names = dict(zip(ticket.job.sources, ticket.names, strict=True))
    media = tuple(replace(one, source=names.get(one.source, one.source)) for one in answer.media)
    answer = replace(answer, media=media)
    return {**_head(ticket, "done", finished), "answer": answer_to_json(answer, vectors=ticket.vectors)}


def report_of(ticket: Ticket, report: Mapping[str, Any], finished: float) -> dict[str, Any]:
    """What is kept of a job that was many jobs."""
    return {**_head(ticket, "done", finished), "report": dict(report)}


def failure_of(ticket: Ticket, error: VisageError, finished: float) -> dict[str, Any]:
    """What is kept of a job that cannot be done: the kind of error, and what to tell the client."""
    if isinstance(error, InputError):
        names = dict(zip(ticket.job.sources, ticket.names, strict=True))
        detail = f"{names.get(error.source, ticket.names[0] if ticket.names else 'the file')}: {error.reason}"
    else:
        detail = str(error)
    return {**_head(ticket, "failed", finished), "error": {"kind": type(error).__name__, "detail": detail}}


def result_to_bytes(result: Mapping[str, Any]) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()


def _head(ticket: Ticket, status: str, finished: float) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "status": status,
        "kind": ticket.job.kind.value,
        "request": ticket.request,
        "created": round(ticket.created, 3),
        "finished": round(finished, 3),
    }


def _read(text: str) -> Any:
    """JSON as the standard has it: infinity and its like are no numbers."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    return json.loads(text, parse_constant=refuse)


def _job(data: Mapping[str, Any]) -> Job:
    match, sampling, enroll = data["match"], data["sampling"], data["enroll"]
    return Job(
        kind=JobKind(data["kind"]),
        sources=_texts(data, "sources"),
        collection=_text(data, "collection"),
        name=_text(data, "name") if data["name"] is not None else None,
        match=MatchOptions(
            float(match["stranger_rate"]), _number(match, "threshold"), nearest=_truth(match, "nearest")
        ),
        sampling=Sampling(
            _number(sampling, "seconds"),
            _count(sampling, "frames"),
            _count(sampling, "count"),
            keys=_truth(sampling, "keys"),
        ),
        enroll=_enroll({**_LATER, **enroll}),
        limit=int(data.get("limit", 0)),
    )


def _part(data: Mapping[str, Any]) -> Part:
    return Part(_text(data, "of"), int(data["rank"]), _text(data, "then"))


def _enroll(data: Mapping[str, Any]) -> EnrollOptions:
    box = None
    if data["box"] is not None:
        x1, y1, x2, y2 = (float(value) for value in data["box"])
        box = (x1, y1, x2, y2)
    return EnrollOptions(
        largest=_truth(data, "largest"),
        force=_truth(data, "force"),
        box=box,
        frame=_count(data, "frame"),
        deny=_truth(data, "deny"),
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    if not isinstance(data[key], str):
        raise TypeError(f"{key} is no text")
    return str(data[key])


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(data[key], list) or not all(isinstance(one, str) for one in data[key]):
        raise TypeError(f"{key} is no list of texts")
    return tuple(data[key])


def _number(data: Mapping[str, Any], key: str) -> float | None:
    return None if data[key] is None else float(data[key])


def _count(data: Mapping[str, Any], key: str) -> int | None:
    return None if data[key] is None else int(data[key])


def _truth(data: Mapping[str, Any], key: str) -> bool:
    if not isinstance(data[key], bool):
        raise TypeError(f"{key} is neither true nor false")
    return bool(data[key])
