"""The autoscaler: one process that keeps the app tier as large as the queue wants it."""

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

from visage.core.errors import FleetError, StorageError
from visage.core.service.autoscale import Autoscaler, Decision
from visage.core.service.scaling import Rule
from visage.settings import Settings
from visage.web.logs import EXTRA
from visage.wiring import open_fleet, open_objects, open_queue

# Seconds between two looks. At a file a look costs a tenth of a millisecond; at SQS it is a request, of which a million
# cost 0.40 dollars: half a dollar a month if there is always something to do, a fifth of one if there never is.
FILE = 0.2
SQS_AT_WORK, SQS_QUIET = 2.0, 5.0
# Seconds until the next look after one that failed.
FAILED = 1.0

# What a start takes, until it was measured: a process, an instance that boots.
PROCESS_START, INSTANCE_START = 1.0, 90.0
# The largest Auto Scaling group, where no bound is set.
INSTANCES = 20

# How a process of the app tier is started.
WORKER = (sys.executable, "-m", "visage.apps.cli.main", "worker", "--station", "pipe")

_log = logging.getLogger("visage.autoscaler")


def run(settings: Settings, stop: threading.Event) -> None:
    """Work until `stop` is set, then let the fleet's processes finish what they have; instances elsewhere go on.

    Raises `VisageError` where it cannot begin; what fails later is logged once and tried again.
    """
    rule = rule_for(settings)
    with ExitStack() as stack:
        queue = stack.enter_context(closing(open_queue(settings)))
        fleet = stack.enter_context(closing(open_fleet(settings, WORKER, limit=rule.most)))
        outputs = open_objects(settings.outputs_url)
        autoscaler = Autoscaler(queue, fleet, outputs, rule, clock=time.monotonic, now=time.time)
        _log.info("the autoscaler begins", extra={EXTRA: {"fleet": settings.fleet, "most": rule.most}})
        _scale(autoscaler, stop, nearby=settings.queue_url.startswith("sqlite:"))
    _log.info("the autoscaler ends")


def rule_for(settings: Settings) -> Rule:
    """What the settings wish for the fleet."""
    here = settings.fleet.startswith("processes:")
    most = settings.max_workers or (os.cpu_count() or 1 if here else INSTANCES)
    return Rule(
        least=min(settings.min_workers, most),
        most=most,
        latency=settings.latency,
        quiet=settings.quiet,
        start=PROCESS_START if here else INSTANCE_START,
    )


def _scale(autoscaler: Autoscaler, stop: threading.Event, *, nearby: bool) -> None:
    told: set[str] = set()
    wanted = -1
    while not stop.is_set():
        try:
            decision = autoscaler.step()
        except (StorageError, FleetError) as error:
            _complain([str(error)], told)
            stop.wait(FAILED if nearby else SQS_QUIET)
            continue
        if decision.problems:
            _complain(decision.problems, told)
        else:
            told.clear()
        if decision.wanted not in {decision.size, wanted}:
            _log.info("the fleet is resized", extra={EXTRA: _facts(decision)})
        wanted = decision.wanted
        stop.wait(FILE if nearby else SQS_QUIET if decision.quiet else SQS_AT_WORK)


def _complain(problems: Sequence[str], told: set[str]) -> None:
    """Once, until all is well again."""
    for problem in problems:
        if problem not in told:
            told.add(problem)
            _log.warning("%s", problem)


def _facts(decision: Decision) -> dict[str, object]:
    return {
        "size": decision.size,
        "wanted": decision.wanted,
        "waiting": decision.waiting,
        "in_flight": decision.in_flight,
        "service": round(decision.service, 4),
    }
