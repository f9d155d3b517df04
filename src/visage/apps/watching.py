"""`visage watch`: the two functions on three folders of this machine, in a pool of processes."""

import logging
import os
import queue
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from visage.apps.functions import Functions
from visage.apps.stages import remember
from visage.core.errors import StorageError, UsageError, VisageError
from visage.core.serverless.dispatch import Dispatch, Errand, task_to_json
from visage.core.serverless.splitting import Stores
from visage.core.serverless.watcher import Surroundings, Watcher
from visage.settings import Settings
from visage.wiring import alone_in, open_arrivals, open_gallery, open_objects, open_pool

# Seconds between two looks at everything, in case that events were missed; more where a look takes more than the
# so-many-th part of them.
RESCAN = 30.0
SHARE = 50
# Seconds between two sweeps of the stage.
SWEEP = 3600.0
# Seconds for which a task may keep its process, as on AWS.
LIMIT = 900.0
# Seconds that tasks in hand have to finish once it is to end. What does not is done again next time.
GRACE = 30.0
# Seconds that are waited for a file which is still being written, where only what is there is to be done.
PATIENCE = 10.0
_DAY = 24 * 3600.0

WORKER = (sys.executable, "-m", "visage.apps.watch_worker")

_log = logging.getLogger("visage.watch")


@dataclass(frozen=True)
class Folders:
    """Where videos come to, what lies between the two functions, and where names go."""

    inputs: Path
    stage: Path
    outputs: Path


@dataclass(frozen=True)
class Audience:
    """Whoever looks on. result: told of each result, as core/serverless/results.py makes it. trouble: told of what
    failed, in one line. progress: how many uploads are finished, how many are known, how many chunks wait."""

    result: Callable[[Mapping[str, Any]], None]
    trouble: Callable[[str], None]
    progress: Callable[[int, int, int], None]


class Bell:
    """Ends the watching, from any thread or a signal's handler; rung a second time, without waiting for anybody."""

    def __init__(self) -> None:
        self.rings = 0
        self.happened: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def ring(self) -> None:
        self.rings += 1
        self.happened.put(lambda: None)


def run(settings: Settings, folders: Folders, bell: Bell, audience: Audience, *, workers: int, once: bool) -> list[str]:
    """Work until the bell rings or, with `once`, until there is nothing left to be done; the keys that failed.

    Raises `VisageError` where it cannot begin and, with `once`, where it cannot go on.
    """
    check_folders(folders)
    settings = replace(
        settings,
        inputs=f"file://{folders.inputs.absolute()}",
        stage=f"file://{folders.stage.absolute()}",
        outputs=f"file://{folders.outputs.absolute()}",
        threads=settings.threads or max(1, settings.worker_threads // workers),
    )
    Functions(settings).close()  # what makes no sense is better said before anything begins
    open_gallery(settings.gallery_url).close()
    with ExitStack() as stack:
        stack.enter_context(alone_in(folders.stage, "watch"))
        # Several may write into one folder, but not the same results.
        mark = sha256(os.fsencode(folders.inputs.resolve())).hexdigest()[:16]
        stack.enter_context(alone_in(folders.outputs, f"watch-{mark}"))
        remember(settings)
        watching = _Watching(settings, folders, bell, audience, workers=workers, once=once)
        try:
            watching.run()
        finally:
            watching.end()
    return watching.failed


def check_folders(folders: Folders) -> None:
    """Raises `UsageError` where the inputs are no folder, or one of the three lies in another: what comes out would
    come in again."""
    if not folders.inputs.is_dir():
        raise UsageError(f"{folders.inputs}: there is no such folder; make it, or name another")
    places = {name: getattr(folders, name).resolve() for name in ("inputs", "stage", "outputs")}
    for name, place in places.items():
        for other, outer in places.items():
            if name != other and place.is_relative_to(outer):
                raise UsageError(f"{place}: the {name} lie in the {other} ({outer}); name folders that are apart")


class _Watching:
    """What happens is told on other threads and by signals; all of it is done on this one."""

    def __init__(
        self, settings: Settings, folders: Folders, bell: Bell, audience: Audience, *, workers: int, once: bool
    ) -> None:
        self._bell = bell
        self._audience = audience
        self._once = once
        self._keep = settings.keep_days * _DAY
        self._came, self._staged = open_arrivals(folders.inputs), open_arrivals(folders.stage)
        self._watcher = Watcher(
            Stores(open_objects(settings.inputs_url), open_objects(settings.stage_url),
                   open_objects(settings.outputs_url)),
            Dispatch(workers),
            Surroundings(self._whole, time.time_ns, audience.result, audience.trouble),
            patience=PATIENCE if once else None,
        )  # fmt: skip
        verbose = ["-v"] if _log.isEnabledFor(logging.INFO) else []
        self._pool = open_pool([*WORKER, *verbose], settings, self._told, size=workers, limit=LIMIT)
        self._errands: dict[int, Errand] = {}
        self._number = 0
        self._scan_at = self._sweep_at = 0.0
        self._trouble = ""

    @property
    def failed(self) -> list[str]:
        return self._watcher.failed

    def run(self) -> None:
        if not self._once:
            self._came.begin(lambda keys: self._bell.happened.put(lambda: self._each(keys, self._watcher.input_came)))
        self._staged.begin(lambda keys: self._bell.happened.put(lambda: self._each(keys, self._watcher.staged)))
        while not self._bell.rings:
            now = time.monotonic()
            if now >= self._scan_at:
                self._carefully(self._scan)
                took = time.monotonic() - now
                self._scan_at = now + max(RESCAN, SHARE * took)
            self._carefully(lambda: self._watcher.tick(time.monotonic()))
            self._hand_out()
            self._audience.progress(self._watcher.finished, self._watcher.known, self._watcher.waiting)
            if self._once and self._watcher.is_over():
                return
            self._wait()

    def end(self) -> None:
        """Begin nothing more; let those at work finish, or leave to others what others can go on with."""
        self._came.close()
        self._staged.close()
        self._pool.stop()
        self._pool.close(GRACE, hurry=lambda: self._bell.rings > 1)
        while not self._bell.happened.empty():
            self._carefully(self._bell.happened.get())

    def _wait(self) -> None:
        """Until something happens, or there is something to do; then take in all that has happened."""
        now = time.monotonic()
        waits = [self._scan_at - now, self._watcher.wait(now)]
        try:
            happened = self._bell.happened.get(timeout=max(0.0, min(one for one in waits if one is not None)))
        except queue.Empty:
            return
        self._carefully(happened)
        while not self._bell.happened.empty():
            self._carefully(self._bell.happened.get())

    def _hand_out(self) -> None:
        while self._pool.free() and (errand := self._watcher.take()):
            self._number += 1
            self._errands[self._number] = errand
            words = {**task_to_json(errand.task), "reason": errand.reason}
            self._pool.start(self._number, words, "cut" if errand.cuts else "recognize")

    def _told(self, number: int, failure: str | None) -> None:
        self._bell.happened.put(lambda: self._watcher.became(self._errands.pop(number), failure, time.monotonic()))

    def _scan(self) -> None:
        if not self._came.renew():
            raise StorageError("the folder of the inputs is gone; put it back")
        self._staged.renew()
        self._watcher.scan(time.monotonic())
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP
            swept = self._watcher.sweep(time.time() - self._keep)
            _log.info("what lay in the stage of %s uploads was deleted", swept)

    def _each(self, keys: Iterable[str], tell: Callable[[str, float], None]) -> None:
        for key in keys:
            self._carefully(partial(tell, key, time.monotonic()))

    def _whole(self, key: str, staged: bool) -> int | None:
        return (self._staged if staged else self._came).whole(key)

    def _carefully(self, what: Callable[[], None]) -> None:
        """What fails is said, once while it lasts, and made up for by the next scan."""
        try:
            what()
        except VisageError as error:
            if self._once:
                raise
            if str(error) != self._trouble:
                self._audience.trouble(str(error))
            self._trouble = str(error)
