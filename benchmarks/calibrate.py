"""Make an embedder's calibration: compare every two of LFW's View 1 training pictures, and put the tables in its card.

    python benchmarks/calibrate.py EMBEDDER [--images DIR] [--pairs FILE] [--write]

Prints the calibration as JSON with what it comes to; with --write it also replaces `calibration` and `threshold` in the
embedder's card: the shipped one, or the one in the home folder of a model that was brought. Pictures are found in
VISAGE_SHARED_DATA or ../shared/data unless the options say otherwise; any pictures with a list of pairs in LFW's format
will do, so that a user can calibrate a model on faces like their own.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from visage import load_settings, open_engine
from visage.core.accuracy.evaluate import embed_pictures as embed_sources
from visage.core.accuracy.pairs import Fold, Picture, parse_pairs, pictures
from visage.core.accuracy.verification import best_threshold
from visage.core.calibration import Calibration, calibrate
from visage.core.errors import VisageError
from visage.core.values import Floats
from visage.nets.library import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = (".jpg", ".jpeg", ".png")

# LFW has these people under two names each. Left apart, they would be the ten most similar "strangers" among six
# million pairs, and the strictest thresholds would rest on them.
TWICE = {"Sepp_Blatter": "Joseph_Blatter", "Wang_Nan": "Nan_Wang"}

Vectors = Mapping[Picture, Floats | None]


def shared_data() -> Path:
    return Path(os.environ.get("VISAGE_SHARED_DATA") or ROOT.parent / "shared" / "data")


def find_picture(folder: Path, picture: Picture) -> Path:
    """Its file, whichever extension it has. Raises `FileNotFoundError` naming the one that was expected."""
    for extension in EXTENSIONS:
        path = folder / picture.path(extension)
        if path.is_file():
            return path
    raise FileNotFoundError(folder / picture.path())


def embed_pictures(embedder: str, wanted: Sequence[Picture], folder: Path) -> Vectors:
    """Each picture's vector (d,), of the face nearest the center; None for no face or a damaged file."""
    paths = {str(find_picture(folder, picture)): picture for picture in wanted}
    with open_engine(load_settings(embedder=embedder)) as engine:
        embedded = embed_sources(list(paths), engine.kit, lambda error: print(error, file=sys.stderr))
        return {paths[path]: vector for path, vector in embedded}


def labeled(vectors: Vectors) -> tuple[Floats, list[str]]:
    """The vectors (n, d) of the pictures in which a face was found, and who is on each (n,), nobody under two names."""
    found = [(picture, vector) for picture, vector in vectors.items() if vector is not None]
    return np.stack([vector for _, vector in found]), [TWICE.get(picture.name, picture.name) for picture, _ in found]


def pair_similarities(folds: Iterable[Fold], vectors: Vectors) -> tuple[list[float], list[bool]]:
    """The similarity of each pair, NaN where a face was not found, and whether it is of the same person."""
    similarities, same = [], []
    for pair in (pair for fold in folds for pair in fold):
        first, second = vectors[pair.first], vectors[pair.second]
        similarities.append(float("nan") if first is None or second is None else float(first @ second))
        same.append(pair.same)
    return similarities, same


def with_calibration(card: str, calibration: Calibration, threshold: float) -> str:
    """The card's text with both in it; every innermost list stands on one line, so that a table is read by rows."""
    record = {**json.loads(card), "calibration": calibration.to_json(), "threshold": round(threshold, 4)}
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[\n([^][{}]*?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def summary(calibration: Calibration) -> list[str]:
    """What to expect of it, for people."""
    lines = [
        f"{calibration.comparisons:,} comparisons of different people, {calibration.same_comparisons:,} of the same"
    ]
    for people in (1, 10, 100, 1_000, 10_000):
        threshold, limited = calibration.threshold_for(0.01, people)
        share = calibration.expected(people, 0.01)
        note = " (the table ends before the wished rate)" if limited else ""
        lines.append(f"{people:>6} enrolled: threshold {threshold:.4f}, {share:.1%} of known faces named{note}")
    return lines


def card_path(embedder: str) -> Path:
    shipped = SHIPPED / f"{embedder}.json"
    return shipped if shipped.is_file() else load_settings().models / embedder / "card.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make an embedder's calibration.")
    parser.add_argument("embedder", help="the name of its card")
    parser.add_argument("--images", type=Path, default=shared_data() / "lfw-dev" / "images")
    parser.add_argument("--pairs", type=Path, default=shared_data() / "lfw-dev" / "pairsDevTrain.txt")
    parser.add_argument("--write", action="store_true", help="put it in the card")
    options = parser.parse_args()
    folds = parse_pairs(options.pairs.read_text(encoding="utf-8"))
    vectors = embed_pictures(options.embedder, pictures(folds), options.images)
    missed = [picture.path() for picture, vector in vectors.items() if vector is None]
    calibration = calibrate(*labeled(vectors), data=f"every two of {len(vectors)} pictures of {options.pairs.name}")
    threshold = best_threshold(*pair_similarities(folds, vectors))
    print(json.dumps(calibration.to_json()))
    print(*summary(calibration), f"for two pictures: threshold {threshold:.4f}", sep="\n", file=sys.stderr)
    print(f"no face found in {len(missed)} pictures: {' '.join(missed[:10])}", file=sys.stderr)
    if options.write:
        path = card_path(options.embedder)
        path.write_text(with_calibration(path.read_text(encoding="utf-8"), calibration, threshold), encoding="utf-8")
        print(f"written to {path}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (VisageError, OSError) as error:
        sys.exit(str(error))
