"""An instance at work: protected while it is, leaving when it is told to."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.aws.groups import instances, make_group
from tests.aws.metadata_server import Told, metadata_server
from tests.aws.moto_server import aws_server
from tests.processes.workers import soon
from visage.aws.metadata import Metadata
from visage.aws.station import InstanceStation
from visage.core.errors import FleetError


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture
def group() -> str:
    name = f"test-{uuid.uuid4().hex[:8]}-app-tier"
    make_group(name, 5, desired=2)
    return name


@pytest.fixture
def told(group: str) -> Iterator[Told]:
    with metadata_server(sorted(instances(group))[0]) as served:
        yield served


@pytest.fixture
def station(group: str, told: Told) -> Iterator[InstanceStation]:
    with closing(InstanceStation(group, Metadata(told.address), look=0.1, idle=3.0)) as opened:
        yield opened


def protected(group: str) -> list[str]:
    return [name for name, safe in instances(group).items() if safe]


def test_protected_while_at_work_and_for_a_while_after(group: str, told: Told, station: InstanceStation) -> None:
    mine = told.values["instance-id"]
    station.ready()
    station.busy(False)
    assert protected(group) == []
    station.busy(True)
    assert soon(lambda: protected(group) == [mine])
    station.busy(False)
    assert protected(group) == [mine]  # jobs come one after the other: no call for each
    assert soon(lambda: protected(group) == [])
    assert not station.leaving()


def test_many_short_jobs_are_one_protection(
    group: str, station: InstanceStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    protect = station._protect

    def counted(safe: bool) -> None:
        calls.append(safe)
        protect(safe)

    monkeypatch.setattr(station, "_protect", counted)
    for _ in range(200):
        station.busy(True)
        station.busy(False)
    station.busy(True)
    assert soon(lambda: len(protected(group)) == 1)
    for _ in range(200):
        station.busy(False)
        station.busy(True)
    assert calls == [True]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spot/instance-action", '{"action": "terminate", "time": "2026-01-01T00:00:00Z"}'),
        ("autoscaling/target-lifecycle-state", "Terminated"),
    ],
)
def test_leaves_when_it_is_to_be_taken_away(told: Told, station: InstanceStation, path: str, value: str) -> None:
    told.values["autoscaling/target-lifecycle-state"] = "InService"
    assert soon(lambda: bool(told.tokens))
    assert not station.leaving()
    told.values[path] = value
    assert soon(station.leaving)


def test_a_signal_makes_it_leave_and_close_gives_up_the_protection(
    group: str, told: Told, station: InstanceStation
) -> None:
    station.busy(True)
    assert soon(lambda: len(protected(group)) == 1)
    station.leave()
    assert station.leaving()
    assert len(protected(group)) == 1
    station.busy(False)
    station.close()
    assert protected(group) == []
    station.close()


def test_close_tells_the_hook_that_waits(
    group: str, told: Told, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in for AWS knows no such call: what it is sent is looked at before it goes."""
    sent: list[dict[str, object]] = []
    station = InstanceStation(group, Metadata(told.address), look=0.1)
    told.values["autoscaling/target-lifecycle-state"] = "Terminated"
    assert soon(station.leaving)
    station._client.meta.events.register(
        "provide-client-params.autoscaling.CompleteLifecycleAction", lambda params, **_: sent.append(dict(params))
    )
    station.close()
    assert sent == [
        {
            "AutoScalingGroupName": group,
            "LifecycleHookName": f"{group}-leaving",
            "InstanceId": told.values["instance-id"],
            "LifecycleActionResult": "CONTINUE",
        }
    ]


def test_a_token_that_ran_out_is_renewed(told: Told) -> None:
    metadata = Metadata(told.address)
    assert metadata.get("instance-id") == told.values["instance-id"]
    told.forget()
    assert metadata.get("instance-id") == told.values["instance-id"]
    assert metadata.get("spot/instance-action") is None


def test_metadata_that_fail_or_are_away_are_a_fleet_error(told: Told) -> None:
    metadata = Metadata(told.address)
    told.fault = 500
    with pytest.raises(FleetError, match="answer 500"):
        metadata.get("instance-id")
    told.fault = 401
    with pytest.raises(FleetError, match="refuse the token"):
        metadata.get("instance-id")
    with pytest.raises(FleetError, match="is this an EC2 instance"):
        Metadata("http://127.0.0.1:9").get("instance-id")


def test_the_metadata_are_looked_for_where_boto3_looks(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", told.address)
    assert Metadata().get("instance-id") == told.values["instance-id"]


def test_off_aws_it_complains_once_and_works_on(group: str, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING),
        closing(InstanceStation(group, Metadata("http://127.0.0.1:9"), look=0.02)) as station,
    ):
        station.busy(True)
        assert soon(lambda: "no instance metadata" in caplog.text)
        assert not soon(lambda: caplog.text.count("no instance metadata") > 1, 0.5)
        assert not station.leaving()
