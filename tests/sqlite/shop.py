"""A gallery, a store in memory, and what publishes the one in the other."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from obstore.store import MemoryStore

from visage.core.errors import StorageError
from visage.core.galleries.publish import Publisher
from visage.core.values import Embeddings, EnrolledFace, Floats, Quality
from visage.objects.bucket import BucketObjects
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.published import pack

KEY = "gallery.sqlite"
QUALITY = Quality(80, 0.7, -3, 1, 0, 0.9)


def unit(seed: int) -> Floats:
    vector = np.random.default_rng(seed).standard_normal(16)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def face(seed: int, model: str = "m") -> EnrolledFace:
    points = np.full((5, 2), 41.25, np.float32)
    source, digest = f"/home/ada/secret-{seed}.jpg", f"digest{seed}"
    crop = b"\xff\xd8picture" * 9
    return EnrolledFace(uuid.uuid4().hex, "", unit(seed), model, crop, points, source, digest, QUALITY, 1.5e9)


def probes(*seeds: int, model: str = "m") -> Embeddings:
    return Embeddings(np.stack([unit(seed) for seed in seeds]), model)


class Store(BucketObjects):
    """Objects in memory that can be made unreachable."""

    reachable = True
    looks = 0
    event: Callable[[], object] | None = None

    def version(self, key: str) -> str | None:
        """`event` comes first, once."""
        self.looks += 1
        event, self.event = self.event, None
        if event:
            event()
        if not self.reachable:
            raise StorageError("the store cannot be reached")
        return super().version(key)


@pytest.fixture
def truth(tmp_path: Path) -> Iterator[SqliteGallery]:
    with closing(SqliteGallery(tmp_path / "truth.sqlite", create=True)) as opened:
        yield opened


@pytest.fixture
def store() -> Store:
    return Store(MemoryStore(), "memory")


@pytest.fixture
def publisher(truth: SqliteGallery, store: Store) -> Publisher:
    return Publisher(truth, store, KEY, pack)
