"""The main job on real faces, from enrollment to a video; fails loudly where a name is wrong.

    python demo/demo.py SAMPLES OUTPUT

SAMPLES: the folder that samples.py filled. OUTPUT is made anew: a gallery of its own, the pictures made from the
samples, and what Visage found in them.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from visage import Answer, Engine, Outcome, load_settings, open_annotator, open_engine

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Expected:
    file: Path
    names: frozenset[str]
    what: str


def main(samples: Path, output: Path) -> int:
    shutil.rmtree(output, ignore_errors=True)
    (output / "made").mkdir(parents=True)
    engine = open_engine(load_settings(gallery=f"sqlite:///{output.absolute() / 'gallery.sqlite'}", collection="demo"))
    wrong = 0
    print(f"\n1. Enroll {OBAMA} from one photo; {BIDEN} is a stranger.")
    wrong += enroll(engine, samples / "obama.jpg", OBAMA)
    wrong += recognize(engine, output, strangers(samples))
    print(f"\n2. Enroll {BIDEN} too; both in one picture, mirrored, tilted, small, in a video.")
    wrong += enroll(engine, samples / "biden.jpg", BIDEN)
    wrong += recognize(engine, output, made_pictures(samples, output / "made"))
    models = f"detector {engine.detector.name}, embedder {engine.embedder.name}, {engine.runtime()}"
    engine.close()
    print(f"\n{models}. Pictures with boxes and names: {output / 'annotated'}")
    print("Every name is right." if not wrong else f"{wrong} NAMES ARE WRONG; see the lines marked !!", flush=True)
    return 1 if wrong else 0


def enroll(engine: Engine, photo: Path, name: str) -> int:
    enrollment = engine.enroll(str(photo), name).enrollment
    print(f"   {photo.name}: {name}: {enrollment.detail if enrollment else 'nothing was done'}")
    return 0 if enrollment and enrollment.outcome is Outcome.ENROLLED else 1


def strangers(samples: Path) -> list[Expected]:
    obama, nobody = frozenset({OBAMA}), frozenset({"unknown"})
    return [
        Expected(samples / "obama2.jpg", obama, "another photo"),
        Expected(samples / "obama3.jpg", obama, "another photo"),
        Expected(samples / "32bit.png", obama, "PNG with transparency"),
        Expected(samples / "obama_partial_face.jpg", obama, "partly hidden"),
        Expected(samples / "obama_partial_face2.jpg", obama, "partly hidden"),
        Expected(samples / "biden.jpg", nobody, "not enrolled yet"),
    ]


def made_pictures(samples: Path, folder: Path) -> list[Expected]:
    """Pictures of both made from the photos that were not enrolled (of Biden there is only the one)."""
    obama, biden = read(samples / "obama2.jpg"), read(samples / "biden.jpg")
    montage = side_by_side(obama, biden, 900)
    both = frozenset({OBAMA, BIDEN})
    # A head is about a fifth of these pictures' height: at 200 pixels a face is 40 pixels high.
    small = np.full((480, 640, 3), 127, np.uint8)
    little = side_by_side(obama, biden, 220)
    small[130 : 130 + little.shape[0], 200 : 200 + little.shape[1]] = little
    pictures = {
        "montage.jpg": (montage, both, "both in one picture"),
        "mirrored.jpg": (np.ascontiguousarray(montage[:, ::-1]), both, "mirrored"),
        "tilted_left.jpg": (tilted(montage, 30), both, "tilted by 30 degrees"),
        "tilted_right.jpg": (tilted(montage, -30), both, "tilted by 30 degrees"),
        "small.jpg": (small, both, "faces of 40 pixels"),
        "sideways.jpg": (np.ascontiguousarray(np.rot90(montage)), both, "lying on its side"),
    }
    expected = []
    for name, (picture, names, what) in pictures.items():
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
        expected.append(Expected(folder / name, names, what))
    write_video(folder / "clip.mp4", montage, obama, biden)
    expected.append(Expected(folder / "clip.mp4", both, "video, panning over both"))
    return expected


def recognize(engine: Engine, output: Path, expected: list[Expected]) -> int:
    """Print file -> names with similarities; the number of files with a wrong name."""
    annotator = open_annotator(output / "annotated")
    wrong = 0
    for one in expected:
        with annotator.drawing(str(one.file)) as draw:
            answer = engine.recognize(str(one.file), watch=draw)
        right = frozenset(answer.names) == one.names
        wrong += not right
        mark = "ok" if right else "!!"
        print(f"   {mark} {one.file.name:24} {one.what:26} {described(answer)}")
        if not right:
            print(f"      expected: {', '.join(sorted(one.names))}")
    return wrong


def described(answer: Answer) -> str:
    parts = []
    for person in answer.people:
        best = person.best.nearest
        similarity = f" {best.similarity:.2f}" if best else ""
        if person.person_id is None and best:
            similarity = f" (nearest: {best.name}{similarity})"
        parts.append(f"{person.name}{similarity}" + (f" in {person.sightings} frames" if answer.frames > 1 else ""))
    return ", ".join(parts) or "no face"


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path} cannot be read; delete {path.parent} and start again")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)


def side_by_side(left: Picture, right: Picture, height: int) -> Picture:
    def fit(picture: Picture) -> Picture:
        width = round(picture.shape[1] * height / picture.shape[0])
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)

    return np.concatenate([fit(left), fit(right)], axis=1)


def tilted(picture: Picture, degrees: float) -> Picture:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.7)
    return cv2.warpAffine(picture, matrix, (width, height), borderValue=(90, 90, 90)).astype(np.uint8)


def write_video(path: Path, *pictures: Picture) -> None:
    """Four seconds: the camera pans over the first picture, then rests on each of the others."""
    size, fps = (640, 480), 12
    montage = pictures[0]
    window = (min(montage.shape[1], 800), min(montage.shape[0], 600))
    frames = []
    for step in range(24):
        x = round((montage.shape[1] - window[0]) * step / 23)
        y = round((montage.shape[0] - window[1]) * 0.35)
        frames.append(montage[y : y + window[1], x : x + window[0]])
    for picture in pictures[1:]:
        height = round(picture.shape[1] * 3 / 4)
        top = (picture.shape[0] - height) // 4
        frames += [picture[top : top + height]] * 12
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *size, "yuv420p", 3_000_000
        for frame in frames:
            small = np.ascontiguousarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
