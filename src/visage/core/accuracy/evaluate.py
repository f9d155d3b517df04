"""Pictures of one face each -> embeddings, for measuring how well a model tells people apart."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np

from visage.core.errors import InputError
from visage.core.kit import Kit
from visage.core.recognize import BATCH_FRAMES, Eyes, Finder, probes
from visage.core.values import Face, Floats, Frame, Sampling


def embed_pictures(
    sources: Sequence[str], kit: Kit, failed: Callable[[InputError], None]
) -> Iterator[tuple[str, Floats | None]]:
    """Each source with the vector (d,) of the face nearest the picture's center, None where no face was found.

    The path of a photo that is to be recognized, rescue of turned pictures included; only many at a time. A picture
    that cannot be read is told to `failed`, and has no face.
    """
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lambda _stage: nullcontext())
    for start in range(0, len(sources), BATCH_FRAMES):
        frames: dict[str, Frame] = {}
        for source in sources[start : start + BATCH_FRAMES]:
            try:
                frames[source] = _frame(source, kit)
            except InputError as error:
                failed(error)
                yield source, None
        pictures = list(frames.values())
        found = Finder(kit.detector, video=False).find(pictures)
        nearest = [_nearest_the_center(faces, frame) for faces, frame in zip(found, pictures, strict=True)]
        for source, probe in zip(frames, probes(pictures, nearest, eyes), strict=True):
            yield source, probe[0].vector if probe else None


def _frame(source: str, kit: Kit) -> Frame:
    with kit.decoder.open(source, Sampling()) as clip:
        return next(iter(clip.frames()))


def _nearest_the_center(faces: Sequence[Face], frame: Frame) -> list[Face]:
    center = np.array([frame.width, frame.height]) / 2

    def distance(face: Face) -> float:
        x1, y1, x2, y2 = face.box
        return float(np.hypot(*(np.array([x1 + x2, y1 + y2]) / 2 - center)))

    return sorted(faces, key=distance)[:1]
