"""URLs and settings -> objects. The only file that names adapters.

Heavy packages are imported inside these functions, or inside those of `nets/build.py`, when the URL or runtime that
needs them is asked for.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.engine import Engine
from visage.core.errors import ModelError, UsageError
from visage.core.kit import Kit
from visage.core.ports import Annotator, Detector, Embedder, Gallery
from visage.core.values import MatchOptions
from visage.core.verification import Roc, Verification
from visage.media.annotator import Annotator as FileAnnotator
from visage.media.decode import FileDecoder
from visage.media.photos import decode_jpeg, encode_jpeg
from visage.nets import build
from visage.nets.bring import bring, drop
from visage.nets.fetch import Progress, fetch
from visage.nets.library import all_cards, card_named, is_installed
from visage.nets.runtime import Runtime
from visage.settings import Settings, load_settings


def open_engine(settings: Settings | None = None) -> Engine:
    """An engine with these settings (by default those of the environment). Nothing heavy is loaded before it works."""
    settings = settings or load_settings()
    cv2.setNumThreads(settings.worker_threads)
    card = embedder_card(settings)
    runtimes: list[Runtime] = []

    def runtime() -> Runtime:
        if not runtimes:
            runtimes.append(open_runtime(settings))
        return runtimes[0]

    kit = Kit(
        decoder=FileDecoder(
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            max_seconds=settings.max_seconds,
            threads=settings.worker_threads,
        ),
        card=card,
        make_detector=lambda: make_detector(settings, runtime()),
        make_embedder=lambda: make_embedder(settings, card, runtime()),
        open_gallery=lambda create: open_gallery(settings.gallery_url, create=create),
        runtime=lambda: runtime().name,
        to_jpeg=encode_jpeg if settings.keep_crops else None,
        from_jpeg=decode_jpeg,
        clock=time.perf_counter,
        now=time.time,
        new_id=lambda: uuid.uuid4().hex,
    )
    return Engine(kit, collection=settings.collection, match=MatchOptions(stranger_rate=settings.stranger_rate))


def open_gallery(url: str, *, create: bool = False) -> Gallery:
    """The gallery at `sqlite:///path`. Raises `NoGalleryError` where it is missing and `create` is not set."""
    from visage.sqlite.gallery import SqliteGallery

    scheme, found, path = url.partition(":///")
    if scheme != "sqlite" or not found or not path:
        raise UsageError(f"{url!r} is no gallery; galleries are sqlite:///PATH")
    return SqliteGallery(Path(path).expanduser(), create=create)


@contextmanager
def portable_gallery(file: Path, *, create: bool) -> Iterator[Gallery]:
    """A gallery in one file that can be carried away; it is whole, and nothing lies beside it, when the block ends."""
    from visage.sqlite.gallery import SqliteGallery

    gallery = SqliteGallery(file, create=create, portable=True)
    try:
        yield gallery
    finally:
        gallery.close()


def open_annotator(folder: Path) -> Annotator:
    """Draws boxes and names on pictures and videos, into `folder`."""
    return FileAnnotator(folder)


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


def fetch_model(name: str, settings: Settings, progress: Progress | None = None) -> list[Path]:
    """Download the model's files. Raises `FetchError`, `ModelError`, `StorageError`."""
    return fetch(card_named(name, settings.models), settings.models, progress)


def add_model(
    file: Path, name: str, like: str | None, card: Path | None, licence: str, settings: Settings
) -> DetectorCard | EmbedderCard:
    """Bring a user's own model into the home folder, and try it once; one that does not run is not kept.

    Raises `UsageError`, `ModelError`, `StorageError`.
    """
    made = bring(file, name, like, card, licence, settings.models)
    try:
        build.try_once(made, settings.models, open_runtime(settings))
    except ModelError:
        drop(made, settings.models)
        raise
    return made


def plot_roc(curve: Roc, result: Verification, title: str, path: Path) -> None:
    """Draw the curve as a PNG. Raises `UsageError` where matplotlib is not installed."""
    try:
        from visage.media.roc_plot import draw_roc
    except ModuleNotFoundError as error:
        raise UsageError("to draw a plot, matplotlib is needed: pip install 'visage[plot]'") from error
    draw_roc(curve, result, title, path)


def self_test(settings: Settings, runtime: Runtime) -> str:
    """Run detector and embedder once; what came of it. Raises `ModelError` where this machine gives something else."""
    card = embedder_card(settings)
    make_detector(settings, runtime).detect([np.zeros((128, 128, 3), np.uint8)])
    embedder = make_embedder(settings, card, runtime)
    if not card.fingerprint:
        return f"{card.name} runs on {runtime.name}; its card has no fingerprint to compare with"
    return f"{card.name} on {runtime.name} agrees with its card (cosine {build.agrees(embedder, card):.4f})"


def installed_models(settings: Settings) -> dict[str, bool]:
    """Every model's name, and whether its files are there."""
    return {name: is_installed(card, settings.models) for name, card in all_cards(settings.models).items()}
