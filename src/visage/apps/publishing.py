"""Publishing while a door works: what it changes in the gallery reaches readers soon, and all of it by the end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from visage.core.errors import StorageError, VisageError
from visage.core.galleries.publish import Publisher
from visage.core.ports.gallery import Gallery
from visage.settings import Settings
from visage.wiring import open_publisher

PACE = 1.0  # seconds between two looks at the gallery: with the writing of it, a change is out within two


@contextmanager
def publishing(
    settings: Settings, gallery: Callable[[], Gallery], tell: Callable[[VisageError], None] | None = None
) -> Iterator[None]:
    """Inside it a thread publishes what changes, where `settings.publish` says where to; else nothing happens.

    gallery: called only then, before the block. tell: called with what keeps the thread from publishing; it goes on.
    The end of the block publishes what is left, and raises `StorageError` where that cannot be done.
    """
    if not settings.publish:
        yield
        return
    publisher = open_publisher(settings.publish, gallery())
    stop = threading.Event()
    thread = threading.Thread(target=_keep_level, args=(publisher, stop, tell), name="publisher", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        _end(thread, stop)
        with suppress(VisageError):  # the other error is the one to tell
            publisher.step()
        raise
    _end(thread, stop)
    try:
        publisher.step()
    except VisageError as error:
        raise StorageError(
            "the gallery is changed, but not yet published; `visage gallery publish` makes up for that. "
            f"The reason: {error}"
        ) from error


def _keep_level(publisher: Publisher, stop: threading.Event, tell: Callable[[VisageError], None] | None) -> None:
    took = 0.0
    while not stop.wait(max(PACE, took)):  # a gallery so large that writing it takes longer gets half of the time
        start = time.monotonic()
        try:
            publisher.step()
        except VisageError as error:
            if tell:
                tell(error)
        took = time.monotonic() - start


def _end(thread: threading.Thread, stop: threading.Event) -> None:
    stop.set()
    thread.join()
