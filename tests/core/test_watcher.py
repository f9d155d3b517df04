"""What comes into folders is done, whatever fails, is missed, or is killed in between; played, with a made-up clock."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from tests.core.schedules import KilledError, Lambda, film
from tests.core.service_fakes import enroll_both
from visage.core.errors import StorageError, VisageError
from visage.core.ports.objects import Stored
from visage.core.serverless.dispatch import Dispatch, Errand
from visage.core.serverless.failures import give_up
from visage.core.serverless.settling import STILL
from visage.core.serverless.splitting import Stores
from visage.core.serverless.uploads import Ask
from visage.core.serverless.watcher import Surroundings, Watcher
from visage.objects.folder import FolderObjects

ADA = ["ada"] * 14  # every second frame is looked at: chunks of three, the last of one
BO = ["bo"] * 8


class ShakyObjects(FolderObjects):
    """A folder whose every call may fail, before or after it had its effect, or end the process."""

    def __init__(self, root: Path, stumble: Callable[[], None], wrote: Callable[[str], None]) -> None:
        super().__init__(root)
        self._stumble = stumble
        self._wrote = wrote

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        self._stumble()
        super().put(key, data)
        self._wrote(key)
        self._stumble()

    def create(self, key: str, data: bytes) -> bool:
        self._stumble()
        created = super().create(key, data)
        self._wrote(key)
        self._stumble()
        return created

    def read(self, key: str) -> tuple[bytes, str]:
        self._stumble()
        return super().read(key)

    def version(self, key: str) -> str | None:
        self._stumble()
        return super().version(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self._stumble()
        return super().list(prefix)


class House:
    """The folders, whoever watches them, and those that do its tasks. trouble: how likely a store's call fails."""

    def __init__(self, root: Path, seed: int = 1, *, workers: int = 2, pauses: tuple[float, ...] = (5.0, 30.0)) -> None:
        enroll_both(root)
        self.luck = random.Random(seed)
        self.trouble = 0.0
        self.came: list[tuple[bool, str]] = []
        self.functions = Lambda(root, seed)
        self.functions.stores = self.stores = Stores(
            ShakyObjects(root / "in", self._stumble, lambda key: self.came.append((False, key))),
            ShakyObjects(root / "stage", self._stumble, lambda key: self.came.append((True, key))),
            ShakyObjects(root / "out", self._stumble, lambda _: None),
        )
        self.now, self.workers, self.pauses = 0.0, workers, pauses
        self.results: list[Mapping[str, Any]] = []
        self.said: list[str] = []
        self.at_work: list[Errand] = []
        self.open: set[str] = set()  # inputs that somebody is writing
        self.restart()

    def restart(self, patience: float | None = None) -> None:
        """The watcher is killed, and what was at work is forgotten; another begins."""
        self.at_work.clear()
        around = Surroundings(self._whole, self._stamp, self.results.append, self.said.append)
        self.watcher = Watcher(self.stores, Dispatch(self.workers, self.pauses), around, patience=patience)

    def put(self, key: str, frames: list[str]) -> None:
        self.stores.inputs.put(key, film(frames))

    def step(self, seconds: float = 0.1) -> None:
        """Let some time pass; then take and begin what there is."""
        self.now += seconds
        self.watcher.tick(self.now)
        while len(self.at_work) < self.workers and (errand := self.watcher.take()):
            self.at_work.append(errand)

    def work(self) -> None:
        """Somebody comes to an end with their task."""
        errand = self.at_work.pop(self.luck.randrange(len(self.at_work)))
        failure = None
        try:
            if errand.reason is None:
                self.functions._do(errand.task)
            else:
                give_up(errand.task, errand.reason, self.stores)
        except (VisageError, KilledError) as error:
            failure = repr(error)
        self.watcher.became(errand, failure, self.now)

    def finish(self) -> None:
        """Until there is nothing left to be done, looking at everything now and then."""
        for _ in range(2000):
            self.watcher.scan(self.now)
            self.step(STILL)
            while self.at_work:
                self.work()
                self.step()
            self.step(max(0.0, self.watcher.wait(self.now) or 0.0))
            if self.watcher.is_over() and not self.at_work:
                return
        raise AssertionError("it comes to no end")

    def result(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.stores.outputs.get(f"{name}.json")))

    def _stumble(self) -> None:
        if self.luck.random() < self.trouble:
            raise self.luck.choice([StorageError("the disk is away"), KilledError()])

    def _whole(self, key: str, staged: bool) -> int | None:
        data = (self.stores.stage if staged else self.stores.inputs).get(key)
        return None if key in self.open else len(data)

    def _stamp(self) -> int:
        return 0x1000000000000000 + int(self.now * 1e9)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("seed", range(60))
def test_every_video_gets_its_one_right_result(tmp_path: Path, seed: int) -> None:
    """Files come, are replaced, are long in coming; events are missed; tasks fail, are killed, and left to others; the
    watcher is killed, while those who work for it may or may not go on to their end."""
    house = House(tmp_path, seed, workers=seed % 3 + 1, pauses=(1.0,) * 40)
    house.functions.haste = 0.2
    latest: dict[str, list[str]] = {}
    luck = house.luck
    for _ in range(120):
        try:
            match luck.randrange(10):
                case 0 if len(latest) < 4 or luck.random() < 0.2:
                    key = luck.choice(["a.mp4", "b/a.mov", "ü +%.mp4", "pictures/x.mp4"])
                    latest[key] = luck.choice([ADA, BO, BO + ADA])
                    house.trouble = 0.0
                    house.put(key, latest[key])
                case 1:
                    house.watcher.scan(house.now)
                case 2 if luck.random() < 0.5:
                    house.restart()
                    house.watcher.scan(house.now)
                case 3 | 4:
                    for staged, key in house.came:
                        if luck.random() < 0.7:
                            (house.watcher.staged if staged else house.watcher.input_came)(key, house.now)
                    house.came.clear()
                case 5 | 6 | 7 if house.at_work:
                    house.trouble = 0.01
                    house.work()
                case _:
                    house.step(luck.uniform(0.0, 0.5))
        except (StorageError, KilledError) as error:
            if isinstance(error, KilledError):
                house.restart()
        house.trouble = 0.002
    house.trouble = 0.0
    house.finish()
    for key, frames in latest.items():
        result = house.result(key.removesuffix(".mp4"))
        assert result["source"]["version"] == house.stores.inputs.version(key)
        assert result["status"] == "done"
        assert result["answer"]["frames"] == (len(frames) + 1) // 2
        assert set(result["answer"]["names"]) == {name.title() for name in frames}
    told = [(one["source"]["key"], one["source"]["version"]) for one in house.results]
    assert len(set(told)) == len(told)
    house.restart()
    house.results.clear()
    house.finish()
    assert house.results == []


def test_a_chunk_that_always_kills_is_given_up_and_the_rest_is_named(house: House) -> None:
    house.put("a.mp4", ADA)
    do = house.functions._do

    def frail(task: Any) -> None:
        if task.key.endswith("000002.chunk.json"):
            raise KilledError
        do(task)

    house.functions._do = frail  # type: ignore[method-assign]
    house.finish()
    assert house.result("a")["status"] == "partial"
    assert house.result("a")["answer"]["frames"] == 4
    assert [line for line in house.said if "given up after 3 tries" in line and "000002.chunk.json" in line]
    assert house.watcher.failed == ["a.mp4"]
    house.functions._do = do  # type: ignore[method-assign]
    (manifest,) = [one.key for one in house.stores.stage.list() if one.key.endswith("000002.chunk.json")]
    house.stores.stage.put(manifest, house.stores.stage.get(manifest))
    house.watcher.staged(manifest, house.now)
    house.finish()
    assert house.result("a")["status"] == "done"
    assert [one["status"] for one in house.results] == ["partial", "done"]


def test_a_file_that_is_being_written_is_waited_for_or_left_alone_in_the_end(house: House) -> None:
    house.put("a.mp4", ADA)
    house.open.add("a.mp4")
    house.watcher.scan(house.now)
    for _ in range(40):
        house.step(STILL)
    assert not house.at_work
    house.open.clear()
    house.finish()
    assert house.result("a")["status"] == "done"
    house.put("b.mp4", ADA)
    house.open.add("b.mp4")
    house.restart(patience=10.0)
    house.finish()
    assert house.watcher.failed == ["b.mp4"]
    assert house.said == ["b.mp4: it is still being written; look at it again later"]


def test_a_file_that_comes_back_is_done_anew_and_later_than_what_took_its_place(house: House, tmp_path: Path) -> None:
    """The very file, of which the stage holds everything from its first time."""
    house.put("a.mp4", ADA)
    house.finish()
    first = house.result("a")["source"]
    (tmp_path / "in" / "a.mp4").rename(tmp_path / "aside")
    house.put("a.mp4", BO)
    house.finish()
    assert house.result("a")["answer"]["names"] == ["Bo"]
    (tmp_path / "aside").rename(tmp_path / "in" / "a.mp4")
    house.finish()
    last = house.result("a")
    assert last["answer"]["names"] == ["Ada"]
    assert last["source"]["version"] == first["version"]
    assert last["source"]["order"] > first["order"]


def test_what_waits_for_an_upload_that_was_replaced_is_not_done(house: House) -> None:
    house.put("a.mp4", ADA)
    house.watcher.scan(house.now)
    house.step(STILL)
    house.work()
    house.step()
    assert all(errand.task.ask is Ask.CHUNK for errand in house.at_work)
    house.put("a.mp4", BO)
    house.finish()
    assert [one["answer"]["names"] for one in house.results] == [["Bo"]]


def test_the_stage_is_swept_of_what_is_of_no_present_upload_or_old(house: House) -> None:
    for key in ("a.mp4", "b.mp4"):
        house.put(key, ADA)
    house.finish()
    house.stores.stage.put("holidays/frame-000001.jpg", b"a user's own")
    house.stores.inputs.delete(["b.mp4"])
    house.watcher.scan(house.now)
    assert house.watcher.sweep(0.0) == 1
    left = {one.key.partition("/")[0] for one in house.stores.stage.list()}
    assert left == {"a.mp4", "holidays"}
    house.restart()
    house.watcher.scan(house.now)  # what has just been seen, and not yet taken, is present too
    assert house.watcher.sweep(0.0) == 0
    assert house.watcher.sweep(float("inf")) == 1
    assert [one.key for one in house.stores.stage.list()] == ["holidays/frame-000001.jpg"]


def test_a_result_that_cannot_be_written_keeps_being_tried(house: House) -> None:
    house.stores.inputs.put("a.mp4", b"no film")
    do = house.functions._do

    def full(task: Any) -> None:
        raise StorageError("the disk is full")

    house.functions._do = full  # type: ignore[method-assign]
    house.watcher.scan(house.now)
    house.step(STILL)
    for pause in (5.0, 30.0):
        house.work()
        assert not house.at_work
        house.step(pause)
    house.functions._do = do  # type: ignore[method-assign]
    house.work()
    house.step()
    house.finish()
    assert house.result("a")["status"] == "failed"
