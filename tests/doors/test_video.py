"""Videos and every format of photo through the command, and the same through Python: two doors, one answer."""

import importlib.util
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import jsonschema
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from tests.doors.bad_files import film, photo
from tests.doors.conftest import Visage
from tests.doors.schemas import SCHEMAS
from visage import Answer, Sampling, load_settings, open_engine
from visage.core.values import Pixels

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
HEIGHT, RATE = 480, 10


@pytest.fixture
def enrolled(visage: Visage, samples: Path, tmp_path: Path) -> Visage:
    for name, sample in ((OBAMA, "obama.jpg"), (BIDEN, "biden.jpg")):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(samples / sample, tmp_path / "people" / name)
    assert visage("enroll", tmp_path / "people").code == 0
    return visage


def on_stage(pixels: Pixels) -> Pixels:
    """The picture in the middle of a grey stage of 640 x 480."""
    stage = np.full((HEIGHT, 640, 3), 90, np.uint8)
    left = (640 - pixels.shape[1]) // 2
    stage[:, left : left + pixels.shape[1]] = pixels
    return stage


@pytest.fixture
def clip(samples: Path, tmp_path: Path) -> Path:
    """Obama for a second, nobody for three, Biden for a second, nobody for one, Obama for a second."""
    obama, biden = (on_stage(photo(samples / name, HEIGHT)) for name in ("obama2.jpg", "biden.jpg"))
    nobody = np.full_like(obama, 90)
    pictures = [obama] * 10 + [nobody] * 30 + [biden] * 10 + [nobody] * 10 + [obama] * 10
    return film(tmp_path / "clip.mp4", pictures, RATE)


def seen(answer: dict[str, Any]) -> dict[str, list[list[float]]]:
    return {person["name"]: person["intervals"] for person in answer["people"]}


def test_who_is_seen_when(enrolled: Visage, clip: Path, tmp_path: Path) -> None:
    done = enrolled("recognize", "--json", clip, "--annotate", tmp_path / "out")
    assert done.code == 0, done.err
    jsonschema.validate(done.json, SCHEMAS["recognize"])
    (answer,) = done.json["answers"]
    assert answer["frames"] == 70
    assert answer["names"] == [OBAMA, BIDEN]
    assert seen(answer) == {OBAMA: [[0, 0.9], [6, 6.9]], BIDEN: [[4, 4.9]]}
    assert [person["sightings"] for person in answer["people"]] == [20, 10]
    assert answer["media"][0]["duration"] == pytest.approx(7, abs=0.1)
    assert answer["media"][0]["fps"] == 10
    with av.open(str(tmp_path / "out" / "clip.mp4")) as drawn:
        frames = [frame.to_ndarray(format="rgb24") for frame in drawn.decode(video=0)]
    assert len(frames) == 70
    assert frames[0].shape == (480, 640, 3)
    assert np.ptp(frames[20].astype(int)) < 30  # where nobody is, nothing is drawn
    x1, y1, x2, _ = (round(value) for value in answer["faces"][0]["box"])
    edge = frames[0][y1 - 1 : y1 + 2, x1 + 20 : x2 - 20].astype(int)
    assert np.abs(np.diff(edge, axis=0)).max() > 60  # the box's upper edge stands out


def test_sampled_every_half_second(enrolled: Visage, clip: Path) -> None:
    (answer,) = enrolled("recognize", "--json", "--every", "0.5s", clip).json["answers"]
    assert answer["frames"] == 14
    assert seen(answer) == {OBAMA: [[0, 0.5], [6, 6.5]], BIDEN: [[4, 4.5]]}
    told = enrolled("recognize", "--every", "10f", clip)
    assert f"{BIDEN} (1.00) 0:04.0-0:04.0" in told.out


def test_command_and_python_give_the_same_answer(
    enrolled: Visage, clip: Path, samples: Path, tmp_path: Path, home: Path
) -> None:
    """The same names, boxes within a pixel, vectors at a cosine of 0.999 or more: of photos and of a video."""
    photos = [samples / name for name in ("obama2.jpg", "obama3.jpg", "biden.jpg", "32bit.png")]
    sources = [str(path) for path in [*photos, clip]]
    told = enrolled("recognize", "--json", "--vectors", "--every", "5f", *sources).json["answers"]
    with open_engine(load_settings(gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}")) as engine:
        answers = [engine.recognize(source, sampling=Sampling(frames=5)) for source in sources]
    assert [answer.source for answer in answers] == [each["source"] for each in told] == sources
    for answer, each in zip(answers, told, strict=True):
        assert_same(answer, each)


def assert_same(answer: Answer, told: dict[str, Any]) -> None:
    assert answer.names == told["names"]
    assert len(answer.sightings) == len(told["faces"]) > 0
    for sighting, face in zip(answer.sightings, told["faces"], strict=True):
        assert (sighting.frame, sighting.name) == (face["frame"], face["name"])
        assert np.abs(np.array(sighting.face.box) - face["box"]).max() <= 1
        assert np.abs(sighting.face.landmarks - face["landmarks"]).max() <= 1
        assert sighting.vector is not None
        assert float(sighting.vector @ np.array(face["vector"])) >= 0.999


def rotated(source: Path, target: Path, degrees: int) -> None:
    """A copy of the film, marked to be shown turned, as telephones do: its picture stays as it is."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        video = given.streams.video[0]
        stream = out.add_stream_from_template(video)
        assert isinstance(stream, VideoStream)
        for packet in given.demux(video):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = bytearray(target.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + 40 if data[header] == 0 else header + 52
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    for place, value in ((0, cos), (4, sin), (12, -sin), (16, cos)):
        data[matrix + place : matrix + place + 4] = int(Fraction(value) * 65536).to_bytes(4, "big", signed=True)
    target.write_bytes(data)


def test_a_film_taken_on_its_side_is_looked_at_upright(enrolled: Visage, samples: Path, tmp_path: Path) -> None:
    upright = on_stage(photo(samples / "obama2.jpg", HEIGHT))
    lying = film(tmp_path / "lying.mp4", [np.ascontiguousarray(np.rot90(upright))] * 5)
    rotated(lying, tmp_path / "phone.mp4", 90)
    plain, phone = enrolled("recognize", "--json", lying, tmp_path / "phone.mp4").json["answers"]
    assert (plain["media"][0]["width"], plain["media"][0]["height"]) == (480, 640)
    assert OBAMA not in plain["names"]
    assert (phone["media"][0]["width"], phone["media"][0]["height"]) == (640, 480)
    assert phone["names"] == [OBAMA]
    assert phone["rotation"] == 0


def test_every_format_of_photo(enrolled: Visage, samples: Path, tmp_path: Path) -> None:
    """Also a photo lying on its side that says so, and one that does not."""
    face = Image.fromarray(photo(samples / "obama2.jpg", 600))
    folder = tmp_path / "photos"
    folder.mkdir()
    for suffix in ("jpg", "png", "webp", "bmp", "tif", "gif"):
        face.save(folder / f"photo.{suffix}")
    if importlib.util.find_spec("pillow_heif"):  # an extra
        import pillow_heif

        pillow_heif.from_pillow(face).save(folder / "photo.heic")
    lying = face.transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "unsaid.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    lying.save(folder / "said.jpg", quality=95, exif=exif)
    answers = enrolled("recognize", "--json", folder).json["answers"]
    assert {Path(answer["source"]).name: answer["names"] for answer in answers} == {
        name: [OBAMA] for name in sorted(path.name for path in folder.iterdir())
    }
    turned = {Path(answer["source"]).name: answer["rotation"] for answer in answers}
    assert turned.pop("unsaid.jpg") == 90
    assert set(turned.values()) == {0}
