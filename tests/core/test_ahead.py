"""Work ahead: same items, same errors, no thread left behind."""

import threading
import time
from collections.abc import Generator, Iterator

import pytest

from visage.core.ahead import ahead


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("visage-ahead")]


@pytest.mark.parametrize("depth", [1, 2, 8, 100])
def test_same_items_in_order(depth: int) -> None:
    assert list(ahead(iter(range(50)), depth)) == list(range(50))
    assert not _threads()


def test_none_and_falsehoods_are_items() -> None:
    assert list(ahead(iter([None, 0, "", None]), 2)) == [None, 0, "", None]


def test_nothing() -> None:
    assert list(ahead(iter(()), 3)) == []


def test_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    items = ahead(failing(), 8)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        next(items)
    assert not _threads()


@pytest.mark.parametrize("depth", [1, 3])
def test_never_more_than_depth_wait(depth: int) -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for n in range(20):
            made.append(n)
            yield n

    for used, _ in enumerate(ahead(counting(), depth), start=1):
        time.sleep(0.002)
        assert len(made) <= used + depth


def test_works_while_the_item_is_used() -> None:
    both = threading.Barrier(2, timeout=60)

    def meeting() -> Iterator[int]:
        yield 0
        both.wait()
        yield 1

    items = ahead(meeting(), 1)
    assert next(items) == 0
    both.wait()  # passes only if the source runs meanwhile
    assert next(items) == 1
    items.close()


def test_closing_early_stops_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            n = 0
            while True:
                yield n
                n += 1
        finally:
            closed.set()

    items = ahead(endless(), 4)
    assert next(items) == 0
    started = time.monotonic()
    items.close()
    assert time.monotonic() - started < 30
    assert closed.is_set()
    assert not _threads()


def test_unused_starts_nothing() -> None:
    items = ahead(iter(range(3)), 2)
    assert not _threads()
    items.close()


def test_forgotten_generator_cleans_up() -> None:
    for item in ahead(iter(range(100)), 4):
        if item == 2:
            break
    deadline = time.monotonic() + 5
    while _threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _threads()
