"""Everything that performing a job needs, in one record; the networks are loaded when first asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from visage.core.cards import EmbedderCard
from visage.core.ports.gallery import Gallery
from visage.core.ports.media import Decoder
from visage.core.ports.nets import Detector, Embedder
from visage.core.values import Pixels


@dataclass
class Kit:
    """The neighbors of the main path. `wiring` fills it.

    make_detector, make_embedder, open_gallery: called once, when the first job asks. runtime: its name for people.
    to_jpeg, from_jpeg: for the crops kept beside vectors; to_jpeg is None where crops are not kept. clock: seconds, for
    timings. now: seconds since 1970. new_id: a fresh identifier.
    """

    decoder: Decoder
    card: EmbedderCard
    make_detector: Callable[[], Detector]
    make_embedder: Callable[[], Embedder]
    open_gallery: Callable[[bool], Gallery]
    runtime: Callable[[], str]
    to_jpeg: Callable[[Pixels], bytes] | None
    from_jpeg: Callable[[bytes], Pixels]
    clock: Callable[[], float]
    now: Callable[[], float]
    new_id: Callable[[], str]
    _galleries: list[Gallery] = field(default_factory=list)

    @cached_property
    def detector(self) -> Detector:
        return self.make_detector()

    @cached_property
    def embedder(self) -> Embedder:
        return self.make_embedder()

    def gallery(self, *, create: bool = False) -> Gallery:
        """The gallery; raises `NoGalleryError` where there is none and `create` is not set."""
        if not self._galleries:
            self._galleries.append(self.open_gallery(create))
        return self._galleries[0]

    def close(self) -> None:
        while self._galleries:
            self._galleries.pop().close()
