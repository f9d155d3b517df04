"""What the functions of the serverless form need, on AWS and in folders."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from visage.core.cost.footage import Footage
from visage.core.errors import UnreadableError
from visage.core.ports.media import Cutter
from visage.core.serverless.watcher import Arrivals
from visage.core.values import Pixels, Sampling
from visage.media.photos import decode_jpeg, encode_jpeg
from visage.processes.pool import TaskPool
from visage.processes.seat import PipeSeat
from visage.settings import Settings
from visage.wiring.engine import open_engine
from visage.wiring.stores import extra


def open_cutter(settings: Settings) -> Cutter:
    """Raises `UsageError` where PyAV is not installed."""
    with extra("video"):
        from visage.media.cutter import FileCutter
    return FileCutter(
        max_bytes=settings.max_bytes,
        max_pixels=settings.max_pixels,
        max_seconds=settings.max_seconds,
        threads=settings.worker_threads,
    )


def frame_to_jpeg(pixels: Pixels) -> bytes:
    """(h, w, 3) RGB -> a JPEG, as frames travel."""
    return encode_jpeg(pixels)


def frame_from_jpeg(data: bytes, name: str) -> Pixels:
    """Such a JPEG -> (h, w, 3) RGB. name: for the message of `UnreadableError`."""
    return decode_jpeg(data, name)


def footage_of(source: str, settings: Settings) -> Footage:
    """What the video at path `source` tells of itself. Raises `InputError`."""
    engine = open_engine(settings)
    with engine.kit.decoder.open(source, Sampling(count=1)) as clip:
        media = clip.media
    if not media.is_video:
        raise UnreadableError(source, "it is a photo; quotes are for videos")
    from visage.media.facts import read_facts

    return read_facts(Path(source), media)


def open_arrivals(folder: Path) -> Arrivals:
    """Tells of what comes into the folder. Raises `UsageError` where watchfiles is not installed."""
    with extra("watch"):
        from visage.objects.arrivals import FolderArrivals
    return FolderArrivals(folder)


def alone_in(folder: Path, name: str) -> AbstractContextManager[None]:
    """For the length of the block nobody else watches there. Raises `UsageError` where somebody does."""
    with extra("watch"):
        from visage.objects.alone import alone
    return alone(folder, name, "is watching there")


def open_pool(
    command: Sequence[str], settings: Settings, told: Callable[[int, str | None], None], *, size: int, limit: float
) -> TaskPool:
    """Processes of this machine with these settings, `size` at most; a task may take one of them for `limit` seconds.
    told: the task's name, and why it failed, if it did."""
    return TaskPool(command, told, size=size, limit=limit, environment=settings.for_children())


def open_seat() -> PipeSeat:
    """A worker's end of the pool's pipes, for a process that the pool started."""
    return PipeSeat.standard()
