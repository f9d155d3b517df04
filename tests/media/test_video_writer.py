"""Written videos come back: same times, same colors, or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visage.core.errors import StorageError, UsageError
from visage.core.values import Frame, Media, Pixels
from visage.media.video_writer import VideoWriter

Read = Callable[..., tuple[list[Frame], Media]]


@pytest.mark.parametrize("size", [(64, 48), (65, 48), (64, 49), (1281, 721), (2, 2)])
def test_sizes_and_colors(size: tuple[int, int], tmp_path: Path, read: Read) -> None:
    width, height = size
    pixels: Pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (200, 120, 90)
    with VideoWriter(tmp_path / "a.mp4", width, height, 30) as writer:
        for n in range(4):
            writer.write(pixels, n / 30)
    frames, media = read(tmp_path / "a.mp4")
    assert (media.width, media.height) == (width + width % 2, height + height % 2)
    assert len(frames) == 4
    assert np.abs(frames[2].pixels.astype(int) - (200, 120, 90)).max() <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("times", [[0, 0.1, 0.15, 0.7, 1.234], [n * 1001 / 30000 for n in range(30)], [0, 5, 10], [0]])
def test_times_are_kept(times: list[float], tmp_path: Path, read: Read) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
        for time in times:
            writer.write(np.zeros((48, 64, 3), np.uint8), time)
    frames, media = read(tmp_path / "a.mp4")
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
    assert media.problem is None


def test_times_that_do_not_rise(tmp_path: Path, read: Read) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
        for time in (0, 1, 1, 0.5, 2):
            writer.write(np.zeros((48, 64, 3), np.uint8), time)
    assert [round(frame.time, 2) for frame in read(tmp_path / "a.mp4")[0]] == [0, 1, 1, 1, 2]


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8), 0)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())


def test_no_frame_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48):
        pass
    assert not list(tmp_path.iterdir())


def test_another_size_is_scaled(tmp_path: Path, read: Read) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
        for n, shape in enumerate([(48, 64, 3), (64, 48, 3), (300, 400, 3)]):
            writer.write(np.full(shape, 90, np.uint8), n / 10)
    frames, _ = read(tmp_path / "a.mp4")
    assert [frame.pixels.shape for frame in frames] == [(48, 64, 3)] * 3
    assert np.abs(frames[2].pixels.astype(int) - 90).max() <= 4


def test_wrong_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mp4"):
        VideoWriter(tmp_path / "a.avi", 64, 48)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        VideoWriter(tmp_path / "missing" / "a.mp4", 64, 48)
