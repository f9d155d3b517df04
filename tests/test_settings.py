"""Settings: environment over file over default, each of its type and in its range."""

import dataclasses
import json
from pathlib import Path

import pytest

from visage.core.errors import StorageError, UsageError
from visage.settings import FILE, Settings, load_settings, save_setting


def write(home: Path, **values: object) -> None:
    (home / FILE).write_text(json.dumps(values))


def test_environment_over_file_over_default(tmp_path: Path) -> None:
    environment = {"VISAGE_HOME": str(tmp_path)}
    assert load_settings(environment).collection == "default"
    write(tmp_path, collection="from the file", threads=3)
    assert load_settings(environment).collection == "from the file"
    environment["VISAGE_COLLECTION"] = "from the environment"
    assert load_settings(environment).collection == "from the environment"
    assert load_settings(environment, collection="from the caller").collection == "from the caller"
    assert load_settings(environment).threads == 3


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert load_settings({"VISAGE_HOME": str(tmp_path), "VISAGE_THREADS": ""}).threads == 0


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_has_a_variable_of_its_type(field: "dataclasses.Field[object]", tmp_path: Path) -> None:
    text = {"int": "2000", "float": "0.5", "bool": "no", "str": "words", "Path": str(tmp_path)}[
        str(getattr(field.type, "__name__", field.type))
    ]
    value = getattr(load_settings({"VISAGE_HOME": str(tmp_path), f"VISAGE_{field.name.upper()}": text}), field.name)
    assert str(value) == {"no": "False"}.get(text, text)
    assert isinstance(value, Path if field.name == "home" else field.type)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("threads", "many", "a number"), ("threads", "1.5", "a number"), ("threads", "-1", "below 0"),
        ("max_bytes", "0", "below 1"), ("max_seconds", "nan", "below 0"), ("keep_crops", "maybe", "yes or no"),
        ("stranger_rate", "-0.1", "below 0"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(name: str, value: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{name} must .*{said}"):
        load_settings({"VISAGE_HOME": str(tmp_path), f"VISAGE_{name.upper()}": value})


@pytest.mark.parametrize(("name", "value"), [("detector", 5), ("gallery", None), ("threads", "x"), ("embedder", [])])
def test_a_wrong_value_in_the_file_is_named_too(name: str, value: object, tmp_path: Path) -> None:
    write(tmp_path, **{name: value})
    with pytest.raises(UsageError, match=name):
        load_settings({"VISAGE_HOME": str(tmp_path)})


def test_an_unknown_setting_in_the_file_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, detektor="mtcnn")
    with pytest.raises(UsageError, match=r"'detektor' \(in .*settings\.json\?\); there are: .*detector"):
        load_settings({"VISAGE_HOME": str(tmp_path)})


@pytest.mark.parametrize("content", ["", "[1]", "{", "\xff"])
def test_a_broken_file_is_named_with_what_to_do(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    with pytest.raises(UsageError, match=r"settings\.json .*mend or delete it"):
        load_settings({"VISAGE_HOME": str(tmp_path)})


def test_what_is_saved_is_read_by_the_next_one_and_the_rest_stays(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    save_setting(home, "embedder", "retail-0095")
    save_setting(home, "detector", "mtcnn")
    settings = load_settings({"VISAGE_HOME": str(home)})
    assert (settings.embedder, settings.detector) == ("retail-0095", "mtcnn")
    assert [path.name for path in home.iterdir()] == [FILE]


def test_where_it_cannot_be_saved_what_was_there_stays(tmp_path: Path) -> None:
    save_setting(tmp_path, "detector", "mtcnn")
    (tmp_path / f"{FILE}.draft").mkdir()  # in the way
    with pytest.raises(StorageError, match=r"cannot write .*settings\.json"):
        save_setting(tmp_path, "detector", "yunet")
    assert load_settings({"VISAGE_HOME": str(tmp_path)}).detector == "mtcnn"


def test_a_tilde_is_the_users_folder_for_reading_and_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    environment = {"VISAGE_HOME": "~/faces"}
    home = load_settings(environment).home
    assert home == tmp_path / "faces"
    save_setting(home, "detector", "mtcnn")
    assert load_settings(environment).detector == "mtcnn"


def test_a_home_below_the_working_folder_is_there_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"VISAGE_HOME": "faces"})
    assert settings.home == tmp_path / "faces"
    assert settings.keys_url == f"file:///{tmp_path}/faces/keys"


def test_a_tilde_of_nobody_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no such user"):
        load_settings({"VISAGE_HOME": "~nobody-of-that-name/faces"})


def test_what_follows_from_others(tmp_path: Path) -> None:
    settings = load_settings({"VISAGE_HOME": str(tmp_path)})
    assert settings.gallery_url == f"sqlite:///{tmp_path}/gallery.sqlite"
    assert dataclasses.replace(settings, gallery="sqlite:///x").gallery_url == "sqlite:///x"
    assert 1 <= settings.worker_threads <= 8
    assert dataclasses.replace(settings, threads=5).worker_threads == 5
    assert settings.models.parent == settings.cache.parent == tmp_path
