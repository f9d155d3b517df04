"""The dead-letter queue behind an SQS queue."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from visage.aws.faults import explained
from visage.aws.sqs_client import BATCH, batches, find
from visage.core.errors import UsageError
from visage.core.ports.queue import DeadLetter

_LOOKED_AT = 30  # seconds for which a letter is hidden from others while one looks at it


class DeadLetters:
    """Letters with their reason as an attribute. One that SQS itself moved here has none."""

    def __init__(self, client: Any, source: str, address: str | None) -> None:
        """source: the URL of the queue that they come from. address: name or URL of the dead-letter queue; None: as
        the source's RedrivePolicy says."""
        self._client = client
        self._source = source
        self._address = address
        self._found: tuple[str, int] | None = None
        self._finding = threading.Lock()

    def put(self, body: str, reason: str, count: int) -> None:
        """Raises `UsageError` where there is no such queue."""
        url, _ = self._place()
        words = {"reason": reason[:1000] or "unknown", "count": str(count), "died": repr(time.time())}
        attributes = {name: {"DataType": "String", "StringValue": word} for name, word in words.items()}
        with explained(url):
            self._client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)

    def peek(self, limit: int) -> list[DeadLetter]:
        """Letters, oldest first. They are hidden from others for a moment."""
        url, tries = self._place()
        messages = self._receive(url, limit)
        self._show(url, messages)
        return sorted((_letter(message, tries) for message in messages), key=lambda letter: letter.died)

    def take(self, ids: Sequence[str] | None, send: Callable[[str], None]) -> int:
        """Hand those letters to `send`, then delete them; how many. One of them may be sent twice where it breaks off
        in between, but none is lost."""
        url, _ = self._place()
        count, others = 0, []
        wanted = None if ids is None else set(ids)
        while (wanted is None or wanted) and (messages := self._receive(url, BATCH)):
            for message in messages:
                if wanted is not None and message["MessageId"] not in wanted:
                    others.append(message)
                    continue
                send(message["Body"])
                with explained(url):
                    self._client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                count += 1
                if wanted is not None:
                    wanted.discard(message["MessageId"])
        self._show(url, others)
        return count

    def _place(self) -> tuple[str, int]:
        """The queue's URL, and how many leases SQS allows before it moves a message here itself."""
        with self._finding:
            if not self._found:
                with explained(self._source):
                    answer = self._client.get_queue_attributes(QueueUrl=self._source, AttributeNames=["RedrivePolicy"])
                policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
                self._found = self._url(policy), int(policy.get("maxReceiveCount", 0))
            return self._found

    def _url(self, policy: dict[str, Any]) -> str:
        if self._address:
            address = self._address.removeprefix("sqs://")
            return address if "://" in address else find(self._client, address)
        arn = str(policy.get("deadLetterTargetArn", ""))
        if not arn:
            raise UsageError(f"{self._source}: it has no dead-letter queue; give it a RedrivePolicy that names one")
        *_, account, name = arn.split(":")
        return find(self._client, name, account)

    def _receive(self, url: str, limit: int) -> list[dict[str, Any]]:
        messages: dict[str, dict[str, Any]] = {}
        while len(messages) < limit:
            with explained(url):
                answer = self._client.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(BATCH, limit - len(messages)),
                    WaitTimeSeconds=1,  # one that does not wait at all may overlook messages
                    VisibilityTimeout=_LOOKED_AT,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            got = {message["MessageId"]: message for message in answer.get("Messages", [])}
            if not got.keys() - messages.keys():
                break
            messages |= got
        return list(messages.values())

    def _show(self, url: str, messages: Sequence[dict[str, Any]]) -> None:
        for batch in batches(messages):
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                       for i, message in enumerate(batch)]  # fmt: skip
            with explained(url):
                self._client.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _letter(message: dict[str, Any], tries: int) -> DeadLetter:
    words = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    try:
        count, died = int(words["count"]), float(words["died"])
    except (KeyError, ValueError):
        count, died = tries, int(message["Attributes"]["SentTimestamp"]) / 1000
    reason = words.get("reason") or f"received {count} times without an answer"
    return DeadLetter(message["MessageId"], message["Body"], reason, count, died)
