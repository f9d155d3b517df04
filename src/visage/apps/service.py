"""The whole service in one: the web tier and the autoscaler in this process, the app tier in processes of its own."""

import logging
import signal
import threading
from collections.abc import Callable

from visage.apps import autoscaler, web_tier
from visage.settings import Settings
from visage.wiring import open_fleet

_log = logging.getLogger("visage.service")


def run(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then answer what is in hand, let the workers finish, and return. ready: told the
    URL once clients may come. Raises `VisageError` where it cannot begin."""
    open_fleet(settings, autoscaler.WORKER, limit=1).close()  # what cannot be is better said before anything begins
    stop = threading.Event()
    failed: list[Exception] = []

    def scale() -> None:
        try:
            autoscaler.run(settings, stop)
        except Exception as error:  # noqa: BLE001  raised below, once the web tier has ended
            failed.append(error)
            if not stop.is_set():
                signal.raise_signal(signal.SIGTERM)

    thread = threading.Thread(target=scale, name="visage-autoscaler")

    def begin(url: str) -> None:
        """Only now: where the web tier cannot begin, no worker is to have been started, nor anything logged; and the
        signal above finds a handler."""
        thread.start()
        if ready:
            ready(url)

    try:
        web_tier.run(settings, begin)
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()
    if failed:
        raise failed[0]
