"""visage web."""

import sys

import click

from visage.apps.cli.output import Context, with_context
from visage.core.errors import UsageError
from visage.web.logs import log_as_json


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free.  [default: 8000]")
@click.option("--queue", metavar="URL", help="Where jobs go, sqlite:///PATH or sqs://NAME.")
@click.option("--objects", metavar="URL", help="The folder or bucket of `in` and `out`, file:///PATH or s3://BUCKET.")
@click.option("--tls-cert", metavar="FILE", help="The server's certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its key (PEM).")
@click.option("--behind-tls-proxy", is_flag=True, default=None, help="A server in front of this one speaks TLS.")
@with_context
def web(
    context: Context,
    host: str | None,
    port: int | None,
    queue: str | None,
    objects: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    behind_tls_proxy: bool | None,
) -> None:
    """Run one process of the web tier.

    It takes pictures over HTTP, hands them to the workers through the queue, and answers with what they found. Without
    API keys it answers programs on this machine alone; to listen elsewhere it asks for keys (visage keys create) and
    TLS. Its log goes to standard error, a line of JSON each. SIGTERM or Ctrl-C: it answers what it has, and ends.
    """
    try:
        from visage.apps import web_tier
    except ModuleNotFoundError as error:
        raise UsageError(f"to serve, {error.name} is needed: pip install 'visage[web]'") from error
    settings = context.settings(
        host=host,
        port=port,
        queue=queue,
        objects=objects,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_tls_proxy=behind_tls_proxy,
    )
    log_as_json(sys.stderr)
    web_tier.run(settings)
