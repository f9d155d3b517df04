"""A model of one's own: its file and card are put in place whole, or refused with the reason."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.own_models import DIMENSION, save_card, save_embedder
from visage import load_settings
from visage.core.cards import DetectorCard, EmbedderCard
from visage.core.errors import ModelError, StorageError, UsageError
from visage.nets.bring import bring
from visage.nets.library import SHIPPED, all_cards, card_named, files_of, is_installed
from visage.wiring import make_embedder, open_runtime


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save_embedder(tmp_path / "own.xml")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models"


def test_a_network_with_its_card_is_put_in_place(network: Path, models: Path, tmp_path: Path) -> None:
    made = bring(network, "mine", None, save_card(tmp_path / "card.json"), "MIT", models)
    assert isinstance(made, EmbedderCard)
    assert sorted(path.name for path in (models / "mine").iterdir()) == ["card.json", "own.bin", "own.xml"]
    assert card_named("mine", models) == made
    assert is_installed(made, models)
    assert [file.sha256 for file in made.files] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in files_of(made, models)
    ]


def test_it_embeds(network: Path, models: Path, tmp_path: Path) -> None:
    made = bring(network, "mine", None, save_card(tmp_path / "card.json"), "MIT", models)
    assert isinstance(made, EmbedderCard)
    settings = load_settings(home=models.parent)
    embedder = make_embedder(settings, made, open_runtime(settings))
    crops = np.random.default_rng(1).integers(0, 256, (5, 112, 112, 3), np.uint8)
    found = embedder.embed(crops)
    assert found.model == "mine"
    assert found.vectors.shape == (5, DIMENSION)
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-3)
    assert np.allclose(
        embedder.embed(crops[:, :, ::-1]).vectors, found.vectors, atol=2e-2
    )  # a mirror image is the same


def test_like_arcface_fills_in_the_convention(network: Path, models: Path) -> None:
    made = bring(network, "mine", "arcface", None, "as its owner says", models)
    assert isinstance(made, EmbedderCard)
    assert (made.size, made.mean, made.license) == ((112, 112), 127.5, "as its owner says")
    assert made.scale == pytest.approx(1 / 127.5)
    assert made.points[2] == pytest.approx([56.0252, 71.7366])
    assert made.calibration is None


@pytest.mark.parametrize("like", ["scrfd", "yunet"])
def test_detectors_can_be_brought_too(like: str, network: Path, models: Path) -> None:
    made = bring(network, "finder", like, None, "MIT", models)
    assert isinstance(made, DetectorCard)
    assert made.architecture == like


@pytest.mark.parametrize("name", ["resnet", "mtcnn", "mine"])
def test_a_name_that_is_taken_is_refused(name: str, network: Path, models: Path) -> None:
    bring(network, "mine", "arcface", None, "MIT", models)
    with pytest.raises(UsageError, match=f"there is a model '{name}' already"):
        bring(network, name, "arcface", None, "MIT", models)


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\nb"])
def test_a_name_that_is_no_folders_is_refused(name: str, network: Path, models: Path) -> None:
    with pytest.raises(UsageError):
        bring(network, name, "arcface", None, "MIT", models)
    assert not models.exists()


def test_other_formats_are_refused(tmp_path: Path, models: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"weights")
    with pytest.raises(UsageError, match=r"neither ONNX .* nor OpenVINO's IR"):
        bring(tmp_path / "net.pth", "mine", "arcface", None, "MIT", models)


def test_half_of_an_ir_is_refused(network: Path, models: Path) -> None:
    network.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"own\.bin is missing; an IR model is two files"):
        bring(network, "mine", "arcface", None, "MIT", models)
    assert not models.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "painter"}, "painter"), ({"kind": None}, "kind"), ({"template": [[0, 0]]}, "five points"),
        ({"template": "none"}, "wrong"), ({"colour": "blue"}, "colour"), ({"size": 112}, "wrong"),
        ({"architecture": None}, "architecture"), ({"calibration": {"data": "none"}}, "wrong"),
        ({"scale": 0}, "scale"), ({"threshold": "high"}, "high"), ({"size": [112]}, "wrong"),
    ],
)  # fmt: skip
def test_a_wrong_card_is_refused_and_leaves_nothing(
    change: dict[str, object], said: str, network: Path, models: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=f"card of mine is wrong: .*{said}|{said}"):
        bring(network, "mine", None, save_card(tmp_path / "card.json", **change), "MIT", models)
    assert not (models / "mine").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '"card"'])
def test_a_card_that_is_no_card_is_refused_by_name(content: str, network: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(ModelError, match=r"card\.json"):
        bring(network, "mine", None, tmp_path / "card.json", "MIT", models)


def test_where_nothing_can_be_written_nothing_is_left(network: Path, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        bring(network, "mine", "arcface", None, "MIT", tmp_path / "models")


@pytest.mark.parametrize("name", ["resnet", "yunet", "retail-0095"])
def test_a_printed_card_is_one_to_start_from(name: str, network: Path, models: Path, tmp_path: Path) -> None:
    """What `visage models show --json` prints has more in it than a card."""
    printed = json.loads((SHIPPED / f"{name}.json").read_text()) | {"installed": True, "in_use": False}
    printed.setdefault("calibration", None)
    (tmp_path / "card.json").write_text(json.dumps(printed))
    made = bring(network, "mine", None, tmp_path / "card.json", "MIT", models)
    assert all_cards(models)["mine"] == made
    assert [file.name for file in made.files] == ["own.xml", "own.bin"]
