"""Make the folder that a function of AWS Lambda consists of: packages and Visage, without what it never loads.

    python serverless/build_function.py REQUIREMENTS FOLDER [--index URL]

The Dockerfiles run this in a first stage; the tests run it in a scratch folder. It needs nothing but pip.
"""

import argparse
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What lies in the wheels for those who compile against them, type-check, test, or have other devices and other formats;
# patterns of Path.glob. Notices of licenses stay.
NEVER_LOADED = (
    "bin",
    "share",
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.a",
    "**/tests",
    # Devices that Lambda has not, networks of other makers' formats (those of Visage are IR and ONNX), what converts
    # them (OpenVINO does without; to import it takes 25 ms), and the C interface.
    "openvino/include",
    "openvino/cmake",
    "openvino/frontend/*/",
    "openvino/tools",
    "openvino/torch",
    "openvino/libs/cache.json",
    "openvino/libs/libopenvino_intel_[gn]pu_plugin.so",
    "openvino/libs/libopenvino_auto*_plugin.so",
    "openvino/libs/libopenvino_hetero_plugin.so",
    "openvino/libs/libopenvino_c.so*",
    "openvino/libs/libopenvino_[!io]*_frontend.so*",
    "av/include",
    "cv2/data",
    "numpy/_core/include",
    "numpy/_core/*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "numpy/f2py",
    "torch/bin/*Test",
    "torch/bin/protoc*",
    "torch/bin/test_*",
    "torch/include",
    "torch/share",
    "torch/test",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("requirements", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", default="", help="one more index to look in, as for PyTorch's CPU builds")
    given = parser.parse_args()
    install(given.requirements, given.folder, given.index)
    whole = megabytes(given.folder)
    drop(given.folder)
    strip(given.folder)
    compile_all(given.folder)
    open_to_all(given.folder)
    print(f"{given.folder}: {megabytes(given.folder):.0f} MB, as installed {whole:.0f} MB")  # noqa: T201
    return 0


def install(requirements: Path, folder: Path, index: str) -> None:
    """The packages that are listed, none besides, and Visage."""
    if folder.exists():
        raise SystemExit(f"{folder} is there already; what it holds would end up in the image")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--no-deps",
    ]
    more = ["--extra-index-url", index] if index else []
    subprocess.run([*pip, "--only-binary=:all:", *more, "--target", folder, "-r", requirements], check=True)
    shutil.copytree(ROOT / "src" / "visage", folder / "visage", ignore=shutil.ignore_patterns("__pycache__"))


def drop(folder: Path) -> None:
    for pattern in NEVER_LOADED:
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def strip(folder: Path) -> None:
    """Symbols for debuggers, which are most of some packages' modules. The libraries that wheels bring beside them
    (NAME.libs) have few, and what was done to them there does not always bear it."""
    modules = [path for path in folder.rglob("*.so") if not any(name.endswith(".libs") for name in path.parts)]
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", *modules], check=True)


def compile_all(folder: Path) -> None:
    """Byte code is made here: a function's folder is read-only, so it would be made at every start. Nobody changes the
    sources afterwards, so Python need not look whether they were.

    What cannot be compiled is left so: PyTorch has files for newer Pythons only.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, workers=0, invalidation_mode=mode)


def open_to_all(folder: Path) -> None:
    """Lambda runs a function as a user that owns nothing."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def megabytes(folder: Path) -> float:
    """What it takes on a disk."""
    return sum(path.lstat().st_blocks * 512 for path in [folder, *folder.rglob("*")]) / 2**20


if __name__ == "__main__":
    sys.exit(main())
