"""Every format and mode comes out as the same upright RGB picture."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import visage
from visage.core.errors import UnreadableError
from visage.core.values import Frame, Media, Pixels
from visage.media.photos import decode_jpeg, encode_jpeg

Read = Callable[..., tuple[list[Frame], Media]]

FORMATS: list[tuple[str, dict[str, Any], int]] = [
    ("JPEG", {"quality": 95, "subsampling": 0}, 6),
    ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 6),
    ("PNG", {}, 0),
    ("PNG", {"bits": 8, "optimize": True}, 0),
    ("WEBP", {"lossless": True}, 0),
    ("WEBP", {"quality": 95}, 25),
    ("BMP", {}, 0),
    ("TIFF", {}, 0),
    ("TIFF", {"compression": "tiff_lzw"}, 0),
    ("TIFF", {"compression": "tiff_deflate"}, 0),
    ("TIFF", {"compression": "tiff_deflate", "big_tiff": True}, 0),
    ("GIF", {}, 0),
    ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 8),
]


def _saved(path: Path, image: Image.Image, form: str, **options: Any) -> Path:
    image.save(path, form, **options)
    return path


def _near(pixels: Pixels, wanted: Pixels, levels: int) -> bool:
    """Whether two pictures agree, edges between the quarters left out."""
    inner = (slice(3, 21), slice(3, 29))
    return pixels.shape == wanted.shape and all(
        int(np.abs(part.astype(int) - whole.astype(int)).max()) <= levels
        for part, whole in ((turn(pixels)[inner], turn(wanted)[inner]) for turn in (np.asarray, _back))
    )


def _back(pixels: Pixels) -> Pixels:
    return pixels[::-1, ::-1]


@pytest.mark.parametrize(("form", "options", "levels"), FORMATS)
def test_every_format_under_a_wrong_name(
    form: str, options: dict[str, Any], levels: int, tmp_path: Path, corners: Pixels, read: Read
) -> None:
    path = _saved(tmp_path / "wrong.mp4", Image.fromarray(corners), form, **options)
    frames, media = read(path)
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0)]
    assert media == Media(str(path), 64, 48)
    assert not media.is_video
    assert _near(frames[0].pixels, corners, levels)


def test_heic(tmp_path: Path, corners: Pixels, read: Read) -> None:
    path = tmp_path / "a.jpg"
    pillow_heif.from_pillow(Image.fromarray(corners)).save(path, quality=95, chroma=444)
    assert _near(read(path)[0][0].pixels, corners, 10)


def test_heic_is_turned_once(tmp_path: Path, corners: Pixels, read: Read) -> None:
    path = tmp_path / "a.heic"
    exif = Image.Exif()
    exif[0x0112] = 6
    pillow_heif.from_pillow(Image.fromarray(corners)).save(path, quality=95, chroma=444, exif=exif.tobytes())
    (frame,), media = read(path)
    assert (media.width, media.height) == (48, 64)
    assert _near(np.ascontiguousarray(np.rot90(frame.pixels)), corners, 10)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(form: str, orientation: int, tmp_path: Path, corners: Pixels, read: Read) -> None:
    # What a camera stores so that a viewer, following the tag, shows `corners`.
    stored = {
        1: corners,
        2: corners[:, ::-1],
        3: corners[::-1, ::-1],
        4: corners[::-1],
        5: corners.transpose(1, 0, 2),
        6: np.rot90(corners, 1),
        7: corners[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(corners, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    (frame,), media = read(_saved(tmp_path / "a", image, form, exif=exif))
    assert (media.width, media.height) == (64, 48)
    assert _near(frame.pixels, corners, 30)


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00garbage", b"MM\x00*\x00\x00\x00\x08\xff\xff"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest's filter stands before ours
def test_damaged_exif_does_no_harm(exif: bytes, tmp_path: Path, corners: Pixels, read: Read) -> None:
    path = _saved(tmp_path / "a.jpg", Image.fromarray(corners), "JPEG", quality=95, exif=exif)
    assert _near(read(path)[0][0].pixels, corners, 30)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_mode(mode: str, tmp_path: Path, read: Read) -> None:
    gray: Pixels = np.repeat(np.array([[0, 255]], np.uint8), 32, axis=1).repeat(48, axis=0)
    if mode == "I;16":
        image = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(gray.astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(gray.astype(np.float32) / 255)
    else:
        image = Image.fromarray(gray).convert(mode)
    (frame,), _ = read(_saved(tmp_path / "a", image, "TIFF" if mode in {"F", "I", "CMYK", "YCbCr"} else "PNG"))
    assert frame.pixels.shape == (48, 64, 3)
    assert frame.pixels[:, :30].max() <= 2
    assert frame.pixels[:, 34:].min() >= 253


def test_sixteen_bits_keep_the_middle(tmp_path: Path, read: Read) -> None:
    image = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    assert read(_saved(tmp_path / "a.png", image, "PNG"))[0][0].pixels[0, 0].tolist() == [128, 128, 128]


def test_cmyk_jpeg(tmp_path: Path, read: Read) -> None:
    path = _saved(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    red = read(path)[0][0].pixels[8, 8]
    assert red[0] > 240
    assert red[1:].max() < 20


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_transparent_is_seen_before_white(form: str, tmp_path: Path, read: Read) -> None:
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 16))
    pixels = read(_saved(tmp_path / "a", image, form))[0][0].pixels
    assert pixels[8, 3].min() >= 253
    assert abs(int(pixels[8, 12, 0]) - 200) <= 3


def test_animated_gif_gives_its_first_image(tmp_path: Path, read: Read) -> None:
    images = [Image.new("RGB", (16, 16), color) for color in ("red", "lime", "blue")]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    frames, _ = read(tmp_path / "a.gif")
    assert len(frames) == 1
    assert frames[0].pixels[8, 8].tolist() == [255, 0, 0]


def test_what_a_phone_appends_is_no_damage(tmp_path: Path, corners: Pixels, read: Read) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_jpeg(corners) + b"MotionPhoto_Data" + bytes(5000))
    assert len(read(path)[0]) == 1


def test_camera_raw_is_refused_with_advice(tmp_path: Path, corners: Pixels, read: Read) -> None:
    path = _saved(tmp_path / "a.dng", Image.fromarray(corners), "TIFF", tiffinfo={50706: b"\x01\x04\x00\x00"})
    with pytest.raises(UnreadableError, match="export it as JPEG"):
        read(path)


def test_strips_join_without_a_seam(tmp_path: Path, read: Read) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (257, 33, 3), dtype=np.uint8)
    assert np.array_equal(read(_saved(tmp_path / "a.png", Image.fromarray(pixels), "PNG"))[0][0].pixels, pixels)


def test_real_photos_equal_pillows(shared: Path, read: Read) -> None:
    for path in sorted((shared / "photos").glob("*.*"))[:4]:
        assert np.array_equal(read(path)[0][0].pixels, np.asarray(Image.open(path).convert("RGB")))


def test_jpeg_there_and_back(corners: Pixels) -> None:
    assert _near(decode_jpeg(encode_jpeg(corners, quality=95)), corners, 12)
    assert len(encode_jpeg(corners, quality=30)) < len(encode_jpeg(corners, quality=95))


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.95])
def test_stored_jpeg_that_is_damaged(keep: float, corners: Pixels) -> None:
    data = encode_jpeg(corners)
    with pytest.raises(UnreadableError, match="crop of Ada"):
        decode_jpeg(data[: int(len(data) * keep)], "crop of Ada")


def test_png_is_no_stored_jpeg(corners: Pixels) -> None:
    stream = io.BytesIO()
    Image.fromarray(corners).save(stream, "PNG")
    with pytest.raises(UnreadableError, match="not a JPEG"):
        decode_jpeg(stream.getvalue())


@pytest.mark.parametrize(
    ("package", "advice"), [("pillow_heif", "pip install 'visage[heic]'"), ("av", "pip install 'visage[video]'")]
)
def test_missing_extra_is_named(package: str, advice: str, tmp_path: Path, corners: Pixels, make_video: Any) -> None:
    if package == "av":
        path = make_video(tmp_path / "a.mp4", frames=2)
    else:
        path = tmp_path / "a.heic"
        pillow_heif.from_pillow(Image.fromarray(corners)).save(path)
    done = _apart(f"sys.modules[{package!r}] = None", path)
    assert advice in done.stdout
    assert not done.stderr


def test_photo_does_not_load_ffmpeg(tmp_path: Path, corners: Pixels) -> None:
    path = _saved(tmp_path / "a.jpg", Image.fromarray(corners), "JPEG")
    assert "av loaded: False" in _apart("pass", path).stdout


def _apart(before: str, path: Path) -> "subprocess.CompletedProcess[str]":
    """Open `path` in a fresh Python that first runs `before`."""
    fresh = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    code = f"""
import sys
{before}
from visage.core.errors import VisageError
from visage.core.values import Sampling
from visage.media.decode import FileDecoder
try:
    with FileDecoder(max_bytes=10**8, max_pixels=10**8, max_seconds=100, threads=1).open({str(path)!r}, Sampling()):
        pass
except VisageError as error:
    sys.stdout.write(str(error))
sys.stdout.write("av loaded: " + str("av" in sys.modules))
"""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=fresh, check=True, timeout=60
    )
