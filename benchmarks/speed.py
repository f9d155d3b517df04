"""How fast: each figure a ratio measured in one run, with the shipped defaults.

    python benchmarks/speed.py [resnet photo video process search memory gpu ...]

Without names all of them are measured; `gpu` only where there is one. What the ratios are to: dlib's own code with the
same weights (PyPI's dlib-bin), and the steps of `face_recognition` 1.3.0 on it (HOG detection with one upsampling, five
landmarks, one embedding a face).
"""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import cv2
import dlib
import numpy as np
import psutil
from PIL import Image

from common import in_turn, samples, shared_data, table
from visage import Engine, load_settings, open_engine
from visage.core.boxes import iou
from visage.core.index import Index
from visage.core.ports.media import Clip
from visage.core.values import Face, Frame, Media, Pixels, Sampling, Sighting
from visage.nets.library import SHIPPED, files_of, read_card
from visage.wiring import open_runtime


class Dlib:
    """`face_recognition`'s steps on dlib itself."""

    def __init__(self) -> None:
        weights = files_of(read_card(SHIPPED / "resnet.json"), Path("none"))[0]
        self.embedder = dlib.face_recognition_model_v1(str(weights))
        self.landmarks = dlib.shape_predictor(str(weights.with_name("shape_predictor_5_face_landmarks.dat")))
        self.detector = dlib.get_frontal_face_detector()

    def faces(self, pixels: Pixels) -> list[object]:
        shapes = [self.landmarks(pixels, box) for box in self.detector(pixels, 1)]
        return [self.embedder.compute_face_descriptor(pixels, shape, 1) for shape in shapes]


class Decoded:
    """A decoder, and its one clip, whose photo is decoded already."""

    def __init__(self, pixels: Pixels) -> None:
        self._frame = Frame(pixels)
        self.media = Media("pixels", self._frame.width, self._frame.height)

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:  # noqa: ARG002 - the port's form
        yield self

    def find(self, folder: str) -> list[str]:  # noqa: ARG002
        return []

    def frames(self) -> Iterator[Frame]:
        yield self._frame


def read(path: Path) -> Pixels:
    return np.array(Image.open(path).convert("RGB"))


def scratch_engine(stack: ExitStack) -> Engine:
    """An engine whose gallery holds one person."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    engine = open_engine(load_settings(gallery=f"sqlite:///{folder}/gallery.sqlite"))
    stack.callback(engine.close)
    engine.enroll(str(samples() / "obama.jpg"), "Barack Obama")
    return engine


def group_photo() -> Path:
    shared = shared_data()
    if shared is None:
        print("the photo of six people is not here; a sample photo of one stands in")
        return samples() / "obama2.jpg"
    return shared / "photos" / "group_six_faces.jpg"


def resnet(engine: Engine) -> None:
    """One forward pass a crop, in batches, both sides allowed all cores."""
    crops = np.random.default_rng(0).integers(0, 255, (64, 150, 150, 3), np.uint8)
    net = engine.embedder._net  # type: ignore[attr-defined]
    pieces = list(np.ascontiguousarray(crops).reshape(4, 16, 150, 150, 3))
    theirs = Dlib().embedder
    ours, dlibs = in_turn(lambda: net.run(pieces), lambda: theirs.compute_face_descriptor(list(crops[:16])), rounds=5)
    ours, dlibs = ours / 64, dlibs / 16
    rows = [
        ("dlib", f"{dlibs * 1e3:.1f} ms a face"),
        ("Visage", f"{ours * 1e3:.3f} ms a face, {1 / ours:.0f} faces a second"),
        ("ratio", f"{dlibs / ours:.0f} times faster (must 80, aim 200)"),
    ]
    table(f"ResNet, one forward pass a face in batches ({engine.runtime()})", rows)


def photo(engine: Engine) -> None:
    """Decoded pixels -> sightings; then the same from the file."""
    path = group_photo()
    pixels = read(path)
    theirs = Dlib()
    decoded = Engine(dataclasses.replace(engine.kit, decoder=Decoded(pixels)))

    def ours_from_pixels() -> int:
        return len(decoded.recognize(str(path)).sightings)

    def whole() -> int:
        return len(engine.recognize(str(path)).sightings)

    found, dlib_found = ours_from_pixels(), len(theirs.faces(pixels))
    ours, dlibs, ours_file, dlibs_file, bare = in_turn(
        ours_from_pixels, lambda: theirs.faces(pixels), whole, lambda: theirs.faces(read(path)), lambda: read(path),
        rounds=7,
    )  # fmt: skip
    rows = [
        ("faces found", f"{found}; face_recognition: {dlib_found}"),
        ("from pixels", f"{ours * 1e3:.1f} ms; face_recognition on dlib-bin: {dlibs * 1e3:.0f} ms"),
        ("ratio", f"{dlibs / ours:.0f} times faster (must 40, aim 60)"),
        (
            "from the file",
            f"{ours_file * 1e3:.1f} ms (of it bare decoding {bare * 1e3:.1f}); {dlibs_file * 1e3:.0f} ms",
        ),
        ("ratio", f"{dlibs_file / ours_file:.0f} times faster (must 25, aim 30)"),
    ]
    table(f"A photo of six people, {path.name} {pixels.shape[1]}x{pixels.shape[0]}", rows)


def video(engine: Engine) -> None:
    """Every frame recognized, against the clip's own length; and the faces kept, against a search at full size."""
    shared = shared_data()
    if shared is None:
        print("\nthe 1080p clip is not here; nothing to measure")
        return
    path = shared / "videos" / "facenet_pytorch_video.mp4"

    def decode() -> None:
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in container.decode(video=0):
                pass

    answers = []
    bare, ours = in_turn(decode, lambda: answers.append(engine.recognize(str(path))), rounds=3)
    answer = answers[-1]
    length = answer.frames / (answer.media[0].fps or 25)
    reference = _found_at_full_size(path)
    kept = _matched(answer.sightings, reference)
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in answer.timings.items())
    rows = [
        (
            "length",
            f"{length:.2f} s, {answer.frames} frames, {len(answer.sightings) / answer.frames:.1f} faces a frame",
        ),
        ("recognized in", f"{ours:.2f} s; bare decoding {bare:.2f} s"),
        ("ratio", f"{length / ours:.2f} times real time (must 1, aim 2)"),
        ("faces kept", f"{kept:.1%} of the {len(reference)} found in each frame at full size (must 95 %)"),
        ("stages", f"{stages} s"),
    ]
    table(f"A 1080p clip, every frame ({engine.detector.name}, {engine.embedder.name}, {engine.runtime()})", rows)


def _found_at_full_size(path: Path) -> list[tuple[int, Face]]:
    """Every face that the detector finds in each frame by itself, searched without being shrunk."""
    found = []
    settings = load_settings(search_area=1920 * 1080)
    with open_engine(settings) as engine, engine.kit.decoder.open(str(path), Sampling()) as clip:
        for frame in clip.frames():
            found += [(frame.index, face) for face in engine.detector.detect([frame.pixels])[0]]
    return found


def _matched(found: Sequence[Sighting], reference: Sequence[tuple[int, Face]]) -> float:
    """The share of the reference's faces that overlap (IoU 0.4) one found in the same frame."""
    by_frame: dict[int, list[tuple[float, ...]]] = {}
    for seen in found:
        by_frame.setdefault(seen.frame, []).append(seen.face.box)
    hits = 0
    for frame, face in reference:
        others = np.array(by_frame.get(frame, []), np.float32).reshape(-1, 4)
        hits += bool((iou(np.array([face.box], np.float32), others) >= 0.4).any())
    return hits / max(1, len(reference))


def process(_engine: Engine) -> None:
    """`visage recognize one.jpg` as a whole process, caches warm."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"VISAGE_GALLERY": f"sqlite:///{folder}/g.sqlite"}
        command = [sys.executable, "-m", "visage.apps.cli.main"]
        photo_path = str(samples() / "obama2.jpg")
        enroll = [*command, "enroll", "--name", "Barack Obama", str(samples() / "obama.jpg")]
        subprocess.run(enroll, env=environment, check=True, capture_output=True)

        def once() -> None:
            subprocess.run([*command, "recognize", photo_path], env=environment, check=True, capture_output=True)

        (taken,) = in_turn(once, rounds=7)
        imported = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "visage.apps.cli.main", "recognize", photo_path],
            env=environment, check=True, capture_output=True, text=True,
        ).stderr  # fmt: skip
    torch = "torch imported!" if re.search(r"\|\s+torch$", imported, re.M) else "torch not imported"
    table("visage recognize one.jpg, whole process", [("time", f"{taken:.2f} s, {torch} (must 1.5, aim 0.8)")])


def search(_engine: Engine) -> None:
    """One probe against many faces, each a person of its own."""
    rows = []
    random = np.random.default_rng(0)
    for count, figures in ((100_000, "must 10, aim 3"), (1_000_000, "must 60, aim 25")):
        vectors = random.standard_normal((count, 128), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        index = Index(vectors, np.arange(count), np.arange(count))
        probe = vectors[count // 2 : count // 2 + 1].copy()
        (taken,) = in_turn(lambda index=index, probe=probe: index.search(probe, 8), rounds=31)  # type: ignore[misc]
        rows.append((f"{count:,} faces", f"{taken * 1e3:.1f} ms ({figures})"))
    table("Search of one face among many (128 numbers each)", rows)


def memory(engine: Engine) -> None:
    """Resident memory over 5,000 different photos of mixed sizes."""
    random = np.random.default_rng(0)
    sources = [read(path) for path in sorted(samples().glob("*.jpg"))]
    own = psutil.Process()
    resident = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(5000):
            picture = sources[number % len(sources)]
            height, width = random.integers(200, 1600, 2)
            cut = cv2.resize(picture, (int(width), int(height)), interpolation=cv2.INTER_LINEAR)
            path = Path(folder) / f"{number % 8}.jpg"
            cv2.imwrite(str(path), cut)
            engine.recognize(str(path))
            if number % 100 == 99:
                resident.append(own.memory_info().rss / 1e6)
    early, last = resident[4], resident[-1]
    rows = [
        ("after 500, 1,000, ... photos", " ".join(f"{value:.0f}" for value in resident[4::5]) + " MB"),
        (
            "growth after the first 500",
            f"{last / early - 1:+.1%} (must 5 %), largest {max(resident):.0f} MB (must 1,000)",
        ),
    ]
    table("Resident memory over 5,000 photos of mixed sizes", rows)


def gpu(_engine: Engine) -> None:
    """ResNet in large batches on a CUDA device, pixels already there."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    if not torch.cuda.is_available():
        print("\nno CUDA device here; nothing to measure")
        return
    from visage.nets.resnet import load_resnet

    weights = files_of(read_card(SHIPPED / "resnet.json"), Path("none"))[0]
    net = load_resnet(weights).cuda().to(torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled: Callable[[object], object] = torch.compile(net)
    pixels = torch.randint(0, 255, (4096, 3, 150, 150), device="cuda").float().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        for _ in range(3):
            compiled(pixels)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            compiled(pixels)
        torch.cuda.synchronize()
    rate = 10 * len(pixels) / (time.perf_counter() - start)
    table(f"ResNet on {torch.cuda.get_device_name()}, bf16", [("rate", f"{rate:,.0f} faces a second (aim 20,000)")])


MEASURES: dict[str, Callable[[Engine], None]] = {
    measure.__name__: measure for measure in (resnet, photo, video, process, search, memory, gpu)
}


def main() -> None:
    wanted = sys.argv[1:] or list(MEASURES)
    unknown = set(wanted) - set(MEASURES)
    if unknown:
        raise SystemExit(f"no such measure: {', '.join(unknown)}; there are: {', '.join(MEASURES)}")
    runtime = open_runtime(load_settings())
    print(f"{runtime.name} on {os.cpu_count()} cores: {runtime.features}")
    with ExitStack() as stack:
        engine = scratch_engine(stack)
        for name in wanted:
            MEASURES[name](engine)


if __name__ == "__main__":
    main()
