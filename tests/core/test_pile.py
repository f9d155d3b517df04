"""All unknown faces in memory, level with a store: what is in an odd state, what is read while others are answered."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.core.inboxes import World, like, seen, somebody
from tests.fakes import CARD
from tests.processes.workers import soon
from visage.core.errors import NoFaceError, StorageError
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import FACES, crops_folder, faces_key, haul_from_bytes, haul_to_bytes, unknown_id
from visage.objects.folder import FolderObjects
from visage.sqlite.gallery import SqliteGallery

LONG = 300.0
ADA, BO = somebody(1), somebody(2)


class Slow(FolderObjects):
    """A store in which other threads than the first read nothing until they are let."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.open = threading.Event()
        self.broken = False

    def get(self, key: str) -> bytes:
        if key.startswith(FACES) and threading.current_thread() is not threading.main_thread():
            assert self.open.wait(LONG)
            if self.broken:
                raise StorageError("the store is away")
        return super().get(key)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    gallery = SqliteGallery(tmp_path / "gallery.sqlite", create=True)
    yield World(tmp_path / "world", gallery)
    gallery.close()


def sizes(inbox: Inbox) -> list[int]:
    return [len(one.faces) for one in inbox.clusters("default")]


def test_nobody_waits_while_many_are_read(world: World) -> None:
    jobs = [world.photo(seen(like(ADA, number)), seen(like(BO, number))) for number in range(8)]
    store = Slow(world.folder / "unknown")
    inbox = world.inbox(store, at_once=3)
    face = unknown_id(jobs[0], 0)
    assert inbox.clusters("default") == []
    assert inbox.behind
    with pytest.raises(StorageError, match="still being read"):
        inbox.cluster("default", face)
    assert inbox.forget_job(jobs[1]) == 1 + 1, "what is deleted meanwhile stays so"
    store.open.set()
    assert soon(lambda: sizes(inbox) == [7, 7] and not inbox.behind, LONG)
    assert len(inbox.cluster("default", face).faces) == 7
    with pytest.raises(NoFaceError):
        inbox.cluster("default", unknown_id(jobs[1], 0))


def test_who_needs_all_of_them_waits(world: World) -> None:
    for number in range(8):
        world.photo(seen(like(ADA, number)))
    inbox = world.inbox(at_once=3)
    assert inbox.sweep(world.now - 1e6) == 0
    faces = [face.id for face in inbox.clusters("default")[0].faces] if not inbox.behind else []
    assert inbox.forget_person("default", None, [unknown_id(job, 0) for job in world.jobs]) == 8
    assert faces == [] or len(faces) == 8
    assert not list(world.unknown.list(FACES))


def test_a_store_that_fails_while_many_are_read_is_told_of_and_read_again(world: World) -> None:
    for number in range(8):
        world.photo(seen(like(ADA, number)))
    store = Slow(world.folder / "unknown")
    store.broken = True
    inbox = world.inbox(store, at_once=3)
    assert sizes(inbox) == []
    store.open.set()

    def told() -> bool:
        try:
            inbox.clusters("default")
        except StorageError:
            return True
        return False

    assert soon(told, LONG)
    store.broken = False
    assert soon(lambda: not told() and sizes(inbox) == [8], LONG)
    assert soon(lambda: not inbox.behind, LONG)


def test_the_groups_are_the_same_however_many_come_at_a_time(world: World) -> None:
    inboxes = [world.inbox(at_once=at_once) for at_once in (1, 4, 1000)]
    for number in range(12):
        world.photo(seen(like(ADA, number, 0.8)), seen(like(BO, number, 0.8)))
        if number % 4 == 0:
            assert all(inbox.clusters("default") is not None for inbox in inboxes)
    found = []
    for inbox in inboxes:
        inbox.sweep(0.0)
        assert soon(lambda one=inbox: not one.behind, LONG)  # type: ignore[misc]
        found.append(inbox.clusters("default"))
    assert found[0] == found[1] == found[2]
    assert sum(len(one.faces) for one in found[0]) == 24


@pytest.mark.parametrize("odd", ["zero", "nan", "short", "copied", "twice", "text", "list", "empty"])
def test_what_is_in_an_odd_state_hides_nothing_else(world: World, odd: str) -> None:
    one, _ = world.photo(seen(like(ADA, 1)), seen(like(BO, 5))), world.photo(seen(like(BO, 1)))
    key = faces_key(one)
    record = json.loads(world.unknown.get(key))
    face = record["faces"][0]
    dimension = CARD.dimension
    vectors = {"zero": np.zeros(dimension), "nan": np.full(dimension, np.nan), "short": np.eye(1, dimension // 2)[0]}
    if odd in vectors:
        face["vector"] = base64.b64encode(vectors[odd].astype("<f4").tobytes()).decode()
    elif odd == "copied":
        key = faces_key("f" * 32)
    elif odd == "twice":
        record["faces"].append(face)
    world.unknown.put(key, {"text": b"\xff{", "list": b"[1]", "empty": b""}.get(odd) or json.dumps(record).encode())
    inbox = world.inbox(at_once=100)
    left = {face.job for cluster in inbox.clusters("default") for face in cluster.faces}
    assert world.jobs[1] in left
    world.photo(seen(like(BO, 2)))
    assert len({face.job for cluster in inbox.clusters("default") for face in cluster.faces}) == len(left) + 1
    assert not inbox.behind


def test_what_another_wrote_right_after_a_look_is_seen(world: World) -> None:
    """Also where it is deleted again before anybody looked."""
    world.photo(seen(like(ADA, 1)))
    inbox, other = (world.inbox(at_once=100) for _ in range(2))
    assert sizes(inbox) == sizes(other) == [1]
    inbox.ignore("default", [face.id for face in inbox.clusters("default")[0].faces])
    assert sizes(inbox) == sizes(other) == []
    other.forget_job(world.jobs[0])
    with pytest.raises(NoFaceError):
        inbox.crop(unknown_id(world.jobs[0], 0))
    assert not list(world.unknown.list(crops_folder(world.jobs[0])))


def test_a_haul_is_what_it_was(world: World) -> None:
    job = world.photo(seen(like(ADA, 1)), seen(like(BO, 5)))
    data = world.unknown.get(faces_key(job))
    assert haul_to_bytes(haul_from_bytes(data, faces_key(job))) == data
