"""`visage autoscale` as a process, on a queue, a bucket and an Auto Scaling group of the stand-in for AWS."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest

from tests.aws.groups import instances, make_group
from tests.aws.moto_server import aws_server, environment, make_queues
from tests.processes.workers import soon
from visage.aws.sqs import SqsQueue


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


def test_a_message_starts_an_instance_and_the_end_of_the_autoscaler_ends_none(aws: str) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    make_queues(prefix)
    make_group(f"{prefix}-app-tier", 5)
    store = boto3.client("s3")
    store.create_bucket(Bucket=f"{prefix}-bucket")
    places = ["--queue", f"sqs://{prefix}-req-queue", "--objects", f"s3://{prefix}-bucket"]
    command = [sys.executable, "-m", "visage.apps.cli.main", "autoscale", *places, "--fleet", f"asg:{prefix}-app-tier"]
    process = subprocess.Popen(command, env={**os.environ, **environment(aws)})
    try:
        with closing(SqsQueue(f"{prefix}-req-queue", lease=120.0)) as queue:
            queue.send("one")
            assert soon(lambda: len(instances(f"{prefix}-app-tier")) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert len(instances(f"{prefix}-app-tier")) == 1
    state = json.loads(store.get_object(Bucket=f"{prefix}-bucket", Key="out/fleet.json")["Body"].read())
    assert (state["wanted"], state["max"], state["waiting"]) == (1, 20, 1)
    store.close()
