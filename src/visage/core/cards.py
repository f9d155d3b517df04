"""What is known of a model, apart from what runs it: the card beside its weights."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visage.core.calibration import Calibration
from visage.core.errors import ModelError
from visage.core.values import Floats


@dataclass(frozen=True)
class WeightFile:
    """One file of a model.

    package: the PyPI package that brings it, and path: its place in there; or urls: where it is fetched
    from, the first that answers. sha256 of
    the whole file, or None for a file that the user brought and whose hash is taken when it is added.
    """

    name: str
    sha256: str | None
    package: str | None = None
    path: str | None = None
    urls: tuple[str, ...] = ()
    bytes: int | None = None


@dataclass(frozen=True)
class Card:
    """What every model has. architecture: which code reads its files (`resnet`, `mtcnn`, `yunet`, `scrfd`, `file`).

    accuracy: what was measured, as plain text by name of the measurement. folder: where a fetched or brought model's
    files lie, None for those that come with packages.
    """

    name: str
    kind: str
    architecture: str
    title: str
    source: str
    license: str
    files: tuple[WeightFile, ...]
    accuracy: dict[str, str] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True)
class DetectorCard(Card):
    """thresholds: least score of a face, one per stage. overlap: boxes that share more (IoU) are one face.

    min_face: the smallest face looked for, pixels of the picture as it is searched. sure: the score that upright faces
    in good photos hardly ever miss, and faces lying on their side hardly ever reach.
    """

    thresholds: tuple[float, ...] = (0.6,)
    overlap: float = 0.3
    min_face: float = 10.0
    sure: float = 0.9


@dataclass(frozen=True)
class EmbedderCard(Card):
    """size: height and width of its input. template: (5, 2) where a face's five points go in it, pixels.

    bgr, mean, scale: what it wants done to RGB 0..255, see `nets.runtime.Network`. threshold: the similarity above
    which two faces are taken for the same person when just two are compared. calibration: how similarities of the same
    and of different people are distributed; None for a model that was brought and not calibrated yet. fingerprint: the
    first numbers of the vector of a picture that `wiring.self_test` makes.
    """

    size: tuple[int, int] = (112, 112)
    dimension: int = 0
    template: tuple[tuple[float, float], ...] = ()
    bgr: bool = False
    mean: float = 0.0
    scale: float = 1.0
    threshold: float = 0.5
    calibration: Calibration | None = None
    fingerprint: tuple[float, ...] = ()

    @property
    def points(self) -> Floats:
        return np.array(self.template, np.float32)


def card_from_json(data: dict[str, Any]) -> DetectorCard | EmbedderCard:
    """Raises `ModelError` naming the field that is missing or wrong."""
    try:
        fields = dict(data)
        fields["files"] = tuple(_file(file) for file in fields.get("files", ()))
        kind = fields["kind"]
        if kind == "detector":
            fields["thresholds"] = tuple(float(one) for one in fields.get("thresholds", (0.6,)))
            if not fields["thresholds"]:
                raise ValueError("thresholds must have one at least")
            return DetectorCard(**fields)
        if kind == "embedder":
            height, width = fields["size"]
            fields["size"] = (int(height), int(width))
            for number in ("mean", "scale", "threshold"):
                fields[number] = float(fields.get(number, getattr(EmbedderCard, number)))
            if not fields["scale"]:
                raise ValueError("scale must not be 0")
            fields["fingerprint"] = tuple(fields.get("fingerprint", ()))
            fields["template"] = tuple((float(x), float(y)) for x, y in fields["template"])
            if len(fields["template"]) != 5:
                raise ValueError("template must have five points")
            if fields.get("calibration"):
                fields["calibration"] = Calibration.from_json(fields["calibration"])
            return EmbedderCard(**fields)
        raise ValueError(f"kind must be detector or embedder, not {kind!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the card of {data.get('name', 'a model')} is wrong: {error}") from error


def _file(data: dict[str, Any]) -> WeightFile:
    return WeightFile(**{**data, "urls": tuple(data.get("urls", ()))})
