"""Galleries of every adapter that can be written to, and faces for them, for the contract suites."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest

from visage.core.ports.gallery import Gallery
from visage.core.values import Embeddings, EnrolledFace, Floats, Quality
from visage.postgres.gallery import PostgresGallery
from visage.sqlite.gallery import SqliteGallery

QUALITY = Quality(size=80.5, sharpness=0.7, yaw=-3.0, pitch=1.5, roll=0.25, score=0.9)
DIMENSION = 16
NO_ID = ("", "\0", "\ud800", "x" * 5000, "../..", "'")


@dataclass(frozen=True)
class Store:
    """Where an adapter keeps things. open: a gallery on it, each time another; code: the same in another process."""

    open: Callable[[], Gallery]
    code: str


def sqlite(request: pytest.FixtureRequest) -> Store:
    path = request.getfixturevalue("tmp_path") / "gallery.sqlite"
    code = "from visage.sqlite.gallery import SqliteGallery; from pathlib import Path; "
    return Store(
        lambda: SqliteGallery(path, create=True), f"{code}gallery = SqliteGallery(Path({str(path)!r}), create=True)"
    )


def postgresql(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("server").database()
    code = "from visage.postgres.gallery import PostgresGallery; "
    return Store(lambda: PostgresGallery(url, create=True), f"{code}gallery = PostgresGallery({url!r}, create=True)")


@pytest.fixture(params=[sqlite, postgresql], ids=lambda adapter: adapter.__name__)
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.param(request)
    return made


@pytest.fixture
def gallery(store: Store) -> Iterator[Gallery]:
    with closing(store.open()) as opened:
        yield opened


def unit(seed: int, dimension: int = DIMENSION) -> Floats:
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def face(seed: int, model: str = "one", **changes: object) -> EnrolledFace:
    points = np.random.default_rng(seed).uniform(0, 100, (5, 2)).astype(np.float32)
    made = EnrolledFace(
        uuid.uuid4().hex, "", unit(seed), model, None, points, f"{seed}.jpg", f"{seed:x}", QUALITY, 1.5e9
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def probes(*seeds: int, model: str = "one") -> Embeddings:
    return Embeddings(np.stack([unit(seed) for seed in seeds]), model)


def found(gallery: Gallery, seed: int, k: int = 1, collection: str = "c", model: str = "one") -> list[str]:
    return [candidate.name for candidate in gallery.search(collection, probes(seed, model=model), k)[0]]
