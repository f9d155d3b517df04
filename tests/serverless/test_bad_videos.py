"""Videos that are odd, damaged or none at all, through both functions: each has a readable result, and the next one is
served by the same."""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.doors.bad_files import film, photo, sound_only
from tests.serverless.cloud import OBAMA, people_in
from tests.serverless.folders import Folders
from visage import Engine, Sampling, load_settings, open_engine
from visage.core.values import Pixels

HEIGHT = 240
FAST = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def folders(home: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    folder = tmp_path_factory.mktemp("folders")
    with people_in(folder, samples), closing(Folders(folder, chunk=2)) as made:
        yield made


@pytest.fixture(scope="module")
def bare(folders: Folders) -> Iterator[Engine]:
    with open_engine(load_settings(gallery=folders.gallery)) as opened:
        yield opened


@pytest.fixture(scope="module")
def face(samples: Path) -> Pixels:
    return photo(samples / "obama2.jpg", HEIGHT)


@pytest.fixture(scope="module")
def good(face: Pixels, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("good") / "good.mp4", [face]).read_bytes()


@pytest.fixture(autouse=True)
def the_next_is_served(folders: Folders, good: bytes) -> Iterator[None]:
    yield
    folders.put("good.mp4", good)
    assert folders.text("good") == f"{OBAMA}\n"


def timed(
    path: Path,
    pictures: Sequence[Pixels],
    times: Sequence[float],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """A film whose pictures are shown at these times."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10, options=FAST if options is None else options)
        assert isinstance(stream, VideoStream)
        stream.codec_context.height, stream.codec_context.width = pictures[0].shape[:2]
        stream.codec_context.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(pictures, times, strict=True):
            frame = VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def turned(path: Path) -> Path:
    """To be shown turned by a quarter, as telephones mark it (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


ODD: dict[str, Callable[[Path, Pixels], Path]] = {
    "uneven.mp4": lambda path, face: timed(path, [face] * 8, [0.0, 0.04, 0.3, 1.9, 2.0, 2.05, 2.1, 5.5]),
    "uneven.mkv": lambda path, face: timed(path, [face] * 4, [3.0, 3.7, 4.05, 9.0]),
    "turned.mp4": lambda path, face: turned(film(path, [np.ascontiguousarray(np.rot90(face))] * 3)),
    "ten hours.mp4": lambda path, face: timed(path, [face] * 3, [0.0, 7_200.0, 36_000.0]),
    "8K.mp4": lambda path, face: timed(path, [enlarged(face)], [0.0]),
    "lossless.mkv": lambda path, face: timed(path, [face] * 3, [0.0, 1.0, 2.0], "ffv1", "bgr0", {}),
    "editing.mov": lambda path, face: timed(path, [face] * 3, [0.0, 1.0, 2.0], "prores_ks", "yuv422p10le", {}),
    "old.wmv": lambda path, face: timed(path, [face] * 3, [0.0, 1.0, 2.0], "wmv2", options={"qmin": "2", "qmax": "4"}),
}  # fmt: skip


def enlarged(face: Pixels) -> Pixels:
    """(4320, 7680, 3)"""
    whole: Pixels = np.full((4320, 7680, 3), 90, np.uint8)
    large = face.repeat(4320 // HEIGHT, axis=0).repeat(4320 // HEIGHT, axis=1)
    whole[: large.shape[0], : large.shape[1]] = large[:, :7680]
    return whole


def headless(path: Path, face: Pixels) -> bytes:
    data = film(path, [face] * 10).read_bytes()
    return data[: len(data) // 2]


def frameless(path: Path, face: Pixels) -> bytes:
    data = film(path, [face] * 10, movflags="faststart").read_bytes()
    return data[: data.index(b"mdat") + 200]


# How each is made, the kind of its error, and what is said of it.
BAD: dict[str, tuple[Callable[[Path, Pixels], bytes], str, str]] = {
    "empty": (lambda *_: b"", "UnreadableError", "it is empty (0 bytes); copy or download it again"),
    "text": (lambda *_: b"this is no film\n", "UnreadableError", "it is neither a photo ("),
    "list": (lambda *_: b"#EXTM3U\n#EXTINF:4,\n/etc/passwd\n", "UnreadableError", "it is neither a photo ("),
    "sound": (lambda path, _: sound_only(path).read_bytes(), "UnreadableError", "there is no video in it"),
    "headless": (headless, "UnreadableError", "damaged, or cut off before its index"),
    "frameless": (frameless, "UnreadableError", "not one frame"),
    "nobody's codec": (
        lambda path, face: film(path, [face]).read_bytes().replace(b"avc1", b"zzzz"),
        "UnreadableError",
        "no decoder here knows its video format; convert it to H.264 first",
    ),
    "too long": (
        lambda path, face: timed(path, [face] * 3, [0.0, 1.0, 72_000.0]).read_bytes(),
        "TooLargeError",
        "it lasts 72000 s or more; the limit is 43200 s",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_gets_a_line_that_says_why(
    folders: Folders, face: Pixels, tmp_path: Path, name: str
) -> None:
    make, kind, words = BAD[name]
    folders.put(f"bad/{name}.mp4", make(tmp_path / "bad.mp4", face))
    text = folders.text(f"bad/{name}")
    assert text.startswith(f"error: bad/{name}.mp4: ")
    assert words in text
    assert text.endswith("\n")
    assert text.count("\n") == 1
    result = folders.result(f"bad/{name}")
    assert result["status"] == "failed"
    assert result["error"] == {"kind": kind, "detail": text.removeprefix("error: ").removesuffix("\n")}
    assert "answer" not in result


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_looked_at_as_the_engine_looks_at_it(
    folders: Folders, bare: Engine, face: Pixels, tmp_path: Path, name: str
) -> None:
    path = ODD[name](tmp_path / name, face)
    wanted = bare.recognize(str(path), sampling=Sampling(seconds=1.0))
    assert wanted.names == [OBAMA]
    folders.put(name, path.read_bytes())
    answer = folders.result(name.removesuffix(".mp4"))["answer"]
    assert folders.text(name.removesuffix(".mp4")) == f"{OBAMA}\n"
    assert answer["frames"] == wanted.frames
    assert [(face["frame"], face["time"], face["name"]) for face in answer["faces"]] == [
        (seen.frame, pytest.approx(seen.time, abs=0.001), seen.name) for seen in wanted.sightings
    ]
    (told,), (media,) = answer["media"], wanted.media
    assert (told["width"], told["height"]) == (media.width, media.height)
    assert told["duration"] == pytest.approx(media.duration, abs=0.001)
    assert told["problem"] is None


def test_what_is_cut_off_is_looked_at_as_far_as_it_goes(folders: Folders, face: Pixels, tmp_path: Path) -> None:
    data = film(tmp_path / "tail.mp4", [face] * 40, movflags="faststart").read_bytes()
    folders.put("tail.mp4", data[: len(data) * 2 // 3])
    assert folders.text("tail") == f"{OBAMA}\n"
    result = folders.result("tail")
    assert result["status"] == "done"
    assert 1 < result["answer"]["frames"] < 4
    assert result["answer"]["media"][0]["problem"].startswith("the file breaks off after 2.")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"max_seconds": 1.0}, "it lasts 2 s or more; the limit is 1 s"),
        ({"max_pixels": 1000}, "megapixels; the limit is"),
        ({"max_bytes": 1000}, "the limit is 1.0 kB"),
    ],
)
def test_the_limits_of_the_settings_hold(
    folders: Folders, face: Pixels, tmp_path: Path, limit: dict[str, float], words: str
) -> None:
    path = film(tmp_path / "clip.mp4", [face] * 20)
    with closing(Folders(folders.root, **limit)) as narrow:
        narrow.put("limited.mp4", path.read_bytes())
        assert words in narrow.text("limited")
        assert narrow.result("limited")["error"]["kind"] == "TooLargeError"


def test_what_is_deleted_before_it_is_read(folders: Folders, good: bytes) -> None:
    folders.put("gone.mp4", good, gone=True)
    assert folders.text("gone") == "error: gone.mp4: it was deleted before it was read; put it there again\n"


def test_what_turns_out_too_long_halfway(folders: Folders, face: Pixels, tmp_path: Path) -> None:
    """Its file does not say how long it is. Chunks that are answered by then are of no use."""
    path = film(tmp_path / "live.mkv", [face] * 20, live="1")
    with closing(Folders(folders.root, max_seconds=1.0, every="2f", chunk=2)) as narrow:
        narrow.put("live.mkv", path.read_bytes())
        assert narrow.text("live.mkv") == (
            "error: live.mkv: it lasts 1 s or more; the limit is 1 s. Cut it or raise the limit\n"
        )
        assert any(stored.key.endswith("answers/000001.json") for stored in narrow.stage.list("live.mkv"))


def test_a_photo_among_the_videos(folders: Folders, samples: Path) -> None:
    folders.put("photo.jpg", (samples / "obama2.jpg").read_bytes())
    assert folders.text("photo.jpg") == f"{OBAMA}\n"
