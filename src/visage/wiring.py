"""URLs and settings -> objects. The only file that names adapters.

Heavy packages are imported inside these functions, or inside those of `nets/build.py`, when the URL or runtime that
needs them is asked for.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.engine import Engine
from visage.core.errors import ModelError, NoObjectError, UnreadableError, UsageError
from visage.core.footage import Footage
from visage.core.keyring import Keyring
from visage.core.kit import Kit
from visage.core.ports import Annotator, Cutter, Detector, Embedder, Fleet, Gallery, Objects, Queue, Replies, Station
from visage.core.publish import Publisher
from visage.core.values import MatchOptions, Pixels, Sampling
from visage.core.verification import Roc, Verification
from visage.core.watcher import Arrivals
from visage.media.annotator import Annotator as FileAnnotator
from visage.media.decode import FileDecoder
from visage.media.photos import decode_jpeg, encode_jpeg
from visage.nets import build
from visage.nets.bring import bring, drop
from visage.nets.fetch import Progress, fetch
from visage.nets.library import all_cards, card_named, is_installed
from visage.nets.runtime import Runtime
from visage.processes.pool import TaskPool
from visage.processes.seat import PipeSeat
from visage.settings import Settings, load_settings


def open_engine(settings: Settings | None = None) -> Engine:
    """An engine with these settings (by default those of the environment). Nothing heavy is loaded before it works."""
    settings = settings or load_settings()
    cv2.setNumThreads(settings.worker_threads)
    card = embedder_card(settings)
    runtimes: list[Runtime] = []

    def runtime() -> Runtime:
        if not runtimes:
            runtimes.append(open_runtime(settings))
        return runtimes[0]

    kit = Kit(
        decoder=FileDecoder(
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            max_seconds=settings.max_seconds,
            threads=settings.worker_threads,
        ),
        card=card,
        make_detector=lambda: make_detector(settings, runtime()),
        make_embedder=lambda: make_embedder(settings, card, runtime()),
        open_gallery=lambda create: open_gallery(settings.gallery_url, create=create),
        runtime=lambda: runtime().name,
        to_jpeg=encode_jpeg if settings.keep_crops else None,
        from_jpeg=decode_jpeg,
        clock=time.perf_counter,
        now=time.time,
        new_id=lambda: uuid.uuid4().hex,
    )
    return Engine(kit, collection=settings.collection, match=MatchOptions(stranger_rate=settings.stranger_rate))


def open_gallery(url: str, *, create: bool = False) -> Gallery:
    """The gallery at `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`, or, only to be read, the published
    copy at `s3://BUCKET/.../NAME` or `file:///.../NAME`.

    Raises `NoGalleryError` where it is missing and `create` is not set, `UsageError` for another URL."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        from visage.sqlite.gallery import SqliteGallery

        return SqliteGallery(Path(rest[1:]).expanduser(), create=create)
    if scheme in {"postgresql", "postgres"}:
        try:
            from visage.postgres.gallery import PostgresGallery
        except ImportError as error:  # psycopg is not there, or not the library it is built on
            raise UsageError("for a gallery in PostgreSQL psycopg is needed: pip install 'visage[postgres]'") from error
        return PostgresGallery(url, create=create)
    if scheme in {"s3", "file"}:
        from visage.sqlite.published import PublishedGallery

        store, key = _published_place(url)
        return PublishedGallery(open_objects(store), key, place=url)
    raise UsageError(  # without the URL, which may hold a password
        f"{scheme!r} is no kind of gallery; they are sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE, "
        "and the published s3://BUCKET/NAME and file:///PATH"
    )


def open_publisher(url: str, gallery: Gallery) -> Publisher:
    """Keeps `s3://BUCKET/.../NAME` or `file:///.../NAME` level with the gallery, which must not be a published copy
    itself. Raises `UsageError`, and `GalleryError` where a file of another kind is in the way."""
    from visage.sqlite.published import PublishedGallery, check_place, pack

    if isinstance(gallery, PublishedGallery):  # it may be older than what it would be written over
        raise UsageError("the gallery is itself a published copy; publish from the one it was made from")
    store, key = _published_place(url)
    objects = open_objects(store)
    if store.startswith("file:"):
        with suppress(NoObjectError), objects.as_file(key) as path:
            check_place(Path(path))
    return Publisher(gallery, objects, key, pack)


def _published_place(url: str) -> tuple[str, str]:
    """The URL of the store, and the key in it."""
    store, _, key = url.rpartition("/")
    if not store.startswith(("s3://", "file:///")) or not key:
        raise UsageError("a published gallery is s3://BUCKET/.../NAME or file:///.../NAME, as in .../gallery.sqlite")
    return store, key


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Imports that need one of the package's extras."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"this needs the package {error.name}: pip install 'visage[{name}]'") from error


def open_objects(url: str) -> Objects:
    """The object store at `file:///PATH`, `s3://BUCKET/PREFIX` or `memory:///`. Raises `UsageError` for another URL."""
    with _extra("web"):
        from visage.objects.store import open_store
    return open_store(url)


def open_queue(settings: Settings) -> Queue:
    """The queue at `sqlite:///PATH` or `sqs://NAME`. Raises `UsageError`, `StorageError`."""
    scheme, name = _split(settings.queue_url, "queue", "sqlite:///PATH or sqs://NAME")
    if scheme == "sqlite":
        from visage.sqlite.queue import SqliteQueue

        return SqliteQueue(Path(name).expanduser(), lease=settings.lease_seconds)
    with _extra("aws"):
        from visage.aws.sqs import SqsQueue
    return SqsQueue(name, lease=settings.lease_seconds)


def open_replies(settings: Settings) -> Replies:
    """The reply queues that go with the queue: in the same file, or named after it. Raises as `open_queue` does."""
    scheme, name = _split(settings.queue_url, "queue", "sqlite:///PATH or sqs://NAME")
    if scheme == "sqlite":
        from visage.sqlite.replies import SqliteReplies

        return SqliteReplies(Path(name).expanduser())
    with _extra("aws"):
        from visage.aws.sqs_replies import SqsReplies
    return SqsReplies(name.rsplit("/", 1)[-1].removesuffix("-req-queue"), queue=name)


def _split(url: str, noun: str, known: str) -> tuple[str, str]:
    scheme, _, name = url.partition("://")
    if scheme == "sqlite":
        name = name.removeprefix("/")
    if scheme not in {"sqlite", "sqs"} or not name:
        raise UsageError(f"{url!r} is no {noun}; give {known}")
    return scheme, name


def open_station(kind: str, settings: Settings) -> Station:
    """Where a worker works: `alone`, at the `pipe` of a fleet, or on an EC2 `instance` of settings.fleet."""
    from visage.processes.station import LoneStation, PipeStation

    if kind == "instance":
        with _extra("aws"):
            from visage.aws.station import InstanceStation
        return InstanceStation(settings.fleet.removeprefix("asg:"))
    return PipeStation.standard() if kind == "pipe" else LoneStation()


def open_fleet(settings: Settings, command: Sequence[str], *, limit: int) -> Fleet:
    """The app tier: `processes:` of this machine, each run by `command` with these settings, `limit` at most; or the
    Auto Scaling group `asg:NAME`. Raises `UsageError`."""
    scheme, _, name = settings.fleet.partition(":")
    if scheme == "processes" and not name.strip("/"):
        from visage.processes.fleet import ProcessFleet

        return ProcessFleet(command, limit=limit, environment=settings.for_children())
    if scheme == "asg" and name:
        with _extra("aws"):
            from visage.aws.fleet import GroupFleet
        return GroupFleet(name.strip("/"))
    raise UsageError(f"{settings.fleet!r} is no fleet; give processes: or asg:NAME")


def open_cutter(settings: Settings) -> Cutter:
    """Raises `UsageError` where PyAV is not installed."""
    with _extra("video"):
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
    with _extra("watch"):
        from visage.objects.arrivals import FolderArrivals
    return FolderArrivals(folder)


def alone_in(folder: Path, name: str) -> AbstractContextManager[None]:
    """For the length of the block nobody else watches there. Raises `UsageError` where somebody does."""
    with _extra("watch"):
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


def open_keyring(settings: Settings) -> Keyring:
    """The API keys. Nothing is made or read before the first call."""
    return Keyring(open_objects(settings.keys_url), now=time.time, new_secret=lambda: secrets.token_urlsafe(32))


@contextmanager
def portable_gallery(file: Path, *, create: bool) -> Iterator[Gallery]:
    """A gallery in one file that can be carried away; it is whole, and nothing lies beside it, when the block ends."""
    from visage.sqlite.gallery import SqliteGallery

    gallery = SqliteGallery(file, create=create, portable=True)
    try:
        yield gallery
    finally:
        gallery.close()


def open_annotator(folder: Path) -> Annotator:
    """Draws boxes and names on pictures and videos, into `folder`."""
    return FileAnnotator(folder)


def open_runtime(settings: Settings) -> Runtime:
    """The runtime that settings ask for. Raises `ModelError` where its library is not installed."""
    return build.open_runtime(
        settings.runtime,
        device=settings.device,
        precision=settings.precision,
        threads=settings.worker_threads,
        cache=settings.cache,
    )


def embedder_card(settings: Settings) -> EmbedderCard:
    card = card_named(settings.embedder, settings.models)
    if not isinstance(card, EmbedderCard):
        raise UsageError(f"{settings.embedder} is a detector, not an embedder")
    return card


def detector_card(settings: Settings) -> DetectorCard:
    """The detector's card; `auto` takes YuNet where it is installed and MTCNN otherwise."""
    wanted = settings.detector
    if wanted == "auto":
        wanted = "yunet" if is_installed(card_named("yunet", settings.models), settings.models) else "mtcnn"
    card = card_named(wanted, settings.models)
    if not isinstance(card, DetectorCard):
        raise UsageError(f"{wanted} is an embedder, not a detector")
    return card


def make_embedder(settings: Settings, card: EmbedderCard, runtime: Runtime) -> Embedder:
    return build.build_embedder(card, settings.models, runtime)


def make_detector(settings: Settings, runtime: Runtime) -> Detector:
    search = build.Search(settings.search_area, settings.min_face, settings.detector_threshold)
    return build.build_detector(detector_card(settings), settings.models, runtime, search)


def model_card(name: str, settings: Settings) -> DetectorCard | EmbedderCard:
    """Raises `ModelError` with the names there are."""
    return card_named(name, settings.models)


def model_cards(settings: Settings) -> list[DetectorCard | EmbedderCard]:
    return list(all_cards(settings.models).values())


def embedder_cards(settings: Settings) -> list[EmbedderCard]:
    return [card for card in model_cards(settings) if isinstance(card, EmbedderCard)]


def fetch_model(name: str, settings: Settings, progress: Progress | None = None) -> list[Path]:
    """Download the model's files. Raises `FetchError`, `ModelError`, `StorageError`."""
    return fetch(card_named(name, settings.models), settings.models, progress)


def add_model(
    file: Path, name: str, like: str | None, card: Path | None, licence: str, settings: Settings
) -> DetectorCard | EmbedderCard:
    """Bring a user's own model into the home folder, and try it once; one that does not run is not kept.

    Raises `UsageError`, `ModelError`, `StorageError`.
    """
    made = bring(file, name, like, card, licence, settings.models)
    try:
        build.try_once(made, settings.models, open_runtime(settings))
    except ModelError:
        drop(made, settings.models)
        raise
    return made


def plot_roc(curve: Roc, result: Verification, title: str, path: Path) -> None:
    """Draw the curve as a PNG. Raises `UsageError` where matplotlib is not installed."""
    try:
        from visage.media.roc_plot import draw_roc
    except ModuleNotFoundError as error:
        raise UsageError("to draw a plot, matplotlib is needed: pip install 'visage[plot]'") from error
    draw_roc(curve, result, title, path)


def self_test(settings: Settings, runtime: Runtime) -> str:
    """Run detector and embedder once; what came of it. Raises `ModelError` where this machine gives something else."""
    card = embedder_card(settings)
    make_detector(settings, runtime).detect([np.zeros((128, 128, 3), np.uint8)])
    embedder = make_embedder(settings, card, runtime)
    if not card.fingerprint:
        return f"{card.name} runs on {runtime.name}; its card has no fingerprint to compare with"
    return f"{card.name} on {runtime.name} agrees with its card (cosine {build.agrees(embedder, card):.4f})"


def installed_models(settings: Settings) -> dict[str, bool]:
    """Every model's name, and whether its files are there."""
    return {name: is_installed(card, settings.models) for name, card in all_cards(settings.models).items()}
