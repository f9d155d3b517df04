"""Write what the functions are installed from: the packages they load and all those need, as constraints.txt has them.

    python serverless/requirements.py

The lists are complete, so nothing is resolved when an image is built: the same set every time. They are for Linux with
the Python of the images, whatever this machine is.
"""

import importlib.metadata
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LISTS = {
    "face_recognition_requirements.txt": ("lambda", "openvino"),
    "face_recognition_torch_requirements.txt": ("lambda", "torch", "models"),
    "video_splitting_requirements.txt": ("lambda",),
}
# Needed by what no function does: the command line, and reports of use over the network, which Visage keeps from being
# loaded. Of the models' packages only a file each is wanted (build_networks.py).
LEFT_OUT = {"click", "tqdm", "openvino-telemetry", "face-recognition-models", "mtcnn"}
IMAGE = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def main() -> int:
    for name, text in lists(ROOT).items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
        print(f"{name}: {text.count('==')} packages")  # noqa: T201  a command's answer
    return 0


def lists(root: Path) -> dict[str, str]:
    """The content of each file. Raises `SystemExit` with what to do where a package has no version to take."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = _pins(root / "constraints.txt")
    made = {}
    for name, extras in LISTS.items():
        wanted = [
            *project["dependencies"],
            *(line for extra in extras for line in project["optional-dependencies"][extra]),
        ]
        packages = sorted(_closure(wanted))
        loose = [package for package in packages if package not in pins]
        if loose:
            raise SystemExit(f"constraints.txt does not pin {', '.join(loose)}")
        lines = [f"# Made by serverless/requirements.py from constraints.txt and extras: {', '.join(extras)}."]
        made[name] = "\n".join([*lines, *(f"{package}=={pins[package]}" for package in packages)]) + "\n"
    return made


def _closure(wanted: Iterable[str]) -> set[str]:
    """The plain names of these packages and all they need, as the packages installed here say."""
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found | LEFT_OUT or (requirement.marker and not requirement.marker.evaluate(IMAGE)):
            continue
        found.add(name)
        try:
            waiting += importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            raise SystemExit(f"{name} is not installed here, so what it needs is not known; run: make setup") from None
    return found


def _pins(constraints: Path) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in requirements}


if __name__ == "__main__":
    sys.exit(main())
