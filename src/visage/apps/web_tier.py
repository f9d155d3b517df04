"""The web tier: one process that takes pictures over HTTP, hands them to the app tier and gives its answers back."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress

from visage.apps.checkup import facts_of
from visage.apps.journaling import open_journal
from visage.apps.publishing import publishing
from visage.apps.stages import stages
from visage.apps.unknown import open_inbox, sweep_unknown
from visage.core.bulk.outcomes import Outcomes
from visage.core.errors import UsageError, VisageError
from visage.core.ports.gallery import Gallery
from visage.core.ports.queue import Replies
from visage.core.service.keyring import Keyring
from visage.core.service.reception import Reception
from visage.core.service.sweep import sweep
from visage.core.unknown.inbox import Inbox
from visage.settings import Settings
from visage.web.access import Access, is_loopback
from visage.web.app import create_app
from visage.web.asking import Service
from visage.web.journal import Journal
from visage.web.load import Load
from visage.web.logs import EXTRA
from visage.web.server import Where, serve, tls_context
from visage.web.telemetry import Telemetry
from visage.wiring import (
    open_bundles,
    open_gallery,
    open_keyring,
    open_objects,
    open_queue,
    open_replies,
    open_thumbnails,
)

_log = logging.getLogger("visage.web")

_DAY = 24 * 3600.0
_SWEEP_EVERY = 3600.0


def run(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in hand and return. ready: is told the URL once clients may
    come. Raises `VisageError` where it cannot begin."""
    keyring = open_keyring(settings)
    where = _where(settings, keyring)
    with ExitStack() as last, ExitStack() as stack:
        queue = stack.enter_context(closing(open_queue(settings)))
        replies = stack.enter_context(closing(open_replies(settings)))
        inputs, outputs = open_objects(settings.inputs_url), open_objects(settings.outputs_url)
        reception = stack.enter_context(
            closing(Reception(inputs, outputs, queue, replies.open(), now=time.time, new_id=_new_id))
        )
        gallery = _gallery(settings, last)  # whenever it is opened, it outlasts the threads that read it
        stack.enter_context(publishing(settings, gallery, lambda error: _log.warning("not published: %s", error)))
        journal = open_journal(settings, gallery, reception, Outcomes(inputs, outputs, time.time), stack)
        inbox = open_inbox(settings, gallery)
        load = Load(queue, outputs, settings.max_backlog, time.time)
        service = Service(
            reception=reception,
            queue=queue,
            inputs=inputs,
            outputs=outputs,
            gallery=gallery,
            journal=journal,
            bundles=open_bundles(settings),
            thumbnail=open_thumbnails(settings),
            access=Access(keyring, open_without_keys=_is_private(settings)),
            load=load,
            telemetry=Telemetry(load),
            facts=facts_of(settings, keyring, gallery),
            collection=settings.collection,
            stranger_rate=settings.stranger_rate,
            request_seconds=settings.request_seconds,
            max_upload=settings.max_upload,
            inbox=inbox,
            stages=lambda: stages(settings),
        )
        _look_ahead(stack, service)

        def said(url: str) -> None:
            _log.info("listening on %s", url)
            _see_to_it(stack, settings, service, replies)
            if ready:
                ready(url)

        serve(
            create_app(service, new_id=_new_id),
            where,
            threads=settings.web_threads,
            max_upload=settings.max_upload,
            drain=settings.request_seconds + 1,
            ready=said,
        )


def _gallery(settings: Settings, stack: ExitStack) -> Callable[[], Gallery]:
    """The gallery, made if need be and opened when it is first asked for; closed with the stack."""
    lock = threading.Lock()
    opened: list[Gallery] = []

    def gallery() -> Gallery:
        with lock:
            if not opened:
                opened.append(stack.enter_context(closing(open_gallery(settings.gallery_url, create=True))))
            return opened[0]

    return gallery


def _where(settings: Settings, keyring: Keyring) -> Where:
    """Raises `UsageError` where it would be open to others without keys, or send their keys in clear text."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise UsageError("for TLS give both, --tls-cert and --tls-key")
    tls = tls_context(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
    if not _is_private(settings):
        if not keyring.any():
            raise UsageError(
                f"{settings.host} can be reached from elsewhere, so it needs keys: visage keys create NAME makes one; "
                "or listen on 127.0.0.1, with no proxy before it"
            )
        if tls is None and not settings.behind_tls_proxy:
            raise UsageError(
                f"{settings.host} can be reached from elsewhere, so TLS is needed: --tls-cert and --tls-key, or "
                "--behind-tls-proxy where something in front of it speaks TLS"
            )
    return Where(settings.host, settings.port, tls, settings.behind_tls_proxy)


def _is_private(settings: Settings) -> bool:
    """Whether programs on this machine alone can ask. What passes requests on to it is there to let others ask."""
    return is_loopback(settings.host) and not settings.behind_tls_proxy


def _look_ahead(stack: ExitStack, service: Service) -> None:
    """Read who is enrolled, before anybody waits for it, while the rest is got ready; on a thread that ends with the
    stack."""
    directory = service.directory  # made here: two threads that ask for it first might make two

    def work() -> None:
        with suppress(VisageError):  # such as a copy that nobody has published yet: whoever asks is told
            directory.page(service.collection, "", 1, None)

    thread = threading.Thread(target=work, name="visage-reader", daemon=True)
    thread.start()
    stack.callback(thread.join, 5.0)


def _see_to_it(stack: ExitStack, settings: Settings, service: Service, replies: Replies) -> None:
    """Delete what was kept long enough, now and every hour, on a thread that ends with the stack."""
    ended = threading.Event()

    def work() -> None:
        while True:
            _sweep(settings, replies, service.journal, service.inbox)
            if ended.wait(_SWEEP_EVERY):
                return

    thread = threading.Thread(target=work, name="visage-keeper", daemon=True)
    thread.start()
    stack.callback(thread.join, 5.0)
    stack.callback(ended.set)


def _sweep(settings: Settings, replies: Replies, journal: Journal, inbox: Inbox | None) -> None:
    """Folders alone: buckets have rules of their own for what is to expire."""
    for url in (settings.inputs_url, settings.outputs_url):
        if url.startswith("file:"):
            try:
                swept = sweep(open_objects(url), time.time() - settings.keep_days * _DAY)
            except VisageError as error:
                _log.warning("not swept: %s", error)
            else:
                _log.info("swept", extra={EXTRA: {"objects": swept}})
    try:
        replies.sweep()
    except VisageError as error:
        _log.warning("mailboxes were not swept: %s", error)
    try:
        journal.sweep(time.time() - settings.undo_days * _DAY, time.time() - settings.audit_days * _DAY)
    except VisageError as error:
        _log.warning("the journal was not swept: %s", error)
    try:
        sweep_unknown(settings, inbox)
    except VisageError as error:
        _log.warning("unknown faces were not swept: %s", error)


def _new_id() -> str:
    return uuid.uuid4().hex
