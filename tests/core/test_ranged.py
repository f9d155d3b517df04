"""A file read in parts: the bytes of the whole, and no more requests than that takes."""

import io
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.core.errors import NoObjectError, StorageError
from visage.core.serverless.ranged import RangedFile
from visage.objects.folder import FolderObjects

KEY = "clips/a b.mp4"
DATA = random.Random(1).randbytes(1000)


class Counted(FolderObjects):
    """asked: each start and size, in order. failing: starts of parts that cannot be read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[tuple[int, int]] = []
        self.failing: set[int] = set()

    def part(self, key: str, start: int, size: int, version: str) -> bytes:
        self.asked.append((start, size))
        if start in self.failing:
            raise StorageError("the bucket cannot be reached")
        return super().part(key, start, size, version)


@pytest.fixture
def objects(tmp_path: Path) -> Counted:
    store = Counted(tmp_path)
    store.put(KEY, DATA)
    return store


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("visage-ranged")]


def opened(objects: Counted, block: int = 100, size: int = len(DATA)) -> RangedFile:
    return RangedFile(objects, KEY, objects.version(KEY) or "", size, block=block)


def wait_for(objects: Counted, count: int) -> None:
    """Until so many parts were asked for, on whatever thread."""
    deadline = time.monotonic() + 5
    while len(objects.asked) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 400), st.none()),
        st.tuples(st.just("readinto"), st.integers(0, 400), st.none()),
        st.tuples(st.just("seek"), st.integers(-1300, 1300), st.sampled_from([0, 1, 2])),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(size=st.integers(0, 1000), block=st.integers(1, 1100), steps=STEPS)
def test_it_reads_as_a_file_in_memory(size: int, block: int, steps: list[tuple[str, int, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        objects = Counted(Path(folder))
        objects.put(KEY, DATA[:size])
        twin = io.BytesIO(DATA[:size])
        with opened(objects, block, size) as file:
            for name, number, whence in steps:
                if name == "read":
                    assert file.read(number) == twin.read(number)
                elif name == "readinto":
                    ours, theirs = bytearray(number), bytearray(number)
                    assert file.readinto(ours) == twin.readinto(theirs)
                    assert ours == theirs
                elif (start := [0, twin.tell(), size][whence or 0] + number) < 0:
                    with pytest.raises(ValueError, match="no place"):
                        file.seek(number, whence or 0)
                else:
                    assert file.seek(number, whence or 0) == start
                    twin.seek(start)
                assert file.tell() == twin.tell()
        for start, length in objects.asked:
            assert start % block == 0
            assert 0 < length <= min(block, size - start)


def test_it_is_a_file_for_reading_alone(objects: Counted) -> None:
    with opened(objects) as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert (file.name, file.mode) == (KEY, "rb")
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"more")
        with pytest.raises(ValueError, match="whence"):
            file.seek(0, 7)
        assert file.tell() == 0
    assert objects.asked == []


def test_a_short_file_is_one_request(objects: Counted) -> None:
    with opened(objects, 8 << 20) as file:
        assert file.read(10) == DATA[:10]
        file.seek(-10, io.SEEK_END)
        assert file.read() == DATA[-10:]
        file.seek(0)
        assert file.read() == DATA
        assert file.read(1) == file.read() == b""
    assert objects.asked == [(0, 1000)]


def test_an_empty_file_asks_for_nothing(objects: Counted) -> None:
    with opened(objects, size=0) as file:
        assert file.read() == file.read(9) == b""
    assert objects.asked == []


@pytest.mark.parametrize("step", [1, 7, 32, 100, 130, 1000])
def test_reading_on_fetches_every_block_once(objects: Counted, step: int) -> None:
    with opened(objects) as file:
        assert b"".join(iter(lambda: file.read(step), b"")) == DATA
    assert sorted(objects.asked) == [(start, 100) for start in range(0, 1000, 100)]


def test_the_beginning_alone_is_one_request(objects: Counted) -> None:
    with opened(objects) as file:
        for _ in range(10):
            file.read(10)
        time.sleep(0.05)
    assert objects.asked == [(0, 100)]


def test_the_next_block_comes_while_this_one_is_used(objects: Counted) -> None:
    with opened(objects) as file:
        file.read(101)
        wait_for(objects, 3)
        time.sleep(0.05)
        assert objects.asked == [(0, 100), (100, 100), (200, 100)]  # one ahead, no more
        file.read(99)
        assert file.read(1) == DATA[200:201]
        wait_for(objects, 4)
    assert objects.asked == [(0, 100), (100, 100), (200, 100), (300, 100)]


def test_a_video_with_its_index_at_the_end(objects: Counted) -> None:
    """As an MP4 is opened: a look at the beginning, another at the end, then all in between in order."""
    with opened(objects) as file:
        file.read(32)
        file.seek(-30, io.SEEK_END)
        file.read()
        assert objects.asked == [(0, 100), (900, 100)]
        file.seek(32)
        while file.tell() < 900:
            file.read(32)
    asked = sorted(objects.asked)
    assert asked[:9] == [(start, 100) for start in range(0, 900, 100)]
    assert asked[9:] in ([(900, 100)], [(900, 100)] * 2)  # it was let go meanwhile


def test_two_places_read_in_turn_fetch_nothing_twice(objects: Counted) -> None:
    """Pictures here, sound there."""
    with opened(objects) as file:
        for start in range(0, 400, 10):
            for place in (start, 500 + start):
                file.seek(place)
                assert file.read(10) == DATA[place : place + 10]
    assert len(objects.asked) == len(set(objects.asked))
    assert {start for start, _ in objects.asked} - {400, 900} == {0, 100, 200, 300, 500, 600, 700, 800}


def test_many_places_in_turn_fetch_no_more_than_they_need(objects: Counted) -> None:
    with opened(objects, 20) as file:
        for step in range(0, 250, 5):
            for place in (step, 250 + step, 500 + step, 750 + step):
                file.seek(place)
                assert file.read(5) == DATA[place : place + 5]
    assert len(objects.asked) <= 4 * 50  # one for each that found nothing kept


def test_jumps_fetch_what_they_land_on(objects: Counted) -> None:
    with opened(objects) as file:
        for place in (0, 350, 710, 950):
            file.seek(place)
            assert file.read(20) == DATA[place : place + 20]
        time.sleep(0.05)
        file.seek(360)
        file.read(20)  # is still here
    assert objects.asked == [(0, 100), (300, 100), (700, 100), (900, 100)]


def test_an_object_that_was_replaced_is_not_read_on(objects: Counted) -> None:
    with opened(objects) as file:
        assert file.read(150) == DATA[:150]
        wait_for(objects, 3)
        objects.put(KEY, bytes(1000))
        with pytest.raises(NoObjectError, match="replaced"):
            file.read()
        file.seek(0)
        assert file.read(200) == DATA[:200]
        objects.delete([KEY])
        file.seek(900)
        with pytest.raises(NoObjectError):
            file.read(1)


def test_a_trouble_of_the_store_is_told_and_passes(objects: Counted) -> None:
    with opened(objects) as file:
        objects.failing = {0}
        with pytest.raises(StorageError, match="cannot be reached"):
            file.read(10)
        assert file.tell() == 0
        objects.failing.clear()
        assert file.read(110) == DATA[:110]


def test_a_trouble_on_the_thread_is_told_where_its_block_is_read(objects: Counted) -> None:
    objects.failing = {300}
    with opened(objects) as file:
        file.read(250)
        wait_for(objects, 4)
        assert file.read(50) == DATA[250:300]
        with pytest.raises(StorageError, match="cannot be reached"):
            file.read(1)
        assert file.tell() == 300
        objects.failing.clear()
        assert file.read() == DATA[300:]
    assert sorted(objects.asked) == sorted([(start, 100) for start in range(0, 1000, 100)] + [(300, 100)])


def test_an_object_shorter_than_it_was_said_to_be_ends_where_it_ends(objects: Counted) -> None:
    with opened(objects, size=5000) as file:
        assert file.read() == DATA


def test_closing_waits_for_the_thread(objects: Counted) -> None:
    file = opened(objects)
    file.read(101)
    wait_for(objects, 3)
    file.close()
    file.close()
    assert file.closed
    for call in (file.read, file.tell, lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_a_file_never_read_starts_no_thread(objects: Counted) -> None:
    with closing(opened(objects)):
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("visage-ranged")]
    assert objects.asked == []
