"""Photos and videos in folders, by their names; and kinds by their first bytes."""

from pathlib import Path

import pytest

from visage.core.errors import NotFoundError, UnreadableError
from visage.media.decode import FileDecoder, list_media
from visage.media.kinds import Kind, kind_of


def test_list_media(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.mp4", "notes.txt", ".hidden.jpg", "sub/c.heic", "sub/.git/d.jpg", "sub/deep/e.webm", "f"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in list_media(tmp_path)]
    assert names == ["a.mp4", "b.JPG", "sub/c.heic", "sub/deep/e.webm"]


def test_links(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for folder in (outside, inside):
        folder.mkdir()
    (outside / "a.jpg").touch()
    (inside / "loop").symlink_to(inside)
    (inside / "up").symlink_to(tmp_path)
    (inside / "dead.jpg").symlink_to(tmp_path / "gone.jpg")
    (inside / "file.jpg").symlink_to(outside / "a.jpg")
    found = list_media(inside)
    assert len(found) == 2
    assert {path.name for path in found} == {"a.jpg", "file.jpg"}


def test_find_speaks_text(tmp_path: Path, decoder: FileDecoder) -> None:
    (tmp_path / "a.png").touch()
    assert decoder.find(str(tmp_path)) == [str(tmp_path / "a.png")]


def test_empty_missing_and_no_folder(tmp_path: Path) -> None:
    assert list_media(tmp_path) == []
    (tmp_path / "a.jpg").touch()
    with pytest.raises(NotFoundError):
        list_media(tmp_path / "missing")
    with pytest.raises(UnreadableError, match="not a directory"):
        list_media(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", Kind.HEIC),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmif1miaf", Kind.AVIF),
        (b"\x00\x00\x00\x18ftypheix\x00\x00\x00\x00mif1heic", Kind.HEIC),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ", Kind.MP4),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", Kind.MP4),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", None),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", Kind.MP4),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", Kind.WEBP),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187) + b"\x47", Kind.TRANSPORT),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_kind(head: bytes, kind: Kind | None) -> None:
    assert kind_of(head) is kind
