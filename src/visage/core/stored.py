"""Photos and videos that lie in an object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from visage.core.errors import InputError, NoObjectError, NotFoundError
from visage.core.ports.media import Clip, Decoder
from visage.core.ports.objects import Objects
from visage.core.values import Frame, Media, Sampling


class _Keyed:
    """A clip that goes by its key, not by the path where its file happens to be."""

    def __init__(self, clip: Clip, key: str) -> None:
        self._clip = clip
        self._key = key

    @property
    def media(self) -> Media:
        return replace(self._clip.media, source=self._key)

    def frames(self) -> Iterator[Frame]:
        return self._clip.frames()


class StoreDecoder:
    """`core.ports.media.Decoder` whose sources are keys of a store; `decoder` reads the files."""

    def __init__(self, objects: Objects, decoder: Decoder) -> None:
        self._objects = objects
        self._decoder = decoder

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:
        """See `core.ports.media.Decoder`; errors and `media.source` name the key. May raise `StorageError`."""
        try:
            with self._objects.as_file(source) as path:
                try:
                    with self._decoder.open(path, sampling) as clip:
                        yield _Keyed(clip, source)
                except InputError as error:
                    raise type(error)(source, error.reason) from error
        except NoObjectError as error:
            raise NotFoundError(source, "it is not in the store any more; send it again") from error

    def find(self, folder: str) -> list[str]:
        return [stored.key for stored in self._objects.list(folder)]
