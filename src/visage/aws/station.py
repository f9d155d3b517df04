"""Where a worker works that is an instance of an EC2 Auto Scaling group."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3

from visage.aws.faults import explained
from visage.aws.fleet import calling
from visage.aws.metadata import Metadata
from visage.core.errors import FleetError, VisageError

# Seconds between two looks at what the instance is told, and of idleness after which it may be taken away: protection
# set and cleared for each job would soon be throttled.
LOOK = 5.0
IDLE = 60.0
# What the name of the group's hook for terminations adds to that of the group.
HOOK = "-leaving"

_log = logging.getLogger(__name__)


class InstanceStation:
    """Protects its instance from scale-in while there is work, and hears when it has to go all the same: a spot
    interruption (two minutes ahead), or its termination by the group, which a hook delays until `close`.

    A thread of its own speaks to AWS, so that no job waits for that; what fails is tried again and logged once.
    There must be one worker at most on an instance.
    """

    def __init__(self, group: str, metadata: Metadata | None = None, *, look: float = LOOK, idle: float = IDLE) -> None:
        """group: the name of the Auto Scaling group."""
        self._group = group
        self._metadata = metadata or Metadata()
        self._look = look
        self._idle = idle
        self._leaving = threading.Event()
        self._changed = threading.Condition()
        self._working = False
        self._idle_since = time.monotonic()
        self._protected = False
        self._closed = False
        self._complaints: set[str] = set()
        self._instance = ""
        self._made: Any = None
        self._thread = threading.Thread(target=self._watch, name="station", daemon=True)
        self._thread.start()

    def ready(self) -> None:
        """The group has known it since it started."""

    def busy(self, working: bool) -> None:
        with self._changed:
            if working == self._working:
                return
            self._working = working
            self._idle_since = time.monotonic()
            if working and not self._protected:
                self._changed.notify()

    def leaving(self) -> bool:
        return self._leaving.is_set()

    def leave(self) -> None:
        """For the handler of a signal."""
        self._leaving.set()

    def close(self) -> None:
        """Nothing is in hand any more: let the group have the instance. Twice is once."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        self._thread.join()
        if self._protected:
            self._tried(lambda: self._protect(False))
        if self._terminating():
            self._tried(self._complete)

    def _watch(self) -> None:
        looked = -self._look
        while not self._closed:
            if time.monotonic() - looked >= self._look:
                looked = time.monotonic()
                self._tried(self._listen)
            with self._changed:
                working, idle = self._working, time.monotonic() - self._idle_since
            if working and not self._protected:
                self._tried(lambda: self._protect(True))
            elif self._protected and not working and idle >= self._idle:
                self._tried(lambda: self._protect(False))
            with self._changed:
                if not self._closed and (self._protected or not self._working):
                    self._changed.wait(min(self._look, self._idle))
                elif not self._closed:  # it could not be protected: not again at once
                    self._changed.wait(min(self._look, 1.0))

    def _listen(self) -> None:
        if not self._leaving.is_set() and (self._metadata.get("spot/instance-action") or self._terminating()):
            _log.warning("this instance is to be taken away; what is in hand is finished or given back")
            self._leaving.set()

    def _terminating(self) -> bool:
        try:
            return self._metadata.get("autoscaling/target-lifecycle-state") == "Terminated"
        except FleetError:
            if self._closed:
                return False
            raise

    def _protect(self, protected: bool) -> None:
        with explained(f"the Auto Scaling group {self._group}", FleetError):
            self._client.set_instance_protection(
                AutoScalingGroupName=self._group, InstanceIds=[self._id], ProtectedFromScaleIn=protected
            )
        self._protected = protected

    def _complete(self) -> None:
        """The group need not wait any longer."""
        with explained(f"the Auto Scaling group {self._group}", FleetError):
            self._client.complete_lifecycle_action(
                AutoScalingGroupName=self._group,
                LifecycleHookName=self._group + HOOK,
                InstanceId=self._id,
                LifecycleActionResult="CONTINUE",
            )

    def _tried(self, what: Callable[[], None]) -> None:
        """Done if it can be; what goes wrong is said once, and tried again at the next look."""
        try:
            what()
        except VisageError as error:
            if str(error) not in self._complaints:
                self._complaints.add(str(error))
                _log.warning("%s", error)

    @property
    def _id(self) -> str:
        if not self._instance:
            self._instance = self._metadata.get("instance-id") or ""
        if not self._instance:
            raise FleetError("the instance metadata tell no instance id; is this an EC2 instance?")
        return self._instance

    @property
    def _client(self) -> Any:
        if self._made is None:
            region = boto3.Session().region_name or self._metadata.get("placement/region")
            self._made = boto3.client("autoscaling", region_name=region, config=calling())
        return self._made
