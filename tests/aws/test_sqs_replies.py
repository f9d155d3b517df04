"""Mailboxes in SQS: which queues they are, and which are swept."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest

from tests.aws.moto_server import aws_server
from visage.aws.sqs_replies import SqsReplies


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture
def client() -> Iterator[Any]:
    made = boto3.client("sqs")
    yield made
    made.close()


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


def names(client: Any, prefix: str) -> set[str]:
    return {url.rpartition("/")[2] for url in client.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])}


def test_a_mailbox_is_a_queue_that_goes_with_it(client: Any, prefix: str) -> None:
    with closing(SqsReplies(prefix)) as replies:
        mailbox = replies.open()
        name = f"{prefix}-reply-{mailbox.name}"
        assert names(client, prefix) == {name}
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        kept = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert kept["MessageRetentionPeriod"] == "60"
        assert client.list_queue_tags(QueueUrl=url)["Tags"].keys() == {"visage-mailbox"}
        mailbox.close()
        assert names(client, prefix) == set()


def test_an_answer_is_never_directed_elsewhere(client: Any, prefix: str) -> None:
    url = client.create_queue(QueueName=f"{prefix}-reply-secret")["QueueUrl"]
    other = client.create_queue(QueueName=f"{prefix}-req-queue")["QueueUrl"]
    with closing(SqsReplies(prefix)) as replies:
        for name in ("secret", f"{prefix}-reply-secret", url, other, f"../{prefix}-req-queue"):
            replies.send(name, ["stolen"])
    for queue in (url, other):
        assert "Messages" not in client.receive_message(QueueUrl=queue)


def test_messages_that_are_none_of_ours(client: Any, prefix: str) -> None:
    with closing(SqsReplies(prefix)) as replies, closing(replies.open()) as mailbox:
        for body in ("x", "[1]", '{"a": 1}', "[" * 100_000, "null"):
            client.send_message(QueueUrl=mailbox._url, MessageBody=body)
        replies.send(mailbox.name, ["ours"])
        got: list[str] = []
        while not got:
            got = mailbox.receive(1)
        assert got == ["ours"]


def test_only_abandoned_mailboxes_are_swept(client: Any, prefix: str) -> None:
    def make(name: str, **tags: str) -> str:
        client.create_queue(QueueName=name, tags={key.replace("_", "-"): value for key, value in tags.items()})
        return name

    long_ago, lately = str(int(time.time()) - 700), str(int(time.time()) - 500)
    abandoned = {make(f"{prefix}-reply-{uuid.uuid4().hex}", visage_mailbox=long_ago) for _ in range(3)}
    others = {
        make(f"{prefix}-reply-{uuid.uuid4().hex}", visage_mailbox=lately),
        make(f"{prefix}-reply-{uuid.uuid4().hex}", visage_mailbox="nonsense"),
        make(f"{prefix}-reply-{uuid.uuid4().hex}"),
        make(f"{prefix}-reply-archive", visage_mailbox=long_ago),
        make(f"{prefix}-req-queue", visage_mailbox=long_ago),
    }
    with closing(SqsReplies(prefix)) as replies, closing(replies.open()) as mailbox:
        assert names(client, prefix) == abandoned | others | {f"{prefix}-reply-{mailbox.name}"}
        assert replies.sweep() == 3
        assert names(client, prefix) == others | {f"{prefix}-reply-{mailbox.name}"}
        assert replies.sweep() == 0


def test_a_mailbox_that_is_read_says_so(client: Any, prefix: str) -> None:
    with closing(SqsReplies(prefix)) as replies, closing(replies.open()) as mailbox:
        client.tag_queue(QueueUrl=mailbox._url, Tags={"visage-mailbox": "1000"})
        mailbox._refreshed -= 181  # so long ago was it last said
        assert mailbox.receive(0) == []
        assert replies.sweep() == 0
        replies.send(mailbox.name, ["here"])
        assert mailbox.receive(1) == ["here"]


def test_a_mailbox_that_was_deleted_under_its_reader_is_made_anew(client: Any, prefix: str) -> None:
    with closing(SqsReplies(prefix)) as replies, closing(replies.open()) as mailbox:
        replies.send(mailbox.name, ["here"])
        client.delete_queue(QueueUrl=mailbox._url)
        replies.send(mailbox.name, ["nowhere"])
        assert mailbox.receive(0) == []
        replies.send(mailbox.name, ["here again"])
        assert mailbox.receive(1) == ["here again"]


def test_one_that_was_deleted_may_still_be_closed(client: Any, prefix: str) -> None:
    with closing(SqsReplies(prefix)) as replies:
        mailbox = replies.open()
        client.delete_queue(QueueUrl=mailbox._url)
        mailbox.close()
        assert mailbox.receive(0) == []


def test_the_region_may_stand_in_the_queues_url(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with closing(SqsReplies(prefix, queue="sqs://https://sqs.eu-central-1.amazonaws.com/1/x-req-queue")) as replies:
        assert replies._client.meta.region_name == "eu-central-1"
