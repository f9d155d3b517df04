"""The Auto Scaling group as a fleet: whom it counts, whom it may not lose, what it says when it cannot."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest

from tests.aws.groups import instances, make_group
from tests.aws.moto_server import aws_server
from visage.aws.fleet import GroupFleet
from visage.core.errors import FleetError, UsageError


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture
def group() -> str:
    name = f"test-{uuid.uuid4().hex[:8]}-app-tier"
    make_group(name, 5)
    return name


def test_the_bounds_of_the_group_hold(group: str) -> None:
    client = boto3.client("autoscaling")
    client.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=1, MaxSize=3)
    with closing(GroupFleet(group)) as fleet:
        fleet.resize(20)
        assert fleet.size() == 3
        fleet.resize(0)
        assert fleet.size() == 1
    assert len(instances(group)) == 1
    client.close()


def test_an_instance_that_the_group_may_not_end_yet_does_not_count(group: str) -> None:
    with closing(GroupFleet(group)) as fleet:
        fleet.resize(2)
        client = boto3.client("autoscaling")
        client.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=sorted(instances(group)), ProtectedFromScaleIn=True
        )
        client.close()
        fleet.resize(1)
        assert fleet.size() == 1


def test_a_group_that_is_not_there(group: str) -> None:
    with closing(GroupFleet("nobody")) as fleet:
        with pytest.raises(FleetError, match="no Auto Scaling group 'nobody'"):
            fleet.size()
        with pytest.raises(FleetError, match="create it first"):
            fleet.resize(1)


def test_aws_away_and_no_region_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with closing(GroupFleet("any")) as fleet, pytest.raises(FleetError, match="AWS does not answer"):
        fleet.size()
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match="AWS_REGION"):
        GroupFleet("any")
