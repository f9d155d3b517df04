"""visage gallery: copy, publish."""

import sys
from typing import Any

import click
from tqdm import tqdm

from visage.apps.cli.output import Context, as_json, print_json, print_table, with_context
from visage.core.errors import UsageError
from visage.core.galleries.transfer import copy_gallery
from visage.core.names import check_name
from visage.wiring import open_gallery, open_publisher


@click.group()
def gallery() -> None:
    """Copy a gallery to another place, or publish it for readers."""


@gallery.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--collection", metavar="NAME", help="Only this collection.  [default: all]")
@as_json
@with_context
def copy(context: Context, source: str, target: str, collection: str | None, as_json: bool) -> None:
    """Copy everybody, with their crops and ids, from one gallery into another.

    \b
    visage gallery copy sqlite:///gallery.sqlite postgresql://visage:PASSWORD@db.example.com/faces

    Who is there already keeps their faces. It can be broken off and started again: nobody is copied twice.
    """
    context.settings()
    theirs = open_gallery(source)
    names = theirs.collections()
    if collection is not None:
        names = [name for name in names if name == check_name(collection)]
    if not names:
        where = f"in {collection!r}" if collection is not None else "there"
        raise UsageError(f"nobody is enrolled {where}, so there is nothing to copy")
    ours = open_gallery(target, create=True)
    total = sum(theirs.size(name) for name in names)
    quiet = not sys.stderr.isatty()
    with tqdm(total=total, unit="face", disable=quiet, leave=False, file=sys.stderr) as bar:
        copied = copy_gallery(theirs, ours, names, lambda: _one_more(bar))
    theirs.close()
    ours.close()
    if as_json:
        print_json(
            {
                "collections": [
                    {"collection": name, "people": done.people, "faces": done.faces, "skipped": done.skipped}
                    for name, done in copied.items()
                ]
            }
        )
        return
    rows = [[name, str(done.people), str(done.faces), str(done.skipped)] for name, done in copied.items()]
    print_table(rows, ["collection", "people", "faces", "there already"])


def _one_more(bar: Any) -> None:
    bar.update()


@gallery.command()
@click.argument("target", metavar="[TO]", required=False)
@as_json
@with_context
def publish(context: Context, target: str | None, as_json: bool) -> None:
    """Write the names and vectors of the gallery, without pictures, to TO: a file that many can read.

    \b
    visage gallery publish s3://BUCKET/gallery.sqlite
    VISAGE_GALLERY=s3://BUCKET/gallery.sqlite visage recognize party.jpg

    With VISAGE_PUBLISH set, TO may be left out, and enroll, people and serve publish every change by themselves.
    """
    settings = context.settings()
    target = target or settings.publish
    if not target:
        raise UsageError("say where to: visage gallery publish s3://BUCKET/gallery.sqlite, or set VISAGE_PUBLISH")
    source = open_gallery(settings.gallery_url)
    open_publisher(target, source).step()
    names = source.collections()
    people = sum(source.population(name) for name in names)
    faces = sum(source.size(name) for name in names)
    source.close()
    if as_json:
        print_json({"published": target, "people": people, "faces": faces})
    else:
        click.echo(f"{people} people with {faces} faces published at {target}")
