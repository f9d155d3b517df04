"""A whole service in one process: stores, queue, gallery, networks and a worker, all of them real; the web tier is
asked without a socket."""

import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from tests.web.fakes import FACTS
from visage import load_settings
from visage.apps.journaling import open_journal
from visage.core.bulk.outcomes import Outcomes
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.service.keyring import Keyring
from visage.core.service.reception import Reception
from visage.core.service.worker import Places, Worker
from visage.core.stored import StoreDecoder
from visage.core.unknown.inbox import Inbox
from visage.processes.station import LoneStation
from visage.settings import Settings
from visage.web.access import Access
from visage.web.app import create_app
from visage.web.asking import Service
from visage.web.load import Load
from visage.web.telemetry import Telemetry
from visage.wiring import (
    embedder_card,
    open_bundles,
    open_engine,
    open_gallery,
    open_keyring,
    open_objects,
    open_queue,
    open_replies,
    open_thumbnails,
)


@dataclass(frozen=True)
class Whole:
    app: OpenAPI
    settings: Settings
    gallery: Gallery
    keyring: Keyring
    inputs: Objects
    outputs: Objects
    unknown: Objects

    def client(self) -> FlaskClient:
        return self.app.test_client()


@contextmanager
def open_whole(folder: Path, **given: Any) -> Iterator[Whole]:
    """given: settings."""
    here = {name: f"file://{folder / name}" for name in ("objects", "keys")}
    databases = {name: f"sqlite:///{folder / name}.sqlite" for name in ("gallery", "queue")}
    settings = load_settings(**{**here, **databases, **given})
    with ExitStack() as stack:
        gallery = stack.enter_context(closing(open_gallery(settings.gallery_url, create=True)))
        inputs, outputs, unknown = map(open_objects, (settings.inputs_url, settings.outputs_url, settings.unknown_url))
        service = _web_tier(stack, settings, gallery, (inputs, outputs, unknown))
        _app_tier(stack, settings, (inputs, outputs, unknown))
        app = create_app(service, new_id=_new_id)
        yield Whole(app, settings, gallery, open_keyring(settings), inputs, outputs, unknown)


def _web_tier(
    stack: ExitStack, settings: Settings, gallery: Gallery, stores: tuple[Objects, Objects, Objects]
) -> Service:
    inputs, outputs, unknown = stores
    queue = stack.enter_context(closing(open_queue(settings)))
    replies = stack.enter_context(closing(open_replies(settings)))
    reception = Reception(inputs, outputs, queue, replies.open(), now=time.time, new_id=_new_id)
    stack.enter_context(closing(reception))
    load = Load(queue, outputs, settings.max_backlog, time.time)
    looks = itertools.count()  # each a while after the one before, so that nobody waits for the inbox to look again
    inbox = Inbox(
        unknown,
        inputs,
        outputs,
        lambda: gallery,
        embedder_card(settings),
        now=lambda: time.time() + 2 * next(looks),
        days=settings.unknown_days,
    )
    return Service(
        reception=reception,
        queue=queue,
        inputs=inputs,
        outputs=outputs,
        gallery=lambda: gallery,
        inbox=inbox if settings.unknown_days else None,
        journal=open_journal(settings, lambda: gallery, reception, Outcomes(inputs, outputs, time.time), stack),
        bundles=open_bundles(settings),
        thumbnail=open_thumbnails(settings),
        access=Access(open_keyring(settings), open_without_keys=True),
        load=load,
        telemetry=Telemetry(load),
        facts=FACTS,
        collection=settings.collection,
        stranger_rate=settings.stranger_rate,
        request_seconds=settings.request_seconds,
        max_upload=settings.max_upload,
    )


def _app_tier(stack: ExitStack, settings: Settings, stores: tuple[Objects, Objects, Objects]) -> None:
    """A worker on a thread, which ends with the stack."""
    inputs, outputs, unknown = stores
    engine = stack.enter_context(open_engine(settings))
    queue = stack.enter_context(closing(open_queue(settings)))
    replies = stack.enter_context(closing(open_replies(settings)))
    kit = replace(engine.kit, decoder=StoreDecoder(inputs, engine.kit.decoder))
    stack.callback(kit.close)
    station = LoneStation()
    places = Places(queue, inputs, outputs, replies, station, unknown if settings.unknown_days else None)
    worker = Worker(kit, places, name=_new_id(), lease=settings.lease_seconds, log=lambda *_, **__: None)
    thread = threading.Thread(target=worker.run)
    thread.start()
    stack.callback(thread.join)
    stack.callback(station.leave)


def _new_id() -> str:
    return uuid.uuid4().hex
