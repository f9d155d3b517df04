"""What it means to run a network: arrays of pixels in, arrays of float32 out, whichever library does the arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visage.core.values import Floats


class Net(Protocol):
    """A network ready to run on one runtime and device. Safe to call from one thread at a time."""

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        """Each input is (n, h, w, 3) uint8 RGB; sizes may differ between inputs. For each, in order, the outputs.

        Inputs are independent of one another and run side by side where the runtime has several streams, so a caller
        with much work cuts it into a few inputs rather than one. What comes back is the caller's own to keep.
        """
        ...


@dataclass(frozen=True)
class Network:
    """A network before a runtime has compiled it: either a PyTorch module or an ONNX or IR file.

    key: names the weights and the definition, so that two networks never share a cached conversion. module: builds the
    PyTorch module, whose input is (n, 3, h, w) float32 RGB 0..255; it is called only if the conversion is not cached.
    file: an ONNX or IR file whose input is (n, 3, h, w) float32. outputs: names of the file's outputs in the wanted
    order; empty: the file's own order. bgr, mean, scale: what a file wants done to RGB 0..255: (x - mean) * scale,
    after swapping the channels. size: (h, w) where it is fixed. fp32: never run in less than float32.
    """

    key: str
    module: Callable[[], object] | None = None
    file: Path | None = None
    outputs: tuple[str, ...] = ()
    bgr: bool = False
    mean: float = 0.0
    scale: float = 1.0
    size: tuple[int, int] | None = None
    fp32: bool = False


class Runtime(Protocol):
    @property
    def name(self) -> str:
        """For people: the library, its device and the arithmetic, as in `openvino CPU bf16`."""
        ...

    @property
    def features(self) -> str:
        """For people: what the processor can do that matters here."""
        ...

    def compile(self, network: Network) -> Net:
        """Raises `ModelError` where this runtime cannot run that network."""
        ...
