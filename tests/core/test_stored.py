"""Photos and videos in a store go by their keys; where their file happens to be is nobody's business."""

from pathlib import Path

import pytest

from tests.core.service_fakes import NamedPictures, enroll_both, make_kit
from visage.core.errors import InputError, NotFoundError, TooLargeError, UnreadableError
from visage.core.jobs import perform
from visage.core.stored import StoreDecoder
from visage.core.values import Job, JobKind, Sampling
from visage.objects.folder import FolderObjects


@pytest.fixture
def store(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "store")


@pytest.fixture
def decoder(store: FolderObjects) -> StoreDecoder:
    return StoreDecoder(store, NamedPictures())


def test_media_carry_the_key(store: FolderObjects, decoder: StoreDecoder) -> None:
    store.put("job/0", b"film")
    with decoder.open("job/0", Sampling(frames=10)) as clip:
        assert clip.media.source == "job/0"
        assert clip.media.duration == 4.0
        assert [frame.index for frame in clip.frames()] == [0, 10, 20, 30]


def test_jobs_work_on_keys(tmp_path: Path, store: FolderObjects, decoder: StoreDecoder) -> None:
    enroll_both(tmp_path)
    store.put("job/0", b"bo")
    answer = perform(Job(JobKind.RECOGNIZE, ("job/0",)), make_kit(tmp_path, decoder))
    assert (answer.names, answer.source) == (["Bo"], "job/0")
    store.put("job/1", b"nobody")
    with pytest.raises(UnreadableError, match=r"^job/1: no face"):
        perform(Job(JobKind.COMPARE, ("job/0", "job/1")), make_kit(tmp_path, decoder))


def test_errors_carry_the_key_and_keep_their_kind(store: FolderObjects, decoder: StoreDecoder) -> None:
    store.put("job/0", b"no such picture")
    with pytest.raises(UnreadableError) as caught, decoder.open("job/0", Sampling()):
        pass
    assert (caught.value.source, caught.value.reason) == ("job/0", "it is no picture")
    assert str(store) not in str(caught.value)
    store.put("job/1", b"ada")
    with pytest.raises(TooLargeError) as late, decoder.open("job/1", Sampling()):  # while its frames are read
        raise TooLargeError("/secret/path", "too many pixels")
    assert (late.value.source, late.value.reason) == ("job/1", "too many pixels")


def test_what_is_not_in_the_store_was_not_found(store: FolderObjects, decoder: StoreDecoder) -> None:
    with pytest.raises(NotFoundError) as caught, decoder.open("job/0", Sampling()):
        pass
    assert isinstance(caught.value, InputError)
    assert caught.value.source == "job/0"
    assert "send it again" in caught.value.reason


def test_finding_tells_keys(store: FolderObjects, decoder: StoreDecoder) -> None:
    for key in ("b/1", "a/2", "a/1"):
        store.put(key, b"ada")
    assert decoder.find("a") == ["a/1", "a/2"]
    assert decoder.find("none") == []
