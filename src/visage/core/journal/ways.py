"""Going back from a change: all of its steps, or none."""

from collections.abc import Callable, Mapping
from typing import Any

from visage.core.journal.change import Change
from visage.core.journal.steps import Added, Back, Elsewhere
from visage.core.ports.gallery import Gallery

# Goes back outside the gallery: (collection, the step's data) -> why that cannot be done, None once it is. Twice is
# once.
Way = Callable[[str, Mapping[str, Any]], str | None]


class Ways:
    """Also those that lead outside the gallery."""

    def __init__(self) -> None:
        self._known: dict[str, Way] = {}

    def knows(self, place: str, way: Way) -> None:
        """That of the steps `Elsewhere(place, ...)`."""
        self._known[place] = way

    def go_back(self, change: Change, gallery: Gallery) -> str | None:
        """None once that is done, else why it cannot be, in words for who asks: nothing is changed then. May raise
        `StorageError` and `GalleryError`."""
        if change.pending:
            return "the photos are still being looked at; wait until that is done"
        collection = change.collection
        outside = [step for step in reversed(change.steps) if isinstance(step, Elsewhere)]
        back = [step for step in reversed(change.steps) if isinstance(step, Back)]
        back = [step for step in back if not step.undone(gallery, collection)]
        if not outside and not back:
            return "everything is as it was before"
        for step in back:
            if reason := step.obstacle(gallery, collection):
                return reason
        for other in outside:  # first: whoever knows the way says only then that it cannot be gone
            way = self._known.get(other.place)
            if reason := way(collection, other.data) if way else "this service does not know the way back":
                return reason
        added = [face for step in back if isinstance(step, Added) for face in step.faces]
        if added:  # of however many people, at once: erasing is what takes long
            gallery.remove_faces(collection, added)
        for step in back:
            if not isinstance(step, Added):
                step.undo(gallery, collection)
        return None
