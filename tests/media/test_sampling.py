"""Which frames are wanted, and that a number of them, or the key frames, cost little."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visage.core.errors import UsageError
from visage.core.values import Frame, Media, Place, Sampling
from visage.media import reel
from visage.media.decode import FileDecoder
from visage.media.sampling import Sampler

Read = Callable[..., tuple[list[Frame], Media]]
MakeVideo = Callable[..., Path]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seconds=1, frames=1),
        Sampling(seconds=1, count=1),
        Sampling(frames=1, keys=True),
        Sampling(count=1, keys=True),
        Sampling(count=0),
        Sampling(count=-1),
    ],
)
def test_senseless(sampling: Sampling) -> None:
    with pytest.raises(UsageError):
        Sampler(sampling)


@pytest.mark.parametrize("seconds", [0.5, 0.3, 7])
def test_going_on_is_as_if_never_stopped(seconds: float) -> None:
    times = [n / 7 for n in range(100)]
    sampler = Sampler(Sampling(seconds=seconds))
    wanted = [n for n, time in enumerate(times) if sampler.wants(n, time)]
    for stop in wanted:
        later = Sampler(Sampling(seconds=seconds), Place(stop, times[stop]))
        assert [n for n in range(stop + 1, 100) if later.wants(n, times[n])] == [n for n in wanted if n > stop]


@pytest.mark.parametrize(("count", "indices"), [(1, [0]), (2, [0, 10]), (4, [0, 5, 10, 15]), (20, list(range(20)))])
@pytest.mark.parametrize("live", [False, True])
def test_a_number_spread_evenly(
    count: int, indices: list[int], live: bool, tmp_path: Path, make_video: MakeVideo, read: Read
) -> None:
    """Also where the file does not say how long it is."""
    container = {"live": "1"} if live else {}
    path = make_video(tmp_path / "a.webm", codec="libvpx", options={"deadline": "realtime"}, container=container)
    frames, _ = read(path, Sampling(count=count))
    assert [frame.index for frame in frames] == indices
    assert len(read(path, Sampling(count=1000))[0]) == 20


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of pictures with every packet that is decoded."""
    seen: list[int] = []
    decode = reel.Reel.decode

    def counted(self: reel.Reel, packet: object) -> object:
        frames = decode(self, packet)  # type: ignore[arg-type]
        seen.append(len(frames))
        return frames

    monkeypatch.setattr(reel.Reel, "decode", counted)
    return seen


def test_the_first_frame_alone_decodes_little(
    tmp_path: Path, make_video: MakeVideo, read: Read, decoded: list[int]
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=200)
    frames, media = read(path, Sampling(count=1))
    assert [frame.index for frame in frames] == [0]
    assert media.duration == 20
    assert len(decoded) < 60


def test_key_frames_alone(tmp_path: Path, make_video: MakeVideo, read: Read, decoded: list[int]) -> None:
    path = make_video(tmp_path / "a.mp4", frames=200, options={"preset": "veryfast", "bf": "3", "sc_threshold": "0"})
    frames, media = read(path, Sampling(keys=True))
    assert len(decoded) < 60 + 20
    whole, sound = read(path)
    assert [frame.index for frame in frames] == list(range(0, 200, 10))
    for frame in frames:
        assert frame.time == whole[frame.index].time
        assert np.array_equal(frame.pixels, whole[frame.index].pixels)
    assert media == sound


def test_key_frames_of_a_video_of_unknown_length(tmp_path: Path, make_video: MakeVideo, decoder: FileDecoder) -> None:
    path = make_video(tmp_path / "a.webm", codec="libvpx", options={"deadline": "realtime"}, container={"live": "1"})
    with decoder.open(str(path), Sampling(keys=True)) as clip:
        assert [frame.index for frame in clip.frames()] == [0, 10]
        assert clip.media.duration == pytest.approx(2.0, abs=0.05)
