"""App-tier instances as an EC2 Auto Scaling group."""

from typing import Any

import boto3
from botocore.config import Config

from visage.aws.faults import explained
from visage.core.errors import FleetError


class GroupFleet:
    """Sets the group's desired capacity, within the group's own bounds.

    Which instances go is the group's choice among those without protection from scale-in; those at work have it (see
    `InstanceStation`). Errors of AWS are `FleetError`; no region set is a `UsageError`.
    """

    def __init__(self, name: str) -> None:
        """name: of the group. Region, endpoint and credentials are those of boto3's own environment."""
        self._name = name
        with explained(self._what, FleetError):
            self._client: Any = boto3.client("autoscaling", config=calling())

    def size(self) -> int:
        """Of the instances that run or start, as many as are wanted: the others are on their way out."""
        group = self._group()
        there = [one for one in group["Instances"] if one["LifecycleState"].startswith(("Pending", "InService"))]
        return min(len(there), int(group["DesiredCapacity"]))

    def resize(self, size: int) -> None:
        group = self._group()
        wanted = max(group["MinSize"], min(size, group["MaxSize"]))
        with explained(self._what, FleetError):
            self._client.set_desired_capacity(
                AutoScalingGroupName=self._name, DesiredCapacity=wanted, HonorCooldown=False
            )

    def close(self) -> None:
        self._client.close()

    @property
    def _what(self) -> str:
        return f"the Auto Scaling group {self._name}"

    def _group(self) -> dict[str, Any]:
        with explained(self._what, FleetError):
            groups = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._name])["AutoScalingGroups"]
        if not groups:
            raise FleetError(
                f"there is no Auto Scaling group {self._name!r} in this account and region; create it first"
            )
        group: dict[str, Any] = groups[0]
        return group


def calling() -> Config:
    """Calls that fail soon instead of hanging."""
    return Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
