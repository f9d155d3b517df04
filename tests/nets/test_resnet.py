"""The network against dlib's own code with the same weights, on real crops."""

import re
from pathlib import Path

import dlib
import numpy as np
import pytest
import torch
from PIL import Image

from visage import Engine
from visage.core.align import crop_face
from visage.core.errors import ModelError
from visage.core.values import Pixels
from visage.nets.dlib_weights import read_weights
from visage.nets.library import SHIPPED, files_of, read_card
from visage.nets.resnet import load_resnet


@pytest.fixture(scope="module")
def weights() -> Path:
    return files_of(read_card(SHIPPED / "resnet.json"), Path("none"))[0]


def crops(samples: Path, engine: Engine) -> Pixels:
    found = []
    for photo in sorted(samples.glob("*.jpg")):
        picture = np.asarray(Image.open(photo).convert("RGB"))
        faces = engine.detector.detect([picture])[0]
        found += [crop_face(picture, face.landmarks, engine.kit.card.points, (150, 150)) for face in faces]
    return np.stack(found)


def test_embeddings_are_those_of_dlib(samples: Path, engine: Engine, weights: Path) -> None:
    faces = crops(samples, engine)
    assert len(faces) >= 6
    with torch.inference_mode():
        ours = load_resnet(weights)(torch.from_numpy(faces).permute(0, 3, 1, 2).float()).numpy()
    dlibs = dlib.face_recognition_model_v1(str(weights))
    theirs = np.array([dlibs.compute_face_descriptor(face) for face in faces])
    assert np.abs(ours - theirs).max() <= 1e-5


def test_it_has_29_convolutions_and_dlibs_shapes(weights: Path) -> None:
    convolutions, head = read_weights(weights)
    assert len(convolutions) == 29
    assert head.shape == (256, 128)
    assert len(convolutions[0][0]) == 32 * 3 * 7 * 7 + 32
    assert len(convolutions[0][1]) == 2 * 32


@pytest.mark.parametrize("damage", [b"", b"no network at all", None])
def test_another_file_is_refused_by_name(damage: bytes | None, weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.dat"
    file.write_bytes(weights.read_bytes()[:1_000_000] if damage is None else damage)
    with pytest.raises(ModelError, match=re.escape(str(file))):
        read_weights(file)
