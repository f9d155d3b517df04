"""Settings and URLs -> objects. The only room that names adapters.

Heavy packages are imported inside its functions, or inside those of `nets/build.py`, when the URL or runtime that needs
them is asked for.
"""

from visage.wiring.engine import open_annotator, open_engine, plot_roc
from visage.wiring.functions import (
    alone_in,
    footage_of,
    frame_from_jpeg,
    frame_to_jpeg,
    open_arrivals,
    open_cutter,
    open_pool,
    open_seat,
)
from visage.wiring.galleries import open_gallery, open_publisher, portable_gallery
from visage.wiring.networks import (
    add_model,
    detector_card,
    embedder_card,
    embedder_cards,
    fetch_model,
    installed_models,
    make_detector,
    make_embedder,
    model_card,
    model_cards,
    open_runtime,
    self_test,
)
from visage.wiring.service import (
    open_bundles,
    open_fleet,
    open_keyring,
    open_queue,
    open_queue_if_there,
    open_replies,
    open_station,
    open_thumbnails,
)
from visage.wiring.stores import is_missing, open_objects

__all__ = [
    "add_model",
    "alone_in",
    "detector_card",
    "embedder_card",
    "embedder_cards",
    "fetch_model",
    "footage_of",
    "frame_from_jpeg",
    "frame_to_jpeg",
    "installed_models",
    "is_missing",
    "make_detector",
    "make_embedder",
    "model_card",
    "model_cards",
    "open_annotator",
    "open_arrivals",
    "open_bundles",
    "open_cutter",
    "open_engine",
    "open_fleet",
    "open_gallery",
    "open_keyring",
    "open_objects",
    "open_pool",
    "open_publisher",
    "open_queue",
    "open_queue_if_there",
    "open_replies",
    "open_runtime",
    "open_seat",
    "open_station",
    "open_thumbnails",
    "plot_roc",
    "portable_gallery",
    "self_test",
]
