"""Publishing a gallery: a copy of its names and vectors in an object store, for readers without the database."""

from collections.abc import Callable

from visage.core.errors import StorageError
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects

_TRIES = 10  # each that fails means that another publisher succeeded


class Publisher:
    """Keeps the object `key` level with a gallery. Any number of them may publish one gallery to one place.

    What is published is never older than what it replaces: the object's version is looked up first, then the gallery
    is read, then the object is replaced if it still has that version. So whatever it held was read earlier.
    """

    def __init__(self, gallery: Gallery, objects: Objects, key: str, pack: Callable[[Gallery, str], bytes]) -> None:
        """pack: the gallery, and its version before it was read, as bytes that no other version gives."""
        self._gallery = gallery
        self._objects = objects
        self._key = key
        self._pack = pack
        self._published: str | None = None

    def step(self) -> bool:
        """Publish if the gallery has changed since this publisher last did, and at the first call; whether it did.

        Raises `StorageError` and `GalleryError`; the next step makes up for it.
        """
        if self._gallery.version() == self._published:
            return False
        for _ in range(_TRIES):
            before = self._objects.version(self._key)
            version = self._gallery.version()
            data = self._pack(self._gallery, version)
            if self._store(data, before):
                self._published = version
                return True
        raise StorageError(f"{self._key}: others published there {_TRIES} times meanwhile; try again")

    def _store(self, data: bytes, before: str | None) -> bool:
        if before is None:
            return self._objects.create(self._key, data)
        return self._objects.replace(self._key, data, before)
