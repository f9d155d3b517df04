"""What the functions' images are made of: the very set of files that their Dockerfiles put together, in folders."""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serverless.images import ROOT, Dockerfile, image

FUNCTIONS = ("face_recognition", "video_splitting")
# What is there without being brought: the C library, that of C++, and zlib, in Amazon Linux's smallest images too.
SYSTEM = {"c", "m", "mvec", "dl", "rt", "pthread", "util", "resolv", "gcc_s", "stdc++", "z"}
GLIBC = 34  # Amazon Linux 2023 has 2.34
# A longer limit than others have: an image is put together first.
pytestmark = pytest.mark.timeout(900)

MOST_MB = {"face_recognition": 500, "video_splitting": 320}


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(function: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image(function, tmp_path_factory.getbasetemp())


def test_the_lists_follow_from_constraints_and_extras(tmp_path: Path) -> None:
    (tmp_path / "serverless").mkdir()
    for name in ("constraints.txt", "pyproject.toml", "serverless/requirements.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run([sys.executable, tmp_path / "serverless" / "requirements.py"], check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "serverless").glob("*.txt")}
    kept = {path.name: path.read_text() for path in (ROOT / "serverless").glob("*_requirements.txt")}
    assert kept == made, "run: python serverless/requirements.py"
    for text in kept.values():
        assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line) for line in text.splitlines()[1:])
    # PyTorch is in no list but its own, and no network's runtime is where videos are only split.
    holders = {name for name, text in kept.items() if re.search(r"^(torch|openvino)==", text, re.MULTILINE)}
    assert holders == {"face_recognition_requirements.txt", "face_recognition_torch_requirements.txt"}
    assert "torch==" not in kept["face_recognition_requirements.txt"]


def test_a_dockerfile_says_nothing_that_is_not_so(function: str) -> None:
    dockerfile = Dockerfile.of(function)
    assert {rest.split()[0] for rest in dockerfile.all("FROM")} == {"public.ecr.aws/lambda/python:${PYTHON}"}
    assert all(re.fullmatch(r"[A-Z_]+(=\S+)?", rest) for rest in dockerfile.all("ARG"))
    (handler,) = (json.loads(rest)[0] for rest in dockerfile.all("CMD"))
    assert handler == f"visage.apps.lambda_{function}.handler"
    assert (ROOT / "src" / handler.removesuffix(".handler").replace(".", "/")).with_suffix(".py").is_file()
    # All that is copied is there, and let in.
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.split("/")[0] for source in dockerfile.sources} <= let_in
    assert [source for source in dockerfile.sources if not list(ROOT.glob(source))] in ([], ["serverless/*.onnx"])


@pytest.mark.slow
def test_only_what_is_listed_is_in_it(function: str, folder: Path) -> None:
    listed = set((ROOT / "serverless" / f"{function}_requirements.txt").read_text().splitlines()[1:])
    found = {
        f"{one.metadata['Name'].lower().replace('_', '-')}=={one.version}"
        for one in importlib.metadata.distributions(path=[str(folder)])
    }
    assert found == listed
    size = sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 2**20
    print(f"{function}: {size:.0f} MB")  # noqa: T201  a figure, for who runs this with -s
    assert size < MOST_MB[function]


@pytest.mark.slow
def test_of_the_models_only_those_in_use_are_in_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    recognition = image("face_recognition", tmp_path_factory.getbasetemp())
    home = recognition / "home"
    settings = json.loads((home / "settings.json").read_text())
    networks = {path.parent.name.partition("-")[0] for path in home.rglob("model.xml")}
    assert networks == {settings["embedder"], settings["detector"]} - {"yunet"}
    files = {path.name for path in home.rglob("*") if path.is_file()} - {"settings.json", "model.xml", "model.bin"}
    assert files == ({"face_detection_yunet_2026may.onnx"} if settings["detector"] == "yunet" else set())
    assert not [path for path in recognition.rglob("*") if path.suffix in {".dat", ".lz4"}]


@pytest.mark.slow
def test_no_file_is_compiled_at_a_start(folder: Path) -> None:
    for source in folder.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        # PEP 552: 1, it goes by the source's hash; without 2, which is not looked at.
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", source


@pytest.mark.slow
def test_it_brings_its_libraries_and_asks_for_no_newer_c_library(folder: Path) -> None:
    missing: dict[str, set[str]] = {}
    for path in folder.rglob("*.so*"):
        asked = max((int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", path.read_bytes())), default=0)
        assert asked <= GLIBC, f"{path.name} needs GLIBC 2.{asked}"
        done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
        for name, place in re.findall(r"^\s*lib(\S+?)\.so\S* => (.*?)(?: \(0x|$)", done.stdout, re.MULTILINE):
            if not place.startswith(str(folder)) and name not in SYSTEM:
                missing.setdefault(path.name, set()).add(name)
    assert not missing
