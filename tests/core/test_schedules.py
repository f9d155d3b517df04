"""However events come and whatever fails, each upload has one right result in the end."""

import json
from pathlib import Path

import pytest

from tests.core.schedules import Lambda
from tests.core.service_fakes import enroll_both
from visage.core.serverless.results import json_key, text_key

SCHEDULES = 1000
KEYS = ("clip.mp4", "a b/clip+1.mov", "pictures/é 100%.mp4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("schedules")
    enroll_both(made)
    return made


def play(world: Lambda) -> None:
    """Some uploads, one after the other or under one key, while the events of those before are on their way."""
    for _ in range(world.random.randint(1, 4)):
        key = world.random.choice(KEYS)
        cast = world.random.choice([["ada"], ["bo"], ["ada", "bo"], ["nobody"], ["ada", "nobody"]])
        trouble, world.trouble = world.trouble, 0.0
        world.upload(key, [world.random.choice(cast) for _ in range(world.random.randint(1, 20))])
        world.trouble = trouble
        for _ in range(world.random.randint(0, 12)):
            if world.events:
                world.step()
    world.run()


def check(world: Lambda) -> None:
    for key, frames in world.latest.items():
        result = json.loads(world.stores.outputs.get(json_key(key)))
        looked_at = frames[::2]
        assert result["status"] == "done", result
        assert result["answer"]["frames"] == len(looked_at)
        assert [face["frame"] // 2 for face in result["answer"]["faces"]] == [
            i for i, name in enumerate(looked_at) if name != "nobody"
        ]
        assert [face["name"].lower() for face in result["answer"]["faces"]] == [
            name for name in looked_at if name != "nobody"
        ]
        names = sorted({name for name in looked_at if name != "nobody"}, key=lambda n: (-looked_at.count(n), n))
        text = "".join(f"{name.capitalize()}\n" for name in names)
        assert world.stores.outputs.get(text_key(key)).decode() == text


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_every_schedule_ends_with_one_right_result_for_each_key(folder: Path, part: int) -> None:
    """Duplicated, reordered, concurrent and failing events; then whoever looks after the dead letters replays them."""
    for seed in range(part * SCHEDULES // 10, (part + 1) * SCHEDULES // 10):
        kind = seed % 8
        world = Lambda(
            folder,
            seed,
            segment=0.4 if kind & 1 else 0.0,
            trouble=0.02 if kind & 2 else 0.0,
            haste=0.3 if kind & 4 else 0.0,
            overlap=0.08,
        )
        try:
            play(world)
            world.trouble = 0.0
            world.replay()
            check(world)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
