"""The engine, and what stands beside it on a command line."""

import time
import uuid
from pathlib import Path

import cv2

from visage.core.accuracy.verification import Roc, Verification
from visage.core.engine import Engine
from visage.core.errors import UsageError
from visage.core.kit import Kit
from visage.core.ports.media import Annotator
from visage.core.values import MatchOptions
from visage.media.annotator import Annotator as FileAnnotator
from visage.media.decode import FileDecoder
from visage.media.photos import decode_jpeg, encode_jpeg
from visage.nets.runtime import Runtime
from visage.settings import Settings, load_settings
from visage.wiring.galleries import open_gallery
from visage.wiring.networks import embedder_card, make_detector, make_embedder, open_runtime


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


def open_annotator(folder: Path) -> Annotator:
    """Draws boxes and names on pictures and videos, into `folder`."""
    return FileAnnotator(folder)


def plot_roc(curve: Roc, result: Verification, title: str, path: Path) -> None:
    """Draw the curve as a PNG. Raises `UsageError` where matplotlib is not installed."""
    try:
        from visage.media.roc_plot import draw_roc
    except ModuleNotFoundError as error:
        raise UsageError("to draw a plot, matplotlib is needed: pip install 'visage[plot]'") from error
    draw_roc(curve, result, title, path)
