"""A quote against what the functions really did: they are run on stores that count."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.core.service_fakes import make_kit
from tests.fakes import FakeDecoder, picture
from visage.core.cost.counting import CountingObjects, Tally
from visage.core.cost.footage import Footage, wanted
from visage.core.cost.prices import US_EAST_1, Architecture, dollars
from visage.core.cost.speeds import MEASURED
from visage.core.every import parse_every
from visage.core.ports.objects import Objects
from visage.core.serverless.chunks import Asking, Reading, Recognizer
from visage.core.serverless.cutting import Cutting
from visage.core.serverless.quote import Form, Terms, quote
from visage.core.serverless.splitting import Splitter, Stores, Surroundings
from visage.core.serverless.uploads import Ask, ask_of_stage, upload_of
from visage.core.values import MatchOptions, Sampling
from visage.media.sampling import Sampler
from visage.objects.store import open_store
from visage.settings import load_settings
from visage.wiring import footage_of, frame_from_jpeg, frame_to_jpeg, open_cutter

WIDTH, HEIGHT, RATE, GROUP = 640, 360, 10, 20
HOUR = Footage("hour.mp4", 1920, 1080, 3600.0, 108_000, 2_250_000_000, "h264", tuple(2.0 * n for n in range(1800)))


def film(path: Path, frames: int) -> Path:
    """A face's worth of detail that moves, with a key frame every two seconds."""
    still = picture(1, HEIGHT, WIDTH + 200)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "sc_threshold": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = GROUP
        for number in range(frames):
            pixels = np.ascontiguousarray(still[:, number % 200 : number % 200 + WIDTH])
            out.mux(stream.encode(VideoFrame.from_ndarray(pixels, "rgb24")))
        out.mux(stream.encode(None))
    return path


@dataclass
class Real:
    """What a run of both functions came to."""

    invocations: int
    frames: int
    chunks: int
    tally: Tally


def run(path: Path, folder: Path, cutting: Cutting) -> Real:
    """Cut first, then recognize chunk by chunk, as an event for each would have it."""
    tally, stage = Tally(), open_store("memory:///")
    inputs = open_store("memory:///")
    inputs.put(path.name, path.read_bytes())
    upload = upload_of(path.name, inputs.version(path.name) or "", "01", path.stat().st_size)
    outputs = open_store("memory:///")
    counted: list[Objects] = [CountingObjects(one, tally) for one in (inputs, stage, outputs)]
    stores = Stores(*counted)
    around = Surroundings(clock=lambda: 0.0, log=lambda *_, **__: None)
    cutter = open_cutter(load_settings())
    Splitter(stores, cutter, frame_to_jpeg, cutting, around).split(upload, lambda: 900.0)
    kit = make_kit(folder, FakeDecoder({}))
    kit.gallery(create=True)
    recognizer = Recognizer(
        stores, kit, Reading(lambda: cutter, frame_from_jpeg), Asking("default", MatchOptions()), around
    )
    manifests = [one.key for one in stage.list() if ask_of_stage(one.key) is Ask.CHUNK]
    for key in manifests:
        recognizer.recognize(key)
    kit.close()
    frames = json.loads(outputs.get("clip.json"))["answer"]["frames"]
    return Real(1 + len(manifests), frames, len(manifests), tally)


@pytest.mark.parametrize(
    ("frames", "every", "chunk"),
    [
        (95, "1s", 4),
        (95, "0.35s", 10),
        (40, "all", 7),
        (61, "10f", 1),
        (45, "first", 10),
        (95, "12x", 5),
        (95, "keys", 3),
    ],
)
def test_frames_take_exactly_what_was_quoted(tmp_path: Path, frames: int, every: str, chunk: int) -> None:
    path = film(tmp_path / "clip.mp4", frames)
    sampling = parse_every(every)
    real = run(path, tmp_path, Cutting(sampling, chunk=chunk))
    said = quote(footage_of(str(path), load_settings()), Terms(sampling, chunk=chunk), Form.FRAMES)
    assert (said.frames, said.chunks, said.took["invocations"]) == (real.frames, real.chunks, real.invocations)
    assert {name: said.took[name] for name in ("puts", "gets", "lists")} == {
        "puts": real.tally.puts,
        "gets": real.tally.gets,
        "lists": real.tally.lists,
    }
    assert said.took["sent"] == pytest.approx(real.tally.sent, rel=0.75)
    assert said.took["received"] == pytest.approx(real.tally.received, rel=0.75)


@pytest.mark.parametrize(("frames", "seconds"), [(95, 2.0), (95, 3.0), (95, 60.0), (40, 0.5)])
def test_segments_take_exactly_what_was_quoted(tmp_path: Path, frames: int, seconds: float) -> None:
    path = film(tmp_path / "clip.mp4", frames)
    sampling = Sampling(seconds=1.0)
    real = run(path, tmp_path, Cutting(sampling, segment=seconds))
    said = quote(footage_of(str(path), load_settings()), Terms(sampling, segment=seconds), Form.SEGMENTS)
    assert (said.frames, said.chunks, said.took["invocations"]) == (real.frames, real.chunks, real.invocations)
    assert (said.took["puts"], said.took["gets"], said.took["lists"]) == (
        real.tally.puts,
        real.tally.gets,
        real.tally.lists,
    )
    assert said.took["received"] == pytest.approx(real.tally.received, rel=0.75)


@pytest.mark.parametrize("every", ["all", "1s", "0.04s", "0.3s", "7s", "100s", "1f", "7f", "first", "5x", "400x"])
@pytest.mark.parametrize(("frames", "rate"), [(1, 25.0), (99, 25.0), (300, 30000 / 1001), (7, 0.5), (250, 240.0)])
def test_as_many_frames_as_the_sampler_wants(every: str, frames: int, rate: float) -> None:
    sampling = parse_every(every)
    sampler = Sampler(sampling)
    if sampler.needs_length:
        sampler.spread(frames / rate)
    kept = sum(sampler.wants(number, number / rate) for number in range(frames))
    assert wanted(Footage("a", 10, 10, frames / rate, frames, 1, "h264"), sampling) == kept


def test_an_hour() -> None:
    terms = Terms(Sampling(seconds=1.0))
    said = quote(HOUR, terms, Form.FRAMES)
    assert (said.frames, said.chunks, said.took["invocations"]) == (3600, 360, 361)
    assert said.took["puts"] == 3600 + 360 + 1 + 360 + 2
    by_hand = said.took["gb_seconds"] * 0.0000166667
    assert said.dollars["seconds"] == pytest.approx(by_hand)
    assert said.total == pytest.approx(sum(said.dollars.values()))
    segments = quote(HOUR, terms, Form.SEGMENTS)
    assert segments.frames == said.frames
    assert segments.seconds["splitting"] < said.seconds["splitting"]
    assert segments.seconds["recognition"] > said.seconds["recognition"]
    scalable = quote(HOUR, terms, Form.SCALABLE)
    assert scalable.dollars["seconds"] == pytest.approx(scalable.took["seconds"] / 3600 * 0.08925)


def test_what_changes_the_price() -> None:
    terms = Terms(Sampling(seconds=1.0))

    def total(footage: Footage = HOUR, terms: Terms = terms) -> float:
        return quote(footage, terms, Form.FRAMES).total

    assert total(terms=replace(terms, architecture=Architecture.ARM)) < total()
    assert total(terms=replace(terms, sampling=Sampling(keys=True))) < total()
    assert total(terms=replace(terms, sampling=Sampling())) > 10 * total()
    assert total(terms=replace(terms, faces=5.0)) > total()
    assert total(replace(HOUR, codec="hevc")) > total()
    # Twice the memory is twice the processors: what is paid grows by the waiting alone.
    assert total() < total(terms=replace(terms, splitting=7076.0, recognition=7076.0)) < 1.5 * total()


def test_a_long_video_takes_several_invocations() -> None:
    ten = replace(HOUR, seconds=36_000.0, frames=1_080_000, size=22_500_000_000, keys=None)
    one, many = (quote(video, Terms(Sampling(seconds=1.0)), Form.FRAMES) for video in (HOUR, ten))
    assert one.took["invocations"] == one.chunks + 1
    assert many.took["invocations"] == many.chunks + -(-many.seconds["splitting"] // 892)
    assert (one.took["lists"], many.took["lists"]) == (1, 4)  # the answers fill several pages


def test_a_photo_is_a_video_of_one_frame() -> None:
    photo = Footage("a.jpg", 400, 300, 0.0, 1, 30_000, "photo")
    for form in Form:
        said = quote(photo, Terms(Sampling(seconds=1.0)), form)
        assert said.frames == 1
        assert 0 < said.total < 0.001


def test_dollars_of_what_was_taken() -> None:
    took = {"gb_seconds": 1e6, "invocations": 1e6, "puts": 600, "lists": 400, "gets": 1000, "sent": 1e12}
    x86 = dollars(took, US_EAST_1)
    assert x86 == pytest.approx({"seconds": 16.6667, "invocations": 0.20, "requests": 0.0054})
    assert dollars(took, US_EAST_1, Architecture.ARM)["seconds"] == pytest.approx(13.3334)
    assert sum(dollars({}, US_EAST_1).values()) == 0


def test_an_unknown_codec_is_taken_for_a_slow_one() -> None:
    assert MEASURED.decoding("prores") == max(MEASURED.decode.values())


@pytest.mark.parametrize("every", ["1s", "keys", "all"])
@pytest.mark.parametrize("form", Form)
def test_the_page_on_cost_has_these_figures(every: str, form: Form) -> None:
    said = quote(HOUR, Terms(parse_every(every)), form)
    took = said.took
    row = (
        f"| {every}, {form} | {took.get('invocations', 0):,.0f} | {took['puts'] + took['lists']:,.0f} "
        f"| {took['gets']:,.0f} | {said.stored / 1e9:.2f} GB | {took['seconds']:,.0f} s "
        f"| {took.get('gb_seconds', 0):,.0f} | {said.total:.3f} |"
    )
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
    assert row in page.splitlines()
    assert US_EAST_1.date in page
    assert US_EAST_1.region in page
