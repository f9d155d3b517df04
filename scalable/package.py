"""Make a release: all that an instance installs from, in one folder that is named for its content.

    python scalable/package.py dist/deploy --runtime openvino

It holds Visage's wheel and the wheels of all it needs (the versions of constraints.txt), a requirements file with
hashes per runtime, the networks converted for OpenVINO, so that instances need no PyTorch for that, the models chosen
here, and install.sh. Its manifest lists the sha256 of every file, and the manifest's own sha256 names the folder: an
instance that knows the name can check all of it.

Instances run Amazon Linux 2023. A release is for this machine's processor and Python version, because pip reads the
conditions in requirements as true or false of the Python it runs on.
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import click

from visage import VisageError, load_settings
from visage.core.errors import UsageError
from visage.settings import Settings, save_setting
from visage.wiring import detector_card, embedder_card, open_runtime, self_test

ROOT = Path(__file__).parent.parent
EXTRAS = ("aws", "heic", "models", "postgres", "video", "web")
RUNTIMES = ("openvino", "torch")
# The Pythons that Amazon Linux 2023 has, and its C library: wheels made for a newer one do not load there.
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC = 34
# These are on PyPI as source only.
SOURCE_ONLY = ("face_recognition_models",)
# A wheel's files bear this time (1980-01-01), so that the same source gives the same wheel.
EPOCH = "315532800"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--runtime", "runtimes", multiple=True, type=click.Choice(RUNTIMES), default=("openvino",))
@click.option("--bucket", default="", help="Copy the release there, with the AWS command line.")
@click.option("--index", default="", help="One more index to look for wheels in, as for PyTorch's CPU builds.")
def main(folder: Path, runtimes: tuple[str, ...], bucket: str, index: str) -> None:
    """Make a release in FOLDER/SHA256 and print how to use it."""
    try:
        release = package(ROOT, folder, tuple(dict.fromkeys(runtimes)), index)
        size = sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
        click.echo(f"{release}: {size / 1e6:.0f} MB, {', '.join(runtimes)}")
        copy = ["aws", "s3", "sync", "--only-show-errors", str(release), f"s3://{bucket or 'BUCKET'}/{release.name}"]
        if bucket:
            if shutil.which("aws") is None:
                raise UsageError(f"the AWS command line is not installed; with it: {' '.join(copy)}")
            _run("aws s3 sync", copy)
        else:
            click.echo(f"next: {' '.join(copy)}")
    except VisageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Release={release.name}")


def package(root: Path, folder: Path, runtimes: tuple[str, ...], index: str = "") -> Path:
    """The folder of the new release, below `folder`. Raises `UsageError` and other `VisageError`s."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform != "linux" or version not in PYTHONS:
        raise UsageError(f"releases are made on Linux with Python {', '.join(PYTHONS)}; this is {platform.platform()}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-") as scratch:
        draft = Path(scratch) / "release"
        wheels = draft / "wheels"
        wheels.mkdir(parents=True)
        own = _own_wheel(root, Path(scratch))
        for runtime in runtimes:
            found = _download(root, own, runtime, Path(scratch) / runtime, index)
            (draft / f"requirements-{runtime}.txt").write_text(_requirements(found), encoding="utf-8")
            for wheel in found:
                shutil.copy(wheel, wheels)
        _networks(root, draft / "home", convert="openvino" in runtimes)
        shutil.copy(Path(__file__).parent / "install.sh", draft)
        (draft / "python-version").write_text(version + "\n", encoding="utf-8")
        manifest = draft / "manifest.sha256"
        manifest.write_text(_manifest(draft), encoding="utf-8")
        release = folder / _sha256(manifest)
        if not release.exists():
            draft.rename(release)
        return release


def _own_wheel(root: Path, scratch: Path) -> Path:
    """Visage's wheel, from a copy: what an earlier build left in the tree must not get into it."""
    source = scratch / "source"
    shutil.copytree(root / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(scratch / "own"), str(source))
    (wheel,) = (scratch / "own").glob("visage-*.whl")
    return wheel


def _download(root: Path, own: Path, runtime: str, folder: Path, index: str) -> list[Path]:
    """The wheels that Visage needs with this runtime, its own among them, each of a version in constraints.txt."""
    known = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    missing = {*EXTRAS, runtime} - set(known)
    if missing:
        raise UsageError(f"pyproject.toml has no extra {sorted(missing)[0]!r}")
    pins = _pins(root / "constraints.txt")
    folder.mkdir()
    sources = [f"{name}=={pins[_plain(name)]}" for name in SOURCE_ONLY]
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), *sources)
    tags = [f"manylinux_2_{minor}_{platform.machine()}" for minor in range(GLIBC, 4, -1)]
    tags += [f"{old}_{platform.machine()}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    _pip(
        "download",
        *("-c", str(root / "constraints.txt")),
        *("-d", str(folder)),
        *("--find-links", str(folder)),
        *(("--extra-index-url", index) if index else ()),
        "--only-binary=:all:",
        *(f"--platform={tag}" for tag in tags),
        f"visage[{','.join((*EXTRAS, runtime))}] @ {own.as_uri()}",
    )
    found = sorted(folder.glob("*.whl"))
    loose = [wheel.name for wheel in found if pins.get(_name(wheel)) != _version(wheel) and _name(wheel) != "visage"]
    if loose:
        raise UsageError(f"constraints.txt does not pin {', '.join(loose)}")
    return found


def _networks(root: Path, home: Path, *, convert: bool) -> None:
    """What instances keep in VISAGE_HOME: this machine's choice of models, their files, and their conversions."""
    pinned = _pins(root / "constraints.txt").get("openvino")
    if convert and pinned != importlib.metadata.version("openvino"):
        # Conversions are kept by OpenVINO's version: another one would look for them in vain.
        raise UsageError(f"OpenVINO {pinned} is to be packaged, but another is installed here; run make setup")
    here = load_settings()
    detector, embedder = detector_card(here), embedder_card(here)
    home.mkdir()
    save_setting(home, "detector", detector.name)
    save_setting(home, "embedder", embedder.name)
    for card in (detector, embedder):
        if (here.models / card.name).is_dir():
            shutil.copytree(here.models / card.name, home / "models" / card.name)
    if convert:
        there = Settings(home, detector=detector.name, embedder=embedder.name, runtime="openvino")
        self_test(there, open_runtime(there))
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _requirements(wheels: list[Path]) -> str:
    return "".join(f"{_name(wheel)}=={_version(wheel)} --hash=sha256:{_sha256(wheel)}\n" for wheel in wheels)


def _manifest(folder: Path) -> str:
    """As `sha256sum --check` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def _pins(constraints: Path) -> dict[str, str]:
    """The one version of each package, by its plain name."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("#")[0].split(";")[0].strip().split("==") for line in lines)
    return {_plain(pair[0]): pair[1] for pair in pairs if len(pair) == 2}


def _name(wheel: Path) -> str:
    return _plain(wheel.name.split("-")[0])


def _version(wheel: Path) -> str:
    """Without the local part, as in 2.13.0+cpu, which an index of other builds adds."""
    return wheel.name.split("-")[1].split("+")[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _pip(command: str, *words: str) -> None:
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    _run(f"pip {command}", [*pip, *words])


def _run(name: str, words: list[str]) -> None:
    try:
        subprocess.run(words, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    except subprocess.CalledProcessError as error:
        raise UsageError(f"{name} failed; it says above why") from error


if __name__ == "__main__":
    main()
