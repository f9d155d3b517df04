"""Whom of the enrolled somebody unknown may be."""

from collections.abc import Sequence

import numpy as np

from visage.core.cards import EmbedderCard
from visage.core.errors import OtherModelError
from visage.core.match import CANDIDATES, Rule, decide
from visage.core.ports.gallery import Gallery
from visage.core.values import Embeddings, Floats, Match


def suggest(
    gallery: Gallery, card: EmbedderCard, collection: str, faces: Sequence[Sequence[Floats]]
) -> list[Match | None]:
    """For each of several people, whom they resemble most by any of their faces (d,), where that is likely enough.
    Hidden people and those whom they are denied to be are not among them."""
    shown = [(number, vector) for number, vectors in enumerate(faces) for vector in vectors]
    found: list[Match | None] = [None] * len(faces)
    if not shown:
        return found
    probes = Embeddings(np.stack([vector for _, vector in shown]), card.name)
    try:
        candidates = gallery.search(collection, probes, CANDIDATES)
    except OtherModelError:
        return found
    rule = Rule(card.threshold, "card", limited=False, stranger_rate=1.0, enrolled=gallery.size(collection))
    people = gallery.population(collection)
    for (number, _), near in zip(shown, candidates, strict=True):
        match, best = decide(near, rule, card, people).match, found[number]
        if match and (best is None or match.similarity > best.similarity):
            found[number] = match
    return found
