"""A Dockerfile's instructions, and what they make, without Docker: in folders."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SHARED = Path(os.environ.get("VISAGE_SHARED_DATA") or ROOT.parent / "shared" / "data")


@dataclass(frozen=True)
class Dockerfile:
    """instructions: (word, rest) in order."""

    instructions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, function: str) -> "Dockerfile":
        text = (ROOT / "serverless" / f"{function}_Dockerfile").read_text(encoding="utf-8")
        lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines()
        pairs = (line.partition(" ") for line in lines if line.strip())
        return cls(tuple((word, rest.strip()) for word, _, rest in pairs))

    def all(self, word: str) -> list[str]:
        return [rest for found, rest in self.instructions if found == word]

    @property
    def sources(self) -> list[str]:
        """What is copied from the project's folder."""
        return [source for rest in self.all("COPY") if "--from" not in rest for source in rest.split()[:-1]]

    @property
    def building(self) -> str:
        """The command by which the function's folder is made."""
        (command,) = (rest for rest in self.all("RUN") if "build_function.py" in rest)
        return command

    @property
    def trying(self) -> str:
        """The program by which the image tries itself, in its second stage."""
        (words,) = (rest for rest in self.all("RUN") if rest.startswith("["))
        python, option, program = json.loads(words)
        assert (python, option) == ("python", "-c")
        return str(program)


def image(function: str, base: Path, runtime: str = "openvino") -> Path:
    """The function's folder, made by the Dockerfile's own command from the files it copies: once below `base`. Nobody
    may write to it."""
    shared = base.parent if base.name.startswith("popen-") else base  # several testers make it once
    scratch = shared / f"{function}-{runtime}"
    folder = scratch / "function"
    with (shared / f"{scratch.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(function, scratch, runtime)
            for path in [folder, *folder.rglob("*")]:
                path.chmod(path.stat().st_mode & ~0o222)
    return folder


def _build(function: str, scratch: Path, runtime: str) -> None:
    dockerfile = Dockerfile.of(function)
    for pattern in dockerfile.sources:
        for source in ROOT.glob(pattern):
            target = scratch / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, target)
    # The detector's file, where it is at hand; elsewhere it is fetched, or the image does with MTCNN.
    for yunet in (SHARED / "weights").glob("face_detection_yunet_2026may.onnx"):
        shutil.copy(yunet, scratch / "serverless")
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP", "http", "OMP_"))
    }
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),  # where pip keeps what it has downloaded
        "PYTHONPATH": str(scratch / "src"),
        "RUNTIME": runtime,
        "TORCH_INDEX": "",
    }
    done = subprocess.run(
        ["bash", "-euc", dockerfile.building], cwd=scratch, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def python_alone() -> list[str]:
    """The command that starts Python without the packages installed here, and without rights: a superuser may write
    where nobody may, unless it gives that up."""
    humble = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    return [*(humble if os.geteuid() == 0 and shutil.which("setpriv") else []), sys.executable, "-S"]


def variables(folder: Path) -> dict[str, str]:
    """What the Dockerfiles set, and nothing of this process's own but that it does not spin (tests/conftest.py)."""
    path = "/usr/local/bin:/usr/bin:/bin"
    waiting = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    return {"PYTHONPATH": str(folder), "VISAGE_HOME": str(folder / "home"), "PATH": path, "OMP_WAIT_POLICY": waiting}


def run(folder: Path, program: str, *words: str) -> str:
    """What a Python program says that has this folder's files alone."""
    command = [*python_alone(), "-c", program, *words]
    done = subprocess.run(command, cwd=folder, env=variables(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
