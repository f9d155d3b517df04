"""Tickets: what travels through the queue comes out as it went in, and nothing else comes out."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.answers import Answer, Models
from visage.core.errors import GalleryError, MessageError, NotFoundError
from visage.core.tickets import (
    Ticket,
    failure_of,
    index_key,
    input_key,
    result_of,
    result_to_bytes,
    ticket_from_text,
    ticket_to_text,
)
from visage.core.values import EnrollOptions, Job, JobKind, MatchOptions, Media, Sampling

# Whatever a client may call a file; lone surrogates stand for bytes that are no text.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
IDS = st.text("0123456789abcdef", min_size=32, max_size=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    ticket_id, names = draw(IDS), draw(st.lists(TEXTS, max_size=3))
    job = Job(
        kind=draw(st.sampled_from(JobKind)),
        sources=tuple(input_key(ticket_id, number) for number in range(len(names))),
        collection=draw(TEXTS),
        name=draw(st.none() | TEXTS),
        match=MatchOptions(draw(NUMBERS), draw(st.none() | NUMBERS), nearest=draw(st.booleans())),
        sampling=Sampling(draw(st.none() | NUMBERS), draw(st.none() | st.integers(0))),
        enroll=EnrollOptions(
            draw(st.booleans()),
            draw(st.booleans()),
            box=draw(st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)),
            frame=draw(st.none() | st.integers(0)),
            deny=draw(st.booleans()),
        ),
        called=tuple(names),
        id=ticket_id,
    )
    return Ticket(
        id=ticket_id,
        job=job,
        names=tuple(names),
        reply=draw(st.none() | TEXTS),
        request=draw(TEXTS),
        owner=draw(TEXTS),
        print=draw(TEXTS),
        vectors=draw(st.booleans()),
        created=draw(NUMBERS),
    )


def a_ticket(*names: str) -> Ticket:
    ticket_id = "0123456789abcdef" * 2
    sources = tuple(input_key(ticket_id, number) for number in range(len(names)))
    return Ticket(ticket_id, Job(JobKind.RECOGNIZE, sources), names, "box", "req", "me", "", False, 1000.25)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in some JSON."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(data, dict):
        inside = list(data.items())
    elif isinstance(data, list):
        inside = list(enumerate(data))
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


@given(tickets())
def test_a_ticket_comes_out_as_it_went_in(ticket: Ticket) -> None:
    text = ticket_to_text(ticket)
    assert ticket_from_text(text) == ticket
    assert "\n" not in text
    text.encode()


def test_a_ticket_of_an_older_visage_is_read_and_it_reads_ours() -> None:
    """What enrollment learned to do since is said only where it is asked for."""
    ticket_id = "0123456789abcdef" * 2
    job = {
        "kind": "enroll", "sources": [f"{ticket_id}/0"], "collection": "default", "name": "Ada",
        "match": {"stranger_rate": 0.01, "threshold": None, "nearest": False},
        "sampling": {"seconds": None, "frames": None, "count": None, "keys": False},
        "enroll": {"largest": True, "force": False},
    }  # fmt: skip
    old = {
        "visage": 1, "id": ticket_id, "job": job, "names": ["ada.jpg"], "reply": None, "request": "r", "owner": "me",
        "print": "", "vectors": False, "created": 1000.25,
    }  # fmt: skip
    ticket = ticket_from_text(json.dumps(old))
    assert ticket.job.enroll == EnrollOptions(largest=True)
    assert json.loads(ticket_to_text(ticket)) == old
    asked = replace(ticket, job=replace(ticket.job, enroll=EnrollOptions(box=(1.0, 2.5, 30.0, 40.0), deny=True)))
    assert json.loads(ticket_to_text(asked))["job"]["enroll"] == {
        "largest": False, "force": False, "box": [1.0, 2.5, 30.0, 40.0], "deny": True,
    }  # fmt: skip


@pytest.mark.parametrize("box", [[1, 2, 3], "1234", [1, 2, 3, "x"], 7, [1, 2, 3, None], {"x": 1}])
def test_what_is_no_box_is_refused(box: object) -> None:
    message = json.loads(ticket_to_text(a_ticket("face.jpg")))
    message["job"]["enroll"]["box"] = box
    with pytest.raises(MessageError):
        ticket_from_text(json.dumps(message))


@given(tickets(), tickets())
def test_the_newest_is_listed_first_whatever_the_clock_says(one: Ticket, other: Ticket) -> None:
    keys = [index_key(ticket).partition("/")[2][:13] for ticket in (one, other)]
    assert all(re.fullmatch("[0-9]{13}", key) for key in keys)
    assert keys[0] == keys[1] or (keys[0] < keys[1]) == (one.created > other.created)


@given(st.text() | JSON.map(json.dumps))
def test_a_message_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        ticket_from_text(text)


@given(tickets(), st.data())
def test_a_changed_ticket_is_refused_or_says_what_it_says(ticket: Ticket, data: st.DataObject) -> None:
    """Something in it is put in another's place, taken out, or added."""
    message = json.loads(ticket_to_text(ticket))
    *way, last = data.draw(st.sampled_from([place for place in places(message) if place]))
    inside = message
    for key in way:
        inside = inside[key]
    deed = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if deed == "remove":
        del inside[last]
    elif deed == "add" and isinstance(inside, dict):
        inside[data.draw(TEXTS.filter(lambda text: text not in inside))] = data.draw(JSON)
    else:
        inside[last] = data.draw(JSON)
    try:
        found = ticket_from_text(json.dumps(message))
    except MessageError:
        return
    optional = way == ["job", "enroll"] and last in {"box", "frame", "deny"}
    assert deed == "replace" or (deed == "remove" and optional) or not isinstance(inside, dict)
    assert json.loads(ticket_to_text(found)) == message


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("created", 10**400), ("created", float("inf")), ("created", float("nan")), ("created", "5"),
        ("visage", 2), ("id", "../" + "a" * 29), ("id", "A" * 32), ("names", []), ("names", ["a", "b"]),
        ("vectors", 1), ("reply", 7), ("extra", 1), ("job", []), ("job", None),
    ],
)  # fmt: skip
def test_what_no_ticket_says_is_refused(change: str, value: object) -> None:
    message = json.loads(ticket_to_text(a_ticket("face.jpg"))) | {change: value}
    with pytest.raises(MessageError):
        ticket_from_text(json.dumps(message))


def test_numbers_beyond_all_bounds_are_refused() -> None:
    text = ticket_to_text(a_ticket("face.jpg"))
    for huge in ("1e999", "9" * 5000, "-Infinity"):
        with pytest.raises(MessageError):
            ticket_from_text(text.replace("1000.25", huge))
        with pytest.raises(MessageError):
            ticket_from_text(text.replace('"frames":null', f'"frames":{huge}'))
    with pytest.raises(MessageError):
        ticket_from_text("[" * 100_000)


@pytest.mark.parametrize(
    "source", ["f" * 32 + "/0", "../0", "0123456789abcdef0123456789abcdef/1", "0123456789abcdef0123456789abcdef/ticket"]
)
def test_a_ticket_that_names_another_jobs_files_is_refused(source: str) -> None:
    message = json.loads(ticket_to_text(a_ticket("face.jpg")))
    message["job"]["sources"] = [source]
    with pytest.raises(MessageError, match="other jobs' files"):
        ticket_from_text(json.dumps(message))


def test_results_call_files_what_the_client_called_them() -> None:
    ticket = a_ticket("Zoë.jpg", "b.jpg")
    media = tuple(Media(source, 4, 3) for source in ticket.job.sources)
    result = result_of(ticket, Answer(JobKind.DETECT, media, Models("d", None, "r")), 2000.0)
    assert [one["source"] for one in result["answer"]["media"]] == ["Zoë.jpg", "b.jpg"]
    assert result["answer"]["source"] == "Zoë.jpg"
    assert (result["id"], result["status"], result["created"]) == (ticket.id, "done", 1000.25)
    assert json.loads(result_to_bytes(result)) == result

    failed = failure_of(ticket, NotFoundError(ticket.job.sources[1], "it is gone"), 2000.0)
    assert failed["status"] == "failed"
    assert failed["error"] == {"kind": "NotFoundError", "detail": "b.jpg: it is gone"}
    assert failure_of(ticket, GalleryError("no such people"), 2000.0)["error"]["detail"] == "no such people"
