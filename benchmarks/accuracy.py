"""How good: LFW's View 1, identification, WIDER FACE, with the shipped defaults.

    python benchmarks/accuracy.py [verification identification detection]

Needs pictures that not everybody has: VISAGE_SHARED_DATA (or ../shared/data) with `lfw-dev` and `wider-dev`. Where they
are absent it says so and, instead, tells the sample photos' people apart.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from calibrate import embed_pictures, labeled, pair_similarities
from common import samples, shared_data, table
from detection import LIMITS, by_halves, find_faces, load_wider
from identification import Album, identify
from visage import VisageError, load_settings, open_engine
from visage.core.accuracy.pairs import Fold, Picture, parse_pairs, pictures
from visage.core.accuracy.verification import verify_with_training
from visage.core.cards import EmbedderCard
from visage.core.values import Floats
from visage.nets.library import is_installed
from visage.wiring import detector_card, make_detector, model_card, open_runtime

Vectors = dict[Picture, Floats | None]
EMBEDDERS = {"resnet": ("must 98.7 %", "aim 99.2 %"), "retail-0095": ("must 99.2 %", "aim 99.5 %")}
DETECTORS = {"mtcnn": ("must .82 / .86", "aim .85 / .90"), "yunet": ("must .90 / .94", "aim .92 / .95")}


class Lfw:
    """View 1's two lists and, for each embedder, the vectors of their pictures, made once."""

    def __init__(self, folder: Path) -> None:
        self.images = folder / "images"
        self.train = self._folds(folder / "pairsDevTrain.txt")
        self.test = self._folds(folder / "pairsDevTest.txt")
        self._vectors: dict[str, Vectors] = {}

    def vectors(self, embedder: str) -> Vectors:
        if embedder not in self._vectors:
            wanted = pictures([*self.train, *self.test])
            self._vectors[embedder] = dict(embed_pictures(embedder, wanted, self.images))
        return self._vectors[embedder]

    def album(self, embedder: str, folds: Sequence[Fold]) -> Album:
        wanted = pictures(folds)
        vectors = self.vectors(embedder)
        return Album(*(np.array(part) for part in labeled({picture: vectors[picture] for picture in wanted})))

    @staticmethod
    def _folds(path: Path) -> tuple[Fold, ...]:
        return parse_pairs(path.read_text(encoding="utf-8"))


def installed_embedders() -> list[str]:
    settings = load_settings()
    there = [name for name in EMBEDDERS if is_installed(model_card(name, settings), settings.models)]
    for name in EMBEDDERS:
        if name not in there:
            print(f"{name} is not installed: visage models fetch {name}")
    return there


def verification(lfw: Lfw) -> None:
    for embedder in installed_embedders():
        vectors = lfw.vectors(embedder)
        result = verify_with_training(*pair_similarities(lfw.test, vectors), *pair_similarities(lfw.train, vectors))
        missed = [picture.path() for picture, vector in vectors.items() if vector is None]
        rows = [
            (
                "accuracy",
                f"{result.accuracy:.2%} [{result.low:.2%}, {result.high:.2%}] ({', '.join(EMBEDDERS[embedder])})",
            ),
            ("threshold", f"{result.threshold:.4f}"),
            ("equal error rate", f"{result.equal_error:.2%}"),
            *((f"TAR at FAR {point.wanted:g}", f"{point.rate:.3f}") for point in result.true_accept),
            ("without a face", f"{len(missed)} of {len(vectors)} pictures (must 2, aim 0) {' '.join(missed[:4])}"),
        ]
        table(f"LFW View 1, test list, threshold from the training list: {embedder}, {_detector()}", rows)


def identification(lfw: Lfw) -> None:
    settings = load_settings()
    for embedder in installed_embedders():
        card = model_card(embedder, settings)
        if not isinstance(card, EmbedderCard) or card.calibration is None:
            print(f"{embedder} is not calibrated: python benchmarks/calibrate.py {embedder} --write")
            continue
        found = identify(lfw.album(embedder, lfw.test), lfw.album(embedder, lfw.train), card.calibration)
        rows = [
            (
                f"{one.people} people enrolled",
                f"known faces named {one.recognized:.1%} (expected {card.calibration.expected(one.people, 0.01):.1%}),"
                f" misnamed {one.misnamed:.1%}; strangers named {one.named:.1%} (wished 1 %)"
                + (", table ends before" if one.limited else ""),
            )
            for one in found
        ]
        table(f"Identification, one photo enrolled of each person: {embedder}", rows)


def detection(_lfw: Lfw) -> None:
    shared = shared_data()
    wider = load_wider((shared or Path()) / "wider-dev")
    for detector, wanted in DETECTORS.items():
        # The curve goes down to a score of 0.02; everything else is as shipped.
        settings = load_settings(detector=detector, detector_threshold=0.02)
        if not is_installed(detector_card(settings), settings.models):
            print(f"{detector} is not installed: visage models fetch {detector}")
            continue
        found = find_faces(make_detector(settings, open_runtime(settings)), wider)
        rows = []
        for limit in LIMITS:
            halves = by_halves(found, wider, limit).items()
            figures = ", ".join(f"{half} {one.average:.3f} (recall {one.recall:.3f})" for half, one in halves)
            rows.append((f"faces of {limit:.0f} pixels and more", figures))
        table(f"WIDER-dev, average precision ({', '.join(wanted)}; chosen on even, reported on odd): {detector}", rows)


def stand_in() -> None:
    """Without LFW: every two sample photos, all of one man but one."""
    with open_engine() as engine:
        photos = sorted(samples().glob("*.*g"))
        right = 0
        pairs = list(itertools.combinations(photos, 2))
        for first, second in pairs:
            found = engine.compare(str(first), str(second)).comparison
            same = ("biden" in first.name) == ("biden" in second.name)
            right += found is not None and found.same == same
    table("The sample photos", [("pairs told right", f"{right} of {len(pairs)}")])


def _detector() -> str:
    return f"faces by {detector_card(load_settings()).name}"


MEASURES: dict[str, Callable[[Lfw], None]] = {
    measure.__name__: measure for measure in (verification, identification, detection)
}


def main() -> None:
    wanted = sys.argv[1:] or list(MEASURES)
    unknown = set(wanted) - set(MEASURES)
    if unknown:
        raise SystemExit(f"no such measure: {', '.join(unknown)}; there are: {', '.join(MEASURES)}")
    shared = shared_data()
    if shared is None:
        print("no LFW and no WIDER FACE here (VISAGE_SHARED_DATA); the sample photos stand in")
        stand_in()
        return
    lfw = Lfw(shared / "lfw-dev")
    for name in wanted:
        MEASURES[name](lfw)


if __name__ == "__main__":
    try:
        main()
    except VisageError as error:
        sys.exit(str(error))
