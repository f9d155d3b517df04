"""A way to SQS that fails soon instead of hanging, and what several files ask of it."""

import re
import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from visage.aws.faults import code, explained
from visage.core.errors import StorageError, UsageError

BATCH = 10  # messages in one call, at most
LONGEST_POLL = 20  # seconds
MISSING = {"NonExistentQueue", "QueueDoesNotExist", "QueueDeletedRecently"}
T = TypeVar("T")
_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


def connect(url: str = "") -> Any:
    """boto3's client, which any number of threads may use. Region, endpoint and credentials are those of boto3's own
    environment; the region may also stand in a queue's URL."""
    found = _REGION.match(url)
    config = Config(
        connect_timeout=3,
        read_timeout=LONGEST_POLL + 5,
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=32,
    )
    with explained(url or "SQS"):
        return boto3.client("sqs", region_name=found.group(1) if found else None, config=config)


def find(client: Any, name: str, account: str = "") -> str:
    """The URL of the queue of that name. Raises `UsageError` where there is none."""
    with explained(name):
        try:
            owner = {"QueueOwnerAWSAccountId": account} if account else {}
            return str(client.get_queue_url(QueueName=name, **owner)["QueueUrl"])
        except ClientError as error:
            if code(error) in MISSING:
                raise UsageError(
                    f"there is no SQS queue {name!r} in this account and region; create it first"
                ) from error
            raise


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def failed(answer: dict[str, Any], what: str) -> set[int]:
    """The numbers of the entries that a batch call refused because of what they ask. Raises `StorageError` where SQS
    itself failed."""
    refused: set[int] = set()
    for entry in answer.get("Failed", []):
        if not entry.get("SenderFault"):
            raise StorageError(f"{what}: SQS could not do it ({entry.get('Code')}: {entry.get('Message')}); try again")
        refused.add(int(entry["Id"]))
    return refused


def server_time(answer: dict[str, Any]) -> float:
    """AWS's clock when it answered, seconds since 1970: one that all machines share."""
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
