"""Where a model's files are, and what is said when one is missing or another."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from visage.core.cards import DetectorCard, WeightFile
from visage.core.errors import ModelError
from visage.nets.library import SHIPPED, all_cards, card_named, files_of, is_installed, place, read_card

CONTENT = b"weights"
SHA = hashlib.sha256(CONTENT).hexdigest()


def card(**file: object) -> DetectorCard:
    weights = replace(WeightFile("net.onnx", SHA), **file)  # type: ignore[arg-type]
    return DetectorCard("net", "detector", "yunet", "a net", "nowhere", "MIT", (weights,))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.onnx").write_bytes(CONTENT)
    return tmp_path


def test_the_right_file_is_found(models: Path) -> None:
    assert files_of(card(), models) == [models / "net" / "net.onnx"]
    assert is_installed(card(), models)


def test_another_content_is_refused_also_after_it_was_right_once(models: Path) -> None:
    files_of(card(), models)
    (models / "net" / "net.onnx").write_bytes(b"others")
    with pytest.raises(ModelError, match=r"net\.onnx is not the file that the card of net names; put net\.onnx beside"):
        files_of(card(), models)


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ({"name": "gone.onnx"}, r"put gone\.onnx beside its card again"),
        ({"name": "gone.onnx", "urls": ("https://example.org/net.onnx",)}, "visage models fetch net"),
        ({"package": "no_such_package_here"}, r"pip install 'visage\[models\]'"),
        ({"package": "mtcnn", "path": "no/such/file"}, r"pip install 'visage\[models\]'"),
    ],
)
def test_a_missing_file_comes_with_the_way_to_get_it(file: dict[str, object], advice: str, models: Path) -> None:
    assert not is_installed(card(**file), models)
    with pytest.raises(ModelError, match=f"the model net is not installed; {advice}|{advice}"):
        files_of(card(**file), models)


def test_a_packages_file_is_found_without_running_the_package() -> None:
    import sys

    shipped = read_card(SHIPPED / "mtcnn.json")
    assert [path.suffix for path in files_of(shipped, Path("none"))] == [".lz4"] * 3
    assert "tensorflow" not in sys.modules
    assert place(shipped.files[0], shipped, Path("none")) is not None


def test_an_unknown_model_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model 'nothing'; there are: mtcnn, resnet, retail-0095, yunet"):
        card_named("nothing", tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", '{"kind": "detector"}', "\xff"])
def test_a_broken_card_in_the_home_folder_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "card.json").write_text(content, encoding="latin-1")
    with pytest.raises(ModelError, match="card"):
        all_cards(tmp_path)


def test_a_brought_card_does_not_replace_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "resnet").mkdir()
    text = (SHIPPED / "resnet.json").read_text().replace("CC0-1.0", "other")
    (tmp_path / "resnet" / "card.json").write_text(text)
    assert all_cards(tmp_path)["resnet"].license == "CC0-1.0"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_card_is_whole(path: Path) -> None:
    shipped = read_card(path)
    assert shipped.name == path.stem
    assert shipped.license
    assert shipped.source
    assert all(file.sha256 and len(file.sha256) == 64 and file.bytes for file in shipped.files)
    assert all(file.package or file.urls for file in shipped.files)
