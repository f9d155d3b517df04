"""Frames out of file objects: the same as out of files, and going on after any of them is as if never stopped."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.media.films import FILMS, noise

from visage.core.errors import InputError, NotFoundError, StorageError, TooLargeError, UnreadableError, UsageError
from visage.core.values import Frame, Media, Pixels, Place, Sampling
from visage.media.cutter import FileCutter
from visage.media.look import FirstLook

Read = Callable[..., tuple[list[Frame], Media]]
MakeVideo = Callable[..., Path]
Cut = Callable[..., tuple[list[Frame], Media]]

SAMPLINGS = [
    Sampling(), Sampling(seconds=0.5), Sampling(frames=7), Sampling(count=5), Sampling(count=1), Sampling(keys=True),
]  # fmt: skip


def same(frames: list[Frame], others: list[Frame]) -> bool:
    places = [[(frame.index, frame.time) for frame in some] for some in (frames, others)]
    pairs = zip(frames, others, strict=False)
    return places[0] == places[1] and all(np.array_equal(one.pixels, other.pixels) for one, other in pairs)


@pytest.fixture
def frames_of(cutter: FileCutter) -> Cut:
    def all_of(path: Path, sampling: Sampling, after: Frame | None = None) -> tuple[list[Frame], Media]:
        place = Place(after.index, after.time) if after else None
        with (
            path.open("rb") as file,
            cutter.frames(file, str(path), path.stat().st_size, sampling, after=place) as clip,
        ):
            frames = list(clip.frames())
            return frames, clip.media

    return all_of


@pytest.mark.parametrize("film", FILMS)
def test_a_file_object_is_as_good_as_a_file(film: str, make_film: MakeVideo, read: Read, frames_of: Cut) -> None:
    path = make_film(film)
    for sampling in SAMPLINGS:
        (wanted, known), (frames, media) = read(path, sampling), frames_of(path, sampling)
        assert wanted
        assert same(frames, wanted)
        assert media == known


@pytest.mark.parametrize("film", FILMS)
def test_going_on_after_any_frame(film: str, make_film: MakeVideo, frames_of: Cut) -> None:
    path = make_film(film)
    for sampling in SAMPLINGS:
        whole, media = frames_of(path, sampling)
        for n, frame in enumerate(whole):
            rest, known = frames_of(path, sampling, after=frame)
            assert same(rest, whole[n + 1 :]), (sampling, frame.index)
            assert (known.duration, known.problem) == (media.duration, media.problem)


@pytest.mark.parametrize("film", [name for name in FILMS if "avi" not in name and "flv" not in name])
def test_going_on_decodes_nothing_from_the_beginning(
    film: str, make_film: MakeVideo, frames_of: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_film(film)
    whole, _ = frames_of(path, Sampling())

    def refuse(self: FirstLook) -> None:
        pytest.fail("begun anew")

    monkeypatch.setattr(FirstLook, "rewind", refuse)
    assert same(frames_of(path, Sampling(), after=whole[35])[0], whole[36:])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_going_on_in_a_video_with_a_hole(suffix: str, tmp_path: Path, make_video: MakeVideo, frames_of: Cut) -> None:
    """Of a damaged transport stream FFmpeg's threads do not make the same pictures every time."""
    settings: dict[str, Any] = {"codec": "mpeg4"} if suffix == "avi" else {"options": {"preset": "veryfast", "bf": "2"}}
    path = make_video(tmp_path / f"a.{suffix}", frames=40, gop_size=6, pictures=noise, **settings)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = np.random.default_rng(0).integers(0, 256, 600, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    whole, _ = frames_of(path, Sampling())
    assert 15 < len(whole) < 41
    for n, frame in enumerate(whole):
        assert same(frames_of(path, Sampling(), after=frame)[0], whole[n + 1 :]), frame.index


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_a_clip_of_one_frame(form: str, tmp_path: Path, corners: Pixels, frames_of: Cut, read: Read) -> None:
    path = tmp_path / "a"
    Image.fromarray(corners).save(path, form)
    (wanted, known), (frames, media) = read(path), frames_of(path, Sampling(keys=True))
    assert same(frames, wanted)
    assert media == known
    assert not media.is_video
    assert frames_of(path, Sampling(), after=frames[0])[0] == []


class Failing(io.BytesIO):
    """Raises from some place on, or after so many readings, as a store does that cannot be reached."""

    def __init__(self, data: bytes, readings: int) -> None:
        super().__init__(data)
        self.readings = readings

    def read(self, size: int | None = -1, /) -> bytes:
        self.readings -= 1
        if self.readings < 0:
            raise StorageError("the bucket is gone")
        return super().read(min(size or 0, 5000) if size and size > 0 else size)


@pytest.mark.parametrize("film", ["mp4", "mkv", "ts", "avi"])
def test_what_the_file_raises_passes_through(
    film: str, make_film: MakeVideo, cutter: FileCutter, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_film(film).read_bytes()
    needed = Failing(data, 10**6)
    with cutter.frames(needed, "x", len(data), Sampling(keys=True)) as clip:
        list(clip.frames())
    for readings in range(10**6 - needed.readings):
        file = Failing(data, readings)
        with (
            pytest.raises(StorageError, match="the bucket is gone"),
            cutter.frames(file, "x", len(data), Sampling(keys=True)) as clip,
        ):
            list(clip.frames())
    assert capfd.readouterr().err == ""


def test_what_a_photos_file_raises_passes_through(cutter: FileCutter, corners: Pixels) -> None:
    stream = io.BytesIO()
    Image.fromarray(corners).save(stream, "PNG")
    for raised in (StorageError("gone"), NotFoundError("x", "gone"), OSError("gone")):

        class Raising(io.BytesIO):
            def read(self, size: int | None = -1, /, raised: Exception = raised) -> bytes:
                if self.tell() == 0 and size == -1:
                    raise raised
                return super().read(size)

        file = Raising(stream.getvalue())
        with pytest.raises(type(raised)) as caught, cutter.frames(file, "x", 100, Sampling()):
            pass
        assert caught.value is raised


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello, world\n" * 100, "neither a photo"),
        (b"\x00" * 5000, "neither a photo"),
        (b"\x00\x00\x00\x18ftypisom" + b"\x00" * 500, "cut off before its index"),
    ],
)
def test_bad_files(data: bytes, said: str, cutter: FileCutter) -> None:
    with (
        pytest.raises(UnreadableError, match=said) as caught,
        cutter.frames(io.BytesIO(data), "a/b.mp4", len(data), Sampling()),
    ):
        pass
    assert caught.value.source == "a/b.mp4"
    with pytest.raises(UnreadableError, match=said), cutter.cut(io.BytesIO(data), "a/b.mp4", len(data), 1):
        pass


@pytest.mark.parametrize("film", ["mp4", "mkv", "ts", "avi"])
def test_random_damage_raises_nothing_of_anybody_elses(film: str, make_film: MakeVideo, cutter: FileCutter) -> None:
    whole = make_film(film).read_bytes()
    rng = np.random.default_rng(7)
    for n in range(30):
        data = bytearray(whole)
        for at in rng.integers(12, len(data) if n % 2 else 1500, 8):
            data[at] = rng.integers(0, 256)
        data = data[: len(data) if n % 3 else len(data) // 2]
        try:
            with cutter.frames(
                io.BytesIO(data), "x", len(data), Sampling(keys=n % 4 == 0), after=Place(3, 0.3)
            ) as clip:
                list(clip.frames())
            with cutter.cut(io.BytesIO(data), "x", len(data), 1) as pieces:
                list(pieces.segments())
        except InputError as error:
            assert error.source == "x"  # noqa: PT017


def test_limits(make_film: MakeVideo) -> None:
    data = make_film("mp4").read_bytes()
    for limit, said in (
        ({"max_bytes": 100}, "bytes"),
        ({"max_pixels": 100}, "megapixels"),
        ({"max_seconds": 1}, "1 s"),
    ):
        cutter = FileCutter(**{"max_bytes": 10**8, "max_pixels": 10**6, "max_seconds": 100, **limit}, threads=1)
        with pytest.raises(TooLargeError, match=said), cutter.frames(io.BytesIO(data), "x", len(data), Sampling()):
            pass
        with pytest.raises(TooLargeError, match=said), cutter.cut(io.BytesIO(data), "x", len(data), 1):
            pass


def test_senseless_sampling(cutter: FileCutter) -> None:
    with pytest.raises(UsageError), cutter.frames(io.BytesIO(b"x"), "x", 1, Sampling(seconds=1, keys=True)):
        pass
