"""URLs and settings -> objects. The only file that names adapters.

Heavy packages are imported inside these functions, when the runtime or URL that needs them is asked for.
"""

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.engine import Engine
from visage.core.errors import ModelError, UsageError
from visage.core.kit import Kit
from visage.core.ports import Annotator, Detector, Embedder, Gallery
from visage.core.values import MatchOptions
from visage.core.verification import Roc, Verification
from visage.media.annotator import Annotator as FileAnnotator
from visage.media.decode import FileDecoder
from visage.media.photos import decode_jpeg, encode_jpeg
from visage.nets.bring import bring
from visage.nets.fetch import Progress, fetch
from visage.nets.library import all_cards, card_named, files_of, is_installed
from visage.nets.runtime import Network, Runtime
from visage.settings import Settings, load_settings

# Bump when the definition of a network in nets/ changes, so that old conversions are not used any more.
DEFINITIONS = 1


def open_engine(settings: Settings | None = None) -> Engine:
    """An engine with these settings (by default those of the environment). Nothing heavy is loaded before it works."""
    settings = settings or load_settings()
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
    """The gallery at `sqlite:///path`. Raises `NoGalleryError` where it is missing and `create` is not set."""
    from visage.sqlite.gallery import SqliteGallery

    scheme, found, path = url.partition(":///")
    if scheme != "sqlite" or not found or not path:
        raise UsageError(f"{url!r} is no gallery; galleries are sqlite:///PATH")
    return SqliteGallery(Path(path).expanduser(), create=create)


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
    wanted = settings.runtime
    if wanted == "auto":
        wanted = "torch" if _has_cuda() or not _has("openvino") else "openvino"
    if wanted == "openvino":
        try:
            from visage.nets.openvino_runtime import OpenvinoRuntime
        except ModuleNotFoundError as error:
            raise ModelError("OpenVINO is not installed: pip install 'visage[openvino]'") from error
        return OpenvinoRuntime(settings.cache, threads=settings.worker_threads, precision=settings.precision)
    if wanted == "torch":
        try:
            from visage.nets.torch_runtime import TorchRuntime
        except ModuleNotFoundError as error:
            raise ModelError("no runtime is installed: pip install 'visage[openvino,torch]'") from error
        return TorchRuntime(device=settings.device, precision=settings.precision, threads=settings.worker_threads)
    raise UsageError(f"there is no runtime {wanted!r}; there are: auto, openvino, torch")


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
    from visage.nets.embedder import CPU_BATCH, GPU_BATCH, NetEmbedder

    files = files_of(card, settings.models)
    if card.architecture == "resnet":

        def module() -> object:
            from visage.nets.resnet import load_resnet

            return load_resnet(files[0])

        network = Network(_key(card), module=module, size=card.size)
    else:
        network = Network(_key(card), file=files[0], size=card.size, bgr=card.bgr, mean=card.mean, scale=card.scale)
    batch = GPU_BATCH if runtime.name.startswith(("torch CUDA", "torch MPS")) else CPU_BATCH
    return NetEmbedder(runtime.compile(network), card, streams=runtime.streams, batch=batch)


def make_detector(settings: Settings, runtime: Runtime) -> Detector:
    card = detector_card(settings)
    files = files_of(card, settings.models)
    min_face = settings.min_face or card.min_face
    threshold = settings.detector_threshold or card.thresholds[-1]
    if card.architecture == "mtcnn":
        return _mtcnn(card, files[0].parent, settings, min_face, threshold, runtime)
    runs_files = runtime.name.startswith("openvino")
    if card.architecture == "yunet":
        from visage.nets.yunet_detector import OUTPUTS, OpencvYunetDetector, YunetDetector

        if not runs_files:
            return OpencvYunetDetector(
                files[0],
                name=card.name,
                search_area=settings.search_area,
                min_face=min_face,
                threshold=threshold,
                overlap=card.overlap,
            )
        net = runtime.compile(Network(_key(card), file=files[0], bgr=True, outputs=OUTPUTS))
        return YunetDetector(
            net,
            name=card.name,
            search_area=settings.search_area,
            min_face=min_face,
            threshold=threshold,
            overlap=card.overlap,
        )
    if card.architecture == "scrfd":
        from visage.nets.scrfd_detector import ScrfdDetector

        network = Network(_key(card), file=files[0], mean=127.5, scale=1 / 128)
        return ScrfdDetector(
            runtime.compile(network),
            name=card.name,
            search_area=settings.search_area,
            min_face=min_face,
            threshold=threshold,
            overlap=card.overlap,
        )
    raise ModelError(f"{card.name}: there is no detector of the architecture {card.architecture!r}")


def _mtcnn(
    card: DetectorCard, folder: Path, settings: Settings, min_face: float, threshold: float, runtime: Runtime
) -> Detector:
    from visage.nets.mtcnn_detector import MtcnnDetector

    def load(name: str) -> object:
        from visage.nets import mtcnn

        return getattr(mtcnn, f"load_{name}")(folder)

    def compiled(name: str, size: int | None) -> Network:
        return Network(f"{_key(card)}-{name}", module=lambda: load(name), size=(size, size) if size else None)

    nets = [runtime.compile(compiled(name, size)) for name, size in (("pnet", None), ("rnet", 24), ("onet", 48))]
    return MtcnnDetector(
        *nets,
        name=card.name,
        search_area=settings.search_area,
        min_face=min_face,
        thresholds=(card.thresholds[0], card.thresholds[1], threshold),
    )


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
    """Bring a user's own model into the home folder."""
    return bring(file, name, like, card, licence, settings.models)


def plot_roc(curve: Roc, result: Verification, title: str, path: Path) -> None:
    """Draw the curve as a PNG. Raises `UsageError` where matplotlib is not installed."""
    try:
        from visage.media.roc_plot import draw_roc
    except ModuleNotFoundError as error:
        raise UsageError("to draw a plot, matplotlib is needed: pip install 'visage[plot]'") from error
    draw_roc(curve, result, title, path)


def self_test(settings: Settings, runtime: Runtime) -> str:
    """Run detector and embedder once and hold the embedding against the card's fingerprint.

    Raises `ModelError` where the arithmetic of this machine gives something else.
    """
    card = embedder_card(settings)
    make_detector(settings, runtime).detect([np.zeros((128, 128, 3), np.uint8)])
    height, width = card.size
    # Any picture does, if it is the same everywhere.
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 5)[..., None] * np.array([1, 2, 3]) % 256
    vector = make_embedder(settings, card, runtime).embed(ramp[None].astype(np.uint8)).vectors[0]
    wanted = np.array(card.fingerprint, np.float32)
    if not np.isclose(np.linalg.norm(vector), 1, atol=1e-3):
        raise ModelError(f"the self-test failed: {card.name} gives no unit vector on {runtime.name}")
    if not len(wanted):
        return f"{card.name} runs on {runtime.name}; its card has no fingerprint to compare with"
    got = vector[: len(wanted)]
    cosine = float(got @ wanted / (np.linalg.norm(got) * np.linalg.norm(wanted)))
    if cosine < 0.99:
        raise ModelError(
            f"the self-test failed: {card.name} on {runtime.name} is off (cosine {cosine:.3f}); "
            f"try VISAGE_PRECISION=fp32, and delete {settings.cache}"
        )
    return f"{card.name} on {runtime.name} agrees with its card (cosine {cosine:.4f})"


def _key(card: DetectorCard | EmbedderCard) -> str:
    hashes = "".join((file.sha256 or file.name)[:8] for file in card.files)
    return f"{card.name}-{hashes}-{DEFINITIONS}"


def _has(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def _has_cuda() -> bool:
    """Whether a CUDA device can be used; PyTorch, slow to import, is asked only where there is a driver."""
    driver = Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists() or sys.platform == "win32"
    if not driver or not _has("torch"):
        return False
    import torch

    return bool(torch.cuda.is_available())


def installed_models(settings: Settings) -> dict[str, bool]:
    """Every model's name, and whether its files are there."""
    return {name: is_installed(card, settings.models) for name, card in all_cards(settings.models).items()}
