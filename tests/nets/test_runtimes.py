"""Both runtimes give the same answers, and only what was asked for is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from visage import Engine, load_settings, open_engine

PROBE = """
import json, sys
from visage import open_engine
engine = open_engine()
answer = engine.detect(sys.argv[1])
engine.embedder.embed(__import__("numpy").zeros((1, *engine.kit.card.size, 3), "uint8"))
heavy = [name for name in ("torch", "tensorflow", "boto3", "av", "matplotlib") if name in sys.modules]
print(json.dumps({"faces": len(answer.sightings), "heavy": heavy,
                  "telemetry": sys.modules.get("openvino_telemetry") is not None, "runtime": engine.runtime()}))
"""


def vectors(engine: Engine, samples: Path) -> np.ndarray:
    seen = [engine.recognize(str(photo)).sightings for photo in sorted(samples.glob("*.jpg"))]
    return np.stack([sighting.vector for found in seen for sighting in found if sighting.vector is not None])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_and_openvino_agree_on_every_face(precision: str, samples: Path, tmp_path: Path) -> None:
    found = []
    for runtime, arithmetic in (("openvino", "fp32"), ("torch", precision)):
        settings = load_settings(
            runtime=runtime, precision=arithmetic, detector="mtcnn", gallery=f"sqlite:///{tmp_path / 'g.sqlite'}"
        )
        with open_engine(settings) as engine:
            engine.gallery(create=True)
            found.append(vectors(engine, samples))
    assert found[0].shape == found[1].shape
    assert (found[0] * found[1]).sum(axis=1).min() >= 0.999


def test_openvinos_default_arithmetic_agrees_with_fp32(engine: Engine, samples: Path, tmp_path: Path) -> None:
    with open_engine(load_settings(precision="fp32", gallery=f"sqlite:///{tmp_path / 'g.sqlite'}")) as exact:
        exact.gallery(create=True)
        assert (vectors(engine, samples) * vectors(exact, samples)).sum(axis=1).min() >= 0.999


def test_once_converted_torch_is_not_imported_and_nothing_phones_home(engine: Engine, samples: Path) -> None:
    engine.recognize(str(samples / "obama.jpg"))  # converts, if nobody has yet
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(samples / "obama.jpg")],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    facts = json.loads(done.stdout)
    assert facts["faces"] == 1
    assert facts["runtime"].startswith("openvino CPU")
    assert facts["heavy"] == []
    assert not facts["telemetry"]


def test_a_crops_vector_does_not_depend_on_its_neighbours(engine: Engine) -> None:
    random = np.random.default_rng(0)
    crops = random.integers(0, 255, (7, *engine.kit.card.size, 3), np.uint8)
    together = engine.embedder.embed(crops).vectors
    alone = np.concatenate([engine.embedder.embed(crops[i : i + 1]).vectors for i in range(7)])
    assert (together * alone).sum(axis=1).min() > 0.9999
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert engine.embedder.embed(crops[:0]).vectors.shape == (0, engine.kit.card.dimension)


def test_a_damaged_conversion_is_made_anew(engine: Engine, samples: Path, home: Path) -> None:
    engine.recognize(str(samples / "obama.jpg"))
    converted = list((home / "cache").glob("resnet-*/model.xml"))
    assert converted
    converted[0].write_text("<nothing")
    with open_engine(load_settings()) as again:
        assert len(again.embedder.embed(np.zeros((1, 150, 150, 3), np.uint8))) == 1
