"""Alone with something, over threads and processes: whoever lives keeps it, and whoever died of it has it no more."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visage.core.errors import UsageError
from visage.core.unknown.claim import Claims
from visage.objects.folder import FolderObjects

KEY = "naming/x.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "store")


def claims(store: FolderObjects, dead: float = 4.0) -> Claims:
    return Claims(store, time.time, dead=dead)


def test_who_lives_keeps_it_however_long(store: FolderObjects) -> None:
    with claims(store).alone(KEY) as check:
        for _ in range(2):
            with pytest.raises(UsageError, match="ask again"), claims(store, dead=30.0).alone(KEY):
                pass
            check()
    with claims(store).alone(KEY):
        pass
    assert not list(store.list())


def test_a_dead_ones_is_taken_over_by_one_alone(store: FolderObjects) -> None:
    store.put(KEY, b"{}")  # of one that was killed
    ready, done = threading.Barrier(4), threading.Barrier(4)

    def take() -> bool:
        mine = claims(store, dead=1.0)
        ready.wait(60)
        try:
            with mine.alone(KEY) as check:
                check()
                done.wait(60)
                return True
        except UsageError:
            done.wait(60)
            return False

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: take(), range(4))) == 1
    assert not list(store.list())


def test_who_was_taken_over_is_told_before_the_next_step(store: FolderObjects) -> None:
    with claims(store).alone(KEY) as check:
        check()
        store.put(KEY, b"another's")
        with pytest.raises(UsageError, match="somebody else"):
            check()
    assert store.get(KEY) == b"another's", "and leaves it to them"


def test_threads_of_one_process_are_told_too(store: FolderObjects) -> None:
    mine = claims(store, dead=0.5)
    with mine.alone(KEY), ThreadPoolExecutor() as threads:
        refused = threads.submit(_entered, mine)
        with pytest.raises(UsageError, match="ask again"):
            refused.result(60)


def _entered(mine: Claims) -> None:
    with mine.alone(KEY):
        pass


_HOLDER = """
import sys, time
from pathlib import Path
from visage.core.unknown.claim import Claims
from visage.objects.folder import FolderObjects
with Claims(FolderObjects(Path(sys.argv[1])), time.time).alone("naming/x.json"):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_is_not_waited_for_long(tmp_path: Path, store: FolderObjects) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path / "store")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"mine\n"
        with pytest.raises(UsageError), claims(store).alone(KEY):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    begun = time.monotonic()
    with claims(store).alone(KEY) as check:
        check()
    assert time.monotonic() - begun < 15.0
