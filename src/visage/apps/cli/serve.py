"""visage serve."""

import sys

import click

from visage.apps import service
from visage.apps.cli.output import Context, with_context
from visage.web.logs import log_as_json


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free.  [default: 8000]")
@click.option("--queue", metavar="URL", help="Where jobs wait, sqlite:///PATH or sqs://NAME.")
@click.option("--objects", metavar="URL", help="The folder or bucket of `in` and `out`, file:///PATH or s3://BUCKET.")
@click.option("--fleet", metavar="URL", help="Who works: processes: of this machine, or asg:NAME of Amazon EC2.")
@click.option("--min", "least", type=click.IntRange(0), help="So many workers at the least.  [default: 0]")
@click.option("--max", "most", type=click.IntRange(1), help="So many at the most.  [default: the cores here, 20 there]")
@click.option("--tls-cert", metavar="FILE", help="The server's certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its key (PEM).")
@click.option("--behind-tls-proxy", is_flag=True, default=None, help="A server in front of this one speaks TLS.")
@with_context
def serve(
    context: Context,
    host: str | None,
    port: int | None,
    queue: str | None,
    objects: str | None,
    fleet: str | None,
    least: int | None,
    most: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    behind_tls_proxy: bool | None,
) -> None:
    """Serve face recognition over HTTP: the web tier, the autoscaler, and workers as they are needed.

    The first request after a quiet time waits a second or two for the first worker. Without API keys it answers
    programs on this machine alone. Its log goes to standard error, a line of JSON each. SIGTERM or Ctrl-C: it answers
    what it has, and ends; what still waits in the queue is done next time.
    """
    settings = context.settings(
        host=host,
        port=port,
        queue=queue,
        objects=objects,
        fleet=fleet,
        min_workers=least,
        max_workers=most,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_tls_proxy=behind_tls_proxy,
    )
    log_as_json(sys.stderr)
    service.run(settings, _say)


def _say(url: str) -> None:
    click.echo(f"Visage serves at {url} (open it in a browser)", err=True)
    click.echo(f"  curl -F inputFile=@face.jpg {url}/\n  Ctrl-C ends it.", err=True)
