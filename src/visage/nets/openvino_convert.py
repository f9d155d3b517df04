"""Turns a PyTorch module into an OpenVINO model; the only file that knows both."""

import warnings

import openvino as ov
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

# Any size does, the model is reshaped afterwards; it must only be large enough for every network's pools.
EXAMPLE_SIZE = {"PNet": 40, "RNet": 24, "ONet": 48}


def convert(module: object) -> ov.Model:
    """An OpenVINO model of `module`, which takes (n, 3, h, w) float32 RGB 0..255.

    The frontend is called directly: `openvino.convert_model` would report the conversion over the network.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"{type(module)} is no PyTorch module")
    size = EXAMPLE_SIZE.get(type(module).__name__, 150)
    with torch.inference_mode(), warnings.catch_warnings():
        # Tracing warns of every size that it takes for a constant; those of a network of fixed size are constants.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.simplefilter("ignore", DeprecationWarning)
        decoder = TorchScriptPythonDecoder(module.eval(), example_input=torch.zeros(2, 3, size, size))
        frontend = FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
