"""Boxes and names in pictures, and pictures on disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visage
from visage.core.errors import StorageError, UsageError
from visage.core.values import Pixels
from visage.media.draw import Mark, annotate, save_picture
from visage.media.fonts import font_for

GRAY: Pixels = np.full((300, 400, 3), 128, np.uint8)


def _changed(pixels: Pixels) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    return np.asarray((pixels != 128).any(axis=2))


def test_nothing_to_draw() -> None:
    drawn = annotate(GRAY, [])
    assert np.array_equal(drawn, GRAY)
    assert drawn is not GRAY


def test_box_and_label_are_where_they_belong() -> None:
    before = GRAY.copy()
    drawn = _changed(annotate(GRAY, [Mark((100, 120, 200, 220), "Ada")]))
    assert np.array_equal(GRAY, before)
    assert drawn[120, 100:200].all()
    assert drawn[120:220, 100].all()
    assert not drawn[130:210, 110:190].any()
    assert drawn[110:119, 101:120].mean() > 0.9
    assert not drawn[:90].any()


def test_named_and_unknown_differ() -> None:
    named, unknown = (annotate(GRAY, [Mark((100, 100, 200, 200), "", flag)]) for flag in (True, False))
    assert (named[150, 100] != unknown[150, 100]).any()


@pytest.mark.parametrize(
    "box", [(-50, -50, 60, 60), (350, 250, 500, 400), (100, 0, 200, 300), (5, 5, 5, 5), (9, 9, 2, 2)]
)
def test_boxes_over_the_edge(box: tuple[float, float, float, float]) -> None:
    drawn = annotate(GRAY, [Mark(box, "Ada Lovelace")])
    assert drawn.shape == GRAY.shape
    assert _changed(drawn).sum() > 500


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 3), (20, 2000, 3), (3000, 4000, 3)])
def test_any_size(shape: tuple[int, int, int]) -> None:
    assert annotate(np.zeros(shape, np.uint8), [Mark((0, 0, 5, 5), "Ada")]).shape == shape


def test_letters_grow_with_the_picture() -> None:
    small, large = (
        _changed(
            annotate(
                np.full((side, side, 3), 128, np.uint8), [Mark((0.4 * side, 0.5 * side, 0.6 * side, 0.9 * side), "A")]
            )
        )
        for side in (400, 1600)
    )
    assert 3 < large.any(axis=1).sum() / small.any(axis=1).sum() < 5


@pytest.mark.parametrize("name", ["Zoë Kravitz", "Đặng Văn", "Łukasz Żółć", "O\u2019Brien", "Jose\u0301"])
def test_latin_names_keep_their_letters(name: str) -> None:
    font, shown = font_for(name, 20)
    assert font is not None
    assert shown.isascii() is False
    assert len(shown) <= len(name)


@pytest.mark.parametrize("name", ["Владимир", "Ελένη", "محمد", "张伟", "🦊", "\U000f0000", "a\u0000b\nc", ""])
def test_any_name_is_drawn(name: str) -> None:
    font, shown = font_for(name, 20)
    assert font is not None
    assert shown == name or shown.isascii()
    assert annotate(GRAY, [Mark((100, 100, 200, 200), name)]).shape == GRAY.shape


def test_what_no_font_has_is_spelled_out() -> None:
    assert font_for("Á\U00012000", 20)[1] == "A\\U00012000"


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png"])
def test_saved_picture(name: str, tmp_path: Path) -> None:
    save_picture(tmp_path / name, GRAY)
    save_picture(tmp_path / name, GRAY)
    assert np.abs(np.asarray(Image.open(tmp_path / name)).astype(int) - 128).max() <= 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_extension(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.jpg or \.png"):
        save_picture(tmp_path / "a.xyz", GRAY)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file or directory"):
        save_picture(tmp_path / "missing" / "a.png", GRAY)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(StorageError):
        save_picture(tmp_path / "a.png", GRAY)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the system refuses the same write."""
    save_picture(tmp_path / "a.png", GRAY)
    old = (tmp_path / "a.png").read_bytes()
    code = f"""
import resource, sys
from pathlib import Path
import numpy as np
from visage.core.errors import StorageError
from visage.media.draw import save_picture
from visage.media.video_writer import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
folder = Path({str(tmp_path)!r})
try:
    save_picture(folder / "a.png", noise)
except StorageError as error:
    sys.stdout.write(f"{{error}};")
try:
    with VideoWriter(folder / "a.mp4", 640, 480, 25) as writer:
        for n in range(100):
            writer.write(noise, n / 25)
except StorageError as error:
    sys.stdout.write(str(error))
"""
    fresh = {**os.environ, "PYTHONPATH": str(Path(visage.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=fresh, capture_output=True, text=True, check=True, timeout=60
    )
    picture, video = done.stdout.split(";", 2)[0], done.stdout
    assert "cannot write" in picture
    assert "a.mp4: file too large" in video
    assert not done.stderr
    assert (tmp_path / "a.png").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
