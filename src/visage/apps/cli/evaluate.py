"""visage evaluate."""

from pathlib import Path

import click
import numpy as np

from visage.apps.cli.output import Context, Failures, as_json, print_json, progress, with_context
from visage.core.accuracy.evaluate import embed_pictures
from visage.core.accuracy.pairs import Fold, Picture, parse_pairs, pictures
from visage.core.accuracy.verification import Verification, roc, verify_at, verify_folds, verify_with_training
from visage.core.errors import NotFoundError, UsageError
from visage.core.values import Floats
from visage.wiring import open_engine, plot_roc

EXTENSIONS = (".jpg", ".jpeg", ".png")
Vectors = dict[Picture, Floats | None]


@click.command()
@click.argument("pairs", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--images", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder of pictures."
)
@click.option(
    "--threshold-from",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A list of training pairs: its best threshold is used. For a list without folds.",
)
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Use this threshold.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the ROC curve here, as a PNG.")
@as_json
@with_context
def evaluate(
    context: Context,
    pairs: Path,
    images: Path,
    threshold_from: Path | None,
    threshold: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure how well faces are told apart, on a list of pairs in LFW's format.

    In each picture the face nearest the center counts; a pair in which a face is not found counts as wrong. With folds
    in the list, each is judged at the best threshold of the others; without, say where the threshold comes from.
    """
    settings = context.settings()
    tests = _read(pairs)
    training = _read(threshold_from) if threshold_from else ()
    if len(tests) == 1 and not training and threshold is None:
        raise UsageError(f"{pairs} has no folds; say where the threshold comes from: --threshold-from TRAIN.txt")
    engine = open_engine(settings)
    wanted = pictures([*tests, *training])
    files = {_file(picture, images): picture for picture in wanted}
    failures = Failures()
    embedded = progress(embed_pictures(list(files), engine.kit, failures.add), total=len(files), unit="picture")
    vectors: Vectors = {files[source]: vector for source, vector in embedded}
    similarities, same = _similarities(tests, vectors)
    if threshold is not None:
        result = verify_at(similarities, same, threshold)
    elif training:
        result = verify_with_training(similarities, same, *_similarities(training, vectors))
    else:
        folds = np.concatenate([np.full(len(fold), number) for number, fold in enumerate(tests)])
        result = verify_folds(similarities, same, folds)
    models = f"{engine.embedder.name}, faces by {engine.detector.name}, {engine.runtime()}"
    missed = sorted(picture.path() for picture, vector in vectors.items() if vector is None)
    if plot:
        plot_roc(roc(similarities, same), result, f"{pairs.name}: {models}", plot)
    if as_json:
        print_json(
            {
                **result.to_json(),
                "pictures": len(files),
                "without_face": missed,
                "models": {
                    "detector": engine.detector.name,
                    "embedder": engine.embedder.name,
                    "runtime": engine.runtime(),
                },
                "plot": str(plot) if plot else None,
            }
        )
    else:
        _print(result, models, len(files), missed)
        if plot:
            click.echo(f"ROC curve: {plot}")
    failures.exit()


def _print(result: Verification, models: str, count: int, missed: list[str]) -> None:
    click.echo(models)
    click.echo(f"accuracy         {result.accuracy:.2%}  (95 % interval {result.low:.2%} to {result.high:.2%})")
    click.echo(f"threshold        {result.threshold:.4f}  ({result.method})")
    click.echo(f"equal error rate {result.equal_error:.2%}")
    for point in result.true_accept:
        remark = "" if point.enough else "  (too few pairs for so small a rate)"
        click.echo(f"TAR at FAR {point.wanted:g}  {point.rate:.4f}{remark}")
    click.echo(f"pairs            {result.pairs}, {result.undetected} with a face not found")
    click.echo(
        f"pictures         {count}, {len(missed)} without a face" + (f": {', '.join(missed[:5])}" if missed else "")
    )


def _read(path: Path) -> tuple[Fold, ...]:
    try:
        return parse_pairs(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(str(path), "there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a list of pairs: {error}") from error


def _file(picture: Picture, images: Path) -> str:
    for extension in EXTENSIONS:
        path = images / picture.path(extension)
        if path.is_file():
            return str(path)
    raise NotFoundError(str(images / picture.path()), "the list names this picture, but it is not there")


def _similarities(folds: tuple[Fold, ...], vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """(n,) similarities, NaN where a face is missing, and (n,) whether the pair is one person's."""
    pairs = [pair for fold in folds for pair in fold]
    similarities = []
    for pair in pairs:
        first, second = vectors[pair.first], vectors[pair.second]
        similarities.append(float("nan") if first is None or second is None else float(first @ second))
    return np.array(similarities), np.array([pair.same for pair in pairs])
