"""The app tier: one process that takes jobs from the queue, performs them and stores the results."""

import logging
import signal
import uuid
from contextlib import ExitStack, closing
from dataclasses import replace

from visage.core.bulk.unpacking import Unpacking
from visage.core.ports.fleet import Station
from visage.core.service.worker import Places, Worker
from visage.core.stored import StoreDecoder
from visage.settings import Settings
from visage.web.logs import EXTRA
from visage.wiring import open_bundles, open_engine, open_objects, open_queue, open_replies

_logger = logging.getLogger("visage.app_tier")


def run(settings: Settings, station: Station) -> None:
    """Work until the station says to leave, or a signal (SIGTERM, SIGINT) does: what is under way is finished then, and
    the rest given back. Raises `VisageError` where it cannot begin, or cannot go on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: station.leave())
    with ExitStack() as stack:
        stack.callback(station.close)
        engine = stack.enter_context(open_engine(settings))
        queue = stack.enter_context(closing(open_queue(settings)))
        replies = stack.enter_context(closing(open_replies(settings)))
        inputs = open_objects(settings.inputs_url)
        kit = replace(engine.kit, decoder=StoreDecoder(inputs, engine.kit.decoder))
        stack.callback(kit.close)
        unknown = open_objects(settings.unknown_url) if settings.unknown_days > 0 else None
        outputs = open_objects(settings.outputs_url)
        bulk = Unpacking(inputs, outputs, queue, open_bundles(settings), engine.kit.now)
        places = Places(queue, inputs, outputs, replies, station, unknown, bulk)
        name = uuid.uuid4().hex
        one_thread = settings.worker_threads == 1
        worker = Worker(kit, places, name=name, lease=settings.lease_seconds, log=_log, one_thread=one_thread)
        _log("a worker begins", worker=name)
        worker.run()
        _log("a worker ends", worker=name)


def _log(event: str, *, error: BaseException | None = None, **facts: object) -> None:
    _logger.info(event, extra={EXTRA: facts}, exc_info=error)
