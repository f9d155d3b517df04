"""Which task is next, which files are whole, and what is left of an upload: without a clock or a disk."""

import random

import pytest

from visage.core.ports.objects import Stored
from visage.core.serverless.dispatch import AHEAD, Dispatch, Errand, task_from_json, task_to_json
from visage.core.serverless.settling import STILL, Settling
from visage.core.serverless.unfinished import by_folder
from visage.core.serverless.uploads import Ask, Task, Upload


def split(key: str, version: str = "v-1") -> tuple[Task, str, str]:
    return Task(Ask.SPLIT, key, Upload(key, version, "a", version, 1)), version, f"{key}/{version}"


def chunk(key: str, number: int, version: str = "1-1-1") -> tuple[Task, str, str]:
    return Task(Ask.CHUNK, f"{key}/v-1/{number:06d}.chunk.json"), version, f"{key}/v-1"


def taken(dispatch: Dispatch) -> Errand:
    errand = dispatch.take()
    assert errand is not None
    return errand


def test_one_process_does_chunks_before_it_cuts() -> None:
    dispatch = Dispatch(1)
    assert dispatch.add(*split("a"))
    assert dispatch.add(*chunk("b", 1))
    assert [taken(dispatch).task.ask for _ in range(2)] == [Ask.CHUNK, Ask.SPLIT]
    assert dispatch.take() is None


def test_of_several_processes_one_cuts_while_others_recognize() -> None:
    dispatch = Dispatch(3)
    for key in "ab":
        dispatch.add(*split(key))
    for number in range(4):
        dispatch.add(*chunk("c", number))
    asks = [taken(dispatch).task.ask for _ in range(6)]
    assert asks == [Ask.SPLIT, Ask.CHUNK, Ask.CHUNK, Ask.CHUNK, Ask.CHUNK, Ask.SPLIT]


def test_nothing_new_is_cut_while_many_chunks_wait() -> None:
    dispatch = Dispatch(2)
    dispatch.add(*split("a"))
    for number in range(2 * AHEAD + 3):
        dispatch.add(*chunk("b", number))
    asks = [taken(dispatch).task.ask for _ in range(4)]
    assert asks == [Ask.CHUNK, Ask.CHUNK, Ask.CHUNK, Ask.SPLIT]
    assert dispatch.waiting == 2 * AHEAD


def test_the_rest_of_a_long_video_queues_behind_the_others() -> None:
    dispatch = Dispatch(1)
    dispatch.add(*split("long"))
    dispatch.add(*split("short"))
    long = taken(dispatch)
    dispatch.add(Task(Ask.REST, "long/v-1/000002.rest.json"), "1-1-1", "long/v-1")
    dispatch.done(long)
    assert [taken(dispatch).task.key for _ in range(2)] == ["short", "long/v-1/000002.rest.json"]


def test_what_waits_is_done_or_was_done_is_no_news_but_another_version_is() -> None:
    dispatch = Dispatch(2)
    assert dispatch.add(*chunk("a", 1))
    assert not dispatch.add(*chunk("a", 1))
    errand = taken(dispatch)
    assert not dispatch.add(*chunk("a", 1))
    dispatch.done(errand)
    assert not dispatch.add(*chunk("a", 1))
    assert dispatch.add(*chunk("a", 1, "2-2-2"))
    dispatch.done(taken(dispatch))
    assert dispatch.add(*chunk("a", 1), again=True)
    dispatch.done(taken(dispatch))
    dispatch.forget("a/v-1")
    assert dispatch.add(*chunk("a", 1))


def test_one_that_fails_is_tried_again_later_then_given_up_until_that_is_done() -> None:
    dispatch = Dispatch(1, pauses=(5.0, 30.0))
    dispatch.add(*chunk("a", 1))
    assert not dispatch.failed(taken(dispatch), "no luck", 100.0)
    assert dispatch.take() is None
    assert dispatch.due(101.0) == 4.0
    dispatch.wake(105.0)
    assert not dispatch.failed(taken(dispatch), "no luck", 105.0)
    dispatch.wake(134.9)
    assert dispatch.take() is None
    dispatch.wake(135.0)
    assert dispatch.failed(taken(dispatch), "no luck again", 135.0)
    giving_up = taken(dispatch)
    assert giving_up.reason == "no luck again"
    assert not dispatch.failed(giving_up, "the disk is full", 140.0)
    assert dispatch.due(140.0) == 30.0
    dispatch.wake(170.0)
    assert not dispatch.failed(taken(dispatch), "the disk is full", 170.0)
    assert dispatch.due(170.0) == 60.0
    dispatch.wake(230.0)
    assert dispatch.is_active("a/v-1")
    dispatch.done(taken(dispatch))
    assert not dispatch.is_active("a/v-1")
    assert dispatch.is_idle()


def test_what_is_dropped_is_forgotten_but_for_what_is_being_done() -> None:
    dispatch = Dispatch(2)
    for task in (chunk("a", 1), chunk("a", 2), chunk("a", 3), chunk("b", 1), split("a")):
        dispatch.add(*task)
    at_work = taken(dispatch)
    dispatch.failed(taken(dispatch), "no luck", 0.0)
    dispatch.drop("a/v-1")
    assert dispatch.is_active("a/v-1")
    assert taken(dispatch).group == "b/v-1"
    assert dispatch.take() is None
    assert dispatch.due(0.0) is None
    dispatch.done(at_work)
    assert not dispatch.is_active("a/v-1")
    assert dispatch.add(*chunk("a", 2))


@pytest.mark.parametrize("seed", range(20))
def test_every_task_is_done_whatever_fails_and_none_twice_at_a_time(seed: int) -> None:
    luck = random.Random(seed)
    workers = luck.randint(1, 4)
    dispatch = Dispatch(workers)
    tasks = [split(f"video {n}") for n in range(5)] + [chunk(f"video {n % 5}", n) for n in range(30)]
    expected, finished = {task.key for task, _, _ in tasks}, set()
    at_work: list[Errand] = []
    tasks *= 2
    luck.shuffle(tasks)
    now = 0.0
    while tasks or not dispatch.is_idle():
        now += 1.0
        dispatch.wake(now)
        if tasks:
            dispatch.add(*tasks.pop())
        while len(at_work) < workers and (errand := dispatch.take()):
            assert (errand.task, errand.version) not in [(one.task, one.version) for one in at_work]
            at_work.append(errand)
        luck.shuffle(at_work)
        for errand in [at_work.pop() for _ in range(luck.randint(0, len(at_work)))]:
            if luck.random() < 0.4:
                dispatch.failed(errand, "no luck", now)
            else:
                dispatch.done(errand)
                finished.add(errand.task.key)
    assert finished == expected


def test_a_task_travels_as_json() -> None:
    for task, _, _ in (split("a b/ü+%.mp4"), chunk("a", 1)):
        assert task_from_json(task_to_json(task)) == task


def test_a_file_is_ready_once_it_has_not_changed_for_a_while() -> None:
    settling: Settling[str] = Settling()
    assert settling.wait(0.0) is None
    settling.see("a", "1", 10.0)
    settling.see("a", "1", 10.0 + STILL / 2)
    assert settling.wait(10.0) == STILL
    assert not settling.ready(10.0 + STILL / 2)
    assert settling.ready(10.0 + STILL) == [("a", "1")]
    settling.see("a", "2", 10.0 + STILL)
    assert not settling.ready(10.0 + STILL)
    assert settling.postpone("a", 11.0 + STILL) == 1.0 + STILL
    assert settling.wait(11.0 + STILL) == STILL
    assert settling.seen() == [("a", "2")]
    settling.forget("a")
    settling.forget("a")
    assert len(settling) == 0


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["000001.chunk.json"], [(Ask.CHUNK, 1), (Ask.SPLIT, 0)]),
        (["000001.chunk.json", "answers/000001.json"], [(Ask.SPLIT, 0)]),
        (["000001.chunk.json", "000002.rest.json"], [(Ask.CHUNK, 1), (Ask.REST, 2)]),
        (["000001.chunk.json", "answers/000001.json", "000002.rest.json"], [(Ask.REST, 2)]),
        (["000001.chunk.json", "000002.chunk.json", "000002.rest.json"],
         [(Ask.CHUNK, 1), (Ask.CHUNK, 2), (Ask.SPLIT, 0)]),
        (["000001.chunk.json", "000002.chunk.json", "answers/000002.json", "plan.json"], [(Ask.CHUNK, 1)]),
        (["000001.chunk.json", "answers/000001.json", "plan.json"], [(Ask.SPLIT, 0)]),
        (["frame-000001.jpg"], [(Ask.SPLIT, 0)]),
    ],
)  # fmt: skip
def test_what_is_left_of_an_upload(keys: list[str], left: list[tuple[Ask, int]]) -> None:
    """An upload that was not cut to its end is cut on; one of which only the result is missing is looked at."""
    found = by_folder(Stored(f"a/clip.mp4/1f-2e-3d/{key}", 1, number) for number, key in enumerate(keys, 1))
    assert list(found) == ["a/clip.mp4/1f-2e-3d"]
    staged = found["a/clip.mp4/1f-2e-3d"]
    assert list(staged.left()) == left
    assert staged.newest == len(keys)


def test_what_a_user_puts_into_the_stage_is_no_uploads() -> None:
    keys = ["pictures/ada.jpg", "plan.json", "1f-2e-3d/plan.json", "holidays/frame-000001.jpg", "a/1f-2e-3d/notes.txt",
            "a/1f-2e-3d/answers/frame-000001.jpg.bak", "a/1f-2e-3d/b/plan.json.old"]  # fmt: skip
    assert not by_folder(Stored(key, 1, 1.0) for key in keys)
