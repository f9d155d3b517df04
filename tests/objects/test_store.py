"""URLs of object stores, and S3 in trouble."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from tests.aws.moto_server import aws_server
from tests.objects.places import make_bucket
from visage.core.errors import NoObjectError, StorageError, UsageError
from visage.objects.store import open_store


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.mark.parametrize(
    "url",
    ["", "objects", "/objects", "file:", "file://", "file:///", "file://host/path", "memory:", "memory:///a", "s3://",
     "s3:///key", "s3://a", "s3://Bucket name", "s3://bucket//a", "s3://bucket/../a", "s3://key:secret@bucket",
     "gs://bucket", "http://127.0.0.1/bucket"],
)  # fmt: skip
def test_what_is_no_url_of_objects(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("slashes", ["file://", "file:///"])  # the latter is what settings make of an absolute path
def test_a_folder_by_its_url(slashes: str, tmp_path: Path) -> None:
    open_store(f"{slashes}{tmp_path}/a b%20#c").put("key", b"data")
    assert (tmp_path / "a b%20#c" / "key").read_bytes() == b"data"


def test_a_folder_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store("file:///~/objects").put("key", b"data")
    assert (tmp_path / "objects" / "key").read_bytes() == b"data"
    with pytest.raises(UsageError, match="no such user"):
        open_store("file:///~nobody-at-all/objects")


def test_every_memory_is_another() -> None:
    open_store("memory:///").put("a", b"")
    assert open_store("memory:///").version("a") is None


def test_a_bucket_holds_keys_as_they_are_under_its_prefix(server: str) -> None:
    bucket = make_bucket()
    for url in (f"s3://{bucket}/some/prefix/", f"s3://{bucket}"):
        open_store(url).put("été/photo #1%20+.jpg", b"")
    client = boto3.client("s3")
    found = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
    client.close()
    assert sorted(found) == ["some/prefix/été/photo #1%20+.jpg", "été/photo #1%20+.jpg"]
    assert [stored.key for stored in open_store(f"s3://{bucket}/some").list()] == ["prefix/été/photo #1%20+.jpg"]
    odd = open_store(f"s3://{bucket}/odd #1%20 prefix")
    odd.put("a b/c#1", b"odd")
    assert [stored.key for stored in odd.list("a b")] == ["a b/c#1"]
    assert open_store(f"s3://{bucket}").get("odd #1%20 prefix/a b/c#1") == b"odd"


def trouble(call: Callable[[], object]) -> str:
    """What the `StorageError` says."""
    with pytest.raises(StorageError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "AKIA" not in message
    assert "hush-hush" not in message
    return message


def test_a_bucket_that_is_not_there_and_then_is(server: str) -> None:
    objects = open_store("s3://not-there-yet/prefix")
    calls: list[Callable[[], object]] = [
        lambda: objects.put("a", b""), lambda: objects.create("a", b""), lambda: objects.replace("a", b"", '"0"'),
        lambda: objects.get("a"), lambda: list(objects.list()), lambda: objects.delete(["a"]),
        lambda: objects.as_file("a").__enter__(), lambda: objects.part("a", 0, 9, '"0"'),
    ]  # fmt: skip
    for call in calls:
        assert trouble(call) == "s3://not-there-yet: there is no such bucket; make it, or name another"
    client = boto3.client("s3")
    client.create_bucket(Bucket="not-there-yet")
    client.close()
    assert objects.create("a", b"data")
    assert objects.get("a") == b"data"


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    objects = open_store("s3://bucket")
    for call in (
        lambda: objects.get("a"),
        lambda: objects.put("a", b""),
        lambda: objects.version("a"),
        lambda: objects.part("a", 9, 9, '"0"'),
    ):
        assert "cannot be reached" in trouble(call)


def test_access_denied(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto asks for rights after so many calls, and denies an account that has none."""
    bucket = make_bucket()
    iam = boto3.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    iam.close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    objects = open_store(f"s3://{bucket}")
    moto_requires_rights(server)
    try:
        for call in (
            lambda: objects.get("a"),
            lambda: objects.put("a", b""),
            lambda: list(objects.list()),
            lambda: objects.part("a", 0, 9, '"0"'),
        ):
            message = trouble(call)
            assert "access is denied; allow this account or role to use the bucket" in message
            assert key["SecretAccessKey"] not in message
    finally:
        moto_requires_rights(server, never=True)
    with pytest.raises(NoObjectError):
        objects.get("a")


def moto_requires_rights(server: str, *, never: bool = False) -> None:
    from urllib.request import Request, urlopen

    count = b"inf" if never else b"0"
    with urlopen(Request(f"{server}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})) as answer:
        assert json.loads(answer.read())["status"] == "ok"
