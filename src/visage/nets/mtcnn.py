"""The three detection networks of MTCNN as PyTorch modules.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
IEEE Signal Processing Letters 2016, arXiv:1604.02878. P-Net proposes windows over the whole picture, R-Net throws most
of them away, O-Net decides and places five landmarks; `mtcnn_detector.py` makes a detector of the three, and
`mtcnn_weights.py` reads their weights.

Each takes (n, 3, h, w) float32 RGB in 0..255 and gives first the probability that there is a face, then the corrections
of the window's edges (x1 y1 x2 y2) as shares of its side, and O-Net last the landmarks as shares of the window.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from visage.core.errors import ModelError
from visage.nets.mtcnn_weights import read_weights


def _normalize(pixels: Tensor, weight: Tensor) -> Tensor:
    """Pixels as the networks were trained on them, in the type of their weights."""
    return ((pixels - 127.5) / 128).to(weight.dtype)


def _probability(classes: Tensor) -> Tensor:
    """Scores (n, 2, ...) of "no face" and "face" -> the probability of the second. In float32: near 1, where faces are
    ranked, bf16 knows but a few numbers."""
    return classes.to(torch.float32).softmax(dim=1)[:, 1]


def _convolution(channels: int, filters: int, size: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, size), nn.PReLU(filters)]


def _pool(size: int) -> nn.Module:
    # ceil_mode: what is left at the right and bottom edge makes a cell of its own.
    return nn.MaxPool2d(size, stride=2, ceil_mode=True)


def _flatten(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, w * h * c) in that order: the weights come from a framework whose maps are stored so."""
    return x.permute(0, 3, 2, 1).flatten(1)


class PNet(nn.Module):
    """Looks at every window of 12 x 12 pixels, two apart: (n, 3, h, w) -> (n, h', w'), (n, 4, h', w').

    h' = (h - 12) / 2 + 1 for even h. Cell (i, j) has seen rows 2i to 2i + 11 and columns 2j to 2j + 11.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 10, 3), _pool(2),
            *_convolution(10, 16, 3),
            *_convolution(16, 32, 3),
        )  # fmt: skip
        self.edges = nn.Conv2d(32, 4, 1)
        self.classes = nn.Conv2d(32, 2, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(_normalize(pictures, self.edges.weight))
        return _probability(self.classes(x)), self.edges(x)


class RNet(nn.Module):
    """(n, 3, 24, 24) -> (n,), (n, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 28, 3), _pool(3),
            *_convolution(28, 48, 3), _pool(3),
            *_convolution(48, 64, 2),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.edges = nn.Linear(128, 4)
        self.classes = nn.Linear(128, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        x = self.dense(_flatten(self.trunk(_normalize(crops, self.edges.weight))))
        return _probability(self.classes(x)), self.edges(x)


class ONet(nn.Module):
    """(n, 3, 48, 48) -> (n,), (n, 4), (n, 5, 2): the landmarks in the order of `values.Face`, x and y as shares of the
    window's width and height."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 32, 3), _pool(3),
            *_convolution(32, 64, 3), _pool(3),
            *_convolution(64, 64, 3), _pool(2),
            *_convolution(64, 128, 2),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.edges = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)
        self.classes = nn.Linear(256, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.dense(_flatten(self.trunk(_normalize(crops, self.edges.weight))))
        # Its ten numbers are five x and then five y.
        landmarks = self.landmarks(x).reshape(-1, 2, 5).transpose(1, 2)
        return _probability(self.classes(x)), self.edges(x), landmarks


def load_pnet(folder: Path) -> PNet:
    """The network with the weights of `pnet.lz4` in `folder`. Raises `ModelError`."""
    net = PNet()
    _fill(net, folder / "pnet.lz4")
    return net.eval()


def load_rnet(folder: Path) -> RNet:
    """The network with the weights of `rnet.lz4` in `folder`. Raises `ModelError`."""
    net = RNet()
    _fill(net, folder / "rnet.lz4")
    return net.eval()


def load_onet(folder: Path) -> ONet:
    """The network with the weights of `onet.lz4` in `folder`. Raises `ModelError`."""
    net = ONet()
    _fill(net, folder / "onet.lz4")
    return net.eval()


def _fill(net: nn.Module, path: Path) -> None:
    """Copy the file's arrays into the layers; both stand in the order in which the layers are defined above.

    The file has filters as (h, w, in, out), matrices as (in, out) and slopes as (1, 1, channels).
    """
    arrays = [torch.from_numpy(array) for array in read_weights(path)]
    parameters = list(net.parameters())
    if len(arrays) != len(parameters):
        raise ModelError(f"{path} has {len(arrays)} arrays of weights, not {len(parameters)}")
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            if parameter.ndim == 4:
                parameter.copy_(array.permute(3, 2, 0, 1))
            elif parameter.ndim == 2:
                parameter.copy_(array.T)
            else:
                parameter.copy_(array.reshape(-1))
