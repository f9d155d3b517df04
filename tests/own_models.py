"""A network of one's own, for tests that bring one: it averages 8 x 8 pixels and projects the means."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from visage.nets.bring import ARCFACE_TEMPLATE

DIMENSION = 64


def save_embedder(path: Path, seed: int = 0) -> Path:
    """An IR file, and its .bin beside it: (1, 3, 112, 112) float32 -> (1, 64)."""
    pixels = ops.parameter([1, 3, 112, 112], np.float32, name="picture")
    means = ops.avg_pool(pixels, [8, 8], [0, 0], [0, 0], [8, 8], exclude_pad=False)
    row = ops.reshape(means, ops.constant([-1, 3 * 14 * 14], np.int64), special_zero=False)
    weights = np.random.default_rng(seed).standard_normal((3 * 14 * 14, DIMENSION)).astype(np.float32)
    ov.save_model(ov.Model([ops.matmul(row, ops.constant(weights), False, False)], [pixels], "own"), path)
    return path


def save_card(path: Path, **changes: Any) -> Path:
    """A card for it; None takes a field out."""
    card = {
        "kind": "embedder", "architecture": "file", "size": [112, 112], "dimension": DIMENSION,
        "template": ARCFACE_TEMPLATE, "mean": 127.5, "scale": 1 / 127.5, "threshold": 0.8, "license": "MIT",
    } | changes  # fmt: skip
    path.write_text(json.dumps({name: value for name, value in card.items() if value is not None}))
    return path
