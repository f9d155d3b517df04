"""Everybody's vectors anew, from the crops that were kept, when the embedder changes."""

from collections.abc import Iterator

import numpy as np

from visage.core.align import crop_face
from visage.core.errors import GalleryError
from visage.core.kit import Kit
from visage.core.ports import Gallery
from visage.core.values import Embeddings, Pixels

BATCH = 64


def migrate(gallery: Gallery, collection: str, kit: Kit) -> Iterator[int]:
    """Yields the number of faces done as it goes; the gallery changes at the very end, all at once or not at all.

    Raises `GalleryError` where a face has no crop, naming how many, before anything is done.
    """
    without = sum(1 for face in gallery.faces(collection) if face.crop is None)
    if without:
        raise GalleryError(
            f"{without} faces in {collection!r} were enrolled without keeping a crop, so their vectors cannot be made "
            "anew; remove those people and enroll their photos again"
        )
    ids: list[str] = []
    vectors: list[np.ndarray] = []
    crops: list[Pixels] = []
    for face in gallery.faces(collection):
        picture = kit.from_jpeg(face.crop or b"")
        crops.append(crop_face(picture, face.landmarks, kit.card.points, kit.card.size))
        ids.append(face.id)
        if len(crops) == BATCH:
            vectors.append(kit.embedder.embed(np.stack(crops)).vectors)
            crops = []
        yield len(ids)
    if crops:
        vectors.append(kit.embedder.embed(np.stack(crops)).vectors)
    if ids:
        gallery.replace_vectors(collection, ids, Embeddings(np.concatenate(vectors), kit.embedder.name))
