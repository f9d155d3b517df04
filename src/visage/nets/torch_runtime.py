"""Runs networks on PyTorch: on a graphics processor (CUDA, MPS), or on a CPU where OpenVINO is not installed."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from visage.core.errors import ModelError
from visage.core.values import Floats
from visage.nets.runtime import Net, Network

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchRuntime:
    """PyTorch on `device` (`cpu`, `cuda`, `mps`, or `auto`: the fastest at hand) in `precision`.

    `auto` precision is bf16 on CUDA, and on a CPU that multiplies bf16 matrices in hardware (AMX); fp32 elsewhere.
    """

    def __init__(self, *, device: str = "auto", precision: str = "auto", threads: int) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        try:
            self._device = torch.device(device)
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"PyTorch cannot use the device {device!r} here; set VISAGE_DEVICE=cpu") from error
        if precision == "auto":
            precision = "bf16" if self._device.type == "cuda" or _has_amx(self._device) else "fp32"
        self._precision = precision
        self.features = torch.backends.cpu.get_cpu_capability() if self._device.type == "cpu" else str(self._device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)

    @property
    def name(self) -> str:
        return f"torch {self._device.type.upper()} {self._precision}"

    def compile(self, network: Network) -> Net:
        if network.module is None:
            raise ModelError(
                f"{network.key} is an ONNX or IR file, which PyTorch does not run: "
                "pip install 'visage[openvino]', or choose another model"
            )
        module = network.module()
        if not isinstance(module, torch.nn.Module):
            raise ModelError(f"{network.key} is no PyTorch module")
        dtype = torch.float32 if network.fp32 else PRECISIONS[self._precision]
        module = module.eval().to(device=self._device, dtype=dtype)
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return TorchNet(module, self._device)


class TorchNet:
    """A module on its device. Modules take float32 pixels and cast to the type of their weights themselves."""

    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        self._module = module
        self._device = device

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        return [self._one(pixels) for pixels in inputs]

    @torch.inference_mode()
    def _one(self, pixels: NDArray[np.uint8]) -> tuple[Floats, ...]:
        crops = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device)
        crops = crops.permute(0, 3, 1, 2).to(torch.float32)  # NHWC bytes seen as NCHW: already channels-last
        results = self._module(crops)
        if isinstance(results, torch.Tensor):
            results = (results,)
        return tuple(result.to(torch.float32).cpu().numpy() for result in results)


def _has_amx(device: torch.device) -> bool:
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())
