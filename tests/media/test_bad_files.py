"""What is no photo or video, too large or damaged is refused with one clear line, and nothing reaches stderr."""

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import visage
from visage.core.errors import InputError, NotFoundError, TooLargeError, UnreadableError
from visage.core.values import Frame, Media, Pixels, Sampling
from visage.media.decode import FileDecoder

Read = Callable[..., tuple[list[Frame], Media]]

FORMATS = ["JPEG", "PROGRESSIVE", "PNG", "WEBP", "BMP", "TIFF", "LZW", "GIF", "AVIF", "HEIC"]


def _bytes(form: str, pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    if form == "HEIC":
        pillow_heif.from_pillow(image).save(stream)
    elif form == "PROGRESSIVE":
        image.save(stream, "JPEG", progressive=True, quality=90)
    elif form == "LZW":
        image.save(stream, "TIFF", compression="tiff_lzw")
    else:
        image.save(stream, form)
    return stream.getvalue()


@pytest.fixture
def noisy() -> Pixels:
    """(96, 128, 3) with something to lose everywhere."""
    rng = np.random.default_rng(3)
    return np.asarray(Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((128, 96)))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("keep", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest's filter stands before ours; see the test of stderr
def test_photo_cut_off(form: str, keep: float, tmp_path: Path, noisy: Pixels, read: Read) -> None:
    whole = _bytes(form, noisy)
    path = tmp_path / "cut"
    path.write_bytes(whole[: max(1, int(len(whole) * keep))])
    try:
        frames, media = read(path)
    except UnreadableError as error:
        assert "\n" not in str(error)  # noqa: PT017  whether it is refused depends on what was cut
    else:
        if media.problem:
            assert form in {"JPEG", "PROGRESSIVE"}
            assert "cut off" in media.problem
            return
        # Nothing that shows was lost: a TIFF, for one, may keep only its notes at the end.
        (tmp_path / "whole").write_bytes(whole)
        assert np.array_equal(frames[0].pixels, read(tmp_path / "whole")[0][0].pixels)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "GIF", "AVIF", "HEIC"])
def test_half_a_photo_is_refused(form: str, tmp_path: Path, noisy: Pixels, read: Read) -> None:
    whole = _bytes(form, noisy)
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match="damaged or cut off"):
        read(tmp_path / "half")


def test_of_half_a_jpeg_the_half_is_read_and_it_says_so(tmp_path: Path, noisy: Pixels, read: Read) -> None:
    whole = _bytes("JPEG", noisy)
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "whole.jpg").write_bytes(whole)
    frames, media = read(tmp_path / "half.jpg")
    assert media.problem
    assert "cut off" in media.problem
    assert np.array_equal(frames[0].pixels[:32], read(tmp_path / "whole.jpg")[0][0].pixels[:32])
    assert np.ptp(frames[0].pixels[-8:]) == 0


def test_a_jpeg_of_which_little_is_left_is_refused(tmp_path: Path, noisy: Pixels, read: Read) -> None:
    whole = _bytes("JPEG", noisy)
    (tmp_path / "rest.jpg").write_bytes(whole[: len(whole) // 5])
    with pytest.raises(UnreadableError, match="damaged or cut off"):
        read(tmp_path / "rest.jpg")


def test_half_a_jpeg_with_a_whole_thumbnail_is_no_whole_one(tmp_path: Path, noisy: Pixels, read: Read) -> None:
    """The thumbnail's end mark in the Exif block must not pass for the photo's."""
    thumbnail = _bytes("JPEG", noisy[:16, :16])
    stream = io.BytesIO()
    Image.fromarray(noisy).save(stream, "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + thumbnail)
    (tmp_path / "a.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) * 2 // 3])
    assert read(tmp_path / "a.jpg")[1].problem


def test_half_a_jpeg_filled_up_with_zeros_is_no_whole_one(tmp_path: Path, noisy: Pixels, read: Read) -> None:
    """What an interrupted download leaves that had reserved the room."""
    whole = _bytes("JPEG", noisy)
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    assert read(tmp_path / "a.jpg")[1].problem


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_random_damage_raises_nothing_of_anybody_elses(form: str, tmp_path: Path, noisy: Pixels, read: Read) -> None:
    whole = _bytes(form, noisy)
    rng = np.random.default_rng(5)
    path = tmp_path / "damaged"
    for _ in range(60):
        data = bytearray(whole)
        start = 12 if rng.random() < 0.7 else 2
        for at in rng.integers(start, min(len(data), 400 if rng.random() < 0.6 else len(data)), 4):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            read(path)
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1_000_000))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _bomb(form: str) -> bytes:
    """A small file that declares 30,000 x 30,000 pixels (WebP: the most it can)."""
    side = 30_000
    if form == "PNG":
        return _png_header(side, side)
    data = bytearray(_bytes(form, np.zeros((16, 16, 3), np.uint8)))
    if form == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", side, side)
    elif form == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif form == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    elif form == "WEBP":
        data[26:30] = struct.pack("<HH", 16383, 16383)
    elif form == "TIFF":
        for tag in (256, 257):
            at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
            data[at : at + 4] = struct.pack("<I", side)
    return bytes(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_bomb_is_refused_by_its_header(form: str, tmp_path: Path, read: Read) -> None:
    (tmp_path / "bomb").write_bytes(_bomb(form))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match="megapixels; the limit is 40"):
            read(tmp_path / "bomb")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_too_many_bytes(tmp_path: Path, noisy: Pixels) -> None:
    (tmp_path / "a.png").write_bytes(_bytes("PNG", noisy))
    decoder = FileDecoder(max_bytes=1000, max_pixels=10**6, max_seconds=1, threads=1)
    with (
        pytest.raises(TooLargeError, match=r"kB; the limit is 1\.0 kB"),
        decoder.open(str(tmp_path / "a.png"), Sampling()),
    ):
        pass


@pytest.mark.parametrize(
    "text", [b"hello, world\n", b"BMs are text too, and this one is long enough\n", b"\x00" * 5000, b"#!"]
)
def test_neither_photo_nor_video(text: bytes, tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jpg").write_bytes(text)
    with pytest.raises(UnreadableError, match="neither a photo"):
        read(tmp_path / "a.jpg")


def test_empty(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UnreadableError, match="empty"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["missing.jpg", "a.jpg/below", "zero\x00byte", "x" * 300])
def test_missing(name: str, tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(NotFoundError if len(name) < 300 else UnreadableError):
        read(tmp_path / name)


def test_folder(tmp_path: Path, read: Read) -> None:
    with pytest.raises(UnreadableError, match="folder"):
        read(tmp_path)


def test_pipes_and_devices_do_not_hang(tmp_path: Path, read: Read) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", Path("/dev/zero")):
        with pytest.raises(UnreadableError, match="pipe or a device"):
            read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "a.jpg").chmod(0)
    with pytest.raises(UnreadableError, match="permissions"):
        read(tmp_path / "a.jpg")


def test_nothing_reaches_stderr(tmp_path: Path, noisy: Pixels, make_video: Callable[..., Path]) -> None:
    """Neither from the C libraries nor from Pillow's warnings, all of which are asked for."""
    paths = []
    for form in FORMATS:
        whole = _bytes(form, noisy)
        half, torn = tmp_path / f"{form}-half", tmp_path / f"{form}-torn"
        half.write_bytes(whole[: len(whole) // 2])
        middle = len(whole) // 2
        torn.write_bytes(whole[:middle] + bytes(range(200)) + whole[middle + 200 :])
        paths += [half, torn]
    exif, samples = tmp_path / "exif", tmp_path / "samples"
    exif.write_bytes(
        _bytes("JPEG", noisy).replace(b"\xff\xdb", b"\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff\xff\xdb", 1)
    )
    whole = _bytes("TIFF", noisy)
    at = whole.index(struct.pack("<HHI", 277, 3, 1)) + 8  # how many samples a pixel has
    samples.write_bytes(whole[:at] + b"\x00\x08" + whole[at + 2 :])
    paths += [exif, samples]
    video = make_video(tmp_path / "a.mp4", container={"movflags": "faststart"}).read_bytes()
    (tmp_path / "half.mp4").write_bytes(video[: len(video) // 2])
    (tmp_path / "torn.mp4").write_bytes(
        video[: len(video) * 2 // 3] + bytes(range(200)) + video[len(video) * 2 // 3 + 200 :]
    )
    fresh = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    code = f"""
import sys
from visage.core.errors import InputError
from visage.core.values import Sampling
from visage.media.decode import FileDecoder
decoder = FileDecoder(max_bytes=10**8, max_pixels=10**9, max_seconds=100, threads=2)
for path in {[str(path) for path in [*paths, tmp_path / "half.mp4", tmp_path / "torn.mp4"]]!r}:
    try:
        with decoder.open(path, Sampling()) as clip:
            list(clip.frames())
    except InputError:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        env=fresh,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
