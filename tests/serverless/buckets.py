"""The stack's buckets on a server, and whom S3 tells of what is put there.

Notifications are those of the template, turned to queues; the server tells them in S3's words.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import boto3

from tests.serverless.conftest import TEMPLATE
from tests.templates import Stack, read

INPUT, STAGE, OUTPUT, PEOPLE = "input", "stage-1", "output", "people"
RESOURCES = {"video-splitting": "SplittingFunction", "face-recognition": "RecognitionFunction"}
_AT_ONCE = 10  # messages, the most that a queue hands over

Event = dict[str, Any]


class Buckets:
    """All that the template makes of S3, and the gallery's bucket; on the server that AWS's variables name.

    Their names begin with a prefix of their own, and are given here without it.
    """

    def __init__(self, **parameters: object) -> None:
        """parameters: of the template, besides names."""
        self._prefix = f"test-{uuid.uuid4().hex[:8]}"
        names = {"Prefix": self._prefix, "GalleryBucket": self.name(PEOPLE)}
        self.stack = Stack(read(TEMPLATE), {**parameters, **names})
        self._open = ExitStack()
        self.client = self._open.enter_context(closing(boto3.client("s3")))
        self._sqs = self._open.enter_context(closing(boto3.client("sqs")))
        self._told = 0
        self._queues = {name: self._sqs.create_queue(QueueName=self.name(name))["QueueUrl"] for name in RESOURCES}
        self.client.create_bucket(Bucket=self.name(PEOPLE))
        for bucket in self.stack.of_type("AWS::S3::Bucket").values():
            self._make(bucket["BucketName"], bucket.get("NotificationConfiguration", {}))
        self.take()  # S3 tries each queue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def name(self, bucket: str) -> str:
        """The whole of it."""
        return f"{self._prefix}-{bucket}"

    @property
    def gallery(self) -> str:
        """Where the functions find the published one."""
        return f"s3://{self.name(PEOPLE)}/gallery.sqlite"

    def put(self, key: str, data: bytes | Path, bucket: str = INPUT) -> None:
        body = data if isinstance(data, bytes) else data.read_bytes()
        self.client.put_object(Bucket=self.name(bucket), Key=key, Body=body)

    def get(self, key: str, bucket: str = OUTPUT) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name(bucket), Key=key)["Body"].read())

    def delete(self, key: str, bucket: str) -> bytes:
        """What was there."""
        data = self.get(key, bucket)
        self.client.delete_object(Bucket=self.name(bucket), Key=key)
        return data

    def text(self, name: str) -> str:
        return self.get(f"{name}.txt").decode()

    def result(self, name: str) -> Any:
        return json.loads(self.get(f"{name}.json"))

    def all(self, bucket: str, prefix: str = "") -> dict[str, tuple[str, str]]:
        """Key -> ETag and time of what lies in the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name(bucket), Prefix=prefix)
        found = [one for page in pages for one in page.get("Contents", [])]
        return {one["Key"]: (one["ETag"], str(one["LastModified"])) for one in found}

    def take(self) -> list[tuple[str, Event]]:
        """The notifications since the last time, each with its function. The server does without sequencers; they are
        given here, in the order in which it told."""
        return [(name, event) for name in RESOURCES for event in self._received(name)]

    def _make(self, name: str, told: Mapping[str, Any]) -> None:
        self.client.create_bucket(Bucket=name)
        queues = [self._queued(one) for one in told.get("LambdaConfigurations", [])]
        self.client.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"QueueConfigurations": queues}
        )

    def _queued(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """A notification that calls a function, as one to its queue."""
        queue = self._queues[one["Function"].rpartition(":")[2]]
        arn = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        told: dict[str, Any] = {"QueueArn": arn, "Events": [one["Event"]]}
        if "Filter" in one:
            told["Filter"] = {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}}
        return told

    def _received(self, name: str) -> Iterator[Event]:
        queue = self._queues[name]
        while found := self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=_AT_ONCE).get("Messages"):
            for message in found:
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                for record in event.get("Records", []):
                    self._told += 1
                    record["s3"]["object"]["sequencer"] = f"{self._told:018X}"
                yield event
