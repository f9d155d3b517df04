"""Every command on real faces: what it says, its JSON held to its schema, its exit code."""

import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.doors.conftest import BIDEN, OBAMA, Done, Visage
from tests.doors.schemas import SCHEMAS


def checked(done: Done, command: str, code: int = 0) -> Done:
    assert done.code == code, done.err
    jsonschema.validate(done.json, SCHEMAS[command])
    return done


def test_the_golden_path(enrolled: Visage, samples: Path) -> None:
    wanted = {
        "obama2.jpg": [OBAMA], "obama3.jpg": [OBAMA], "32bit.png": [OBAMA], "biden.jpg": [BIDEN],
        "obama_partial_face.jpg": [OBAMA], "obama_partial_face2.jpg": [OBAMA],
    }  # fmt: skip
    done = checked(enrolled("recognize", "--json", *(samples / name for name in wanted)), "recognize")
    assert {Path(a["source"]).name: a["names"] for a in done.json["answers"]} == wanted
    assert all(0.9 < a["people"][0]["best"]["match"]["probability"] <= 1 for a in done.json["answers"])


def test_a_stranger_is_unknown_and_nearest_names_them(visage: Visage, samples: Path) -> None:
    assert visage("enroll", "--name", OBAMA, samples / "obama.jpg").code == 0
    assert visage("recognize", "--names", samples / "biden.jpg").out == "unknown\n"
    assert visage("recognize", "--names", "--nearest", samples / "biden.jpg").out == f"{OBAMA}\n"
    assert visage("recognize", "--names", "--threshold", "0.99", samples / "obama2.jpg").out == "unknown\n"


def test_recognize_in_words_and_pictures(enrolled: Visage, samples: Path, tmp_path: Path) -> None:
    done = enrolled("recognize", samples / "obama2.jpg", "--annotate", tmp_path / "out")
    assert done.out.startswith(f"{samples / 'obama2.jpg'}: {OBAMA} (0.9")
    assert (tmp_path / "out" / "obama2.jpg").stat().st_size > 10_000


def test_vectors_are_given_when_asked_for(enrolled: Visage, samples: Path) -> None:
    done = checked(enrolled("recognize", "--json", "--vectors", samples / "obama2.jpg"), "recognize")
    vector = done.json["answers"][0]["faces"][0]["vector"]
    assert sum(value**2 for value in vector) == pytest.approx(1, abs=1e-3)


def test_detect_needs_no_gallery(visage: Visage, samples: Path) -> None:
    done = checked(visage("detect", "--json", samples / "obama.jpg"), "detect")
    (face,) = done.json["answers"][0]["faces"]
    x1, y1, x2, y2 = face["box"]
    (left, right, nose, *_) = face["landmarks"]
    assert x1 < left[0] < nose[0] < right[0] < x2
    assert y1 < left[1] < nose[1] < y2
    assert "1 face" in visage("detect", samples / "obama.jpg").out


def test_compare(visage: Visage, samples: Path) -> None:
    same = checked(visage("compare", "--json", samples / "obama.jpg", samples / "obama2.jpg"), "compare").json
    other = checked(visage("compare", "--json", samples / "obama.jpg", samples / "biden.jpg"), "compare").json
    assert same["comparison"]["same"]
    assert same["comparison"]["probability"] > 0.99
    assert not other["comparison"]["same"]
    assert other["comparison"]["probability"] < 0.1
    assert visage("compare", samples / "obama.jpg", samples / "biden.jpg").out.startswith("different people")
    rate = ["compare", "--json", "--stranger-rate", "1e-6", samples / "obama.jpg", samples / "obama2.jpg"]
    assert checked(visage(*rate), "compare").json["comparison"]["threshold"] > same["comparison"]["threshold"]


def test_enroll_says_for_each_photo_what_was_done(visage: Visage, samples: Path, blank: Path) -> None:
    done = checked(
        visage("enroll", "--json", "--name", OBAMA, samples / "obama.jpg", samples / "obama.jpg", blank),
        "enroll", 1,
    )  # fmt: skip
    assert [a["enrollment"]["outcome"] for a in done.json["answers"]] == ["enrolled", "duplicate", "no face"]
    again = visage("enroll", "--name", OBAMA, samples / "obama.jpg")
    assert again.code == 0
    assert "duplicate" in again.out


def test_enroll_warns_of_a_look_alike(visage: Visage, samples: Path) -> None:
    visage("enroll", "--name", OBAMA, samples / "obama.jpg")
    done = visage("enroll", "--name", "Somebody Else", samples / "obama2.jpg")
    assert done.code == 0
    assert f"looks like {OBAMA}" in done.out


def test_people_from_the_first_to_the_last(enrolled: Visage, tmp_path: Path, samples: Path) -> None:
    listed = checked(enrolled("people", "list", "--json"), "people list").json
    assert [person["name"] for person in listed["people"]] == [OBAMA, BIDEN]
    assert listed["expected_recognized"] > 0.9
    shown = checked(enrolled("people", "show", "--json", BIDEN), "people show").json
    assert shown["enrolled"][0]["crop"]
    checked(enrolled("people", "rename", "--json", BIDEN, "Joseph Biden"), "people rename")
    exported = checked(enrolled("people", "export", "--json", tmp_path / "people.visage"), "people export").json
    assert exported == {"people": 2, "faces": 2, "skipped": 0}
    assert [path.name for path in tmp_path.glob("people.visage*")] == ["people.visage"]
    removed = checked(enrolled("people", "remove", "--json", OBAMA), "people remove").json
    assert removed["faces"] == 1
    assert enrolled("recognize", "--names", samples / "obama2.jpg").out == "unknown\n"
    imported = checked(enrolled("people", "import", "--json", tmp_path / "people.visage"), "people import").json
    assert imported == {"people": 1, "faces": 1, "skipped": 1}
    assert enrolled("recognize", "--names", samples / "obama2.jpg").out == f"{OBAMA}\n"
    done = enrolled("people", "show", "Nobody")
    assert done.code == 1
    assert "Nobody" in done.err


def test_somebody_hidden_is_not_named(enrolled: Visage, samples: Path) -> None:
    assert "hidden" not in enrolled("people", "list").out
    hidden = checked(enrolled("people", "hide", "--json", OBAMA), "people hide").json
    assert (hidden["name"], hidden["hidden"]) == (OBAMA, True)
    listed = {line.split("  ")[0]: line for line in enrolled("people", "list").out.splitlines()}
    assert (listed[OBAMA].endswith("  hidden"), listed[BIDEN].endswith("  hidden")) == (True, False)
    everybody = checked(enrolled("people", "list", "--json"), "people list").json["people"]
    assert [(person["name"], person["hidden"]) for person in everybody] == [(OBAMA, True), (BIDEN, False)]
    assert ", hidden)" in enrolled("people", "show", OBAMA).out

    done = checked(enrolled("recognize", "--json", samples / "obama2.jpg"), "recognize")
    assert OBAMA not in done.out
    assert done.json["answers"][0]["names"] == ["unknown"]
    assert enrolled("people", "hide", OBAMA).out == f"{OBAMA} is hidden, and will not be named\n"
    unhidden = checked(enrolled("people", "unhide", "--json", OBAMA), "people unhide").json
    assert not unhidden["hidden"]
    assert enrolled("recognize", "--names", samples / "obama2.jpg").out == f"{OBAMA}\n"
    assert enrolled("people", "unhide", OBAMA).out == f"{OBAMA} is named again\n"


def test_migrate_gives_the_same_people_new_vectors(enrolled: Visage, samples: Path) -> None:
    before = enrolled("people", "list", "--json").json["people"]
    assert checked(enrolled("people", "migrate", "--json"), "people migrate").json["faces"] == 2
    assert enrolled("people", "list", "--json").json["people"] == before
    assert enrolled("recognize", "--names", samples / "obama2.jpg").out == f"{OBAMA}\n"


def test_collections_are_apart(enrolled: Visage, samples: Path) -> None:
    done = checked(enrolled("recognize", "--json", "--collection", "others", samples / "obama2.jpg"), "recognize")
    assert done.json["answers"][0]["names"] == ["unknown"]
    assert done.json["answers"][0]["faces"][0]["nearest"] is None


def test_models(visage: Visage, tmp_path: Path) -> None:
    cards = {card["name"]: card for card in checked(visage("models", "list", "--json"), "models list").json}
    assert cards["resnet"]["installed"]
    assert cards["mtcnn"]["installed"]
    checked(visage("models", "show", "--json", "resnet"), "models show")
    done = visage("models", "use", "nothing")
    assert done.code == 1
    assert "visage models list" in done.err
    assert "CC0" in visage("models", "show", "resnet").out


def test_doctor_is_well(visage: Visage) -> None:
    done = checked(visage("doctor", "--json"), "doctor")
    assert done.json["problems"] == []
    assert "agrees with its card" in done.json["self_test"]
    assert visage("doctor").out.endswith("all is well\n")


def test_evaluate(visage: Visage, samples: Path, tmp_path: Path) -> None:
    """A list of six pairs, of pictures named as LFW names them."""
    people = {"Obama": ["obama.jpg", "obama2.jpg", "obama3.jpg"], "Biden": ["biden.jpg"]}
    for name, photos in people.items():
        (tmp_path / name).mkdir()
        for number, photo in enumerate(photos, 1):
            shutil.copy(samples / photo, tmp_path / name / f"{name}_{number:04d}.jpg")
    pairs = "3\nObama 1 2\nObama 1 3\nObama 2 3\nObama 1 Biden 1\nObama 2 Biden 1\nObama 3 Biden 1\n"
    (tmp_path / "pairs.txt").write_text(pairs)
    words = ("evaluate", tmp_path / "pairs.txt", "--images", tmp_path)
    assert visage(*words).code == 2  # no folds and no threshold
    done = checked(
        visage(*words, "--threshold-from", tmp_path / "pairs.txt", "--plot", tmp_path / "roc.png", "--json"), "evaluate"
    )
    assert done.json["accuracy"] == 1.0
    assert done.json["true_accept"][0]["rate"] == 1.0
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "Biden" / "Biden_0001.jpg").write_text("no picture")
    done = checked(visage(*words, "--threshold", "0.9", "--json"), "evaluate", 1)
    assert done.json["without_face"] == ["Biden/Biden_0001.jpg"]
    assert done.json["accuracy"] == 0.5  # its three pairs count as wrong
    assert "Biden_0001.jpg" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["recognize"], ["recognize", "--every", "often", "x.jpg"], ["enroll", "photo.jpg"], ["nonsense"],
        ["people", "export"], ["evaluate", "pairs.txt"], ["enroll", "--name", "a/b", "x.jpg"],
        ["--gallery", "mysql://somewhere", "people", "list"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2_and_says_why(words: list[str], visage: Visage) -> None:
    done = visage(*words)
    assert done.code == 2
    assert done.err.strip()


@pytest.mark.parametrize("command", ["", *SCHEMAS])
def test_every_command_has_help(command: str, visage: Visage) -> None:
    done = visage(*command.split(), "--help")
    assert done.code == 0
    assert len(done.out) > 100
