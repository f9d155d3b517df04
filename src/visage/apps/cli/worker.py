"""visage worker."""

import sys

import click

from visage.apps import app_tier
from visage.apps.cli.output import Context, with_context
from visage.web.logs import log_as_json
from visage.wiring import open_station


@click.command()
@click.option("--queue", metavar="URL", help="Where jobs come from, sqlite:///PATH or sqs://NAME.")
@click.option("--objects", metavar="URL", help="The folder or bucket of `in` and `out`, file:///PATH or s3://BUCKET.")
@click.option(
    "--station",
    type=click.Choice(["alone", "pipe", "instance"]),
    default="alone",
    show_default=True,
    help="Who looks after it: nobody; a fleet at standard input and output; an EC2 Auto Scaling group.",
)
@with_context
def worker(context: Context, queue: str | None, objects: str | None, station: str) -> None:
    """Run one process of the app tier.

    It takes jobs from the queue, performs them and stores the results, until it is told to leave (SIGTERM, Ctrl-C): it
    then finishes what is under way and gives the rest back. Its log goes to standard error, a line of JSON each.
    """
    settings = context.settings(queue=queue, objects=objects)
    log_as_json(sys.stderr)
    app_tier.run(settings, open_station(station, settings))
