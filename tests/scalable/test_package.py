"""A release is made and installed as on an instance, in folders."""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scalable.conftest import ROOT

INSTALL = ROOT / "scalable" / "install.sh"
SETTINGS = """AWS_REGION=eu-west-1
VISAGE_RUNTIME=openvino
VISAGE_QUEUE=sqs://nobodys-req-queue
VISAGE_GALLERY=sqlite:///nowhere/$HOME and "there".sqlite
"""

# A longer limit than others have: packages are installed.
pytestmark = pytest.mark.timeout(900)


def clean_environment(**more: str) -> dict[str, str]:
    """As little of this process's surroundings as an instance has; pip's own settings stay."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP", "http"))}
    here = Path(sys.executable).parent
    return kept | {"PATH": f"{here}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C"} | more


def run(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        input=given, capture_output=True, text=True, check=False, env=clean_environment(), cwd="/",
    )  # fmt: skip


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploy")
    done = run(sys.executable, ROOT / "scalable" / "package.py", folder)
    if "pip download failed" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(f"the wheels could not be had: {done.stderr[-400:]}")
    assert done.returncode == 0, done.stderr
    name = done.stdout.strip().splitlines()[-1].removeprefix("Release=")
    assert [path.name for path in folder.iterdir()] == [name]
    return folder / name


@pytest.fixture(scope="session")
def root(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a web instance's files went."""
    root = tmp_path_factory.mktemp("instance")
    done = run("bash", release / "install.sh", "web", "--log-group", "logs", "--root", root, given=SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("visage, version ")
    return root


@pytest.mark.slow
def test_a_release_is_named_for_all_that_is_in_it(release: Path) -> None:
    manifest = (release / "manifest.sha256").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == release.name
    listed = dict(line.split("  ", 1)[::-1] for line in manifest.decode().splitlines())
    files = {path.relative_to(release).as_posix(): path for path in release.rglob("*") if path.is_file()}
    assert listed.keys() == files.keys() - {"manifest.sha256"}
    for name, digest in listed.items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == digest, name
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "manifest.sha256"], cwd=release, check=False)
    assert checked.returncode == 0


@pytest.mark.slow
def test_every_wheel_is_pinned_and_hashed(release: Path) -> None:
    lines = (release / "requirements-openvino.txt").read_text().splitlines()
    pins = {line.split("==")[0]: re.split("==| ", line)[1] for line in lines}
    hashes = {line.partition("sha256:")[2] for line in lines}
    wheels = list((release / "wheels").iterdir())
    assert {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels} == hashes
    constraints = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    for name, version in pins.items():
        assert name == "visage" or f"{name}=={version}" in [line.split(";")[0].strip() for line in constraints], name
    assert {"visage", "openvino", "boto3", "obstore", "flask", "psycopg", "av"} <= pins.keys()
    assert "torch" not in pins
    assert not [wheel.name for wheel in wheels if not wheel.name.endswith(("_x86_64.whl", "_aarch64.whl", "-any.whl"))]


@pytest.mark.slow
def test_what_was_installed_works(root: Path) -> None:
    done = run(root / "usr/bin/visage", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    # Without PyTorch: the networks came converted.
    assert facts["packages"]["torch"] is None
    assert facts["runtime"].startswith("openvino CPU")
    assert "agrees with its card" in facts["self_test"]
    assert facts["home"] == str(root / "var/lib/visage")
    assert facts["gallery"] == 'sqlite:///nowhere/$HOME and "there".sqlite'


@pytest.mark.slow
def test_settings_and_data_are_for_the_service_alone(root: Path) -> None:
    modes = {
        name: stat.S_IMODE((root / name).stat().st_mode)
        for name in ("etc/visage/visage.env", "var/lib/visage", "usr/bin/visage")
    }
    assert modes == {"etc/visage/visage.env": 0o600, "var/lib/visage": 0o700, "usr/bin/visage": 0o755}
    assert "VISAGE_QUEUE='sqs://nobodys-req-queue'" in (root / "etc/visage/visage.env").read_text().splitlines()


@pytest.mark.slow
def test_the_web_instance_runs_the_web_tier_and_the_autoscaler(root: Path) -> None:
    units = {path.name: path.read_text() for path in (root / "etc/systemd/system").iterdir()}
    assert units.keys() == {"visage-web.service", "visage-autoscale.service"}
    for name, text in units.items():
        command = name.removeprefix("visage-").removesuffix(".service")
        lines = text.splitlines()
        assert f"ExecStart={root}/opt/visage/venv/bin/visage {command}" in lines
        assert f"EnvironmentFile={root}/etc/visage/visage.env" in lines
        assert {"User=visage", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"} <= set(lines)
        assert re.search(r"^MemoryMax=\d+%$", text, re.MULTILINE)
    collected = json.loads((root / "opt/aws/amazon-cloudwatch-agent/etc/visage.json").read_text())
    files = collected["logs"]["logs_collected"]["files"]["collect_list"]
    written = {line.partition(":")[2] for text in units.values() for line in text.splitlines() if "=append:" in line}
    assert written < {file["file_path"] for file in files}
    assert {file["log_group_name"] for file in files} == {"logs"}


# What `visage --version` does without: to install the others takes half the time.
HEAVY = ("av", "botocore", "face-recognition-models", "openvino", "pillow-heif", "psycopg-binary")


@pytest.mark.slow
def test_another_wheel_in_its_place_is_not_installed_and_a_second_try_makes_up_for_it(
    release: Path, tmp_path: Path
) -> None:
    copy, root = tmp_path / "copy", tmp_path / "root"
    shutil.copytree(release, copy, ignore=shutil.ignore_patterns("wheels"))
    (copy / "wheels").symlink_to(release / "wheels")
    requirements = copy / "requirements-openvino.txt"
    whole = requirements.read_text().splitlines()
    lines = [line for line in whole if not line.startswith(tuple(f"{name}==" for name in HEAVY))]
    assert len(lines) == len(whole) - len(HEAVY)
    other_hash = lines[-1][:-64] + lines[-1][:-65:-1]
    requirements.write_text("\n".join([*lines[:-1], other_hash]))
    refused = run("bash", copy / "install.sh", "app", "--root", root, given=SETTINGS)
    assert refused.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stdout
    assert not (root / "etc/systemd").exists()

    requirements.write_text("\n".join(lines))
    done = run("bash", copy / "install.sh", "app", "--root", root, given=SETTINGS)
    assert done.returncode == 0, done.stdout
    (unit,) = (root / "etc/systemd/system").iterdir()
    lines = unit.read_text().splitlines()
    assert f"ExecStart={root}/opt/visage/venv/bin/visage worker --station instance" in lines
    # The group waits longer for an instance to leave than systemd does for its worker.
    (stop,) = (int(line.partition("=")[2]) for line in lines if line.startswith("TimeoutStopSec="))
    assert stop < 180


@pytest.fixture
def empty_release(tmp_path: Path) -> Path:
    """One that can be refused before pip is asked."""
    folder = tmp_path / "empty"
    (folder / "home").mkdir(parents=True)
    (folder / "install.sh").write_bytes(INSTALL.read_bytes())
    (folder / "python-version").write_text(f"{sys.version_info.major}.{sys.version_info.minor}\n")
    (folder / "requirements-openvino.txt").write_text("")
    return folder


@pytest.mark.parametrize(
    ("words", "given", "complaint"),
    [
        (["database"], "", "the first word must be web or app"),
        (["web", "--speed", "9"], "", "there is no option --speed"),
        (["web", "--runtime", "torch"], "", "torch was not packaged; run: make package RUNTIMES='openvino torch'"),
        (["web"], "VISAGE_QUEUE=it's\n", "the setting VISAGE_QUEUE must not hold a single quote"),
        (["web"], "rm -rf /\n", "a setting is a line NAME=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused(
    empty_release: Path, tmp_path: Path, words: list[str], given: str, complaint: str
) -> None:
    done = run("bash", empty_release / "install.sh", *words, "--root", tmp_path / "root", given=given)
    assert done.returncode == 2
    assert f"install.sh: {complaint}" in done.stdout + done.stderr
    assert not (tmp_path / "root/etc/systemd").exists()
