"""The door for files: a path -> a photo or a video, told apart by content."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visage.core.errors import NotFoundError, UnreadableError
from visage.core.ports.media import Clip
from visage.core.values import Frame, Media, Sampling
from visage.media.kinds import DEMUXERS, HEAD_BYTES, PHOTO_SUFFIXES, VIDEO_SUFFIXES, Kind, kind_of
from visage.media.limits import Limits
from visage.media.photos import read_photo
from visage.media.sampling import Sampler


class PhotoClip:
    """A photo: a video of one frame."""

    def __init__(self, source: str, frame: Frame, problem: str | None, *, seen: bool = False) -> None:
        """seen: the frame was given before."""
        self._frame = frame
        self._seen = seen
        self.media = Media(source, frame.width, frame.height, problem=problem)

    def frames(self) -> Iterator[Frame]:
        if not self._seen:
            yield self._frame


class FileDecoder:
    """Opens photos and videos on this machine's disks. It may be used from several threads at once.

    max_bytes of a file, max_pixels of a frame and max_seconds of a video: what is over is refused before it costs
    memory. threads: how many may decode one video.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int, max_seconds: float, threads: int) -> None:
        self._limits = Limits(bytes=max_bytes, pixels=max_pixels, seconds=max_seconds)
        self._threads = threads

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:
        """See `core.ports.media.Decoder`; besides its errors, `UsageError` for a sampling that makes no sense.

        A photo is decoded here. Of a video, here its first frame; the others on a thread of their own, a few frames
        ahead of the caller.
        """
        sampler = Sampler(sampling)
        path = Path(source)
        size, head = _examined(path, source)
        self._limits.check_bytes(source, size)
        kind = kind_of(head)
        if kind is None:
            raise neither(source)
        if kind not in DEMUXERS:
            with path.open("rb") as stream:
                photo = read_photo(stream, size, source, kind, self._limits)
            yield PhotoClip(source, *photo)
            return
        with _opened_video(path, source, kind, sampler, self._limits, self._threads) as clip:
            yield clip

    def find(self, folder: str) -> list[str]:
        """See `core.ports.media.Decoder`."""
        return [str(path) for path in list_media(Path(folder))]


def neither(source: str) -> UnreadableError:
    """The error for what is no kind of file that can be read."""
    return UnreadableError(
        source,
        "it is neither a photo (JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF) nor a video (MP4, MOV, MKV, WebM, AVI)",
    )


def list_media(folder: Path) -> list[Path]:
    """The files under `folder` whose names end like a photo's or a video's, sorted; none where there is none.

    Hidden files and folders are left out, and so are folders that may not be read. Links are followed, each folder
    once. Raises `NotFoundError` and `UnreadableError` for `folder` itself.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208  the cheapest question that fails where walking would be silent
    except FileNotFoundError as error:
        raise NotFoundError(str(folder), "there is no such folder") from error
    except OSError as error:
        raise UnreadableError(str(folder), f"the folder cannot be listed: {_why(error)}") from error
    if not names:
        return []
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        here = Path(parent)
        identity = (here.stat().st_dev, here.stat().st_ino)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            here / name
            for name in files
            if not name.startswith(".")
            and Path(name).suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES
            and (here / name).is_file()
        ]
    return sorted(found)


@contextmanager
def _opened_video(
    path: Path, source: str, kind: Kind, sampler: Sampler, limits: Limits, threads: int
) -> Iterator[Clip]:
    try:
        # PyAV brings FFmpeg, which takes a while to load and is an optional extra: a photo does without.
        from visage.media.videos import film_of_path, open_video
    except ImportError as error:
        raise UnreadableError(source, "it is a video; to read those: pip install 'visage[video]'") from error
    with open_video(film_of_path(path, source, DEMUXERS[kind], limits, threads), sampler) as clip:
        yield clip


def _examined(path: Path, source: str) -> tuple[int, bytes]:
    """(size in bytes, first bytes) of a plain file; anything else is an error, found without waiting on a pipe."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableError(source, "it is a folder; give a photo or video in it")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError(source, "it is a pipe or a device; save it to a file first")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # A zero byte in a name is a ValueError: no file can be called so.
        raise NotFoundError(source, "there is no such file") from error
    except PermissionError as error:
        raise UnreadableError(source, "you may not read it; change its permissions or your user") from error
    except OSError as error:
        raise UnreadableError(source, f"it cannot be read: {_why(error)}") from error
    if not head:
        raise UnreadableError(source, "it is empty (0 bytes); copy or download it again")
    return status.st_size, head


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
