"""Everybody's vectors anew, from the crops that were kept, when the embedder changes."""

from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np

from visage.core.align import crop_face
from visage.core.errors import GalleryError
from visage.core.kit import Kit
from visage.core.ports.gallery import Gallery
from visage.core.values import Embeddings, EnrolledFace, Floats, Pixels

BATCH = 64


def migrate(gallery: Gallery, collection: str, kit: Kit) -> Iterator[int]:
    """Yields the number of faces done as it goes, and does the negative examples last, without counting them; the
    gallery changes at the very end, all at once or not at all.

    Raises `GalleryError` where a face has no crop, naming how many, before anything is done.
    """
    without = sum(1 for face in chain(gallery.faces(collection), gallery.denials(collection)) if face.crop is None)
    if without:
        raise GalleryError(
            f"{without} faces in {collection!r} were enrolled without keeping a crop, so their vectors cannot be made "
            "anew; remove those people and enroll their photos again"
        )
    vectors: dict[str, Floats] = {}
    crops: dict[str, Pixels] = {}
    for done, face in enumerate(gallery.faces(collection), 1):
        crops[face.id] = _crop(face, kit)
        if len(crops) == BATCH:
            vectors |= _embedded(crops, kit)
            crops = {}
        yield done
    for face in gallery.denials(collection):
        if face.id not in vectors:  # else it is enrolled, as somebody else's
            crops[face.id] = _crop(face, kit)
        if len(crops) == BATCH:
            vectors |= _embedded(crops, kit)
            crops = {}
    if crops:
        vectors |= _embedded(crops, kit)
    if vectors:
        stacked = Embeddings(np.stack(list(vectors.values())), kit.embedder.name)
        gallery.replace_vectors(collection, list(vectors), stacked)


def _crop(face: EnrolledFace, kit: Kit) -> Pixels:
    return crop_face(kit.from_jpeg(face.crop or b""), face.landmarks, kit.card.points, kit.card.size)


def _embedded(crops: Mapping[str, Pixels], kit: Kit) -> dict[str, Floats]:
    """Crops by the faces' ids -> vectors by them."""
    return dict(zip(crops, kit.embedder.embed(np.stack(list(crops.values()))).vectors, strict=True))
