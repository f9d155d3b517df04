"""What is old is deleted, whatever there is of it."""

import os
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from visage.core.errors import StorageError
from visage.core.ports.objects import Stored
from visage.core.service.sweep import sweep
from visage.objects.folder import FolderObjects
from visage.objects.store import open_store


def test_only_what_is_older_goes(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    now = time.time()
    for days in range(10):
        objects.put(f"{days}/0", b"photo")
        os.utime(tmp_path / f"{days}" / "0", (now - days * 86400,) * 2)
    assert sweep(objects, now - 6.5 * 86400) == 3
    assert [stored.key for stored in objects.list()] == [f"{days}/0" for days in range(7)]
    assert sweep(objects, now - 6.5 * 86400) == 0
    assert {path.name for path in tmp_path.iterdir()} == {".visage", *"0123456"}


def test_many_batches() -> None:
    objects = open_store("memory:///")
    for number in range(1001):
        objects.put(f"{number}/in", b"")
    assert sweep(objects, time.time() - 60) == 0
    assert sweep(objects, time.time() + 60) == 1001
    assert list(objects.list()) == []


class Endless:
    """A hundred thousand objects that are made as they are listed, and counted as they are deleted."""

    deleted = 0

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return (Stored(f"{number:032x}/0", 1, 0.0) for number in range(100_000))

    def delete(self, keys: Iterable[str]) -> None:
        self.deleted += len([*keys])


def test_memory_is_flat() -> None:
    objects = Endless()
    tracemalloc.start()
    try:
        assert sweep(objects, 1.0) == 100_000  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert objects.deleted == 100_000


def test_what_another_deleted_meanwhile_is_nothing(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    for number in range(3):
        objects.put(f"{number}/in", b"")

    class Busy(FolderObjects):
        def delete(self, keys: Iterable[str]) -> None:
            objects.delete(["1/in"])
            super().delete(keys)

    assert sweep(Busy(tmp_path), time.time() + 60) == 3
    assert list(objects.list()) == []


def test_a_store_that_fails_in_the_middle(tmp_path: Path) -> None:
    class Failing(FolderObjects):
        room = 1

        def delete(self, keys: Iterable[str]) -> None:
            if not self.room:
                raise StorageError("the disk is gone")
            self.room -= 1
            super().delete(keys)

    objects = Failing(tmp_path)
    for number in range(600):
        objects.put(f"{number}/in", b"")
    with pytest.raises(StorageError, match="gone"):
        sweep(objects, time.time() + 60)
    assert len(list(objects.list())) == 100
    objects.room = 1
    assert sweep(objects, time.time() + 60) == 100
