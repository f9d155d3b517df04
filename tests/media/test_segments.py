"""Pieces of a video, cut without encoding anew: together they are the video."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from tests.media.films import FILMS
from tests.media.test_cutter import SAMPLINGS, same

from visage.core.errors import TooLargeError, UnreadableError, UsageError
from visage.core.values import Frame, Media, Pixels, Place, Sampling, Segment
from visage.media import segments
from visage.media.cutter import FileCutter

Read = Callable[..., tuple[list[Frame], Media]]
MakeVideo = Callable[..., Path]
Cut = Callable[..., tuple[list[Segment], Media]]


@pytest.fixture
def cut(cutter: FileCutter) -> Cut:
    def all_of(path: Path, seconds: float, after: Place | None = None) -> tuple[list[Segment], Media]:
        with path.open("rb") as file, cutter.cut(file, str(path), path.stat().st_size, seconds, after=after) as pieces:
            found = list(pieces.segments())
            return found, pieces.media

    return all_of


@pytest.mark.parametrize("seconds", [0.1, 1.0, 60])
@pytest.mark.parametrize("film", FILMS)
def test_the_pieces_together_are_the_whole(
    film: str, seconds: float, make_film: MakeVideo, read: Read, cut: Cut, cutter: FileCutter
) -> None:
    path = make_film(film)
    pieces, media = cut(path, seconds)
    assert len(pieces) > 3 if seconds < 1 else pieces
    for sampling in SAMPLINGS:
        whole, known = read(path, sampling)
        frames: list[Frame] = []
        for piece in pieces:
            with cutter.segment(piece, media, sampling) as clip:
                own = list(clip.frames())
                assert clip.media == media
            assert all(piece.start.time <= frame.time < piece.end for frame in own)
            frames += own
        assert same(frames, whole), sampling
    if known.duration:
        assert media.duration == pytest.approx(known.duration, abs=0.11)


@pytest.mark.parametrize("film", FILMS)
def test_going_on_after_any_piece(film: str, make_film: MakeVideo, read: Read, cut: Cut) -> None:
    path = make_film(film)
    whole, _ = read(path)
    pieces, _ = cut(path, 0.1)
    assert pieces[0].before is None
    assert pieces[0].start == Place(0, 0.0)
    for n, piece in enumerate(pieces):
        assert piece.last == Place(whole[piece.last.index].index, whole[piece.last.index].time)
        rest, _ = cut(path, 0.1, after=piece.last)
        assert [(p.start, p.last, p.before, p.end) for p in rest] == [
            (p.start, p.last, p.before, p.end) for p in pieces[n + 1 :]
        ]
        if rest:
            assert rest[0].before == piece.last
            assert rest[0].start.index == piece.last.index + 1


def test_a_piece_is_a_video_of_its_own(make_film: MakeVideo, cut: Cut) -> None:
    for piece in cut(make_film("mkv"), 1)[0]:
        with av.open(io.BytesIO(piece.data), "r") as container:
            frames = [frame.pts or 0 for frame in container.decode(video=0)]
            assert container.format.name.startswith("matroska")
        assert len(frames) == piece.last.index - piece.start.index + 1
        assert frames[0] == 0
        assert frames == sorted(frames)


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (-1, 0, 0, 1), (0, 1, 1, 0)])
def test_what_is_turned_stays_turned(
    matrix: tuple[int, int, int, int], tmp_path: Path, make_video: MakeVideo, read: Read, cut: Cut, cutter: FileCutter
) -> None:
    path = make_video(tmp_path / "a.mov")
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    whole, _ = read(path)
    pieces, media = cut(path, 1)
    assert (media.width, media.height) == (whole[0].width, whole[0].height)
    frames = []
    for piece in pieces:
        with cutter.segment(piece, media, Sampling()) as clip:
            frames += list(clip.frames())
    assert len(pieces) == 2
    assert same(frames, whole)


def test_a_photo_cannot_be_cut(tmp_path: Path, corners: Pixels, cutter: FileCutter) -> None:
    from visage.media.photos import encode_jpeg

    data = encode_jpeg(corners)
    with pytest.raises(UnreadableError, match="photo"), cutter.cut(io.BytesIO(data), "x", len(data), 1):
        pass


def test_a_format_that_matroska_does_not_know(tmp_path: Path, make_video: MakeVideo, cut: Cut) -> None:
    path = make_video(tmp_path / "a.wmv", codec="wmv2", options={})
    with pytest.raises(UnreadableError, match="take frames of it instead"):
        cut(path, 1)


def test_a_piece_is_cut_before_it_is_too_large(make_film: MakeVideo, cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film("mp4")
    largest = max(len(piece.data) for piece in cut(path, 0.1)[0])
    monkeypatch.setattr(segments, "MOST_BYTES", 2 * largest)
    pieces, _ = cut(path, 60)
    assert len(pieces) > 2
    assert max(len(piece.data) for piece in pieces) < 3 * largest
    monkeypatch.setattr(segments, "MOST_BYTES", largest // 2)
    with pytest.raises(TooLargeError, match="encode it with more key frames"):
        cut(path, 60)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_senseless_length(seconds: float, cutter: FileCutter) -> None:
    with pytest.raises(UsageError), cutter.cut(io.BytesIO(b"x"), "x", 1, seconds):
        pass


def test_a_file_that_is_no_piece(make_film: MakeVideo, cutter: FileCutter) -> None:
    media = Media("film.mp4", 64, 48, 5.0, 10.0)
    start = Place(0, 0.0)
    for data, said in ((make_film("mkv").read_bytes(), "not cut by Visage"), (b"\x1a\x45\xdf\xa3" * 50, "damaged")):
        segment = Segment(data, start, start, None, 1.0)
        with pytest.raises(UnreadableError, match=said) as caught, cutter.segment(segment, media, Sampling()):
            pass
        assert caught.value.source == "film.mp4"


def test_a_damaged_piece_says_so(make_film: MakeVideo, cut: Cut, cutter: FileCutter) -> None:
    (piece, *_), media = cut(make_film("avi"), 60)
    data = bytearray(piece.data)
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    damaged = Segment(bytes(data), piece.start, piece.last, piece.before, piece.end)
    with cutter.segment(damaged, media, Sampling()) as clip:
        assert 5 < len(list(clip.frames())) < 50
        assert clip.media.problem
        assert "left out" in clip.media.problem
