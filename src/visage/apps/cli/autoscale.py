"""visage autoscale."""

import signal
import sys
import threading

import click

from visage.apps import autoscaler
from visage.apps.cli.output import Context, with_context
from visage.web.logs import log_as_json


@click.command()
@click.option("--queue", metavar="URL", help="Where jobs wait, sqlite:///PATH or sqs://NAME.")
@click.option("--objects", metavar="URL", help="The folder or bucket of `in` and `out`, file:///PATH or s3://BUCKET.")
@click.option("--fleet", metavar="URL", help="processes: of this machine, or asg:NAME of Amazon EC2.")
@click.option("--min", "least", type=click.IntRange(0), help="So many workers at the least.  [default: 0]")
@click.option("--max", "most", type=click.IntRange(1), help="So many at the most.  [default: the cores here, 20 there]")
@click.option("--latency", type=float, metavar="SECONDS", help="How long an answer may take.  [default: 2]")
@click.option("--quiet", type=float, metavar="SECONDS", help="Without work for so long, all go.  [default: 300]")
@with_context
def autoscale(
    context: Context,
    queue: str | None,
    objects: str | None,
    fleet: str | None,
    least: int | None,
    most: int | None,
    latency: float | None,
    quiet: float | None,
) -> None:
    """Keep the app tier as large as the queue wants it.

    It starts workers when jobs wait, as many as answer them in time, and ends idle ones when they are not needed any
    more. There must be one of it for a fleet. Its log goes to standard error, a line of JSON each. SIGTERM or Ctrl-C:
    the workers it started finish what they have, and it ends.
    """
    settings = context.settings(
        queue=queue,
        objects=objects,
        fleet=fleet,
        min_workers=least,
        max_workers=most,
        latency=latency,
        quiet=quiet,
    )
    log_as_json(sys.stderr)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not set by the handler itself: it may interrupt this thread while it holds the event's lock.
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    autoscaler.run(settings, stop)
