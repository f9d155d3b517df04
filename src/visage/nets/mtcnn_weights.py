"""Reads MTCNN's weights, which the package `mtcnn` brings; knows nothing of PyTorch.

The package (MIT) is never imported, because importing it imports TensorFlow: only three files in it are wanted. Each is
a list of float32 arrays in Keras's order, written by joblib with lz4. That is a pickle, which may run any code when it
is read; so a file is read only if its hash says that it is one of the three.
"""

import hashlib
import io
from pathlib import Path

from visage.core.errors import ModelError
from visage.core.values import Floats

SHA256 = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
HINT = "install MTCNN's weights with: pip install 'visage[models]'"


def read_weights(path: Path) -> list[Floats]:
    """The arrays in one of the three files, layer after layer.

    Raises `ModelError` where the file is missing or another version's, or where joblib or lz4 is not installed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); {HINT}") from error
    if hashlib.sha256(data).hexdigest() != SHA256.get(path.name):
        raise ModelError(f"{path} is not the file of mtcnn 1.0.0; {HINT}")
    try:
        import joblib

        arrays: list[Floats] = joblib.load(io.BytesIO(data))
    except (ImportError, ValueError) as error:  # joblib reports a missing lz4 as a ValueError
        raise ModelError(f"joblib and lz4 are needed to read {path.name}; {HINT}") from error
    return arrays
