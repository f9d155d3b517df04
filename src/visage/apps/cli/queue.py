"""visage queue: show, and the dead letters: list, show, replay."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import click

from visage.apps.cli.output import Context, as_json, one_line, print_json, print_table, with_context
from visage.core.errors import MessageError, UsageError
from visage.core.ports.objects import Objects
from visage.core.ports.queue import DeadLetter, Queue
from visage.core.service.records import forget_failure, tries
from visage.core.tickets import Ticket, ticket_from_text
from visage.settings import Settings
from visage.wiring import open_objects, open_queue

# Dead letters that are looked at, and characters of a message that are shown to people.
_MOST = 10_000
_SHOWN = 1000


def _places(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say where the queue and the stores are."""
    options = [
        click.option("--queue", metavar="URL", help="The queue, sqlite:///PATH or sqs://NAME."),
        click.option("--objects", metavar="URL", help="The folder or bucket of `in` and `out`, as for visage worker."),
    ]
    return reduce(lambda made, option: option(made), reversed(options), command)


@click.group()
def queue() -> None:
    """See what waits for the app tier, and what it could not do."""


@queue.command("show")
@_places
@as_json
@with_context
def show_queue(context: Context, queue: str | None, objects: str | None, as_json: bool) -> None:
    """How many jobs wait, are in hand and were put aside. In Amazon SQS the first two are estimates."""
    opened = open_queue(context.settings(queue=queue, objects=objects))
    depth, dead = opened.depth(), len(opened.dead(_MOST))
    opened.close()
    if as_json:
        print_json({"waiting": depth.waiting, "in_flight": depth.in_flight, "oldest": depth.oldest, "dead": dead})
        return
    oldest = f", the oldest for {depth.oldest:.1f} s" if depth.oldest is not None else ""
    click.echo(f"waiting    {depth.waiting}{oldest}")
    click.echo(f"in hand    {depth.in_flight}")
    click.echo(f"put aside  {dead}" + (" or more" if dead == _MOST else "") + (": visage queue dead list" * bool(dead)))


@queue.group()
def dead() -> None:
    """Messages that were put aside: jobs that ended their worker again and again, and what is no job.

    Whoever asked for such a job has got an error for an answer.
    """


@dead.command("list")
@_places
@as_json
@with_context
def list_dead(context: Context, queue: str | None, objects: str | None, as_json: bool) -> None:
    """All of them, oldest first, and why each was put aside."""
    opened = open_queue(context.settings(queue=queue, objects=objects))
    letters = opened.dead(_MOST)
    opened.close()
    if as_json:
        print_json({"dead": [_letter_to_json(letter) for letter in letters]})
        return
    rows = []
    for letter in letters:
        ticket = _ticket(letter)
        facts = [ticket.job.kind.value, ticket.id] if ticket else ["no job", ""]
        rows.append([letter.id, _time(letter.died), str(letter.count), *facts, letter.reason])
    print_table(rows, ["id", "died", "leased", "kind", "job", "reason"])


@dead.command()
@click.argument("letter_id", metavar="ID")
@_places
@as_json
@with_context
def show(context: Context, letter_id: str, queue: str | None, objects: str | None, as_json: bool) -> None:
    """One of them, by its id or its job's: what was asked, when, and how often it ended its worker."""
    settings = context.settings(queue=queue, objects=objects)
    opened = open_queue(settings)
    letter = _chosen(opened, [letter_id])[0]
    opened.close()
    ticket = _ticket(letter)
    noted = tries(open_objects(settings.outputs_url), ticket.id) if ticket else []
    if as_json:
        times = [round(note.modified, 3) for note in noted]
        print_json({**_letter_to_json(letter), "tries": times, "message": None if ticket else letter.body})
        return
    lines = {"id": letter.id, "died": _time(letter.died), "reason": letter.reason, "leased": f"{letter.count} times"}
    if ticket:
        lines |= {
            "job": ticket.id,
            "kind": f"{ticket.job.kind.value}, in the collection {ticket.job.collection}",
            "files": str(len(ticket.names)),
            "request": ticket.request,
            "owner": ticket.owner,
            "created": _time(ticket.created),
            "tried alone": ", ".join(_time(note.modified) for note in noted) or "never, or not noted any more",
        }
    else:
        lines["message"] = letter.body[:_SHOWN]
    for name, value in lines.items():
        click.echo(f"{name:<12} {one_line(value)}".rstrip())


@dead.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every one.")
@_places
@as_json
@with_context
def replay(
    context: Context,
    letter_ids: Sequence[str],
    everything: bool,
    queue: str | None,
    objects: str | None,
    as_json: bool,
) -> None:
    """Send some again, by their ids or their jobs', or all: once what they failed of is mended.

    A job's error and the count of its tries are deleted first, so that it is performed anew; who asks for it again gets
    its answer then. A message that is no job is sent as it is.
    """
    if bool(letter_ids) == everything:
        raise UsageError("name the messages to send again, or give --all")
    settings = context.settings(queue=queue, objects=objects)
    opened = open_queue(settings)
    letters = opened.dead(_MOST) if everything else _chosen(opened, letter_ids)
    count = _replay(letters, opened, settings)
    opened.close()
    if as_json:
        print_json({"replayed": count})
    else:
        click.echo(f"{count} message{'' if count == 1 else 's'} sent again")


def _replay(letters: Sequence[DeadLetter], queue: Queue, settings: Settings) -> int:
    outputs: Objects = open_objects(settings.outputs_url)
    for letter in letters:
        if ticket := _ticket(letter):
            forget_failure(outputs, ticket.id)
    return queue.replay([letter.id for letter in letters]) if letters else 0


def _chosen(queue: Queue, ids: Sequence[str]) -> list[DeadLetter]:
    """The letters of these ids or of jobs of these ids, each once. Raises `UsageError` where one is not there."""
    letters = queue.dead(_MOST)
    called = {letter.id: {letter.id, *([ticket.id] if (ticket := _ticket(letter)) else [])} for letter in letters}
    for one in ids:
        if not any(one in names for names in called.values()):
            raise UsageError(f"there is no dead letter {one!r}; visage queue dead list shows those there are")
    return [letter for letter in letters if called[letter.id] & set(ids)]


def _ticket(letter: DeadLetter) -> Ticket | None:
    """The job; None where it is none."""
    try:
        return ticket_from_text(letter.body)
    except MessageError:
        return None


def _letter_to_json(letter: DeadLetter) -> dict[str, Any]:
    ticket = _ticket(letter)
    job = ticket and {
        "id": ticket.id,
        "kind": ticket.job.kind.value,
        "collection": ticket.job.collection,
        "files": len(ticket.names),
        "request": ticket.request,
        "owner": ticket.owner,
        "created": round(ticket.created, 3),
    }
    return {"id": letter.id, "reason": letter.reason, "count": letter.count, "died": round(letter.died, 3), "job": job}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
