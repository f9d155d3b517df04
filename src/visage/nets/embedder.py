"""Crops -> unit vectors, by any embedding network: picture plus mirror image, in batches."""

import numpy as np

from visage.core.cards import EmbedderCard
from visage.core.values import Embeddings, Pixels
from visage.nets.runtime import Net

# Crops of one input at most. Larger batches are no faster per crop on a CPU; on a graphics processor they are.
CPU_BATCH = 32
GPU_BATCH = 1024


class NetEmbedder:
    """An embedding network on a runtime. batch: crops of one input, at most."""

    def __init__(self, net: Net, card: EmbedderCard, *, batch: int = CPU_BATCH) -> None:
        self.name = card.name
        self.card = card
        self._net = net
        self._batch = batch

    def embed(self, crops: Pixels) -> Embeddings:
        if not len(crops):
            return Embeddings(np.zeros((0, self.card.dimension), np.float32), self.name)
        # The sum over picture and mirror image takes LFW from 98.9 % to 99.2 % (ResNet) for twice the time.
        both = np.concatenate([crops, crops[:, :, ::-1]])
        # The faces of a photo stay together, on all threads: from file to names that takes a tenth less time than a
        # piece for each thread.
        inputs = -(-len(both) // self._batch)
        outputs = self._net.run(np.array_split(both, inputs))
        vectors = np.concatenate([output[0].reshape(len(output[0]), -1) for output in outputs])
        vectors = unit(vectors[: len(crops)]) + unit(vectors[len(crops) :])
        return Embeddings(unit(vectors), self.name)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
