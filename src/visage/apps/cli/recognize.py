"""visage recognize, detect, compare."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from visage.apps.cli.output import (
    Context,
    Failures,
    FrameBar,
    as_json,
    clock,
    in_collection,
    is_folder,
    one_line,
    print_json,
    progress,
    with_context,
)
from visage.core.answers import Answer
from visage.core.engine import Engine
from visage.core.errors import UnreadableError
from visage.core.every import HELP, parse_every
from visage.core.match import rule_for
from visage.core.ports.media import Annotator
from visage.core.values import Frame, Job, JobKind, MatchOptions, Media, Sighting
from visage.core.wire import answer_to_json
from visage.wiring import open_annotator, open_engine

sources_argument = click.argument("sources", nargs=-1, required=True, metavar="FILE|FOLDER...")
every_option = click.option(
    "--every",
    default="all",
    metavar="1s|10f|12x|first|keys|all",
    help=f"Of a video, look at some frames only. {HELP}.  [default: all]",
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Only the N largest faces of each picture.  [default: all]",
)
annotate_option = click.option(
    "--annotate", type=click.Path(file_okay=False, path_type=Path), help="Write the pictures with boxes and names here."
)


@click.command()
@sources_argument
@every_option
@limit_option
@annotate_option
@click.option("--names", is_flag=True, help="Print the bare names, one a line.")
@click.option("--stranger-rate", type=click.FloatRange(0, 1, min_open=True), help="Strangers that may get a name.")
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Least similarity that names somebody.")
@click.option("--nearest", is_flag=True, help="Name the most similar person, however dissimilar.")
@click.option("--vectors", is_flag=True, help="With --json: every face's embedding too.")
@in_collection
@as_json
@with_context
def recognize(
    context: Context,
    sources: Sequence[str],
    every: str,
    limit: int,
    annotate: Path | None,
    names: bool,
    stranger_rate: float | None,
    threshold: float | None,
    nearest: bool,
    vectors: bool,
    collection: str | None,
    as_json: bool,
) -> None:
    """Say who is in photos and videos.

    A face is `unknown` where nobody enrolled resembles it enough: the more faces are enrolled, the more it takes, so
    that about one stranger in a hundred is given a name (--stranger-rate).
    """
    settings = context.settings(collection=collection)
    rate = settings.stranger_rate if stranger_rate is None else stranger_rate
    sampling = parse_every(every)
    engine = open_engine(settings)
    engine.gallery()  # without one, better to say so before anything is decoded
    options = MatchOptions(stranger_rate=rate, threshold=threshold, nearest=nearest)
    failures = Failures()
    jobs = [
        Job(JobKind.RECOGNIZE, (source,), settings.collection, match=options, sampling=sampling, limit=limit)
        for source in expand(sources, engine, failures)
    ]
    answers = run(jobs, engine, failures, annotate, None if as_json else (_print_names if names else _print_people))
    if as_json:
        print_json({"answers": [answer_to_json(a, vectors=vectors) for a in answers], "errors": failures.errors})
    else:
        _say_where_limited(answers)
        if annotate and answers:
            click.echo(f"pictures with boxes and names: {annotate}", err=True)
    engine.close()
    failures.exit()


@click.command()
@sources_argument
@every_option
@limit_option
@annotate_option
@as_json
@with_context
def detect(
    context: Context, sources: Sequence[str], every: str, limit: int, annotate: Path | None, as_json: bool
) -> None:
    """Find the faces in photos and videos, without asking who they are."""
    engine = open_engine(context.settings())
    sampling = parse_every(every)
    failures = Failures()
    jobs = [
        Job(JobKind.DETECT, (source,), sampling=sampling, limit=limit) for source in expand(sources, engine, failures)
    ]
    answers = run(jobs, engine, failures, annotate, None if as_json else _print_faces)
    if as_json:
        print_json({"answers": [answer_to_json(answer) for answer in answers], "errors": failures.errors})
    failures.exit()


@click.command()
@click.argument("first", metavar="PHOTO")
@click.argument("second", metavar="PHOTO")
@click.option(
    "--stranger-rate",
    type=click.FloatRange(0, 1, min_open=True),
    help="Different people that may be taken for one, 0.001 at most.",
)
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Least similarity of one and the same person.")
@as_json
@with_context
def compare(
    context: Context, first: str, second: str, stranger_rate: float | None, threshold: float | None, as_json: bool
) -> None:
    """Say whether two photos show the same person.

    The largest face of the first is held against every face of the second. The probability takes both answers for
    equally likely beforehand.
    """
    engine = open_engine(context.settings())
    if threshold is None and stranger_rate is not None:
        threshold = rule_for(engine.kit.card, MatchOptions(stranger_rate), 1).threshold
    answer = engine.compare(first, second, threshold=threshold)
    if as_json:
        print_json(answer_to_json(answer))
        return
    found = answer.comparison
    if found:
        verdict = "the same person" if found.same else "different people"
        click.echo(
            f"{verdict}: similarity {found.similarity:.3f} (the same from {found.threshold:.3f}), "
            f"probability {found.probability:.1%}"
        )


def expand(sources: Sequence[str], engine: Engine, failures: Failures) -> list[str]:
    """Folders -> the photos and videos in them; a folder without any is a failure."""
    found: list[str] = []
    for source in sources:
        if not is_folder(source):
            found.append(source)
            continue
        with failures.caught():
            inside = engine.kit.decoder.find(source)
            if not inside:
                raise UnreadableError(source, "there is no photo or video in this folder; name one that has some")
            found += inside
    return found


def run(
    jobs: list[Job], engine: Engine, failures: Failures, annotate: Path | None, show: Callable[[Answer], None] | None
) -> list[Answer]:
    """Perform every job, whatever becomes of the others; `show` prints each answer as it comes."""
    answers = []
    with failures.at_the_latest():
        annotator = open_annotator(annotate) if annotate else None
        for job in progress(jobs, total=len(jobs)):
            with failures.caught():
                answer = _one(job, engine, annotator)
                answers.append(answer)
                if show is not None:
                    show(answer)
                if answer.media[0].problem:
                    raise UnreadableError(answer.source, f"{answer.media[0].problem}; what is there was looked at")
    return answers


def _one(job: Job, engine: Engine, annotator: Annotator | None) -> Answer:
    bar = FrameBar()
    try:
        if annotator is None:
            return engine.perform(job, bar)
        with annotator.drawing(job.sources[0]) as draw:

            def watch(frame: Frame, seen: Sequence[Sighting], media: Media) -> None:
                bar(frame, seen, media)
                draw(frame, seen, media)

            return engine.perform(job, watch)
    finally:
        bar.close()


def _say_where_limited(answers: Sequence[Answer]) -> None:
    """Once, if the card's table of false matches ends before the wished rate."""
    rules = [answer.rule for answer in answers if answer.rule and answer.rule.limited]
    if rules and rules[0].basis == "false matches":
        click.echo(
            f"visage: among {rules[0].enrolled} faces more than {rules[0].stranger_rate:g} of strangers may be given a "
            "name: the embedder's table of false matches ends before that (see visage people list)",
            err=True,
        )


def _print_names(answer: Answer) -> None:
    if answer.text:
        click.echo(answer.text)


def _print_people(answer: Answer) -> None:
    """One line: the file, and who is in it with the best similarity; for a video, when."""
    parts = []
    for person in answer.people:
        if person.person_id is None:
            parts.append(f"{person.sightings} unknown" if not answer.media[0].is_video else "unknown faces")
            continue
        match = person.best.match
        parts.append(f"{person.name} ({match.similarity:.2f})" if match else person.name)
        if answer.media[0].is_video:
            parts[-1] += " " + ", ".join(f"{clock(start)}-{clock(end)}" for start, end in person.intervals)
    turned = f"  [found after turning by {answer.rotation} degrees]" if answer.rotation else ""
    click.echo(one_line(f"{answer.source}: {'; '.join(parts) or 'no face'}{turned}"))


def _print_faces(answer: Answer) -> None:
    media = answer.media[0]
    count = len(answer.sightings)
    where = f" in {answer.frames} frames" if media.is_video else ""
    turned = f", found after turning by {answer.rotation} degrees" if answer.rotation else ""
    click.echo(one_line(f"{answer.source}: {count} face{'' if count == 1 else 's'}{where}{turned}"))
    if not media.is_video:
        for seen in answer.sightings:
            x1, y1, x2, y2 = seen.face.box
            click.echo(f"  {x1:.0f},{y1:.0f} {x2 - x1:.0f}x{y2 - y1:.0f}  score {seen.face.score:.2f}"
                       f"  quality {seen.quality.score:.2f}")  # fmt: skip
