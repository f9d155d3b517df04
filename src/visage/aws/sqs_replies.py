"""Replies through Amazon SQS: a queue for each web process."""

import json
import math
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from visage.aws.faults import code, explained
from visage.aws.sqs_client import BATCH, LONGEST_POLL, MISSING, connect, server_time
from visage.core.errors import StorageError, UsageError

MAX_REPLY = 200  # characters
_KEPT = 60  # seconds, the least that SQS keeps a message: an older reply finds nobody waiting
_TAG = "visage-mailbox"  # on our queues: when their process was last seen, by AWS's clock
_REFRESH, _ABANDONED = 180.0, 600.0  # seconds
_TOGETHER = 100  # replies in one message
# Longer than a message is kept, so one that was received never comes back, and need not be deleted.
_HIDDEN = 43_200


class SqsReplies:
    """`core.ports.queue.Replies`. A mailbox named N is the queue PREFIX-reply-N, and nothing but 32 hexadecimal digits
    is a name: a message cannot direct an answer to any other queue."""

    def __init__(self, prefix: str, *, queue: str = "") -> None:
        """queue: the request queue's name or URL; the region may stand in it."""
        self._client = connect(queue.removeprefix("sqs://"))
        self._prefix = f"{prefix}-reply-"
        self._urls: dict[str, str] = {}

    def open(self) -> "SqsMailbox":
        return SqsMailbox(self._client, self._prefix)

    def send(self, mailbox: str, bodies: Sequence[str]) -> None:
        for body in bodies:
            if len(body) > MAX_REPLY:
                raise UsageError(f"a reply of {len(body)} characters; it may have {MAX_REPLY}")
        if not _is_name(mailbox):
            return
        with explained(self._prefix + mailbox):
            try:
                url = self._url(mailbox)
                for start in range(0, len(bodies), _TOGETHER):
                    message = json.dumps(list(bodies[start : start + _TOGETHER]))
                    self._client.send_message(QueueUrl=url, MessageBody=message)
            except ClientError as error:
                self._urls.pop(mailbox, None)
                if code(error) not in MISSING:
                    raise

    def sweep(self) -> int:
        """Those whose process was last seen ten minutes ago. Queues that only look like ours are left alone."""
        count = 0
        with explained(f"{self._prefix}*"):
            pages = self._client.get_paginator("list_queues").paginate(QueueNamePrefix=self._prefix)
            for url in [url for page in pages for url in page.get("QueueUrls", [])]:
                if _is_name(url.rpartition(self._prefix)[2]) and self._is_abandoned(url):
                    count += _delete(self._client, url)
        return count

    def close(self) -> None:
        self._client.close()

    def _is_abandoned(self, url: str) -> bool:
        try:
            answer = self._client.list_queue_tags(QueueUrl=url)
            return server_time(answer) - float(answer.get("Tags", {})[_TAG]) > _ABANDONED
        except (KeyError, ValueError):
            return False
        except ClientError as error:
            if code(error) in MISSING:
                return False
            raise

    def _url(self, mailbox: str) -> str:
        if mailbox not in self._urls:
            if len(self._urls) > 1000:
                self._urls.clear()
            self._urls[mailbox] = self._client.get_queue_url(QueueName=self._prefix + mailbox)["QueueUrl"]
        return self._urls[mailbox]


class SqsMailbox:
    """`core.ports.queue.Mailbox`: a queue that lives as long as its process."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._name = uuid.uuid4().hex
        self._reading = threading.Lock()
        self._closed = False
        self._prefix = prefix
        self._url = self._make()
        self._refreshed = time.monotonic()

    @property
    def name(self) -> str:
        return self._name

    def receive(self, wait: float) -> list[str]:
        deadline = time.monotonic() + wait
        with self._reading:
            while not self._closed:
                left = deadline - time.monotonic()
                bodies = self._poll(min(LONGEST_POLL, max(0, math.ceil(left))))
                if self._closed:
                    break
                if bodies or time.monotonic() >= deadline:
                    return bodies
        return []

    def close(self) -> None:
        """Ends a `receive` by a message of its own, and deletes the queue."""
        if self._closed:
            return
        self._closed = True
        with explained(self._url):
            try:
                self._client.send_message(QueueUrl=self._url, MessageBody="[]")
            except ClientError as error:
                if code(error) not in MISSING:
                    raise
        with self._reading, explained(self._url):
            _delete(self._client, self._url)

    def _make(self) -> str:
        """Create the queue; its URL."""
        name = self._prefix + self._name
        attributes = {"MessageRetentionPeriod": str(_KEPT), "VisibilityTimeout": str(_HIDDEN)}
        with explained(name):
            now = int(server_time(self._client.list_queues(QueueNamePrefix=self._prefix, MaxResults=1)))
            answer = self._client.create_queue(QueueName=name, Attributes=attributes, tags={_TAG: str(now)})
        return str(answer["QueueUrl"])

    def _poll(self, wait: int) -> list[str]:
        with explained(self._url):
            try:
                answer = self._client.receive_message(
                    QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait
                )
            except ClientError as error:
                if self._closed or code(error) not in MISSING:
                    raise
                self._url = self._make()  # somebody deleted it; SQS refuses the same name for a minute
                return []
        if time.monotonic() > self._refreshed + _REFRESH:
            self._refresh(int(server_time(answer)))
        return [body for message in answer.get("Messages", []) for body in _bodies(message["Body"])]

    def _refresh(self, now: int) -> None:
        self._refreshed = time.monotonic()
        try:
            with explained(self._url):
                self._client.tag_queue(QueueUrl=self._url, Tags={_TAG: str(now)})
        except StorageError:
            pass  # replies still arrive; it is tried again in a while


def _bodies(message: str) -> list[str]:
    """The replies in a message; none where it is none of ours."""
    try:
        words: Any = json.loads(message)
    except (ValueError, RecursionError):
        return []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return []
    return words


def _delete(client: Any, url: str) -> int:
    try:
        client.delete_queue(QueueUrl=url)
    except ClientError as error:
        if code(error) in MISSING:
            return 0
        raise
    return 1


def _is_name(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
