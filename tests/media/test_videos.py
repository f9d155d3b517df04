"""Videos of every codec and container: all frames, upright, in the right colors, at the right times."""

import struct
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from visage.core.errors import UsageError
from visage.core.values import Frame, Media, Pixels, Sampling
from visage.media.decode import FileDecoder
from visage.media.pictures import Clock

Read = Callable[..., tuple[list[Frame], Media]]
MakeVideo = Callable[..., Path]

X264 = {"preset": "ultrafast", "crf": "10"}
CODECS: list[tuple[str, dict[str, str], Sequence[str]]] = [
    ("libx264", X264, ("mp4", "mov", "mkv", "avi", "ts", "flv", "3gp")),
    ("libx265", {"preset": "ultrafast", "crf": "10", "x265-params": "log-level=none"}, ("mp4", "mov", "mkv")),
    ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "0"}, ("webm", "mkv", "mp4")),
    ("libvpx", {"deadline": "realtime", "cpu-used": "8", "b": "2M"}, ("webm",)),
    ("libsvtav1", {"preset": "12", "crf": "15"}, ("mp4", "webm", "mkv")),
    ("libaom-av1", {"cpu-used": "8", "usage": "realtime", "crf": "15"}, ("mp4",)),
    ("mpeg4", {"qmin": "2", "qmax": "3"}, ("mp4", "mov", "avi", "mkv")),
    ("mjpeg", {"qmin": "2", "qmax": "3"}, ("mov", "avi")),
    ("wmv2", {"qmin": "2", "qmax": "3"}, ("wmv",)),
    ("mpeg2video", {"qmin": "2", "qmax": "3"}, ("mpg", "ts")),
]
CASES = [(codec, options, suffix) for codec, options, suffixes in CODECS for suffix in suffixes]


def _quarters(pixels: Pixels) -> list[list[int]]:
    """The colors of the four quarters, row by row."""
    h, w = pixels.shape[:2]
    return [pixels[y, x].tolist() for y in (h // 4, 3 * h // 4 - 4) for x in (w // 4, 3 * w // 4)]


def _same(quarters: list[list[int]], wanted: list[list[int]], levels: int) -> bool:
    return bool(np.abs(np.array(quarters) - np.array(wanted)).max() <= levels)


@pytest.mark.parametrize(("codec", "options", "suffix"), CASES)
def test_codec_in_container(
    codec: str, options: dict[str, str], suffix: str, tmp_path: Path, make_video: MakeVideo, read: Read, corners: Pixels
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot encode {codec}")
    rate = 25 if codec == "mpeg2video" else 10  # MPEG-2 knows only a few rates
    pixels = {"pix_fmt": "yuvj420p"} if codec == "mjpeg" else {}
    made = make_video(tmp_path / f"a.{suffix}", codec=codec, options=options, rate=rate, **pixels)
    path = made.rename(tmp_path / "wrong.jpg")
    frames, media = read(path)
    assert [frame.index for frame in frames] == list(range(20))
    assert np.allclose([frame.time for frame in frames], np.arange(20) / rate, atol=0.002)
    assert _same(_quarters(frames[7].pixels), _quarters(corners), 12)
    assert (media.width, media.height, media.source) == (64, 48, str(path))
    assert media.is_video
    assert media.duration == pytest.approx(20 / rate, abs=0.11)
    assert media.fps == pytest.approx(rate, rel=0.05)
    assert media.problem is None


def _with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write the display matrix (a, b, c, d) into the track header of an MP4 (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda p: p[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_display_matrix(
    matrix: tuple[int, int, int, int],
    turned: Callable[[Pixels], Pixels],
    tmp_path: Path,
    make_video: MakeVideo,
    read: Read,
    corners: Pixels,
) -> None:
    path = make_video(tmp_path / "a.mov", options=X264, frames=3, pictures=lambda n: corners)
    _with_matrix(path, matrix)
    frames, media = read(path)
    wanted = turned(corners)
    assert (media.height, media.width) == wanted.shape[:2]
    assert all(frame.pixels.shape == wanted.shape for frame in frames)
    assert all(_same(_quarters(frame.pixels), _quarters(wanted), 12) for frame in frames)


@pytest.mark.parametrize(
    ("sampling", "indices"),
    [
        (Sampling(), list(range(20))),
        (Sampling(frames=1), list(range(20))),
        (Sampling(frames=7), [0, 7, 14]),
        (Sampling(frames=100), [0]),
        (Sampling(seconds=0.5), [0, 5, 10, 15]),
        (Sampling(seconds=0.25), [0, 3, 5, 8, 10, 13, 15, 18]),
        (Sampling(seconds=0.01), list(range(20))),
        (Sampling(seconds=60), [0]),
    ],
)
def test_sampling(sampling: Sampling, indices: list[int], tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    path = make_video(tmp_path / "a.mp4", options=X264)
    all_frames, _ = read(path)
    frames, _ = read(path, sampling)
    assert [frame.index for frame in frames] == indices
    for frame in frames:
        assert frame.time == all_frames[frame.index].time
        assert np.array_equal(frame.pixels, all_frames[frame.index].pixels)


@pytest.mark.parametrize(
    "sampling", [Sampling(seconds=0), Sampling(seconds=float("nan")), Sampling(frames=0), Sampling(1, 1)]
)
def test_senseless_sampling(sampling: Sampling, tmp_path: Path, read: Read) -> None:
    with pytest.raises(UsageError):
        read(tmp_path / "a.mp4", sampling)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_uneven_times(suffix: str, tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    times = [0, 0.04, 0.5, 0.55, 1.9, 2.0, 2.001, 4.25]
    path = make_video(tmp_path / f"a.{suffix}", times=times, options={**X264, "bf": "0"})
    frames, _ = read(path)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.001)
    sampled, _ = read(path, Sampling(seconds=1))
    assert [frame.index for frame in sampled] == [0, 4, 5, 7]


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_time_begins_with_the_first_frame(suffix: str, tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    path = make_video(tmp_path / f"a.{suffix}", times=[5 + n / 10 for n in range(10)], options={**X264, "bf": "0"})
    frames, media = read(path)
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(10)], abs=0.002)
    assert media.problem is None


def test_clock_without_stamps_and_with_jumps() -> None:
    clock = Clock(gap=0.1)
    stamps = [50, None, None, 80, 20, 30, None, 40]
    times = []
    for stamp in stamps:
        frame = VideoFrame(16, 16)
        frame.pts, frame.time_base = stamp, Fraction(1, 100)
        times.append(clock.time_of(frame))
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def test_unknown_length_is_known_afterwards(tmp_path: Path, make_video: MakeVideo, decoder: FileDecoder) -> None:
    path = make_video(tmp_path / "a.webm", codec="libvpx", options={"deadline": "realtime"}, container={"live": "1"})
    with decoder.open(str(path), Sampling()) as clip:
        assert clip.media.is_video
        assert clip.media.duration == 0
        list(clip.frames())
        assert clip.media.duration == pytest.approx(2.0, abs=0.05)


def test_length_with_sound_that_goes_on(tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    for suffix in ("mp4", "mkv"):
        _, media = read(make_video(tmp_path / f"a.{suffix}", sound=6.0))
        assert media.problem is None


SKIN = (200, 120, 90)
WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722)}


def _flat(path: Path, matrix: str, full: bool, size: tuple[int, int], space: int, tagged: bool = True) -> Path:
    """A video all of `SKIN`, made of it by the formulas of BT.601 or BT.709 (ITU-R BT.709-6, item 3) by hand."""
    width, height = size
    red_weight, blue_weight = WEIGHTS[matrix]
    red, green, blue = (value / 255 for value in SKIN)
    y = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    u, v = (blue - y) / (2 - 2 * blue_weight), (red - y) / (2 - 2 * red_weight)
    levels = (255 * y, 128 + 255 * u, 128 + 255 * v) if full else (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)
    planes = [
        np.full(n, round(level), np.uint8)
        for n, level in zip((4, 1, 1), levels, strict=True)
        for n in [n * width * height // 4]
    ]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "qp": "0"})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        if tagged:
            context.colorspace, context.color_range = space, 2 if full else 1
        for n in range(2):
            frame = VideoFrame.from_ndarray(np.concatenate(planes).reshape(height * 3 // 2, width), "yuv420p")
            if tagged:
                frame.colorspace, frame.color_range = space, 2 if full else 1
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "space"), [("601", 6), ("601", 5), ("709", 1)])
def test_declared_colors(matrix: str, space: int, full: bool, tmp_path: Path, read: Read) -> None:
    frames, _ = read(_flat(tmp_path / "a.mp4", matrix, full, (64, 48), space))
    assert np.abs(frames[0].pixels.astype(int) - SKIN).max() <= 3


@pytest.mark.parametrize(("matrix", "size"), [("601", (640, 360)), ("601", (720, 576)), ("709", (1280, 720))])
def test_undeclared_colors_are_taken_as_players_do(
    matrix: str, size: tuple[int, int], tmp_path: Path, read: Read
) -> None:
    frames, _ = read(_flat(tmp_path / "a.mkv", matrix, False, size, 2, tagged=False))
    assert np.abs(frames[0].pixels.astype(int) - SKIN).max() <= 3


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("png", "rgb24"), ("ffv1", "yuv444p10le"), ("ffv1", "gray"), ("libx264", "yuv422p10le")]
)
def test_other_pixel_formats(codec: str, pix_fmt: str, tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    gray = np.full((48, 64, 3), 100, np.uint8)
    path = make_video(
        tmp_path / ("a.mov" if codec == "png" else "a.mkv"),
        codec=codec,
        pix_fmt=pix_fmt,
        pictures=lambda n: gray,
        frames=2,
    )
    frames, _ = read(path)
    assert np.abs(frames[0].pixels.astype(int) - 100).max() <= 3


@pytest.mark.parametrize("size", [(50, 34), (98, 66), (130, 2)])
def test_odd_strides(size: tuple[int, int], tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    width, height = size
    ramp = np.repeat(np.linspace(0, 255, width, dtype=np.uint8)[None, :, None], height, 0).repeat(3, 2)
    frames, _ = read(make_video(tmp_path / "a.mov", codec="png", pix_fmt="rgb24", pictures=lambda n: ramp, frames=2))
    assert np.array_equal(frames[1].pixels, ramp)
    assert frames[1].pixels.flags.c_contiguous


def test_leaving_early_ends_the_thread(tmp_path: Path, make_video: MakeVideo, decoder: FileDecoder) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100)
    before = threading.active_count()
    with decoder.open(str(path), Sampling()) as clip:
        frames = clip.frames()
        assert next(frames).index == 0
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(frames)


def test_a_failing_caller_ends_the_thread(tmp_path: Path, make_video: MakeVideo, decoder: FileDecoder) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100)
    before = threading.active_count()

    def fail() -> None:
        with decoder.open(str(path), Sampling()) as clip:
            for frame in clip.frames():
                _ = 1 // frame.index

    with pytest.raises(ZeroDivisionError):
        fail()
    assert threading.active_count() == before


def test_frames_outlive_the_clip(tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    frames, _ = read(make_video(tmp_path / "a.mp4", options=X264))
    copies = [frame.pixels.copy() for frame in frames]
    read(tmp_path / "a.mp4")
    assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(frames, copies, strict=True))


def test_name_with_everything_in_it(tmp_path: Path, make_video: MakeVideo, read: Read) -> None:
    made = make_video(tmp_path / "a.mp4", frames=2)
    frames, _ = read(made.rename(tmp_path / "http:%d é張 .txt"))
    assert len(frames) == 2


def test_real_clips(shared: Path, read: Read) -> None:
    frames, media = read(shared / "videos" / "short_hamilton_clip.mp4", Sampling(seconds=1))
    assert (media.width, media.height, media.problem) == (640, 360, None)
    assert [round(frame.time) for frame in frames] == list(range(10))
