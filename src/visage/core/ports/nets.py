"""What is asked of networks; kept by `nets/`."""

from collections.abc import Sequence
from typing import Protocol

from visage.core.values import Embeddings, Face, Pixels


class Detector(Protocol):
    @property
    def name(self) -> str:
        """The card's name, for the answer."""

    @property
    def threshold(self) -> float:
        """The least score of what it calls a face."""

    @property
    def sure(self) -> float:
        """The score from which on a face is hardly ever none, nor misread."""

    def detect(self, frames: Sequence[Pixels], *, least: float | None = None) -> list[list[Face]]:
        """The faces of each frame, highest score first; an empty list where there is none. Frames may differ in size.

        least: the least score, where it is not to be the detector's own threshold. No frames, no lists.
        """


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """The card's name; it is kept beside every vector."""

    def embed(self, crops: Pixels) -> Embeddings:
        """Crops (n, h, w, 3) uint8 RGB of the card's input size -> n unit vectors, each of the sum of crop and mirror
        image. n may be 0. Order is kept; a crop's vector does not depend on its neighbors."""
