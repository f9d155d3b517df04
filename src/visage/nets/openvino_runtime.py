"""Runs networks on OpenVINO: the default on a CPU. PyTorch is imported only while a module is being converted.

A module is converted once and kept as OpenVINO's IR under `cache`, in a folder named for the network's key and
OpenVINO's version; every later start reads that.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visage.core.errors import ModelError, StorageError
from visage.core.values import Floats
from visage.nets.runtime import Net, Network

# OpenVINO's converter reports its use over the network through this package, whenever it can be imported. With this
# entry it cannot, and OpenVINO takes the stub it brings for that case. It also saves 30 ms at start.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402 - must come after the line above

# Compiled kernels that a network keeps for input shapes it has met: those of four or five shapes. By default OpenVINO
# keeps thousands: over photos of mixed sizes the process came to 890 MB after 900 photos and still grew.
KERNELS_KEPT = "256"


class OpenvinoRuntime:
    """OpenVINO on this machine's CPU.

    cache: where conversions are kept. threads: at most so many at work. precision: `fp32`, `bf16`, or `auto`, which is
    bf16 where the processor multiplies it in hardware.
    """

    def __init__(self, cache: Path, *, threads: int, precision: str = "auto") -> None:
        self._core = ov.Core()
        self._cache = cache
        self._threads = threads
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "auto":
            precision = "bf16" if "BF16" in capabilities else "fp32"
        elif precision == "bf16" and "BF16" not in capabilities:
            raise ModelError("this processor has no bf16 arithmetic; set VISAGE_PRECISION=fp32")
        self._precision = precision
        self.features = " ".join(capabilities)

    @property
    def name(self) -> str:
        return f"openvino CPU {self._precision}"

    def compile(self, network: Network) -> Net:
        try:
            model = self._with_pixels_in(self._read(network), network)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot read {network.file or network.key}: {_reason(error)}") from error
        precision = "f32" if network.fp32 or self._precision == "fp32" else "bf16"
        return OpenvinoNet(self._core, model, self._threads, precision, network.outputs)

    def _read(self, network: Network) -> ov.Model:
        if network.file is not None:
            return self._core.read_model(network.file)
        folder = self._cache / f"{network.key}-openvino{ov.__version__.split('-')[0]}"
        if (folder / "model.xml").is_file():
            try:
                return self._core.read_model(folder / "model.xml")
            except RuntimeError:  # a damaged conversion is made anew
                shutil.rmtree(folder, ignore_errors=True)
        _convert(network, folder)
        return self._core.read_model(folder / "model.xml")

    def _with_pixels_in(self, model: ov.Model, network: Network) -> ov.Model:
        """Let the network take (n, h, w, 3) uint8 RGB, and do the rest itself."""
        height, width = network.size or (-1, -1)
        # A detector's file sees one picture at a time; its outputs often have that baked in.
        batch = 1 if network.file is not None and network.size is None else -1
        model.reshape([batch, 3, height, width])
        steps = ov.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        work = steps.input().preprocess()
        if network.bgr:
            work.reverse_channels()
        work.convert_element_type(ov.Type.f32)
        if network.mean:
            work.mean(network.mean)
        if network.scale != 1.0:
            work.scale(1.0 / network.scale)
        return steps.build()


class OpenvinoNet:
    """One network, compiled twice: for one input on all threads, and for many inputs, one thread each.

    The second halves the time per crop (no thread waits for another), but is made only when first asked for.
    """

    def __init__(self, core: ov.Core, model: ov.Model, threads: int, precision: str, outputs: Sequence[str]) -> None:
        self._core = core
        self._model = model
        self._threads = threads
        self._precision = precision
        self._outputs = tuple(outputs)
        self._alone: ov.InferRequest | None = None
        self._together: list[ov.InferRequest] = []

    def run(self, inputs: Sequence[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        if len(inputs) == 1:
            if self._alone is None:
                self._alone = self._compile(streams=1).create_infer_request()
            self._alone.infer([inputs[0]], share_inputs=True)
            return [self._results(self._alone)]
        if not self._together:
            compiled = self._compile(streams=self._threads)
            self._together = [compiled.create_infer_request() for _ in range(self._threads)]
        # Round about: a request is waited for only when its turn comes again, so none idles for a slower neighbor.
        results: list[tuple[Floats, ...]] = []
        turns = len(self._together)
        for i, pixels in enumerate(inputs):
            request = self._together[i % turns]
            if i >= turns:
                request.wait()
                results.append(self._results(request))
            request.start_async([pixels], share_inputs=True)
        for i in range(max(0, len(inputs) - turns), len(inputs)):
            self._together[i % turns].wait()
            results.append(self._results(self._together[i % turns]))
        return results

    def _results(self, request: ov.InferRequest) -> tuple[Floats, ...]:
        if self._outputs:
            tensors = [request.get_tensor(output) for output in self._outputs]
        else:
            tensors = [request.get_output_tensor(i) for i in range(len(self._model.outputs))]
        return tuple(np.array(tensor.data, np.float32) for tensor in tensors)

    def _compile(self, *, streams: int) -> ov.CompiledModel:
        return self._core.compile_model(
            self._model,
            "CPU",
            {
                "NUM_STREAMS": str(streams),
                "INFERENCE_NUM_THREADS": str(self._threads),
                "INFERENCE_PRECISION_HINT": self._precision,
                # Pinned threads of several processes would sit on the same cores.
                "ENABLE_CPU_PINNING": False,
                "CPU_RUNTIME_CACHE_CAPACITY": KERNELS_KEPT,
            },
        )


def _convert(network: Network, folder: Path) -> None:
    """Write the network's module as IR into `folder`: whole or not at all, also when two processes do it at once."""
    if network.module is None:
        raise ModelError(f"{network.key} has neither a file nor a module")
    try:
        # The one place where OpenVINO's users import PyTorch.
        from visage.nets.openvino_convert import convert
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{network.key} must be converted once by PyTorch, which is not installed: pip install 'visage[torch]'"
        ) from error
    model = convert(network.module())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        try:
            ov.save_model(model, draft / "model.xml", compress_to_fp16=False)
            try:
                draft.rename(folder)
            except OSError:
                if not (folder / "model.xml").is_file():
                    raise
                # Another process was faster; its conversion is as good.
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except (OSError, RuntimeError) as error:
        raise StorageError(f"cannot keep the converted network in {folder.parent}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first line of OpenVINO's message that says what is wrong; those before it name its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check "))]
    return (told or lines or [type(error).__name__])[0]
