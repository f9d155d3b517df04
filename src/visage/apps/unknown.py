"""The unknown faces that the service keeps: opened and swept."""

import time
from collections.abc import Callable

from visage.core.ports.gallery import Gallery
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import keys_in
from visage.settings import Settings
from visage.wiring import embedder_card, open_objects

_DAY = 24 * 3600.0


def open_inbox(settings: Settings, gallery: Callable[[], Gallery]) -> Inbox | None:
    """None where such faces are not kept. Raises `ModelError` where the embedder's card cannot be read."""
    if settings.unknown_days <= 0:
        return None
    return Inbox(
        open_objects(settings.unknown_url),
        open_objects(settings.inputs_url),
        open_objects(settings.outputs_url),
        gallery,
        embedder_card(settings),
        now=time.time,
        days=settings.unknown_days,
    )


def sweep_unknown(settings: Settings, inbox: Inbox | None) -> None:
    """Delete what was kept long enough: the inbox knows when its faces came, the store when they were last touched.
    Where none are kept any more, those of before go. Raises `StorageError`."""
    if inbox:
        inbox.sweep(time.time() - inbox.days * _DAY)
    elif settings.unknown_url.startswith("file:"):
        objects = open_objects(settings.unknown_url)
        objects.delete(list(keys_in(objects)))
