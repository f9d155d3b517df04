"""visage people: list, show, rename, hide, unhide, remove, export, import, migrate."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from visage.apps.cli.output import (
    Context,
    as_json,
    in_collection,
    print_json,
    print_table,
    progress,
    with_context,
)
from visage.apps.forgetting import erase
from visage.apps.publishing import publishing
from visage.apps.stages import welcome
from visage.core.advice import advise
from visage.core.errors import NotFoundError, UsageError
from visage.core.galleries.migrate import migrate as migrate_collection
from visage.core.galleries.transfer import copy_collection
from visage.core.names import check_name
from visage.core.wire import enrolled_face_to_json, person_to_json
from visage.settings import Settings
from visage.wiring import embedder_card, embedder_cards, open_engine, open_gallery, portable_gallery


@click.group()
def people() -> None:
    """See and change who is enrolled."""


@people.command("list")
@in_collection
@as_json
@with_context
def list_people(context: Context, collection: str | None, as_json: bool) -> None:
    """Everybody enrolled, and how well they can be told apart."""
    settings = context.settings(collection=collection)
    gallery = open_gallery(settings.gallery_url)
    everybody = gallery.people(settings.collection)
    card = embedder_card(settings)
    advice = advise(card, embedder_cards(settings), gallery.size(settings.collection), settings.stranger_rate)
    model = gallery.model(settings.collection)
    gallery.close()
    if as_json:
        print_json(
            {
                "collection": settings.collection,
                "model": model,
                "people": [person_to_json(person) for person in everybody],
                "expected_recognized": round(advice.expected, 4) if advice else None,
                "advice": advice.lines if advice else [],
            }
        )
        return
    print_table(
        [
            [person.name, str(person.faces), _day(person.created), "hidden" if person.hidden else ""]
            for person in everybody
        ],
        ["name", "faces", "since", ""],
    )
    if everybody and advice:
        click.echo("\n" + "\n".join(advice.lines))
    if model not in {None, card.name}:
        click.echo(f"\nThese vectors were made by {model}, but {card.name} is in use: visage people migrate")


@people.command()
@click.argument("name")
@in_collection
@as_json
@with_context
def show(context: Context, name: str, collection: str | None, as_json: bool) -> None:
    """One person, by name or id, and what is kept of them."""
    settings = context.settings(collection=collection)
    gallery = open_gallery(settings.gallery_url)
    person = gallery.person(settings.collection, name)
    faces = list(gallery.faces(settings.collection, person.id))
    gallery.close()
    if as_json:
        print_json({**person_to_json(person), "enrolled": [enrolled_face_to_json(face) for face in faces]})
        return
    hidden = ", hidden" if person.hidden else ""
    click.echo(f"{person.name}  (id {person.id}, since {_day(person.created)}{hidden})")
    rows = [
        [_day(face.created), f"{face.quality.score:.2f}", face.model, "yes" if face.crop else "no", face.source]
        for face in faces
    ]
    print_table(rows, ["since", "quality", "model", "crop", "photo"])


@people.command()
@click.argument("name")
@click.argument("new_name")
@in_collection
@as_json
@with_context
def rename(context: Context, name: str, new_name: str, collection: str | None, as_json: bool) -> None:
    """Give somebody another name."""
    settings = context.settings(collection=collection)
    gallery = open_gallery(settings.gallery_url)
    person = gallery.person(settings.collection, name)
    with publishing(settings, lambda: gallery):
        renamed = gallery.rename(settings.collection, person.id, check_name(new_name))
    gallery.close()
    if as_json:
        print_json(person_to_json(renamed))
    else:
        click.echo(f"{person.name} is now {renamed.name}")


@people.command()
@click.argument("name")
@in_collection
@as_json
@with_context
def hide(context: Context, name: str, collection: str | None, as_json: bool) -> None:
    """Let somebody no more be named. They stay enrolled; visage people unhide takes it back."""
    _hide(context.settings(collection=collection), name, hidden=True, as_json=as_json)


@people.command()
@click.argument("name")
@in_collection
@as_json
@with_context
def unhide(context: Context, name: str, collection: str | None, as_json: bool) -> None:
    """Let somebody who was hidden be named again."""
    _hide(context.settings(collection=collection), name, hidden=False, as_json=as_json)


@people.command()
@click.argument("name")
@in_collection
@as_json
@with_context
def remove(context: Context, name: str, collection: str | None, as_json: bool) -> None:
    """Erase somebody, at once and for good: name, vectors and crops, and whatever is kept of jobs that name them.

    Results of visage watch and of the serverless form are your own files, and stay.
    """
    settings = context.settings(collection=collection)
    gallery = open_gallery(settings.gallery_url)
    person = gallery.person(settings.collection, name)
    with publishing(settings, lambda: gallery):
        erased = erase(settings, gallery, person)
    gallery.close()
    if as_json:
        print_json({"removed": person_to_json(person), **asdict(erased)})
        return
    jobs = f", and {_counted(erased.jobs, 'job')} of the service" if erased.jobs else ""
    click.echo(f"{person.name} is erased, with {_counted(erased.faces, 'face')}{jobs}")
    if erased.uploads:
        click.echo(f"what lay in the stage of {_counted(erased.uploads, 'video')} names them no more")
    if erased.results:
        click.echo(f"{_counted(erased.results, 'result')} of these, your own, still do: delete what you do not need")


@people.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@in_collection
@as_json
@with_context
def export_people(context: Context, file: Path, collection: str | None, as_json: bool) -> None:
    """Write everybody of a collection into one portable file. It holds faces: keep it as safe as the gallery."""
    settings = context.settings(collection=collection)
    if file.exists():
        raise UsageError(f"{file} exists already; name a new file")
    gallery = open_gallery(settings.gallery_url)
    if not gallery.size(settings.collection):
        raise UsageError(f"nobody is enrolled in {settings.collection!r}, so there is nothing to export")
    with portable_gallery(file, create=True) as target:
        counts = copy_collection(gallery, target, settings.collection, settings.collection)
    gallery.close()
    _copied(counts.people, counts.faces, counts.skipped, f"written to {file}", as_json)


@people.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--from-collection", metavar="NAME", help="The collection in the file.  [default: the same name]")
@in_collection
@as_json
@with_context
def import_people(
    context: Context, file: Path, from_collection: str | None, collection: str | None, as_json: bool
) -> None:
    """Take everybody in from a file that visage people export wrote; who is there already keeps their faces."""
    settings = context.settings(collection=collection)
    if not file.exists():
        raise NotFoundError(str(file), "there is no such file; name one that visage people export wrote")
    with portable_gallery(file, create=False) as source:
        gallery = open_gallery(settings.gallery_url, create=True)
        with publishing(settings, lambda: gallery):
            counts = copy_collection(source, gallery, from_collection or settings.collection, settings.collection)
            welcome(settings, gallery)
        gallery.close()
    _copied(counts.people, counts.faces, counts.skipped, f"taken in from {file}", as_json)


@people.command()
@in_collection
@as_json
@with_context
def migrate(context: Context, collection: str | None, as_json: bool) -> None:
    """Make everybody's vectors anew with the embedder in use, from the crops that were kept. Names and ids stay."""
    settings = context.settings(collection=collection)
    engine = open_engine(settings)
    gallery = engine.gallery()
    total = gallery.size(settings.collection)
    steps = progress(migrate_collection(gallery, settings.collection, engine.kit), total=total, unit="face")
    with publishing(settings, lambda: gallery):
        done = sum(1 for _ in steps)
    engine.close()
    if as_json:
        print_json({"collection": settings.collection, "model": engine.kit.card.name, "faces": done})
    else:
        click.echo(f"{done} face{'' if done == 1 else 's'} now by {engine.kit.card.name}")


def _hide(settings: Settings, name: str, *, hidden: bool, as_json: bool) -> None:
    gallery = open_gallery(settings.gallery_url)
    person = gallery.person(settings.collection, name)
    with publishing(settings, lambda: gallery):
        changed = gallery.hide(settings.collection, person.id, hidden)
    gallery.close()
    if as_json:
        print_json(person_to_json(changed))
    else:
        click.echo(f"{person.name} is {'hidden, and will not be named' if hidden else 'named again'}")


def _copied(people_count: int, faces: int, skipped: int, what: str, as_json: bool) -> None:
    if as_json:
        print_json({"people": people_count, "faces": faces, "skipped": skipped})
    else:
        there = f"; {skipped} were there already" if skipped else ""
        click.echo(f"{people_count} people with {faces} faces {what}{there}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d")
