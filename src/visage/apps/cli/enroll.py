"""visage enroll."""

from collections.abc import Sequence
from pathlib import Path

import click

from visage.apps.cli.output import (
    Context,
    Failures,
    as_json,
    in_collection,
    is_folder,
    one_line,
    print_json,
    progress,
    with_context,
)
from visage.apps.cli.recognize import expand
from visage.apps.publishing import publishing
from visage.core.advice import advise
from visage.core.answers import Answer, Outcome
from visage.core.engine import Engine
from visage.core.errors import InputError, UnreadableError, UsageError
from visage.core.names import check_name
from visage.core.values import EnrollOptions, Job, JobKind
from visage.core.wire import answer_to_json
from visage.settings import Settings
from visage.wiring import embedder_cards, open_engine

# What counts as done: a photo that is there already needs nothing.
DONE = (Outcome.ENROLLED, Outcome.DUPLICATE)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|PHOTO...")
@click.option("--name", metavar="NAME", help="Whose photos these are; without it, a folder per person is expected.")
@click.option("--largest", is_flag=True, help="Where a photo shows several faces, take the largest.")
@click.option("--force", is_flag=True, help="Take small, blurred and turned faces too.")
@in_collection
@as_json
@with_context
def enroll(
    context: Context,
    sources: Sequence[str],
    name: str | None,
    largest: bool,
    force: bool,
    collection: str | None,
    as_json: bool,
) -> None:
    """Enroll people from their photos.

    \b
    visage enroll people/                        a folder per person: people/Grace Hopper/a.jpg ...
    visage enroll --name "Grace Hopper" a.jpg b.jpg

    For each photo it says what was done, or why not. Every photo is kept as it is done: an interruption loses nothing.
    """
    settings = context.settings(collection=collection)
    engine = open_engine(settings)
    options = EnrollOptions(largest=largest, force=force)
    failures = Failures()
    if name is None:
        photos = _people(sources, engine, failures)
    else:
        check_name(name)
        photos = [(name, photo) for photo in expand(sources, engine, failures)]
    answers: list[Answer] = []
    with failures.at_the_latest(), publishing(settings, lambda: engine.gallery(create=True)):
        for person, photo in progress(photos, total=len(photos), unit="photo"):
            job = Job(JobKind.ENROLL, (photo,), collection=settings.collection, name=person, enroll=options)
            with failures.caught():
                answers.append(engine.perform(job))
                if not as_json:
                    _print(answers[-1], person)
    done = [a for a in answers if a.enrollment and a.enrollment.outcome in DONE]
    if as_json:
        print_json({"answers": [answer_to_json(answer) for answer in answers], "errors": failures.errors})
    elif answers:
        _summary(answers, len(photos), settings, engine)
    engine.close()
    if failures.errors or len(done) < len(photos):
        raise SystemExit(1)


def _people(sources: Sequence[str], engine: Engine, failures: Failures) -> list[tuple[str, str]]:
    """(name, photo) for every photo in the folders of these folders; a folder that cannot be used is a failure."""
    found: list[tuple[str, str]] = []
    for source in sources:
        if not is_folder(source):
            raise UsageError(
                f"{source} is no folder of people; say whose photo it is: visage enroll --name NAME {source}"
            )
        people: list[Path] = []
        with failures.caught():
            people = _folders(source)
            if not people:
                raise UnreadableError(
                    source,
                    "there is no folder in it; a folder per person is expected, or --name with the photos of one",
                )
        for person in people:
            with failures.caught():
                name = _name(person)
                found += [(name, photo) for photo in expand([str(person)], engine, failures)]
    return found


def _folders(source: str) -> list[Path]:
    try:
        return sorted(path for path in Path(source).iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise UnreadableError(source, f"the folder cannot be listed: {error.strerror}") from error


def _name(folder: Path) -> str:
    try:
        return check_name(folder.name)
    except UsageError as error:
        raise InputError(str(folder), f"{error}, and rename the folder") from error


def _print(answer: Answer, person: str) -> None:
    enrollment = answer.enrollment
    if enrollment is None:
        return
    if enrollment.outcome is Outcome.ENROLLED:
        click.echo(one_line(f"{answer.source}: {person}: {enrollment.detail}"))
    else:
        click.echo(one_line(f"{answer.source}: {person}: skipped, {enrollment.outcome.value}: {enrollment.detail}"))


def _summary(answers: Sequence[Answer], photos: int, settings: Settings, engine: Engine) -> None:
    enrolled = sum(1 for a in answers if a.enrollment and a.enrollment.outcome is Outcome.ENROLLED)
    gallery = engine.gallery()
    people = len(gallery.people(settings.collection))
    size = gallery.size(settings.collection)
    click.echo(f"{enrolled} of {photos} photos enrolled; {people} people with {size} faces in {settings.collection!r}.")
    advice = advise(engine.kit.card, embedder_cards(settings), size, settings.stranger_rate)
    for line in advice.lines if advice else []:
        click.echo(line)
