"""A model of one's own, from the file to a name."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.doors.conftest import Visage
from tests.doors.schemas import SCHEMAS
from tests.own_models import save_card, save_embedder

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> dict[str, str]:
    """A home folder of its own, because the choice of models is kept there; conversions are shared."""
    folder = tmp_path / "home"
    folder.mkdir()
    (home / "cache").mkdir(exist_ok=True)
    (folder / "cache").symlink_to(home / "cache")
    return {"VISAGE_HOME": str(folder)}


def test_an_ir_with_its_card_from_the_file_to_a_name(
    visage: Visage, samples: Path, tmp_path: Path, own_home: dict[str, str]
) -> None:
    assert visage("enroll", "--name", OBAMA, samples / "obama.jpg", **own_home).code == 0
    network, card = save_embedder(tmp_path / "net.xml"), save_card(tmp_path / "card.json")
    added = visage("models", "add", "--json", network, "--name", "mine", "--card", card, **own_home)
    jsonschema.validate(added.json, SCHEMAS["models add"])
    used = visage("models", "use", "mine", **own_home)
    assert (used.code, "visage people migrate" in used.out) == (0, True)
    for words in (["recognize", samples / "obama.jpg"], ["enroll", "--name", BIDEN, samples / "biden.jpg"]):
        done = visage(*words, **own_home)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert "visage people migrate" in done.err
    assert visage("people", "migrate", **own_home).out == "1 face now by mine\n"
    assert visage("enroll", "--name", BIDEN, samples / "biden.jpg", **own_home).code == 0
    done = visage("recognize", "--json", samples / "obama.jpg", samples / "biden.jpg", **own_home).json
    assert [answer["names"] for answer in done["answers"]] == [[OBAMA], [BIDEN]]
    assert done["answers"][0]["models"]["embedder"] == "mine"
    assert done["answers"][0]["rule"]["basis"] == "card"
    listed = visage("people", "list", "--json", **own_home).json
    assert (listed["model"], listed["advice"]) == ("mine", [])
    assert visage("doctor", **own_home).out.endswith("all is well\n")


def test_an_onnx_embedder_in_the_arcface_convention(
    visage: Visage, samples: Path, tmp_path: Path, own_home: dict[str, str], shared_data: Path
) -> None:
    network = shared_data / "weights" / "edgeface_xs_q_float.onnx"
    assert visage("models", "add", network, "--name", "edgeface", "--like", "arcface", **own_home).code == 0
    assert visage("models", "use", "edgeface", **own_home).code == 0
    for name, photo in ((OBAMA, "obama.jpg"), (BIDEN, "biden.jpg")):
        (tmp_path / "people" / name).mkdir(parents=True)
        shutil.copy(samples / photo, tmp_path / "people" / name)
    assert visage("enroll", tmp_path / "people", **own_home).code == 0
    done = visage("recognize", "--json", samples / "obama2.jpg", samples / "obama3.jpg", **own_home).json
    assert [answer["names"] for answer in done["answers"]] == [[OBAMA], [OBAMA]]


def test_the_card_that_is_printed_can_be_given_back(visage: Visage, tmp_path: Path, own_home: dict[str, str]) -> None:
    printed = visage("models", "show", "--json", "retail-0095", **own_home).json
    own = printed | {"size": [112, 112], "dimension": 64, "fingerprint": []}
    (tmp_path / "card.json").write_text(json.dumps(own))
    network = save_embedder(tmp_path / "net.xml")
    words = ("models", "add", network, "--name", "mine", "--card", tmp_path / "card.json")
    done = visage(*words, **own_home)
    assert (done.code, done.err) == (0, "")
    again = visage("models", "show", "--json", "mine", **own_home).json
    assert again["calibration"] == printed["calibration"]


def test_what_is_wrong_is_said_in_one_line(visage: Visage, tmp_path: Path, own_home: dict[str, str]) -> None:
    network = save_embedder(tmp_path / "net.xml")
    (tmp_path / "junk.onnx").write_bytes(b"no network")
    for words, code, said in (
        (["add", network, "--name", "mine"], 2, "--like arcface"),
        (["add", network, "--name", "resnet", "--like", "arcface"], 2, "already"),
        (["add", network, "--name", "a/b", "--like", "arcface"], 2, "a slash"),
        (["add", network, "--name", "x", "--card", save_card(tmp_path / "card.json", kind="x")], 1, "card of x"),
        (["add", tmp_path / "junk.onnx", "--name", "junk", "--like", "arcface"], 1, "junk.onnx"),
        (["use", "junk"], 1, "visage models list"),
        (["use", "retail-0095"], 2, "visage models fetch retail-0095"),
    ):
        done = visage("models", *words, **own_home)
        assert (done.code, len(done.err.splitlines())) == (code, 1)
        assert said in done.err
