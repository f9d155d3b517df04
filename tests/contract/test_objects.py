"""What `core.ports.objects.Objects` promises, asked of every adapter; moto's server stands in for S3."""

import hashlib
import io
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.aws.moto_server import aws_server
from tests.objects.places import Place, elsewhere, make_bucket, outputs

from visage.core.errors import NoObjectError, UsageError
from visage.core.ports.objects import Objects
from visage.objects.store import open_store

HOSTILE = [
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../../b", "a/.", "./a", "a\\b", "..\\a", "a\0b", "a\nb",
    "a\x7fb", "a\x1b[31m", "a\u202eb", "a\u200bb", "a\u2028b", "\ud800", "x" * 513, "é" * 200, ".visage",
    ".visage/lock-0", "a/.visage",
]  # fmt: skip
ODD = [
    "photo 1.jpg", "photo#1", "a#1/b#2", "100%", "a%20b", "a%2Fb", "a+b", "a?b=c&d", "a*b", "a:b", "a|b", "<a>", '"a"',
    "'a'", "~a", "[a]", "{a}^`", "a;b,c@d!e$f(g)", "...", ".hidden", "-rf", "été/日本語/🙂.jpg", "z" * 255,
    "a." + "z" * 253, "d/" * 255 + "e",
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture(params=["file", "s3", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return Place(f"file://{tmp_path}/made/when/needed")
    if request.param == "memory":
        return Place("memory:///", shared=False)
    request.getfixturevalue("server")
    return Place(f"s3://{make_bucket()}/some/prefix")


@pytest.fixture
def objects(place: Place) -> Objects:
    return open_store(place.url)


def keys(objects: Objects, prefix: str = "") -> list[str]:
    return [stored.key for stored in objects.list(prefix)]


@pytest.mark.parametrize("data", [b"", b"\0", os.urandom(300_000)], ids=["nothing", "a byte", "a photo"])
def test_what_was_put_comes_back(objects: Objects, data: bytes) -> None:
    objects.put("in/1", b"before")
    objects.put("in/1", data)
    assert objects.get("in/1") == data
    assert objects.read("in/1") == (data, objects.version("in/1"))
    with objects.as_file("in/1") as path:
        assert Path(path).read_bytes() == data


def test_where_there_is_nothing(objects: Objects) -> None:
    for _ in range(2):  # at first there is nothing at all, then something else
        assert list(objects.list()) == []
        assert list(objects.list("in/1")) == []
        assert objects.version("in/1") is None
        assert not objects.replace("in/1", b"new", "any")
        for read in (
            objects.get,
            objects.read,
            lambda key: objects.part(key, 0, 1, "any"),
            lambda key: objects.as_file(key).__enter__(),
        ):
            with pytest.raises(NoObjectError, match="in/1"):
                read("in/1")
        objects.delete(["in/1", "in"])
        objects.delete([])
        objects.put("in/1/2", b"")
        with pytest.raises(NoObjectError):
            objects.get("in/1/2/3")
        assert objects.version("in/1/2/3") is None
        objects.delete(["in/1/2"])


def test_create_is_for_the_first(objects: Objects) -> None:
    assert objects.create("a/b", b"first")
    assert not objects.create("a/b", b"second")
    assert objects.get("a/b") == b"first"
    objects.delete(["a/b"])
    assert objects.create("a/b", b"third")
    assert objects.get("a/b") == b"third"


def test_replace_is_for_what_was_read(objects: Objects) -> None:
    objects.put("a", b"1")
    data, version = objects.read("a")
    assert objects.replace("a", data + b"2", version)
    assert not objects.replace("a", b"from the old", version)
    assert objects.get("a") == b"12"
    objects.put("a", b"put")
    assert not objects.replace("a", b"no", version)
    latest = objects.version("a")
    assert latest
    objects.delete(["a"])
    assert not objects.replace("a", b"no", latest)
    assert objects.version("a") is None


def test_the_version_changes_with_every_change(objects: Objects) -> None:
    versions = []
    for number in range(200):  # of one size, within the tick of many a clock
        objects.put("a", b"%03d" % number)
        versions.append(objects.version("a"))
    assert None not in versions
    assert len(set(versions)) == 200


@pytest.mark.parametrize("key", HOSTILE, ids=ascii)
def test_a_key_never_leads_out(objects: Objects, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: objects.put(key, b""),
        lambda: objects.put(key, io.BytesIO()),
        lambda: objects.create(key, b""),
        lambda: objects.replace(key, b"", "v"),
        lambda: objects.get(key),
        lambda: objects.read(key),
        lambda: objects.version(key),
        lambda: objects.part(key, 0, 1, "v"),
        lambda: objects.as_file(key).__enter__(),
        lambda: objects.delete(["fine", key]),
    ]
    if key:
        calls.append(lambda: list(objects.list(key)))
    for call in calls:
        with pytest.raises(UsageError):
            call()
    assert keys(objects) == []


def test_odd_keys_are_kept_as_they_are(objects: Objects) -> None:
    for key in ODD:
        objects.put(key, key.encode())
    assert keys(objects) == sorted(ODD)
    for key in ODD:
        assert objects.get(key).decode() == key
        assert not objects.create(key, b"")
        with objects.as_file(key) as path:
            assert Path(path).read_text() == key
    objects.delete(ODD)
    assert keys(objects) == []


@pytest.mark.parametrize("folder", ["a b", "a#1", "100%", "a%20b", "<a>|b", "é?*", "~"])
def test_odd_folders_are_listed(objects: Objects, folder: str) -> None:
    objects.put(f"{folder}/1", b"")
    objects.put(f"{folder}/{folder}/2", b"")
    objects.put("other", b"")
    assert keys(objects, folder) == [f"{folder}/1", f"{folder}/{folder}/2"]
    assert keys(objects, f"{folder}/{folder}") == [f"{folder}/{folder}/2"]


def test_a_list_is_of_a_folder_and_sorted(objects: Objects) -> None:
    everything = ["a", "a-/1", "a.txt", "ab/1", "b/1", "b/10", "b/2", "b/c/1", "b/c.d/1", "b/c0", "ba"]
    for number, key in enumerate(random.Random(1).sample(everything, len(everything))):
        objects.put(key, b"x" * number)
    assert keys(objects) == sorted(everything)
    assert keys(objects, "b") == sorted(key for key in everything if key.startswith("b/"))
    assert keys(objects, "b/c") == ["b/c/1"]
    assert keys(objects, "b/1") == keys(objects, "a") == keys(objects, "c") == []
    for stored in objects.list():
        assert stored.size == len(objects.get(stored.key))
        assert abs(stored.modified - time.time()) < 60


def test_a_file_is_read_from_where_it_stands(objects: Objects, tmp_path: Path) -> None:
    data = os.urandom(20_000_001)  # more than travels at a time
    (tmp_path / "file").write_bytes(data)
    for start in (0, 7, 19_999_999, len(data)):
        with (tmp_path / "file").open("rb") as file:
            file.seek(start)
            objects.put("a", file)
            assert not file.closed
        assert hashlib.sha256(objects.get("a")).digest() == hashlib.sha256(data[start:]).digest()


def test_a_file_that_breaks_off_leaves_what_was_there(objects: Objects) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 10_000_000:
                raise ValueError("the client is gone")
            return super().read(size)

    objects.put("a", b"old")
    with pytest.raises(ValueError, match="gone"):
        objects.put("a", Breaking(bytes(30_000_000)))
    assert objects.get("a") == b"old"
    assert keys(objects) == ["a"]


def test_a_file_lasts_as_long_as_its_block(objects: Objects, place: Place) -> None:
    objects.put("a/clip.mp4", b"frames")
    with objects.as_file("a/clip.mp4") as path:
        assert Path(path).suffix == ".mp4"
        if not place.url.startswith("file:"):
            assert Path(path).stat().st_mode & 0o077 == 0
    assert Path(path).exists() == place.url.startswith("file:")
    with pytest.raises(ZeroDivisionError), objects.as_file("a/clip.mp4") as path:
        _ = 1 // 0
    assert Path(path).exists() == place.url.startswith("file:")
    assert objects.get("a/clip.mp4") == b"frames"


def test_many_are_deleted_while_they_are_listed(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: objects.put(f"{n % 7}/{n}", b""), range(1100)))
    objects.put("kept", b"")
    objects.delete(stored.key for stored in objects.list() if stored.key != "kept")
    assert keys(objects) == ["kept"]


def test_a_part_is_what_a_slice_would_be(objects: Objects) -> None:
    data = os.urandom(100_000)
    objects.put("a/clip.mp4", data)
    version = objects.version("a/clip.mp4") or ""
    for start, size in [(0, 1), (0, 100_000), (0, 200_000), (1, 99_999), (99_999, 1), (99_999, 9), (70_000, 20_000)]:
        assert objects.part("a/clip.mp4", start, size, version) == data[start : start + size]
    for start, size in [(100_000, 1), (100_001, 1), (10**12, 1 << 23), (0, 0), (5, 0), (100_000, 0), (10**12, 0)]:
        assert objects.part("a/clip.mp4", start, size, version) == b""


def test_a_part_of_nothing_is_nothing(objects: Objects) -> None:
    objects.put("a", b"")
    version = objects.version("a") or ""
    for start, size in [(0, 0), (0, 1), (0, 1 << 23), (7, 1)]:
        assert objects.part("a", start, size, version) == b""


@pytest.mark.parametrize(("start", "size"), [(0, 3), (1, 1), (0, 0), (3, 1), (999, 1), (0, 999)])
def test_a_part_is_of_the_version_that_was_named(objects: Objects, start: int, size: int) -> None:
    objects.put("a", b"old")
    version = objects.version("a") or ""
    with pytest.raises(NoObjectError, match=r"\bb\b"):
        objects.part("b", start, size, version)
    objects.put("a", b"new")
    with pytest.raises(NoObjectError, match="replaced"):
        objects.part("a", start, size, version)
    latest = objects.version("a") or ""
    objects.put("a", b"")
    with pytest.raises(NoObjectError, match="replaced"):
        objects.part("a", start, size, latest)
    objects.delete(["a"])
    with pytest.raises(NoObjectError):
        objects.part("a", start, size, latest)


def test_parts_of_two_versions_are_never_mixed(objects: Objects) -> None:
    objects.put("a", bytes(200_000))
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            objects.put("a", bytes([number % 256]) * 200_000)
            time.sleep(0.002)

    read, tries = 0, 0
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            while read < 30 and tries < 2000:
                tries += 1
                first, version = objects.read("a")
                try:
                    part = objects.part("a", 150_000, 200_000, version)
                except NoObjectError:
                    continue
                assert part == first[150_000:]
                read += 1
        finally:
            stop.set()
        writer.result()
    assert read == 30


def test_a_reader_sees_an_object_whole(objects: Objects) -> None:
    objects.put("a", bytes(500_000))
    stop = threading.Event()

    def write(start: int) -> None:
        number = start
        while not stop.is_set():
            objects.put("a", bytes([number % 256]) * 500_000)
            number += 1

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, start) for start in (1, 100)]
        try:
            for _ in range(60):
                data, version = objects.read("a")
                assert len(data) == 500_000
                assert len(set(data)) == 1
                assert version
        finally:
            stop.set()
        for writer in writers:
            writer.result()


def test_one_of_many_threads_creates(objects: Objects) -> None:
    for number in range(20):
        start = threading.Barrier(8)

        def create(mine: int, number: int = number, start: threading.Barrier = start) -> bool:
            start.wait()
            return objects.create(f"race/{number}", b"%d" % mine)

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert sum(won) == 1
        assert objects.get(f"race/{number}") == b"%d" % won.index(True)


def test_threads_lose_no_change(objects: Objects) -> None:
    objects.put("counter", b"0")

    def count(_: int) -> None:
        for _ in range(10):
            while True:
                data, version = objects.read("counter")
                if objects.replace("counter", b"%d" % (int(data) + 1), version):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert objects.get("counter") == b"40"


CREATE = """
won = [number for number in range(50) if objects.create(f"race/{number}", words[0].encode())]
print(*won)
"""

COUNT = """
for _ in range(25):
    while True:
        data, version = objects.read("counter")
        if objects.replace("counter", b"%d" % (int(data) + 1), version):
            break
"""


def test_one_of_many_processes_creates(objects: Objects, place: Place) -> None:
    if not place.shared:
        pytest.skip("memory is one process's own")
    told = outputs([elsewhere(place, CREATE, name) for name in "abcd"])
    won = {int(number): name for name, numbers in zip("abcd", told, strict=True) for number in numbers.split()}
    assert sum(len(numbers.split()) for numbers in told) == len(won) == 50
    assert {number: objects.get(f"race/{number}").decode() for number in range(50)} == won


def test_processes_lose_no_change(objects: Objects, place: Place) -> None:
    if not place.shared:
        pytest.skip("memory is one process's own")
    objects.put("counter", b"0")
    outputs([elsewhere(place, COUNT) for _ in range(4)])
    assert objects.get("counter") == b"100"


STREAM = """
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
objects.put("warm", bytes(100))
with open(words[0], "rb") as file:
    objects.put("large", file)
with objects.as_file("large") as path, open(path, "rb") as file:
    file.seek(-5, 2)
    assert file.read() == b"the e"
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak of memory")
def test_a_large_object_is_streamed(place: Place, tmp_path: Path) -> None:
    if not place.shared:
        pytest.skip("memory holds what it is given")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(300 << 20)
        file.seek(0, 2)
        file.write(b"the e")
    (told,) = outputs([elsewhere(place, STREAM, tmp_path / "large")])
    assert int(told) < 120  # MiB
