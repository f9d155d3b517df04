"""The embedding network: 29 convolutions of the ResNet-34 family, as a PyTorch module.

The architecture is the one Davis King published with dlib's face recognition example ("dnn_face_recognition_ex",
dlib 19.3): a ResNet-34 (He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385) with fewer
layers and half the filters. Its weights are read by `dlib_weights.py`.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from visage.nets.dlib_weights import read_weights

MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 1.0 / 256.0

# Filters of every residual block from the input side to the output; True marks a block that halves the picture.
BLOCKS = (
    (32, False), (32, False), (32, False),
    (64, True), (64, False), (64, False), (64, False),
    (128, True), (128, False), (128, False),
    (256, True), (256, False), (256, False),
    (256, True),
)  # fmt: skip


class Residual(nn.Module):
    """Two 3x3 convolutions added to their input; a `down` block halves height and width.

    dlib adds tensors of different shapes by padding the smaller with zeros at the end of each axis. Here that happens
    in down blocks: the shortcut may have fewer channels, and one row and column more or less, than the branch.
    """

    def __init__(self, channels: int, filters: int, *, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = nn.Conv2d(channels, filters, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(functional.relu(self.first(x)))
        if not self.down:
            return functional.relu(branch + x)
        shortcut = functional.avg_pool2d(x, 2)
        return functional.relu(_pad_to(branch, shortcut) + _pad_to(shortcut, branch))


def _pad_to(x: Tensor, other: Tensor) -> Tensor:
    """Pad channels, rows and columns of `x` with zeros up to those of `other` (never crop)."""
    missing = [max(0, other.shape[axis] - x.shape[axis]) for axis in (3, 2, 1)]
    if not any(missing):
        return x
    return functional.pad(x, (0, missing[0], 0, missing[1], 0, missing[2]))


class ResNet(nn.Module):
    """Crops to embeddings: (n, 3, 150, 150) float32 RGB in 0..255 -> (n, 128), not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        channels = 32
        blocks: list[Residual] = []
        for filters, down in BLOCKS:
            blocks.append(Residual(channels, filters, down=down))
            channels = filters
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)

    def forward(self, crops: Tensor) -> Tensor:
        mean = torch.tensor(MEAN_RGB, device=crops.device).view(1, 3, 1, 1)
        x = ((crops - mean) * SCALE).to(self.stem.weight.dtype)
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, stride=2)
        embeddings: Tensor = self.head(self.blocks(x).mean(dim=(2, 3)))
        return embeddings


def load_resnet(path: Path) -> ResNet:
    """The network with the weights of dlib's `dlib_face_recognition_resnet_model_v1.dat` at `path`.

    dlib keeps an affine layer (a scale and a shift per filter) behind every convolution; they are folded into the
    convolutions here, which changes the output by less than 1e-6. Raises `ModelError` when the file is another network.
    """
    convolutions, head = read_weights(path)
    net = ResNet()
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for layer, (parameters, affine) in zip(layers, convolutions, strict=True):
            n = layer.out_channels
            filters, biases = parameters[:-n].reshape(tuple(layer.weight.shape)), parameters[-n:]
            scale, shift = affine[:n], affine[n:]
            layer.weight.copy_(torch.from_numpy(filters * scale[:, None, None, None]))
            layer.bias = nn.Parameter(torch.from_numpy(biases * scale + shift))
        net.head.weight.copy_(torch.from_numpy(head.T.copy()))
    return net.eval()
