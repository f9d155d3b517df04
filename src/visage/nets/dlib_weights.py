"""Reads the weights in dlib's serialised face recognition network; knows nothing of PyTorch.

dlib's format, as far as this file needs it: an integer is a control byte (low four bits: how many bytes follow; 0x80:
negative) and then that many little-endian bytes; a tensor is the integer 2 (its version), four integers (samples,
channels, rows, columns) and raw little-endian float32; each layer is introduced by its name as a length-prefixed
string. Layers stand from the input side outwards.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visage.core.errors import ModelError

CONVOLUTIONS = 29
HEAD_SHAPE = (256, 128)

Floats = NDArray[np.float32]


def read_weights(path: Path) -> tuple[list[tuple[Floats, Floats]], Floats]:
    """The convolutions and the last matrix (256, 128) of the network in `path`.

    A convolution is a pair of flat arrays: its parameters (filters in (n, c, h, w) order, then n biases) and the affine
    layer behind it (n scales, then n shifts). Raises `ModelError` when the file is something else.
    """
    data = path.read_bytes()
    try:
        convolutions = [
            (_tensor(data, layer.end()), _tensor(data, _after(data, b"\x01\x07affine_", layer.end())))
            for layer in re.finditer(rb"\x01\x05con_4", data)
        ]
        if len(convolutions) != CONVOLUTIONS:
            raise ValueError(f"it has {len(convolutions)} convolutions, not {CONVOLUTIONS}")
        position = _after(data, b"\x01\x04fc_2", 0)
        for _ in HEAD_SHAPE:  # the fully connected layer repeats its two sizes before its tensor
            _, position = _integer(data, position)
        head = _tensor(data, position).reshape(HEAD_SHAPE)
    except (IndexError, ValueError) as error:
        raise ModelError(f"{path} is not dlib's face recognition network: {error}") from error
    return convolutions, head


def _after(data: bytes, name: bytes, start: int) -> int:
    return data.index(name, start) + len(name)


def _integer(data: bytes, position: int) -> tuple[int, int]:
    length = data[position] & 0x0F
    value = int.from_bytes(data[position + 1 : position + 1 + length], "little")
    return -value if data[position] & 0x80 else value, position + 1 + length


def _tensor(data: bytes, position: int) -> Floats:
    version, position = _integer(data, position)
    if version != 2:
        raise ValueError(f"a tensor of version {version}")
    count = 1
    for _ in range(4):
        size, position = _integer(data, position)
        count *= size
    return np.frombuffer(data, "<f4", count, position)
