"""A process of `visage watch`: the two functions, at whatever task the pool hands over."""

import logging
import signal
import sys
import time
from contextlib import closing

from visage.apps.functions import Functions
from visage.core.errors import VisageError
from visage.core.serverless.dispatch import task_from_json
from visage.settings import load_settings
from visage.wiring import open_seat

# Seconds after which a video that is being cut is left to a later task, so that others come in between.
SLICE = 60.0

_log = logging.getLogger("visage.watch")


def main() -> int:
    """Work until the pool wants no more, or SIGTERM comes: what is in hand is finished or left to another then."""
    logging.basicConfig(level=logging.INFO if "-v" in sys.argv[1:] else logging.WARNING, format="visage: %(message)s")
    seat = open_seat()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: seat.leave())
    try:
        functions = Functions(load_settings())
    except VisageError as error:
        _log.error("%s", error)
        return 1
    with closing(functions):
        for words in seat.tasks():
            until = time.monotonic() + SLICE

            def remaining(until: float = until) -> float:
                return 0.0 if seat.stopping() else max(0.0, until - time.monotonic())

            try:
                task = task_from_json(words)
                if words.get("reason") is None:
                    functions.do(task, remaining)
                else:
                    functions.give_up(task, words["reason"])
            except VisageError as error:
                seat.done(str(error))
            except MemoryError:
                seat.done("there was not enough memory; name fewer --workers, or lower VISAGE_MAX_PIXELS")
            except Exception as error:  # noqa: BLE001  whatever a library did not expect is worth another try
                _log.info("what led to it:", exc_info=True)
                seat.done(f"a fault of Visage itself, {error!r}")
            else:
                seat.done()
    return 0


if __name__ == "__main__":
    sys.exit(main())
