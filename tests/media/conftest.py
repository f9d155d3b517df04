"""Makers of photos and videos: what the tests decode is made by them, not kept in the repository."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from tests.media.films import FILMS, noise

from visage.core.values import Frame, Media, Pixels, Sampling
from visage.media.cutter import FileCutter
from visage.media.decode import FileDecoder

MakeVideo = Callable[..., Path]
Read = Callable[..., tuple[list[Frame], Media]]


@pytest.fixture
def decoder() -> FileDecoder:
    return FileDecoder(max_bytes=50_000_000, max_pixels=40_000_000, max_seconds=600, threads=2)


@pytest.fixture
def cutter() -> FileCutter:
    return FileCutter(max_bytes=50_000_000, max_pixels=40_000_000, max_seconds=600, threads=2)


@pytest.fixture
def read(decoder: FileDecoder) -> Read:
    """(path, sampling) -> all frames, and what is known of the file afterwards."""

    def all_of(path: Path, sampling: Sampling | None = None) -> tuple[list[Frame], Media]:
        with decoder.open(str(path), sampling or Sampling()) as clip:
            frames = list(clip.frames())
            return frames, clip.media

    return all_of


@pytest.fixture
def corners() -> Pixels:
    """(48, 64, 3): each quarter in a color of its own, so that every turn and mirroring shows."""
    pixels: Pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32] = (220, 30, 30)
    pixels[:24, 32:] = (30, 200, 40)
    pixels[24:, :32] = (30, 50, 210)
    pixels[24:, 32:] = (240, 230, 220)
    return pixels


@pytest.fixture
def make_video(corners: Pixels) -> MakeVideo:
    """A video of `corners`, by default of 10 frames a second; a white bar at the bottom grows by two pixels a frame."""

    def make(
        path: Path,
        *,
        codec: str = "libx264",
        frames: int = 20,
        rate: int = 10,
        times: Sequence[float] | None = None,
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        sound: float = 0.0,
        pictures: Callable[[int], Pixels] | None = None,
        **settings: Any,
    ) -> Path:
        stamps = times if times is not None else [n / rate for n in range(frames)]
        with av.open(str(path), "w", options=container or {}) as out:
            stream = out.add_stream(codec, rate=rate, options=options or {})
            assert isinstance(stream, VideoStream)
            context = stream.codec_context
            first = pictures(0) if pictures else corners
            context.height, context.width = first.shape[:2]
            context.pix_fmt = "yuv420p"
            context.gop_size = 10
            for name, value in settings.items():
                setattr(context, name, value)
            if times is not None:
                context.time_base = Fraction(1, 1000)
            audio = out.add_stream("aac", rate=8000, layout="mono") if sound else None
            for n, stamp in enumerate(stamps):
                if pictures:
                    pixels = pictures(n)
                else:
                    pixels = corners.copy()
                    pixels[-4:, : 2 * n + 1] = 255
                frame = VideoFrame.from_ndarray(pixels, "rgb24")
                frame.time_base = Fraction(1, 1000) if times is not None else Fraction(1, rate)
                frame.pts = round(stamp / frame.time_base)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            if audio is not None:
                for n in range(int(sound * 8000 / 1024)):
                    samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                    samples.sample_rate, samples.pts = 8000, n * 1024
                    out.mux(audio.encode(samples))
                out.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def make_film(tmp_path: Path, make_video: MakeVideo) -> MakeVideo:
    """One of `FILMS`, by its name: 50 frames of noise, a key frame every eight or so."""

    def make(name: str) -> Path:
        suffix, settings = FILMS[name]
        path = tmp_path / f"film.{suffix}"
        return make_video(path, **{"frames": 50, "gop_size": 8, "pictures": noise, **settings})

    return make


@pytest.fixture
def shared() -> Path:
    """The folder of real photos and videos; where there is none the test is skipped."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("VISAGE_SHARED_DATA", beside))
    if not (folder / "photos").is_dir():
        pytest.skip("no real photos here: set VISAGE_SHARED_DATA to a folder with photos/ and videos/")
    return folder
