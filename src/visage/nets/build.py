"""Cards -> detectors and embedders on a runtime; and a runtime by its name.

PyTorch and OpenVINO, and the modules of ours that are built on them, are imported inside these functions: only what was
asked for is loaded.
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.errors import ModelError, UsageError
from visage.core.ports.nets import Detector, Embedder
from visage.nets.embedder import CPU_BATCH, GPU_BATCH, NetEmbedder
from visage.nets.library import files_of
from visage.nets.mtcnn_detector import MtcnnDetector
from visage.nets.runtime import Network, Runtime
from visage.nets.scrfd_detector import ScrfdDetector
from visage.nets.yunet_detector import OUTPUTS, OpencvYunetDetector, YunetDetector

# Bump when the definition of a network in this room changes, so that old conversions are not used any more.
DEFINITIONS = 1


@dataclass(frozen=True)
class Search:
    """How a picture is searched. 0: the card's own.

    area: shrunk to so many pixels. min_face: the smallest face, pixels of the shrunken picture. threshold: least score.
    """

    area: int
    min_face: float = 0.0
    threshold: float = 0.0


def open_runtime(name: str, *, device: str, precision: str, threads: int, cache: Path) -> Runtime:
    """The runtime `openvino` or `torch`; `auto` is torch where there is a CUDA device, else OpenVINO where installed.

    Raises `ModelError` where its library is not installed, `UsageError` for another name.
    """
    if name == "auto":
        name = "torch" if _has_cuda() or importlib.util.find_spec("openvino") is None else "openvino"
    if name == "openvino":
        try:
            from visage.nets.openvino_runtime import OpenvinoRuntime
        except ModuleNotFoundError as error:
            raise ModelError("OpenVINO is not installed: pip install 'visage[openvino]'") from error
        return OpenvinoRuntime(cache, threads=threads, precision=precision)
    if name == "torch":
        try:
            from visage.nets.torch_runtime import TorchRuntime
        except ModuleNotFoundError as error:
            raise ModelError("no runtime is installed: pip install 'visage[openvino,torch]'") from error
        return TorchRuntime(device=device, precision=precision, threads=threads)
    raise UsageError(f"there is no runtime {name!r}; there are: auto, openvino, torch")


def build_embedder(card: EmbedderCard, models: Path, runtime: Runtime) -> Embedder:
    """Raises `ModelError` where its files are missing or wrong; a network that was converted does without them."""
    if card.architecture == "resnet":

        def module() -> object:
            from visage.nets.resnet import load_resnet

            return load_resnet(files_of(card, models)[0])

        network = Network(_key(card), module=module, size=card.size)
    else:
        file = files_of(card, models)[0]
        network = Network(_key(card), file=file, size=card.size, bgr=card.bgr, mean=card.mean, scale=card.scale)
    batch = GPU_BATCH if runtime.name.startswith(("torch CUDA", "torch MPS")) else CPU_BATCH
    return NetEmbedder(runtime.compile(network), card, batch=batch)


def build_detector(card: DetectorCard, models: Path, runtime: Runtime, search: Search) -> Detector:
    """Raises `ModelError` where its files are missing or wrong; a network that was converted does without them."""
    min_face = search.min_face or card.min_face
    threshold = search.threshold or card.thresholds[-1]
    if card.architecture == "mtcnn":
        return MtcnnDetector(
            *(runtime.compile(network) for network in _cascade(card, models)),
            name=card.name,
            search_area=search.area,
            min_face=min_face,
            thresholds=(card.thresholds[0], card.thresholds[1], threshold),
            sure=card.sure,
        )
    files = files_of(card, models)
    if card.architecture == "yunet" and not runtime.name.startswith("openvino"):
        return OpencvYunetDetector(
            files[0],
            name=card.name,
            search_area=search.area,
            min_face=min_face,
            threshold=threshold,
            overlap=card.overlap,
            sure=card.sure,
        )
    made: dict[str, tuple[type[YunetDetector] | type[ScrfdDetector], Network]] = {
        "yunet": (YunetDetector, Network(_key(card), file=files[0], bgr=True, outputs=OUTPUTS)),
        "scrfd": (ScrfdDetector, Network(_key(card), file=files[0], mean=127.5, scale=1 / 128)),
    }
    if card.architecture not in made:
        raise ModelError(f"{card.name}: there is no detector of the architecture {card.architecture!r}")
    kind, network = made[card.architecture]
    return kind(
        runtime.compile(network),
        name=card.name,
        search_area=search.area,
        min_face=min_face,
        threshold=threshold,
        overlap=card.overlap,
        sure=card.sure,
    )


def try_once(card: DetectorCard | EmbedderCard, models: Path, runtime: Runtime) -> None:
    """Run the card's model on a blank picture. Raises `ModelError` where it does not run as its card says."""
    try:
        if isinstance(card, DetectorCard):
            build_detector(card, models, runtime, Search(area=600_000)).detect([np.zeros((128, 128, 3), np.uint8)])
            return
        vectors = build_embedder(card, models, runtime).embed(np.zeros((1, *card.size, 3), np.uint8)).vectors
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{card.name} does not run: {str(error).strip().splitlines()[-1]}") from error
    if card.dimension and vectors.shape[1] != card.dimension:
        raise ModelError(f"{card.name} gives {vectors.shape[1]} numbers a face, but its card says {card.dimension}")


def agrees(embedder: Embedder, card: EmbedderCard) -> float:
    """The cosine between what the embedder makes of a picture known to all and the card's fingerprint of it.

    Raises `ModelError` where that is less than 0.99, or the card has no fingerprint.
    """
    height, width = card.size
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 5)[..., None] * np.array([1, 2, 3]) % 256
    wanted = np.array(card.fingerprint, np.float32)
    got = embedder.embed(ramp[None].astype(np.uint8)).vectors[0, : len(wanted)]
    if not len(wanted):
        raise ModelError(f"the card of {card.name} has no fingerprint to compare with")
    cosine = float(got @ wanted / max(1e-9, float(np.linalg.norm(got) * np.linalg.norm(wanted))))
    if cosine < 0.99:
        raise ModelError(
            f"{card.name} gives other vectors than its card says (cosine {cosine:.3f}); try VISAGE_PRECISION=fp32, and "
            "delete the cache"
        )
    return cosine


def _cascade(card: DetectorCard, models: Path) -> list[Network]:
    """MTCNN's three networks."""

    def load(name: str) -> object:
        from visage.nets import mtcnn

        folder = files_of(card, models)[0].parent
        return {"pnet": mtcnn.load_pnet, "rnet": mtcnn.load_rnet, "onet": mtcnn.load_onet}[name](folder)

    return [
        Network(f"{_key(card)}-pnet", module=lambda: load("pnet")),
        Network(f"{_key(card)}-rnet", module=lambda: load("rnet"), size=(24, 24)),
        Network(f"{_key(card)}-onet", module=lambda: load("onet"), size=(48, 48)),
    ]


def _key(card: DetectorCard | EmbedderCard) -> str:
    hashes = "".join((file.sha256 or file.name)[:8] for file in card.files)
    return f"{card.name}-{hashes}-{DEFINITIONS}"


def _has_cuda() -> bool:
    """Whether a CUDA device can be used; PyTorch, slow to import, is asked only where there is a driver."""
    driver = Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists() or sys.platform == "win32"
    if not driver or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
