"""visage quote."""

from collections.abc import Sequence
from typing import Any

import click

from visage.apps.cli.output import Context, Failures, as_json, print_json, print_table, progress, with_context
from visage.core.cost.counting import add_took
from visage.core.cost.footage import Footage
from visage.core.cost.prices import US_EAST_1, Architecture
from visage.core.cost.speeds import MEASURED
from visage.core.every import HELP, parse_every
from visage.core.serverless.quote import Form, Quote, Terms
from visage.core.serverless.quote import quote as quoted
from visage.wiring import footage_of

_DEFAULTS = Terms(parse_every("1s"))
_NAMES = {Form.FRAMES: "serverless, frames", Form.SEGMENTS: "serverless, segments", Form.SCALABLE: "scalable"}
_MEMORY = click.FloatRange(128, 10240)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE...")
@click.option("--every", metavar="1s|10f|keys...", help=f"Which frames of a video: {HELP}.  [default: VISAGE_EVERY]")
@click.option("--chunk", type=click.IntRange(1, 1000), help="Frames of a chunk.  [default: VISAGE_CHUNK]")
@click.option("--segment", type=click.FloatRange(0), help="Seconds of a segment, where those are sent.  [default: 10]")
@click.option("--memory", type=_MEMORY, help=f"MB of the functions' memory.  [default: {_DEFAULTS.splitting:g}]")
@click.option("--arm", is_flag=True, help="Functions on arm64.")
@click.option("--faces", type=click.FloatRange(0), default=1.0, show_default=True, help="Faces in each frame.")
@as_json
@with_context
def quote(
    context: Context,
    sources: Sequence[str],
    every: str | None,
    chunk: int | None,
    segment: float | None,
    memory: float | None,
    arm: bool,
    faces: float,
    as_json: bool,
) -> None:
    """Say what videos will take and cost on AWS, before anything runs.

    In the serverless form, by frames or by segments, and in the scalable one, of which the load balancer and the web
    tier are left out: they cost the same with no video at all. Free tiers are not counted.
    """
    settings = context.settings(every=every, chunk=chunk, segment=segment)
    terms = Terms(
        sampling=parse_every(settings.every),
        chunk=settings.chunk,
        segment=settings.segment or _DEFAULTS.segment,
        splitting=memory or _DEFAULTS.splitting,
        recognition=memory or _DEFAULTS.recognition,
        architecture=Architecture.ARM if arm else Architecture.X86,
        faces=faces,
    )
    failures = Failures()
    found: list[tuple[Footage, list[Quote]]] = []
    for source in progress(sources, total=len(sources)):
        with failures.caught():
            footage = footage_of(source, settings)
            found.append((footage, [quoted(footage, terms, form) for form in Form]))
    if as_json:
        print_json(_json(found, failures))
    elif found:
        _print(found)
    failures.exit()


def _print(found: Sequence[tuple[Footage, Sequence[Quote]]]) -> None:
    rows = [_row(footage.source, [one]) for footage, quotes in found for one in quotes]
    if len(found) > 1:
        rows += [_row("total", [quotes[number] for _, quotes in found]) for number in range(len(Form))]
    print_table(rows, ["file", "form", "frames", "invocations", "requests", "MB", "seconds", "dollars"])
    click.echo(
        f"Prices of {US_EAST_1.region}, {US_EAST_1.date}. Seconds as measured {MEASURED.date} on {MEASURED.machine}; "
        "MB are stored beside the video, for 7 days."
    )


def _row(source: str, quotes: Sequence[Quote]) -> list[str]:
    took = add_took(*(one.took for one in quotes))
    requests = sum(took.get(name, 0) for name in ("puts", "gets", "lists", "messages"))
    return [
        source,
        _NAMES[quotes[0].form],
        str(sum(one.frames for one in quotes)),
        f"{took['invocations']:.0f}" if "invocations" in took else "-",
        f"{requests:.0f}",
        f"{sum(one.stored for one in quotes) / 1e6:.1f}",
        f"{took['seconds']:.1f}",
        f"{sum(one.total for one in quotes):.5f}",
    ]


def _json(found: Sequence[tuple[Footage, Sequence[Quote]]], failures: Failures) -> dict[str, Any]:
    return {
        "prices": {"date": US_EAST_1.date, "region": US_EAST_1.region, "currency": "USD"},
        "speeds": {"date": MEASURED.date, "machine": MEASURED.machine},
        "files": [
            {
                "source": footage.source,
                "width": footage.width,
                "height": footage.height,
                "duration": round(footage.seconds, 3),
                "frames": footage.frames,
                "key_frames": len(footage.keys) if footage.keys else None,
                "codec": footage.codec,
                "bytes": footage.size,
                "quotes": [_quote_json(one) for one in quotes],
            }
            for footage, quotes in found
        ],
        "errors": failures.errors,
    }


def _quote_json(one: Quote) -> dict[str, Any]:
    return {
        "form": one.form.value,
        "frames": one.frames,
        "chunks": one.chunks,
        "took": {name: round(number, 3) for name, number in one.took.items()},
        "stored": round(one.stored),
        "seconds": {name: round(number, 3) for name, number in one.seconds.items()},
        "dollars": {name: round(number, 8) for name, number in {**one.dollars, "total": one.total}.items()},
    }
