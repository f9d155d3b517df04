"""visage models: list, show, fetch, use, add."""

import dataclasses
import sys
from pathlib import Path

import click
from tqdm import tqdm

from visage.apps.cli.output import Context, as_json, print_json, print_table, with_context
from visage.core.cards import Card, EmbedderCard
from visage.core.errors import UsageError
from visage.settings import Settings, save_setting
from visage.wiring import (
    add_model,
    detector_card,
    fetch_model,
    installed_models,
    model_card,
    model_cards,
)


@click.group()
def models() -> None:
    """The networks: what they are, whose they are, what is installed."""


@models.command("list")
@as_json
@with_context
def list_models(context: Context, as_json: bool) -> None:
    """Every model, and whether it is installed and in use."""
    settings = context.settings()
    installed = installed_models(settings)
    in_use = _in_use(settings)
    cards = model_cards(settings)
    if as_json:
        print_json([_to_json(card, installed[card.name], card.name in in_use) for card in cards])
        return
    rows = [
        [
            card.name,
            card.kind,
            "in use" if card.name in in_use else "installed" if installed[card.name] else "not installed",
            card.license,
            card.title,
        ]
        for card in cards
    ]
    print_table(rows, ["name", "kind", "state", "license", "what it is"])


@models.command()
@click.argument("name")
@as_json
@with_context
def show(context: Context, name: str, as_json: bool) -> None:
    """One model's card: source, license, hash, input, accuracy."""
    settings = context.settings()
    card = model_card(name, settings)
    data = _to_json(card, installed_models(settings)[name], name in _in_use(settings))
    if as_json:
        print_json(data)
        return
    for field, value in data.items():
        if field in {"files", "calibration"}:
            continue
        if isinstance(value, dict):
            for measurement, figure in value.items():
                click.echo(f"{field}: {measurement}: {figure}")
        elif value not in ("", None):
            click.echo(f"{field}: {value}")
    for file in card.files:
        click.echo(f"file: {file.name}  sha256 {file.sha256}")
        for url in file.urls:
            click.echo(f"      {url}")


@models.command()
@click.argument("name")
@as_json
@with_context
def fetch(context: Context, name: str, as_json: bool) -> None:
    """Download a model's files and check their hashes."""
    settings = context.settings()
    bars: dict[str, tqdm] = {}

    def progress(file: str, done: int, total: int | None) -> None:
        if file not in bars:
            bars[file] = tqdm(total=total, unit="B", unit_scale=True, desc=file, disable=not sys.stderr.isatty())
        bars[file].update(done - bars[file].n)

    try:
        paths = fetch_model(name, settings, progress)
    finally:
        for bar in bars.values():
            bar.close()
    if as_json:
        print_json({"name": name, "files": [str(path) for path in paths]})
    else:
        click.echo(f"{name} is installed in {paths[0].parent}")


@models.command()
@click.argument("name")
@as_json
@with_context
def use(context: Context, name: str, as_json: bool) -> None:
    """Use this embedder or detector from now on. After changing the embedder: visage people migrate."""
    settings = context.settings()
    card = model_card(name, settings)
    if not installed_models(settings)[name]:
        raise UsageError(f"{name} is not installed; first: visage models fetch {name}")
    save_setting(settings.home, card.kind, name)
    if as_json:
        print_json({card.kind: name})
        return
    click.echo(f"{name} is the {card.kind} from now on")
    if isinstance(card, EmbedderCard) and card.name != settings.embedder:
        click.echo("People enrolled before need new vectors: visage people migrate")


@models.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="What to call it.")
@click.option(
    "--like",
    type=click.Choice(["arcface", "scrfd", "yunet"]),
    help="An ONNX embedder in the ArcFace convention (112x112), or a detector.",
)
@click.option("--card", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its card, a JSON file.")
@click.option("--license", "terms", default="as its owner says", show_default=True, help="Its license, for the card.")
@as_json
@with_context
def add(
    context: Context, file: Path, name: str, like: str | None, card: Path | None, terms: str, as_json: bool
) -> None:
    """Bring a model of your own: an ONNX embedder or detector, by --like or by --card."""
    if (like is None) == (card is None):
        raise UsageError("say what the model is like (--like arcface), or give its card (--card card.json)")
    settings = context.settings()
    made = add_model(file, name, like, card, terms, settings)
    if as_json:
        print_json(_to_json(made, True, False))
    else:
        click.echo(f"{name} is installed; use it with: visage models use {name}")


def _in_use(settings: Settings) -> set[str]:
    return {settings.embedder, detector_card(settings).name}


def _to_json(card: Card, installed: bool, in_use: bool) -> dict[str, object]:
    data = {key: value for key, value in dataclasses.asdict(card).items() if key != "calibration"}
    calibration = card.calibration.to_json() if isinstance(card, EmbedderCard) and card.calibration else None
    return {"installed": installed, "in_use": in_use, **data, "calibration": calibration}
