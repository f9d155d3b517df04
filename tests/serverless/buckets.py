"""The stack's buckets on a server, and what S3 and Lambda do between them and the functions.

Notifications are those of the template, turned to queues; the server tells them in S3's words.
"""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3

from tests.aws.moto_server import environment
from tests.serverless.conftest import ROOT
from tests.serverless.runtime import Function, FunctionError, Runtime
from tests.templates import Stack

GALLERY = "s3://somebody-gallery/gallery.sqlite"
RESOURCES = {"video-splitting": "SplittingFunction", "face-recognition": "RecognitionFunction"}
HANDLERS = {
    "video-splitting": "visage.apps.lambda_video_splitting.handler",
    "face-recognition": "visage.apps.lambda_face_recognition.handler",
}
TRIES = 3
_VISIBLE = 10  # messages that a queue hands over at once

Event = dict[str, Any]


@dataclass(frozen=True)
class Letter:
    """What lies among the dead letters of a function: an event, and why it was given up."""

    function: str
    event: Event
    reason: str


class Buckets:
    """All that the template makes of S3, and the gallery's bucket; on the server that AWS's variables name."""

    def __init__(self, stack: Stack) -> None:
        self._open = ExitStack()
        self.client = boto3.client("s3")
        self._sqs = boto3.client("sqs")
        self._open.callback(self.client.close)
        self._open.callback(self._sqs.close)
        self._told = 0
        self._queues = {name: self._sqs.create_queue(QueueName=name)["QueueUrl"] for name in RESOURCES}
        self.client.create_bucket(Bucket="somebody-gallery")
        for bucket in stack.of_type("AWS::S3::Bucket").values():
            self.client.create_bucket(Bucket=bucket["BucketName"])
            told = [
                self._queued(one)
                for one in bucket.get("NotificationConfiguration", {"LambdaConfigurations": []})["LambdaConfigurations"]
            ]
            self.client.put_bucket_notification_configuration(
                Bucket=bucket["BucketName"], NotificationConfiguration={"QueueConfigurations": told}
            )
        self.take()  # S3 tries each queue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def put(self, key: str, data: bytes | Path, bucket: str = "visage-input") -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=data if isinstance(data, bytes) else data.read_bytes())

    def get(self, key: str, bucket: str = "visage-output") -> bytes:
        return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def delete(self, key: str, bucket: str) -> bytes:
        """What was there."""
        data = self.get(key, bucket)
        self.client.delete_object(Bucket=bucket, Key=key)
        return data

    def text(self, name: str) -> str:
        return self.get(f"{name}.txt").decode()

    def result(self, name: str) -> Any:
        return json.loads(self.get(f"{name}.json"))

    def all(self, bucket: str, prefix: str = "") -> dict[str, tuple[str, str]]:
        """Key -> ETag and time of what lies in the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [one for page in pages for one in page.get("Contents", [])]
        return {one["Key"]: (one["ETag"], str(one["LastModified"])) for one in found}

    def take(self) -> list[tuple[str, Event]]:
        """The notifications since the last time, each with its function. The server does without sequencers; they are
        given here, in the order in which it told."""
        return [(name, event) for name in RESOURCES for event in self._received(name)]

    def _received(self, name: str) -> list[Event]:
        events = []
        while messages := self._sqs.receive_message(QueueUrl=self._queues[name], MaxNumberOfMessages=_VISIBLE).get(
            "Messages", []
        ):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queues[name], ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                for record in event.get("Records", []):
                    self._told += 1
                    record["s3"]["object"]["sequencer"] = f"{self._told:018X}"
                events.append(event)
        return events

    def _queued(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """A notification that calls a function, as one to its queue."""
        queue = self._queues[one["Function"].rpartition(":")[2]]
        arn = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        told: dict[str, Any] = {"QueueArn": arn, "Events": [one["Event"]]}
        if "Filter" in one:
            told["Filter"] = {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}}
        return told


class Cloud:
    """Lambda, as the template sets it up: who fails with an event is tried again, then it is a dead letter and the
    other function is told of it. One event at a time."""

    def __init__(self, buckets: Buckets, functions: Mapping[str, Runtime]) -> None:
        self.buckets = buckets
        self.functions = dict(functions)
        self.delivered: list[tuple[str, Event]] = []
        self.dead: list[Letter] = []

    def settle(self) -> None:
        """Deliver until nothing more is asked."""
        while asked := self.buckets.take():
            for name, event in asked:
                self.deliver(name, event)

    def deliver(self, name: str, event: Event) -> None:
        self.delivered.append((name, event))
        for attempt in range(1, TRIES + 1):
            try:
                self.functions[name].invoke(event)
            except FunctionError as error:
                if attempt == TRIES:
                    self._give_up(Letter(name, event, error.message), error.kind)
            else:
                return

    def replay(self) -> None:
        """Deliver the dead letters once more, as they are."""
        letters, self.dead = self.dead, []
        for letter in letters:
            self.deliver(letter.function, letter.event)
        self.settle()

    def _give_up(self, letter: Letter, kind: str) -> None:
        self.dead.append(letter)
        (other,) = set(RESOURCES) - {letter.function}
        self.deliver(other, record_of(letter, kind))


def record_of(letter: Letter, kind: str = "Error") -> Event:
    """What Lambda tells the destination for failures."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{letter.function}:$LATEST"
    return {
        "version": "1.0",
        "timestamp": "2025-03-01T10:00:00.000Z",
        "requestContext": {
            "requestId": "8a0b5a6a-1f1d-4c2e-9a35-4f6f3d0f6a3e",
            "functionArn": arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": TRIES,
        },
        "requestPayload": letter.event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": kind, "errorMessage": letter.reason, "stackTrace": []},
    }


def function_of(stack: Stack, name: str, folder: Path, timeout: int | None = None, **variables: str) -> Function:
    """The function with the environment that the template gives it, on the server of AWS's variables. folder: where it
    starts; it is empty, as far as the function goes. timeout: seconds, other than the template's."""
    made = stack[RESOURCES[name]]
    own = {key: str(value) for key, value in made["Environment"]["Variables"].items()}
    server = environment(os.environ["AWS_ENDPOINT_URL"])
    server["AWS_ENDPOINT_URL_S3"] = server.pop("AWS_ENDPOINT_URL")
    home = {"VISAGE_HOME": os.environ["VISAGE_HOME"], "PYTHONPATH": str(ROOT / "src")}
    return Function(
        HANDLERS[name], folder, {**server, **home, **own, **variables}, name,
        timeout=timeout or int(made["Timeout"]), memory=int(made["MemorySize"]),
    )  # fmt: skip


def runtime_of(stack: Stack, name: str, folder: Path, timeout: int | None = None, **variables: str) -> Runtime:
    return Runtime(function_of(stack, name, folder, timeout, **variables))
