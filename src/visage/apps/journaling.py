"""The journal that the web tier keeps: what was changed, who did what, and what was answered."""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from visage.core.bulk.outcomes import Outcomes
from visage.core.journal.audit import Audit
from visage.core.journal.audit_log import AuditLog
from visage.core.journal.history import History
from visage.core.journal.repeats import Repeats
from visage.core.ports.gallery import Gallery
from visage.core.service.reception import Reception
from visage.core.values import JobKind
from visage.settings import Settings
from visage.web.journal import Journal
from visage.wiring import open_objects

_log = logging.getLogger(__name__)


def open_journal(
    settings: Settings, gallery: Callable[[], Gallery], reception: Reception, outcomes: Outcomes, stack: ExitStack
) -> Journal:
    """Closed with the stack: what nobody waits for is written then at the latest."""
    objects = open_objects(settings.journal_url)

    def ended(job: str) -> Mapping[str, Any] | None:
        result = reception.result(job)
        if result is not None:
            return result
        ticket = reception.ticket(job)
        if ticket is None:
            return {}
        return reception.result(job) if ticket.job.kind is JobKind.BULK and outcomes.fold(ticket) else None

    history = History(objects, gallery, ended=ended, now=time.time, new_id=_new_id)
    audit = Audit(objects, now=time.time, new_id=_new_id, report=_report)
    stack.callback(audit.close)
    return Journal(history, audit, AuditLog(objects, time.time), Repeats(objects, time.time), time.time)


def _report(error: BaseException) -> None:
    _log.error("the audit log could not be written", exc_info=error)


def _new_id() -> str:
    return uuid.uuid4().hex
