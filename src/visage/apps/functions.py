"""The two functions of the serverless form, opened with settings: on AWS each by itself, on one machine both."""

import logging
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any

from visage.core.cost.prices import Architecture
from visage.core.engine import Engine
from visage.core.errors import MessageError, UsageError, VisageError
from visage.core.every import parse_every
from visage.core.serverless.chunks import Asking, Reading, Recognizer
from visage.core.serverless.cutting import Cutting
from visage.core.serverless.failures import give_up, is_failure, tasks_of_failure
from visage.core.serverless.splitting import Splitter, Stores, Surroundings
from visage.core.serverless.uploads import Ask, Task, tasks_of_event
from visage.core.values import MatchOptions
from visage.settings import Settings
from visage.web.logs import EXTRA
from visage.wiring import frame_from_jpeg, frame_to_jpeg, open_cutter, open_engine, open_objects

_logger = logging.getLogger("visage.functions")


class Functions:
    """What is needed is opened when it is first asked for: who splits loads no network.

    memory: GB that the function has, where that is what is paid for; to be set before the first task.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for settings that make no sense."""
        self._settings = settings
        self._cutting = Cutting(parse_every(settings.every), settings.chunk, settings.segment)
        self.stores = Stores(
            open_objects(settings.inputs_url), open_objects(settings.stage_url), open_objects(settings.outputs_url)
        )
        self.memory: float | None = None

    def do(self, task: Task, remaining: Callable[[], float]) -> None:
        """remaining: seconds that are left. Raises where it failed and is worth a retry: `VisageError`, or whatever a
        library did not expect."""
        if task.ask is Ask.CHUNK:
            self._recognizer.recognize(task.key)
        elif task.ask is Ask.REST:
            self._splitter.go_on(task.key, remaining)
        elif task.upload is None:
            raise MessageError(f"{task.key}: nothing is known of this upload")
        elif task.ask is Ask.SPLIT:
            self._splitter.split(task.upload, remaining)
        else:
            self._recognizer.picture(task.upload)

    def give_up(self, task: Task, reason: str) -> None:
        """What failed for good is written down, so that a result can be made without it."""
        _log("given up", key=task.key, ask=task.ask.value, reason=reason)
        give_up(task, reason, self.stores)

    def serve(self, event: Mapping[str, Any], remaining: Callable[[], float]) -> int:
        """Do all that an event asks for, as Lambda hands it over; how many tasks that was.

        Raises `MessageError` for what is no event; where tasks fail, the first error, once the others are done.
        """
        names = (bucket_of(self._settings.inputs_url), bucket_of(self._settings.stage_url))
        if is_failure(event):
            failures, reason = tasks_of_failure(event, *names)
            for task in failures:
                self.give_up(task, reason)
            return len(failures)
        tasks, errors = tasks_of_event(event, *names), []
        for task in tasks:
            try:
                self.do(task, remaining)
            except Exception as error:  # noqa: BLE001  raised below, once the others are done
                errors.append(error)
        if errors:
            raise errors[0]
        return len(tasks)

    def warm(self) -> None:
        """Load what recognizing needs, all at once. What cannot be loaded is told to the first who asks for it."""
        with suppress(VisageError):
            kit = self._engine.kit
            kit.runtime()
            with ThreadPoolExecutor(3) as pool:
                waits = [pool.submit(one) for one in (lambda: kit.detector, lambda: kit.embedder, kit.gallery)]
            for wait in waits:
                wait.result()

    def close(self) -> None:
        if "_engine" in self.__dict__:
            self._engine.close()

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._settings)

    @cached_property
    def _splitter(self) -> Splitter:
        return Splitter(self.stores, open_cutter(self._settings), frame_to_jpeg, self._cutting, self._around())

    @cached_property
    def _recognizer(self) -> Recognizer:
        asking = Asking(self._settings.collection, MatchOptions(stranger_rate=self._settings.stranger_rate))
        reading = Reading(lambda: open_cutter(self._settings), frame_from_jpeg)
        return Recognizer(self.stores, self._engine.kit, reading, asking, self._around())

    def _around(self) -> Surroundings:
        architecture = Architecture.ARM if platform.machine() in {"arm64", "aarch64"} else Architecture.X86
        return Surroundings(time.perf_counter, _log, self.memory, architecture)


def bucket_of(url: str) -> str:
    """`s3://BUCKET` -> its name, as events have it. Raises `UsageError` for anything else."""
    name = url.removeprefix("s3://").rstrip("/")
    if not url.startswith("s3://") or "/" in name:
        raise UsageError(f"{url} is no whole bucket; give s3://BUCKET")
    return name


def _log(event: str, *, error: BaseException | None = None, **facts: object) -> None:
    _logger.info(event, extra={EXTRA: facts}, exc_info=error)
