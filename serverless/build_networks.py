"""Add to the function face-recognition what it recognizes with: the networks in use, and nothing of the others.

    python serverless/build_networks.py FOLDER --runtime openvino|torch [--models-from DIR]

FOLDER is what build_function.py made; FOLDER/home becomes its VISAGE_HOME. The detector is YuNet, whose file is fetched
(or taken from DIR) and known by its hash; where it cannot be had it is MTCNN. For OpenVINO the networks are converted
here, by PyTorch, which the function then does without.
"""

import argparse
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

from build_function import megabytes, open_to_all
from visage import VisageError
from visage.core.errors import FetchError
from visage.nets.library import files_of
from visage.settings import Settings, save_setting
from visage.wiring import detector_card, embedder_card, fetch_model, open_runtime, self_test


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runtime", choices=("openvino", "torch"), required=True)
    parser.add_argument(
        "--models-from", type=Path, default=Path(__file__).parent, help="a folder that may hold YuNet's file"
    )
    given = parser.parse_args()
    try:
        home = add_networks(given.folder, given.runtime, given.models_from)
    except VisageError as error:
        raise SystemExit(str(error)) from error
    open_to_all(given.folder)
    print(f"{home}: {megabytes(home):.0f} MB, {(home / 'settings.json').read_text()}")  # noqa: T201
    return 0


def add_networks(folder: Path, runtime: str, models_from: Path) -> Path:
    """The function's VISAGE_HOME, in which everything is settled but where pictures and people are."""
    home = folder / "home"
    home.mkdir()
    here = Settings(home, runtime=runtime, device="cpu")
    yunet = here.models / "yunet"
    for found in models_from.glob("face_detection_yunet_*.onnx"):
        yunet.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, yunet)
    try:
        kept = fetch_model("yunet", here)  # what is there and right is not fetched again
    except FetchError as error:
        kept = []
        print(f"{error}\nwithout YuNet: the function detects with MTCNN", file=sys.stderr)  # noqa: T201
    for other in set(yunet.glob("*")) - set(kept):
        other.unlink()
    detector, embedder = detector_card(here), embedder_card(here)
    for name, value in (("detector", detector.name), ("embedder", embedder.name), ("runtime", runtime)):
        save_setting(home, name, value)
    if runtime == "openvino":
        check_version(folder)
        self_test(here, open_runtime(here))
        return home
    for card in (detector, embedder):
        for file, place in zip(card.files, files_of(card, here.models), strict=True):
            if file.package is not None:  # the code looks for a file of a package where the package would be
                target = folder / file.package / (file.path or file.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(place, target)
    return home


def check_version(folder: Path) -> None:
    """Conversions are kept by OpenVINO's version: another one would look for them in vain."""
    (installed,) = importlib.metadata.distributions(name="openvino", path=[os.fspath(folder)])
    if installed.version != importlib.metadata.version("openvino"):
        raise SystemExit(f"OpenVINO {installed.version} is in the function, but another is installed here")


if __name__ == "__main__":
    sys.exit(main())
