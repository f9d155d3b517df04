"""Videos that are cut off, damaged, over a limit or none at all."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from visage.core.errors import InputError, TooLargeError, UnreadableError
from visage.core.values import Frame, Media, Pixels, Sampling
from visage.media.decode import FileDecoder

Read = Callable[..., tuple[list[Frame], Media]]
MakeVideo = Callable[..., Path]

FAST = {"preset": "ultrafast", "crf": "20"}
START = {"movflags": "faststart"}
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("mp4", {"container": START}),
    ("mp4", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
    ("mov", {"codec": "mpeg4", "options": {"qmin": "4", "qmax": "4"}, "container": START}),
    ("mkv", {}),
    ("webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    ("avi", {"codec": "mpeg4", "options": {"qmin": "4", "qmax": "4"}}),
    ("ts", {}),
]


def _noise(n: int) -> Pixels:
    return np.random.default_rng(n).integers(0, 200, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def noisy_video(make_video: MakeVideo) -> MakeVideo:
    """Every frame takes about the same room, so that half the file is half the film."""

    def make(path: Path, **settings: Any) -> Path:
        return make_video(path, **{"options": FAST, "frames": 40, "gop_size": 5, "pictures": _noise, **settings})

    return make


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.8])
@pytest.mark.parametrize(("suffix", "settings"), FORMS)
def test_broken_tail(
    suffix: str, settings: dict[str, Any], keep: float, tmp_path: Path, noisy_video: MakeVideo, read: Read
) -> None:
    path = noisy_video(tmp_path / f"a.{suffix}", **settings)
    whole, sound = read(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    frames, media = read(path)
    assert sound.problem is None
    assert 0.4 * keep * len(whole) < len(frames) < len(whole)
    assert all(np.array_equal(frame.pixels, other.pixels) for frame, other in zip(frames[:-3], whole, strict=False))
    if suffix != "ts":  # a transport stream has neither a length nor an end
        assert media.problem is not None
        assert media.problem.startswith(f"the file breaks off after {frames[-1].time + 0.1:.1f} s")


def test_cut_between_two_frames(tmp_path: Path, noisy_video: MakeVideo, read: Read) -> None:
    """No packet is incomplete then; only the length tells."""
    path = noisy_video(tmp_path / "a.mp4", container=START, options={**FAST, "bf": "0"})
    with av.open(str(path)) as container:
        ends = sorted((packet.pos or 0) + packet.size for packet in container.demux() if packet.size)
    path.write_bytes(path.read_bytes()[: ends[21]])
    frames, media = read(path)
    assert len(frames) == 22
    assert media.problem == "the file breaks off after 2.2 s of 4.0 s"


def test_video_without_its_index(tmp_path: Path, noisy_video: MakeVideo, read: Read) -> None:
    path = noisy_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableError, match="cut off before its index"):
        read(path)


@pytest.mark.parametrize(("suffix", "settings"), FORMS)
def test_a_hole_in_the_middle(
    suffix: str, settings: dict[str, Any], tmp_path: Path, noisy_video: MakeVideo, read: Read
) -> None:
    path = noisy_video(tmp_path / f"a.{suffix}", **settings)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(np.random.default_rng(0).integers(0, 256, 600, dtype=np.uint8))
    path.write_bytes(data)
    frames, media = read(path)
    assert len(frames) > 15
    assert [frame.time for frame in frames] == sorted({frame.time for frame in frames})
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    if suffix in {"avi", "mov"}:
        assert media.problem is not None
        assert "left out" in media.problem


@pytest.mark.parametrize(("suffix", "settings"), FORMS)
def test_random_damage_raises_nothing_of_anybody_elses(
    suffix: str, settings: dict[str, Any], tmp_path: Path, noisy_video: MakeVideo, read: Read
) -> None:
    path = noisy_video(tmp_path / f"a.{suffix}", frames=8, **{k: v for k, v in settings.items() if k != "frames"})
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(40):
        data = bytearray(whole)
        for at in rng.integers(12, len(data) if rng.random() < 0.3 else 1500, 8):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            read(path)
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_not_one_frame(tmp_path: Path, noisy_video: MakeVideo, read: Read) -> None:
    path = noisy_video(tmp_path / "a.mp4", container=START)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 200])
    with pytest.raises(UnreadableError, match="not one frame"):
        read(path)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone_or_with_a_cover(cover: bool, tmp_path: Path, read: Read) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as out:
        if cover:
            picture = out.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        audio = out.add_stream("aac", rate=8000, layout="mono")
        if cover:
            frame = VideoFrame(64, 48, "yuvj420p")
            frame.pts, frame.time_base = 0, Fraction(1, 1)
            out.mux(picture.encode(frame))
            out.mux(picture.encode(None))
        for n in range(10):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 8000, n * 1024
            out.mux(audio.encode(samples))
        out.mux(audio.encode(None))
    with pytest.raises(UnreadableError, match="there is no video in it"):
        read(path)


@pytest.mark.parametrize(("suffix", "settings"), FORMS)
def test_frames_too_large(suffix: str, settings: dict[str, Any], tmp_path: Path, noisy_video: MakeVideo) -> None:
    path = noisy_video(tmp_path / f"a.{suffix}", **settings)
    decoder = FileDecoder(max_bytes=10**8, max_pixels=64 * 48 - 1, max_seconds=10, threads=1)
    with pytest.raises(TooLargeError, match="megapixels"), decoder.open(str(path), Sampling()):
        pass


def test_too_long_by_its_own_words(tmp_path: Path, noisy_video: MakeVideo) -> None:
    path = noisy_video(tmp_path / "a.mp4")
    decoder = FileDecoder(max_bytes=10**8, max_pixels=10**6, max_seconds=3, threads=1)
    with pytest.raises(TooLargeError, match="lasts 4 s or more; the limit is 3 s"), decoder.open(str(path), Sampling()):
        pass


def test_too_long_without_a_word(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "a.webm", codec="libvpx", options={"deadline": "realtime"}, container={"live": "1"})
    decoder = FileDecoder(max_bytes=10**8, max_pixels=10**6, max_seconds=1, threads=1)
    with decoder.open(str(path), Sampling()) as clip, pytest.raises(TooLargeError, match="the limit is 1 s"):
        list(clip.frames())


def test_playlist_in_disguise_opens_nothing(tmp_path: Path, noisy_video: MakeVideo, read: Read) -> None:
    noisy_video(tmp_path / "secret.ts")
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsecret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableError, match="neither a photo"):
        read(tmp_path / "a.mp4")
