"""A user's own model: its file and card put into the home folder."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from visage.core.cards import DetectorCard, EmbedderCard, card_from_json
from visage.core.errors import ModelError, StorageError, UsageError
from visage.core.names import check_name
from visage.nets.library import SHIPPED

# Where ArcFace's convention (Deng et al. 2019, arXiv:1801.07698; insightface) puts the five points in 112 x 112 pixels.
ARCFACE_TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]

# What a model that is "like" one of these is taken to be; a card of its own says more.
LIKE: dict[str, dict[str, Any]] = {
    "arcface": {
        "kind": "embedder",
        "architecture": "file",
        "title": "an embedder in the ArcFace convention",
        "size": [112, 112],
        "dimension": 512,
        "template": ARCFACE_TEMPLATE,
        "mean": 127.5,
        "scale": 1 / 127.5,
        "threshold": 0.35,
    },
    "scrfd": {
        "kind": "detector",
        "architecture": "scrfd",
        "title": "a detector of the SCRFD family",
        "thresholds": [0.5],
        "overlap": 0.4,
        "sure": 0.75,
    },
    "yunet": {
        "kind": "detector",
        "architecture": "yunet",
        "title": "a detector of the YuNet family",
        "thresholds": [0.7],
        "overlap": 0.3,
    },
}


def bring(
    file: Path, name: str, like: str | None, card: Path | None, terms: str, models: Path
) -> DetectorCard | EmbedderCard:
    """Copy `file` (ONNX, or IR with its .bin beside it) and its card to `models`/name.

    like: a key of LIKE; or card: a JSON file with the fields of `core.cards`, of which name and files are filled in.
    terms: the license, where the card does not say.
    Raises `UsageError` where the name is taken, `ModelError` where the card is wrong.
    """
    name = check_name(name)
    folder = models / name
    if folder.exists() or (SHIPPED / f"{name}.json").exists():
        raise UsageError(f"there is a model {name!r} already; choose another name, or delete {folder}")
    if file.suffix.lower() not in {".onnx", ".xml"}:
        raise UsageError(f"{file} is neither ONNX (.onnx) nor OpenVINO's IR (.xml with its .bin)")
    if not _begins_right(file):
        raise ModelError(f"{file} does not begin like an ONNX or IR file; is it the whole model?")
    files = [file] if file.suffix.lower() == ".onnx" else [file, file.with_suffix(".bin")]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise ModelError(f"{missing[0]} is missing; an IR model is two files")
    data = _given(card) if card else dict(LIKE[like or "arcface"])
    data |= {
        "name": name,
        "files": [{"name": path.name, "sha256": _hash(path), "bytes": path.stat().st_size} for path in files],
    }
    data.setdefault("title", name)
    data.setdefault("source", f"brought by the user from {file.name}")
    data.setdefault("license", terms)
    made = card_from_json(data)
    try:
        folder.mkdir(parents=True, mode=0o700)
        for path in files:
            shutil.copyfile(path, folder / path.name)
        text = json.dumps(_plain(made), indent=1) + "\n"
        (folder / "card.json").write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StorageError(f"cannot write to {folder}: {error.strerror}") from error
    return made


def drop(card: DetectorCard | EmbedderCard, models: Path) -> None:
    """Take a model that was brought away again."""
    shutil.rmtree(models / card.name, ignore_errors=True)


def _begins_right(file: Path) -> bool:
    """An ONNX file begins with the number of its format (protobuf's field 1), IR with XML.

    OpenVINO would find out too, but prints pages of what it tried to standard error.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(64).lstrip()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from error
    return head.startswith(b"\x08" if file.suffix.lower() == ".onnx" else b"<")


def _given(card: Path) -> dict[str, Any]:
    try:
        data = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the card {card} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"the card {card} must be one JSON object")
    # What `visage models show --json` prints besides the card.
    unwanted = {"installed", "in_use"} | ({"calibration"} if data.get("kind") == "detector" else set())
    return {name: value for name, value in data.items() if name not in unwanted}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(card: DetectorCard | EmbedderCard) -> dict[str, Any]:
    data = dataclasses.asdict(card)
    if isinstance(card, EmbedderCard):
        data["calibration"] = card.calibration.to_json() if card.calibration else None
    return data
