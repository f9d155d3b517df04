"""Nothing is lost, wrong or told twice while those who watch, and those who work for them, are killed at any moment."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.doors.conftest import BIDEN, OBAMA, Visage
from tests.doors.watched import LONG, children, clip_of, folders_in, kill
from tests.processes.workers import soon

CLIPS = 12
# Seconds during which somebody is killed every now and then.
TURMOIL = 25.0
# Chunks of one frame: there is much to be done, and much to be lost.
WORDS = ("--workers", 2, "--every", "2f", "--chunk", 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_any_moment_change_no_result(
    visage: Visage, samples: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    for name, file in ((OBAMA, "obama.jpg"), (BIDEN, "biden.jpg")):
        assert visage("enroll", "--name", name, samples / file).code == 0
    clips = [clip_of(samples / file, tmp_path / f"{file}.mp4", 2) for file in ("obama2.jpg", "biden.jpg", "obama3.jpg")]
    luck = random.Random(4)
    with folders_in(tmp_path / "calm", environment) as calm, folders_in(tmp_path / "wild", environment) as wild:
        for number in range(CLIPS):
            calm.put(clips[number % 3], f"clip {number}.mp4")
        (calm.inputs / "text.mp4").write_text("no video at all")
        assert calm.once(*WORDS).returncode == 1

        watcher, kills = wild.start(*WORDS), Counter[str]()
        end, put = time.monotonic() + TURMOIL, 0
        # On a busy machine it takes longer until there is somebody to be killed.
        while time.monotonic() < end or (kills["worker"] < 3 and time.monotonic() < end + LONG):
            if put < CLIPS:
                wild.put(clips[put % 3], f"clip {put}.mp4")
                put += 1
            time.sleep(luck.uniform(0.2, 2.0))
            if luck.random() < 0.4 and kills["watcher"] < kills["worker"] + 3:
                kill(watcher)
                watcher.wait(LONG)
                watcher = wild.start(*WORDS)
                kills["watcher"] += 1
            elif workers := children(watcher):
                kill(luck.choice(workers))
                kills["worker"] += 1
        while put < CLIPS:
            wild.put(clips[put % 3], f"clip {put}.mp4")
            put += 1
        (wild.inputs / "text.mp4").write_text("no video at all")
        assert soon(lambda: len(wild.texts()) == CLIPS + 1, 2 * LONG), wild.complained
        assert soon(lambda: not children(watcher) or watcher.cpu_percent(0.5) < 5, LONG)
        watcher.terminate()
        assert watcher.wait(LONG) == 0

        assert min(kills["watcher"], kills["worker"]) >= 3
        assert wild.texts() == calm.texts()
        for number in range(CLIPS):
            one, other = (folders.result(f"clip {number}.json") for folders in (calm, wild))
            assert other["status"] == "done"
            assert other["answer"]["names"] == one["answer"]["names"]
            assert other["answer"]["frames"] == one["answer"]["frames"]
            assert len(other["answer"]["faces"]) == len(one["answer"]["faces"])
        told = Counter(line.partition(": ")[0] for line in wild.said)
        assert set(told.values()) <= {1}
        again = wild.once(*WORDS)
        assert (again.returncode, again.stdout) == (0, "")
