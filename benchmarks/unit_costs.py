"""What the parts of the work cost, for the table in `visage/core/cost/speeds.py` that quotes are reckoned with.

    python benchmarks/unit_costs.py

Processor seconds, those of all threads together, so that what else the machine does counts nothing. The film is a
slow pan over a sample photo with a film's grain, 1080p, at the bit rates that such films have.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from common import samples, table
from visage import Engine, load_settings, open_engine
from visage.core.ports.media import Clip
from visage.core.values import Frame, Job, JobKind, Media, Pixels, Sampling
from visage.wiring import frame_from_jpeg, frame_to_jpeg, open_cutter

WIDTH, HEIGHT, RATE, FRAMES, GROUP = 1920, 1080, 30, 120, 60
MEGAPIXELS = WIDTH * HEIGHT / 1e6
# By FFmpeg's name of the codec: the encoder, Mbit/s, and what makes it quick.
ENCODERS = {
    "h264": ("libx264", 6, {"preset": "medium"}),
    "hevc": ("libx265", 4, {"preset": "fast", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", 4, {"deadline": "realtime", "cpu-used": "6"}),
    "av1": ("libsvtav1", 4, {"preset": "9", "svtav1-params": "rc=1"}),
    "mpeg4": ("mpeg4", 8, {}),
}


class Shown:
    """A decoder of frames that are decoded already."""

    def __init__(self, pixels: list[Pixels]) -> None:
        self._pixels = pixels
        self.media = Media("pixels", pixels[0].shape[1], pixels[0].shape[0], duration=float(len(pixels)), fps=1.0)

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:  # noqa: ARG002  the port's form
        yield self

    def find(self, folder: str) -> list[str]:  # noqa: ARG002
        return []

    def frames(self) -> Iterator[Frame]:
        yield from (Frame(pixels, number, float(number)) for number, pixels in enumerate(self._pixels))


def film(frames: int) -> Iterator[Pixels]:
    with Image.open(samples() / "obama.jpg") as opened:
        photo = np.array(opened.convert("RGB"))
    scale = 1.25 * max(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
    photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    dice = np.random.default_rng(0)
    grain = dice.normal(0, 6, (HEIGHT * 2, WIDTH * 2, 1)).astype(np.int16)
    for number in range(frames):
        x = int((photo.shape[1] - WIDTH) * (0.5 + 0.45 * np.sin(number / 40)))
        y = int((photo.shape[0] - HEIGHT) * (0.1 + 0.1 * np.sin(number / 55)))
        gx, gy = dice.integers(0, WIDTH), dice.integers(0, HEIGHT)
        here = photo[y : y + HEIGHT, x : x + WIDTH].astype(np.int16) + grain[gy : gy + HEIGHT, gx : gx + WIDTH]
        yield np.clip(here, 0, 255).astype(np.uint8)


def encode(path: Path, codec: str, rate: float, options: dict[str, str]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(RATE), options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", int(rate * 1e6)
        stream.codec_context.gop_size = GROUP
        for pixels in film(FRAMES):
            out.mux(stream.encode(VideoFrame.from_ndarray(pixels, "rgb24")))
        out.mux(stream.encode(None))


def decode(path: Path, *, keys: bool = False) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONKEY" if keys else "DEFAULT"
        return sum(1 for _ in container.decode(stream))


def lengthen(path: Path, longer: Path, times: int) -> None:
    """The film so many times, one after the other, encoded as it is."""
    with av.open(str(longer), "w") as out:
        made: VideoStream | None = None
        for turn in range(times):
            with av.open(str(path)) as film:
                stream = film.streams.video[0]
                made = made or out.add_stream_from_template(stream)
                for packet in film.demux(stream):
                    if packet.dts is None or packet.pts is None or stream.duration is None:
                        continue
                    packet.pts, packet.dts = packet.pts + turn * stream.duration, packet.dts + turn * stream.duration
                    packet.stream = made
                    out.mux(packet)


def decoded(path: Path, most: int) -> list[Pixels]:
    with av.open(str(path)) as container:
        found = [one.to_ndarray(format="rgb24") for one, _ in zip(container.decode(video=0), range(most), strict=False)]
    return [np.asarray(one, np.uint8) for one in found]


def processor(work: Callable[[], object], times: int = 3) -> float:
    """The median seconds of the processor."""
    work()
    took = []
    for _ in range(times):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return sorted(took)[times // 2]


def decoding(folder: Path) -> Iterator[tuple[str, str]]:
    for name, (codec, rate, options) in ENCODERS.items():
        path = folder / f"{name}.mp4"
        encode(path, codec, rate, options)
        real = path.stat().st_size * 8 * RATE / FRAMES / 1e6
        yield f"decode {name}", f"{processor(lambda p=path: decode(p)) / FRAMES / MEGAPIXELS:.5f}  ({real:.1f} Mbit/s)"  # type: ignore[misc]
    path = folder / "long.mp4"  # so long that opening it counts little
    lengthen(folder / "h264.mp4", path, times=30)
    keys = decode(path, keys=True)
    yield "decode h264, key frames", f"{processor(lambda: decode(path, keys=True)) / keys / MEGAPIXELS:.5f}"
    cutter, size = open_cutter(load_settings()), path.stat().st_size

    def cut() -> int:
        with path.open("rb") as file, cutter.cut(file, "film", size, 2.0) as pieces:
            return sum(len(piece.data) for piece in pieces.segments())

    yield "demux, a megabyte", f"{processor(cut) / size * 1e6:.5f}"


def pictures(frames: list[Pixels]) -> Iterator[tuple[str, str]]:
    raw = VideoFrame.from_ndarray(frames[0], "rgb24").reformat(format="yuv420p")
    convert = processor(lambda: [raw.reformat(format="rgb24").to_ndarray() for _ in range(20)]) / 20 / MEGAPIXELS
    encoded = [frame_to_jpeg(one) for one in frames]
    whole = len(frames) * MEGAPIXELS
    yield "convert", f"{convert:.5f}"
    yield "encode", f"{convert + processor(lambda: [frame_to_jpeg(one) for one in frames]) / whole:.5f}"
    yield "decode_jpeg", f"{processor(lambda: [frame_from_jpeg(one, 'frame') for one in encoded]) / whole:.5f}"
    yield "jpeg_bytes", f"{sum(map(len, encoded)) / whole:.0f}"


def looking(engine: Engine, frames: list[Pixels]) -> Iterator[tuple[str, str]]:
    """Frames of 720p, with one face each and with none."""
    job = Job(JobKind.RECOGNIZE, ("pixels",), sampling=Sampling(seconds=1.0))
    small = [cv2.resize(one, (1280, 720), interpolation=cv2.INTER_AREA).astype(np.uint8) for one in frames]
    bare = [np.ascontiguousarray(one[:, :320]).repeat(4, axis=1) for one in small]
    seconds = []
    for some in (small, bare):
        engine.kit.decoder = Shown(some)
        faces = len(engine.perform(job).sightings) / len(some)
        seconds.append(processor(lambda: engine.perform(job)) / len(some))
        yield f"{faces:.1f} faces in each", f"{seconds[-1]:.4f}"
    yield "frame, face", f"{seconds[1]:.4f}, {seconds[0] - seconds[1]:.4f}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        table("seconds a megapixel of every frame", list(decoding(Path(folder))))
        frames = decoded(Path(folder) / "h264.mp4", 20)
        table("seconds a megapixel of a frame that is kept; bytes of its JPEG", list(pictures(frames)))
        with open_engine(load_settings(gallery=f"sqlite:///{folder}/gallery.sqlite")) as engine:
            engine.enroll(str(samples() / "obama.jpg"), "Barack Obama")
            table(
                f"seconds a frame, {engine.kit.detector.name} on {engine.kit.runtime()}", list(looking(engine, frames))
            )


if __name__ == "__main__":
    main()
