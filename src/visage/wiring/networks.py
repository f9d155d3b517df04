"""Models' cards and files, and what runs them."""

from pathlib import Path

import numpy as np

from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.errors import ModelError, UsageError
from visage.core.ports.nets import Detector, Embedder
from visage.nets import build
from visage.nets.bring import bring, drop
from visage.nets.fetch import Progress, fetch
from visage.nets.library import all_cards, card_named, is_installed
from visage.nets.runtime import Runtime
from visage.settings import Settings


def open_runtime(settings: Settings) -> Runtime:
    """The runtime that settings ask for. Raises `ModelError` where its library is not installed."""
    return build.open_runtime(
        settings.runtime,
        device=settings.device,
        precision=settings.precision,
        threads=settings.worker_threads,
        cache=settings.cache,
    )


def embedder_card(settings: Settings) -> EmbedderCard:
    card = card_named(settings.embedder, settings.models)
    if not isinstance(card, EmbedderCard):
        raise UsageError(f"{settings.embedder} is a detector, not an embedder")
    return card


def detector_card(settings: Settings) -> DetectorCard:
    """The detector's card; `auto` takes YuNet where it is installed and MTCNN otherwise."""
    wanted = settings.detector
    if wanted == "auto":
        wanted = "yunet" if is_installed(card_named("yunet", settings.models), settings.models) else "mtcnn"
    card = card_named(wanted, settings.models)
    if not isinstance(card, DetectorCard):
        raise UsageError(f"{wanted} is an embedder, not a detector")
    return card


def make_embedder(settings: Settings, card: EmbedderCard, runtime: Runtime) -> Embedder:
    return build.build_embedder(card, settings.models, runtime)


def make_detector(settings: Settings, runtime: Runtime) -> Detector:
    search = build.Search(settings.search_area, settings.min_face, settings.detector_threshold)
    return build.build_detector(detector_card(settings), settings.models, runtime, search)


def model_card(name: str, settings: Settings) -> DetectorCard | EmbedderCard:
    """Raises `ModelError` with the names there are."""
    return card_named(name, settings.models)


def model_cards(settings: Settings) -> list[DetectorCard | EmbedderCard]:
    return list(all_cards(settings.models).values())


def embedder_cards(settings: Settings) -> list[EmbedderCard]:
    return [card for card in model_cards(settings) if isinstance(card, EmbedderCard)]


def installed_models(settings: Settings) -> dict[str, bool]:
    """Every model's name, and whether its files are there."""
    return {name: is_installed(card, settings.models) for name, card in all_cards(settings.models).items()}


def fetch_model(name: str, settings: Settings, progress: Progress | None = None) -> list[Path]:
    """Download the model's files. Raises `FetchError`, `ModelError`, `StorageError`."""
    return fetch(card_named(name, settings.models), settings.models, progress)


def add_model(
    file: Path, name: str, like: str | None, card: Path | None, terms: str, settings: Settings
) -> DetectorCard | EmbedderCard:
    """Bring a user's own model into the home folder, and try it once; one that does not run is not kept.

    Raises `UsageError`, `ModelError`, `StorageError`.
    """
    made = bring(file, name, like, card, terms, settings.models)
    try:
        build.try_once(made, settings.models, open_runtime(settings))
    except ModelError:
        drop(made, settings.models)
        raise
    return made


def self_test(settings: Settings, runtime: Runtime) -> str:
    """Run detector and embedder once; what came of it. Raises `ModelError` where this machine gives something else."""
    card = embedder_card(settings)
    make_detector(settings, runtime).detect([np.zeros((128, 128, 3), np.uint8)])
    embedder = make_embedder(settings, card, runtime)
    if not card.fingerprint:
        return f"{card.name} runs on {runtime.name}; its card has no fingerprint to compare with"
    return f"{card.name} on {runtime.name} agrees with its card (cosine {build.agrees(embedder, card):.4f})"
