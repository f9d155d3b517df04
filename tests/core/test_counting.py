"""What the stores are asked, counted as S3 bills it: on moto's server, against the requests it really got."""

import io
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler

from tests.aws.moto_server import aws_server
from tests.objects.places import make_bucket
from visage.core.cost.counting import PAGE, PIECE, CountingObjects, Tally, add_took
from visage.core.errors import NoObjectError
from visage.core.ports.objects import Objects
from visage.objects.store import open_store

KINDS = ("puts", "gets", "lists", "deletes")


class Heard:
    """A bucket on a server, the tally of what was asked of it, and what the server heard."""

    def __init__(self, url: str, requests: list[str]) -> None:
        self.tally = Tally()
        self.plain = open_store(url)
        self.objects: Objects = CountingObjects(self.plain, self.tally)
        self._requests = requests

    def billed(self, work: Callable[[], object]) -> dict[str, int]:
        """The requests of each kind that the server heard meanwhile; the tally has to have risen by the same."""
        self._requests.clear()
        before = [getattr(self.tally, kind) for kind in KINDS]
        work()
        heard = dict.fromkeys(KINDS, 0)
        for request in self._requests:
            heard[_kind(request)] += 1
        counted = {kind: getattr(self.tally, kind) - old for kind, old in zip(KINDS, before, strict=True)}
        assert counted == heard
        return heard


def _kind(request: str) -> str:
    verb, path = request.split(" ", 1)
    if "delete" in path:
        return "deletes"
    if "list-type" in path:
        return "lists"
    return "puts" if verb in {"PUT", "POST"} else "gets"


@pytest.fixture(scope="module")
def requests() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(handler: WSGIRequestHandler, *_: Any, **__: Any) -> None:
        heard.append(f"{handler.command} {handler.path}")

    with aws_server(), pytest.MonkeyPatch.context() as patch:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        patch.setattr(WSGIRequestHandler, "log_request", hear)
        yield heard


@pytest.fixture
def bucket(requests: list[str]) -> Heard:
    return Heard(f"s3://{make_bucket()}/some/prefix", requests)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1])
def test_a_put_is_counted_with_its_pieces(bucket: Heard, size: int) -> None:
    data = b"v" * size
    as_bytes = bucket.billed(lambda: bucket.objects.put("a", data))["puts"]
    as_file = bucket.billed(lambda: bucket.objects.put("b", io.BytesIO(data)))["puts"]
    assert as_bytes <= as_file
    assert bucket.tally.sent == 2 * size
    assert bucket.plain.get("a") == bucket.plain.get("b") == data


def test_a_file_is_counted_from_where_it_stands(bucket: Heard) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    bucket.objects.put("a", file)
    assert (bucket.tally.sent, bucket.plain.get("a")) == (6, b"456789")


def test_every_call_is_counted_whether_or_not_it_succeeds(bucket: Heard) -> None:
    objects = bucket.objects
    assert bucket.billed(lambda: objects.create("a", b"12"))["puts"] == 1
    assert bucket.billed(lambda: objects.create("a", b"345"))["puts"] == 1
    version = bucket.plain.version("a") or ""
    assert bucket.billed(lambda: objects.replace("a", b"6789", version))["puts"] == 1
    assert bucket.billed(lambda: objects.replace("a", b"0", version))["puts"] == 1
    assert bucket.tally.sent == 2 + 3 + 4 + 1
    assert bucket.billed(lambda: objects.version("a"))["gets"] == 1
    assert bucket.billed(lambda: objects.version("none"))["gets"] == 1
    assert bucket.billed(lambda: objects.get("a"))["gets"] == 1
    assert bucket.billed(lambda: objects.read("a"))["gets"] == 1
    latest = bucket.plain.version("a") or ""
    assert bucket.billed(lambda: objects.part("a", 1, 2, latest))["gets"] == 1

    def as_file() -> None:
        with objects.as_file("a"):
            pass

    def in_vain() -> None:
        with pytest.raises(NoObjectError):
            objects.get("none")

    assert bucket.billed(as_file)["gets"] == 1
    assert bucket.billed(in_vain)["gets"] == 1
    assert bucket.tally.received == 4 + 4 + 2


def test_pages_of_listing_and_deleting(bucket: Heard) -> None:
    objects = bucket.objects
    assert bucket.billed(lambda: list(objects.list("none")))["lists"] == 1
    keys = [f"a/{number}" for number in range(PAGE)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: objects.put(key, b""), keys))
    assert bucket.tally.puts == PAGE
    assert bucket.billed(lambda: list(objects.list("a")))["lists"] == 1
    objects.put("a/more", b"")
    assert bucket.billed(lambda: list(objects.list("a")))["lists"] == 2
    assert bucket.billed(lambda: objects.delete(iter([*keys, "a/more"])))["deletes"] == 2
    assert bucket.billed(lambda: objects.delete([]))["deletes"] == 0
    assert list(bucket.plain.list()) == []


def test_what_was_taken_adds_up() -> None:
    tally = Tally()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tally.add(puts=1, gets=2, lists=3, sent=4, received=5), range(2000)))
    one = tally.took(2.0, memory_gb=1.5)
    assert one == {
        "invocations": 1, "seconds": 2.0, "gb_seconds": 3.0,
        "puts": 2000, "gets": 4000, "lists": 6000, "sent": 8000, "received": 10000,
    }  # fmt: skip
    here = Tally(puts=1).took(0.5)
    assert "gb_seconds" not in here
    both = add_took(one, here, {})
    assert (both["invocations"], both["seconds"], both["gb_seconds"], both["puts"]) == (2, 2.5, 3.0, 2001)
    assert add_took() == {}
