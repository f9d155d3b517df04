"""What `from visage import ...` promises. A change here is a change for every user: CHANGELOG names it."""

import subprocess
import sys

import visage

NAMES = [
    "Answer", "Appearance", "Engine", "EnrollOptions", "Face", "Frame", "GalleryError", "InputError", "Job", "JobKind",
    "Match", "MatchOptions", "ModelError", "Outcome", "Person", "Sampling", "ServiceError", "Sighting", "StorageError",
    "UsageError", "VisageError", "load_settings", "open_annotator", "open_engine",
]  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert visage.__all__ == NAMES
    assert all(hasattr(visage, name) for name in NAMES)


def test_each_is_explained() -> None:
    assert all(getattr(visage, name).__doc__ for name in NAMES)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, visage; print([n for n in ('torch', 'openvino', 'av', 'matplotlib', 'mtcnn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
