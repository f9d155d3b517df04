"""Real faces for the tests, and a home folder of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when PyTorch is first loaded, here and in the processes that tests start: its threads sleep while they wait for
# each other. They would spin, and three processes on two cores would take six times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from visage import Engine, load_settings, open_engine

ROOT = Path(__file__).parent.parent
# Files in this order, all others after them: first who converts the networks, for all; then what takes long and needs
# none; then what starts processes, servers and browsers. So no tester is left alone with a long file in the end.
ORDER = (
    "doors/test_cli.py",
    "core/test_schedules.py",
    "contract/test_objects.py",
    "contract/test_queue.py",
    "doors/test_watch",
    "doors/test_service",
    "serverless/test_image",
    "browser",
    "doors",
    "nets",
    "serverless",
    "processes",
    "aws",
    "scalable",
    "contract",
)
_lost: list[str] = []


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """A tester ended in the midst of this test; whatever else it had to do was left undone."""
    _lost.append(crashitem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(ROOT / "tests").as_posix()
        return next((i for i, start in enumerate(ORDER) if file.startswith(start)), len(ORDER))

    items.sort(key=place)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _lost:  # so that nobody takes the run for a whole one
        session.exitstatus = pytest.ExitCode.INTERRUPTED


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample photos that `make samples` fetched; `make test` does."""
    folder = Path(os.environ.get("VISAGE_SAMPLES") or ROOT / ".samples").absolute()
    if not (folder / "obama.jpg").is_file():
        reason = f"no sample photos in {folder}; fetch them with: python demo/samples.py .samples"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """More faces, videos and models than may be downloaded by everybody; absent on most machines."""
    folder = Path(os.environ.get("VISAGE_SHARED_DATA") or ROOT.parent / "shared" / "data").absolute()
    if not folder.is_dir():
        pytest.skip(f"no shared test data in {folder}")
    return folder


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder for the whole run, also for the processes it starts: networks are converted once."""
    folder = tmp_path_factory.mktemp("home")
    base = tmp_path_factory.getbasetemp()
    if base.name.startswith("popen-"):  # one of several testers, who share what each would convert
        (base.parent / "cache").mkdir(exist_ok=True)
        (folder / "cache").symlink_to(base.parent / "cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VISAGE_") and name.isupper()]:
            if name not in {"VISAGE_SAMPLES", "VISAGE_SHARED_DATA"}:
                patch.delenv(name)
        patch.setenv("VISAGE_HOME", str(folder))
        yield folder


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Iterator[Engine]:
    """An engine with an empty gallery of its own."""
    with open_engine(load_settings(gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}")) as opened:
        opened.gallery(create=True)
        yield opened
