"""The serverless form: how soon a function answers, how large it is, how fast videos are cut and recognized.

    python benchmarks/serverless.py [size start torch warm split many schedules ...]

Without names all but `torch` are measured; that one makes an image of 1.2 GB. The functions are the images' own files,
put together in a scratch folder by the Dockerfiles' commands, under AWS's emulator (make tools) or its runtime client;
S3 is moto server on 127.0.0.1, whose time counts too.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the tests have what starts functions

from tests.serverless.buckets import Buckets
from tests.serverless.cloud import RECOGNITION, SPLITTING, Cloud, cloud_in, people_in
from tests.serverless.emulator import Emulator
from tests.serverless.images import image, python_alone
from tests.serverless.runtime import Function, Runtime

from common import ROOT, samples, table
from visage import Engine, Sampling, load_settings, open_engine
from visage.apps.functions import Functions
from visage.core.serverless.uploads import Ask, Task, Upload
from visage.core.values import Pixels
from visage.media.video_writer import VideoWriter
from visage.settings import Settings

PEOPLE = {"Barack Obama": "obama.jpg", "Joe Biden": "biden.jpg"}
SHOWN = {"obama2.jpg": "Barack Obama", "obama3.jpg": "Barack Obama", "biden.jpg": "Joe Biden"}
ROUNDS = 7
MANY = 100


def clip(path: Path, photo: str, size: tuple[int, int], seconds: float, fps: int = 30) -> Path:
    """A film of one person, whose picture moves a little in every frame, so that frames cost what they cost."""
    width, height = size
    margin = 24
    with Image.open(samples() / photo) as opened:
        face = opened.convert("RGB")
        face = face.resize((round(face.width * (height + margin) / face.height), height + margin))
    wide = Image.new("RGB", (width + margin, height + margin), (90, 110, 130))
    wide.paste(face, ((wide.width - face.width) // 2, 0))
    pixels: Pixels = np.asarray(wide, np.uint8)
    noise = np.random.default_rng(0).integers(0, 9, (16, height, width, 1), np.uint8)
    with VideoWriter(path, width, height, fps) as writer:
        for i in range(round(seconds * fps)):
            x, y = (round(margin * (1 + np.sin(i / at)) / 2) for at in (17, 29))
            frame = np.minimum(pixels[y : y + height, x : x + width], 246) + noise[i % 16]
            writer.write(frame.astype(np.uint8), i / fps)
    return path


def enroll(settings: Settings) -> None:
    with open_engine(settings) as engine:
        for name, photo in PEOPLE.items():
            engine.enroll(str(samples() / photo), name)


@contextmanager
def on_moto(scratch: Path) -> Iterator[Cloud]:
    """The template's buckets and functions, and a gallery with two people."""
    os.environ["VISAGE_HOME"] = str(scratch / "home")
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with people_in(folder, samples()) as gallery, cloud_in(folder, gallery) as cloud:
        yield cloud


def in_image(function: Function, folder: Path) -> Function:
    """The function as its image has it: its files alone, which nobody may write to."""
    own = {**function.environment, "PYTHONPATH": str(folder), "VISAGE_HOME": str(folder / "home")}
    return Function(function.handler, folder, own, function.name, timeout=function.timeout, memory=function.memory,
                    python=tuple(python_alone()))  # fmt: skip


@contextmanager
def recognition(scratch: Path, runtime: str, frames: int) -> Iterator[tuple[Function, object, Buckets]]:
    """The function as its image has it, and the event of a chunk of so many frames that lies in the buckets' stage."""
    folder = image("face_recognition", scratch, runtime)
    with on_moto(scratch) as cloud:
        event = _chunk(cloud, scratch, frames)
        yield in_image(cloud.function(RECOGNITION, VISAGE_RUNTIME=runtime), folder), event, cloud.buckets


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 2**20


def measure_size(scratch: Path) -> None:
    table(
        "Size of the functions' files, MB",
        [(name, f"{megabytes(image(name, scratch)):.0f}") for name in ("face_recognition", "video_splitting")],
    )


def measure_start(scratch: Path, runtime: str = "openvino") -> None:
    with recognition(scratch, runtime, frames=1) as (function, event, buckets):
        firsts = []
        for _ in range(ROUNDS):
            _forget(buckets)
            with Emulator(function) as emulator:
                emulator.invoke(event)
                firsts.append(emulator.first or 0.0)
    table(
        f"Cold start of face recognition ({runtime}), process start -> first frame's answer, under AWS's emulator",
        [("seconds: median (min to max)", f"{statistics.median(firsts):.2f} ({min(firsts):.2f} to {max(firsts):.2f})")],
    )


def measure_torch(scratch: Path) -> None:
    measure_start(scratch, "torch")
    measure_warm(scratch, "torch")
    print(f"  {megabytes(image('face_recognition', scratch, 'torch')):.0f} MB")


def measure_warm(scratch: Path, runtime: str = "openvino") -> None:
    with recognition(scratch, runtime, frames=10) as (function, event, buckets):
        times = []
        with Runtime(function) as running:
            for _ in range(ROUNDS + 2):
                _forget(buckets)
                begun = time.perf_counter()
                running.invoke(event)
                times.append(time.perf_counter() - begun)
    table(
        f"A chunk of 10 frames of 720p, one face each, warm ({runtime})",
        [("seconds: median (min)", f"{statistics.median(times[2:]):.3f} ({min(times[2:]):.3f})")],
    )


def _chunk(cloud: Cloud, scratch: Path, frames: int) -> object:
    """The event of a chunk of so many frames that lies in the stage."""
    cloud.buckets.put("chunk.mp4", clip(scratch / "chunk.mp4", "obama2.jpg", (1280, 720), frames - 0.5))
    ((_, event),) = cloud.buckets.take()
    cloud.deliver(SPLITTING, event)
    ((_, event),) = cloud.buckets.take()
    return event


def _forget(buckets: Buckets) -> None:
    """The chunk's answer and result, so that it is recognized again."""
    for key in buckets.all("stage-1"):
        if "/answers/" in key:
            buckets.delete(key, "stage-1")
    for key in buckets.all("output"):
        buckets.delete(key, "output")


def measure_split(scratch: Path) -> None:
    film = clip(scratch / "long.mp4", "obama2.jpg", (1920, 1080), 60)
    rows = []
    for every, segment in (("1s", 0.0), ("keys", 0.0), ("12x", 0.0), ("1s", 10.0)):
        times = []
        for number in range(3):
            place = scratch / f"split-{every}-{segment:g}-{number}"
            settings = _settings(scratch, place, every=every, segment=segment)
            (place / "in").mkdir(parents=True)
            os.link(film, place / "in" / "clip.mp4")
            with closing(Functions(settings)) as functions:
                version = functions.stores.inputs.version("clip.mp4") or ""
                upload = Upload("clip.mp4", version, "01", version, film.stat().st_size)
                begun = time.perf_counter()
                functions.do(Task(Ask.SPLIT, "clip.mp4", upload), lambda: 900.0)
                times.append(time.perf_counter() - begun)
            stored = sum(path.stat().st_size for path in (place / "stage").rglob("*.[jm][pk][gv]"))
            shutil.rmtree(place)
        what = f"{every}, segments of {segment:g} s" if segment else every
        rows.append((what, f"{60 / statistics.median(times):.1f} x real time, {stored / 1e6:.1f} MB stored"))
    table(f"Cutting 60 s of 1080p at 30 fps ({film.stat().st_size / 1e6:.0f} MB)", rows)


def _settings(scratch: Path, place: Path, **more: object) -> Settings:
    stores = {"inputs": f"file://{place}/in", "stage": f"file://{place}/stage", "outputs": f"file://{place}/out"}
    return load_settings(None, home=str(scratch / "home"), **stores, **more)


def measure_many(scratch: Path) -> None:
    """The bare engine does them one after the other, with all cores for each; the watcher is there when they come."""
    settings = load_settings(home=str(scratch / "home"))
    enroll(settings)
    films = {name: clip(scratch / f"{name}.mp4", photo, (1280, 720), 6) for name, photo in
             ((Path(photo).stem, photo) for photo in SHOWN)}  # fmt: skip
    wanted = {f"{i:03d}-{stem}": SHOWN[f"{stem}.jpg"] for i in range(MANY) for stem in [list(films)[i % len(films)]]}
    with open_engine(settings) as engine:
        engine.recognize(str(next(iter(films.values()))), sampling=Sampling(seconds=1.0))  # the networks are loaded
        bare = _timed(lambda: _bare(engine, films, wanted))
    watched, wrong = _watched(scratch, films, wanted)
    table(
        f"{MANY} videos of 6 s (720p) dropped at once on one machine",
        [
            ("lost or wrong", str(wrong)),
            ("bare engine", f"{MANY / bare:.1f} a second"),
            ("visage watch", f"{MANY / watched:.1f} a second, {100 * bare / watched:.0f} % of that"),
        ],
    )


def _bare(engine: Engine, films: dict[str, Path], wanted: dict[str, str]) -> None:
    for key, name in wanted.items():
        answer = engine.recognize(str(films[key.partition("-")[2]]), sampling=Sampling(seconds=1.0))
        assert answer.names == [name]


def _watched(scratch: Path, films: dict[str, Path], wanted: dict[str, str]) -> tuple[float, int]:
    place = scratch / "watched"
    for folder in ("in", "stage", "out", "drafts"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    for key in wanted:
        shutil.copy(films[key.partition("-")[2]], place / "drafts" / f"{key}.mp4")
    visage: list[str | Path] = [sys.executable, "-m", "visage.apps.cli.main", "--home", str(scratch / "home")]
    command = [*visage, "watch", place / "in", "--stage", place / "stage", "--output", place / "out", "--every", "1s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching, ExitStack() as stack:
        stack.callback(watching.terminate)
        assert watching.stdout
        (place / "drafts" / "000.mp4").write_bytes(next(iter(films.values())).read_bytes())
        (place / "drafts" / "000.mp4").rename(place / "in" / "warm.mp4")
        watching.stdout.readline()  # its processes are there now, as they are when it has run for a while
        begun = time.perf_counter()
        for key in wanted:
            (place / "drafts" / f"{key}.mp4").rename(place / "in" / f"{key}.mp4")
        for _ in wanted:
            watching.stdout.readline()
        seconds = time.perf_counter() - begun
    wrong = sum(_text(place / "out" / f"{key}.txt") != f"{name}\n" for key, name in wanted.items())
    return seconds, wrong


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _timed(task: Callable[[], None]) -> float:
    begun = time.perf_counter()
    task()
    return time.perf_counter() - begun


def measure_schedules(scratch: Path) -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "tests/core/test_schedules.py", f"--basetemp={scratch / 'pytest'}"]
    done = subprocess.run(tests, cwd=ROOT, capture_output=True, text=True, check=False)
    table("1,000 schedules of events", [("one right result each", done.stdout.strip().splitlines()[-1])])


MEASURES = {
    "size": measure_size,
    "start": measure_start,
    "torch": measure_torch,
    "warm": measure_warm,
    "split": measure_split,
    "many": measure_many,
    "schedules": measure_schedules,
}


def main() -> None:
    wanted = sys.argv[1:] or [name for name in MEASURES if name != "torch"]
    if unknown := set(wanted) - set(MEASURES):
        raise SystemExit(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(MEASURES)}")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for name in wanted:
                MEASURES[name](Path(scratch))
        finally:  # images are not to be written to
            for path in Path(scratch).rglob("*"):
                if not path.is_symlink():
                    path.chmod(0o700)


if __name__ == "__main__":
    main()
