"""The queue in SQS, beyond what every queue promises."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.aws.moto_server import aws_server, environment, make_queues
from visage.aws.sqs import SqsQueue
from visage.aws.sqs_client import connect, failed
from visage.core.errors import StorageError, UsageError


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def queue(prefix: str) -> Iterator[SqsQueue]:
    """Its leases outlast any test, also on a busy machine."""
    make_queues(prefix, tries=2)
    with closing(SqsQueue(f"{prefix}-req-queue", lease=120)) as opened:
        yield opened


def test_a_queue_is_named_or_given_by_its_url(prefix: str) -> None:
    url, _ = make_queues(prefix)
    name = f"{prefix}-req-queue"
    for i, address in enumerate([name, f"sqs://{name}", url, f"sqs://{url}"]):
        with closing(SqsQueue(address, lease=120)) as queue:
            queue.send(str(i))
            (delivery,) = queue.receive(1, 1)
            assert delivery.body == str(i)
            assert queue.done([delivery.receipt]) == []
            queue.send("bad")
            assert queue.bury(queue.receive(1, 1)[0].receipt, "why")
            assert queue.replay() == 1
            queue.done([delivery.receipt for delivery in queue.receive(1, 1)])


def test_the_region_may_stand_in_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    client = connect("https://sqs.eu-central-1.amazonaws.com/123456789012/x-req-queue")
    assert client.meta.region_name == "eu-central-1"
    client.close()
    with pytest.raises(UsageError, match="AWS_REGION"):
        SqsQueue("x-req-queue")


def test_a_queue_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no SQS queue 'nowhere'"):
        SqsQueue("nowhere")
    with pytest.raises(UsageError, match="sqs://NAME"):
        SqsQueue("sqs://")
    url = "http://127.0.0.1:1/123456789012/nowhere"
    with closing(SqsQueue(url)) as queue, pytest.raises(StorageError, match="nowhere"):
        queue.send("a")


def test_messages_that_sqs_itself_gave_up_say_so(queue: SqsQueue) -> None:
    queue.send("a")
    for count in (1, 2):
        (delivery,) = queue.receive(1, 3)
        assert delivery.count == count
        queue.release([delivery.receipt])
    assert queue.receive(1, 0) == []
    (letter,) = queue.dead()
    assert (letter.body, letter.count) == ("a", 2)
    assert letter.reason == "received 2 times without an answer"
    assert abs(letter.died - time.time()) < 60
    assert queue.replay([letter.id]) == 1
    assert queue.receive(1, 1)[0].body == "a"


def test_more_letters_than_one_call_gives(queue: SqsQueue) -> None:
    for i in range(13):
        queue.send(f"{i:02d}")
    for delivery in sorted(queue.receive(13, 1), key=lambda delivery: delivery.body):
        assert queue.bury(delivery.receipt, "x" * 2000)
    letters = queue.dead()
    assert [letter.body for letter in letters] == [f"{i:02d}" for i in range(13)]
    assert queue.replay([letters[12].id, letters[0].id]) == 2
    assert len(queue.dead()) == 11


def test_without_a_dead_letter_queue_there_is_no_burying(prefix: str) -> None:
    client = boto3.client("sqs")
    client.create_queue(QueueName=prefix)
    with closing(SqsQueue(prefix, lease=120)) as queue:
        queue.send("a")
        (delivery,) = queue.receive(1, 1)
        with pytest.raises(UsageError, match="RedrivePolicy"):
            queue.bury(delivery.receipt, "why")
        assert queue.done([delivery.receipt]) == []
    client.create_queue(QueueName=f"{prefix}-letters")
    with closing(SqsQueue(prefix, dead=f"{prefix}-letters")) as queue:
        queue.send("a")
        assert queue.bury(queue.receive(1, 1)[0].receipt, "why")
        assert [letter.reason for letter in queue.dead()] == ["why"]
    client.close()


def test_what_arrives_while_it_is_being_closed_is_given_back(prefix: str) -> None:
    """By a poll that goes on for two seconds more; on a busy machine a message may come too late for that."""
    make_queues(prefix)
    name = f"{prefix}-req-queue"
    counts: list[int] = []
    with closing(SqsQueue(name, lease=120)) as other, ThreadPoolExecutor() as pool:
        while 2 not in counts and len(counts) < 10:
            queue = SqsQueue(name, lease=120)
            waiting = pool.submit(queue.receive, 1, 60.0)
            time.sleep(0.5)
            queue.close()
            other.send("a")
            assert waiting.result() == []
            (delivery,) = other.receive(1, 30)
            assert delivery.body == "a"
            assert other.done([delivery.receipt]) == []
            counts.append(delivery.count)
    assert 2 in counts


def test_a_server_that_is_away_and_comes_back(aws: str, queue: SqsQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.send("a")
    for name, value in environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    with closing(SqsQueue(queue._url)) as away:
        started = time.monotonic()
        for call in (lambda: away.send("b"), lambda: away.receive(1, 0), away.depth, away.dead):
            with pytest.raises(StorageError, match="does not answer"):
                call()
        assert time.monotonic() - started < 60
    monkeypatch.undo()
    assert queue.receive(1, 1)[0].body == "a"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", "allow SendMessage to this account's role"),
        ("ExpiredToken", "renew them"),
        ("RequestThrottled", "slow down"),
        ("SomethingElse", "AWS refused SendMessage: the reason"),
    ],
)
def test_what_aws_refuses(queue: SqsQueue, code: str, words: str) -> None:
    with Stubber(queue._client) as stub:
        stub.add_client_error("send_message", code, "the reason", http_status_code=403)
        with pytest.raises(StorageError, match=words) as raised:
            queue.send("a")
    assert "\n" not in str(raised.value)
    queue.send("b")


def test_missing_credentials(monkeypatch: pytest.MonkeyPatch, queue: SqsQueue) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with closing(SqsQueue(queue._url)) as other, pytest.raises(StorageError, match="no AWS credentials"):
        other.send("a")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_a_batch_of_which_sqs_itself_failed_some_is_worth_a_retry() -> None:
    ours: dict[str, Any] = {"Id": "3", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "no"}
    theirs = {"Id": "4", "SenderFault": False, "Code": "InternalError", "Message": "sorry"}
    assert failed({"Failed": [ours]}, "queue") == {3}
    assert failed({}, "queue") == set()
    with pytest.raises(StorageError, match="InternalError"):
        failed({"Failed": [ours, theirs]}, "queue")
