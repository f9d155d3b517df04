"""A server on this machine that speaks like AWS, with nothing in it and keys that are worth nothing."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


@contextmanager
def aws_server() -> Iterator[str]:
    """The server's address; inside, boto3 and whatever reads AWS's variables speak to it and to nobody else."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for each request
    server.start()
    server._server.app = _one_by_one(server._server.app)  # type: ignore[union-attr]
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(address).items():
                patch.setenv(name, value)
            yield address
    finally:
        server.stop()


def _one_by_one(app: Callable[..., Any]) -> Callable[..., Any]:
    """Puts one after the other: S3 compares and writes in one step, where moto may let another write in between."""
    lock = threading.Lock()

    def asked(environ: dict[str, Any], start_response: Any) -> Any:
        with lock if environ["REQUEST_METHOD"] == "PUT" else nullcontext():
            return app(environ, start_response)

    return asked


def environment(address: str) -> dict[str, str]:
    """The variables by which a process speaks to the server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


def make_queues(prefix: str, *, tries: int = 20) -> tuple[str, str]:
    """`PREFIX-req-queue` and its dead-letter queue, as the template makes them; their URLs."""
    client = boto3.client("sqs")
    dead = client.create_queue(QueueName=f"{prefix}-dead-queue")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": tries})
    requests = client.create_queue(QueueName=f"{prefix}-req-queue", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    client.close()
    return requests, dead
