"""An object of a store as a file that is read in parts: only what is asked for travels."""

import io
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from visage.core.ports.objects import Objects

BLOCK = 8 << 20  # bytes: at S3's pace the wait for a request is a fraction of its time, and four fit any function
_KEPT = 4  # two places that are read in turn, as a video's pictures and its sound, and a block ahead of each


class RangedFile(io.BufferedIOBase, BinaryIO):
    """A file for reading, not for several threads at once.

    It is fetched in blocks, of which the latest are kept. Where one follows another the next is fetched meanwhile on
    a thread of its own; whoever jumps about, or reads the beginning alone, pays for nothing else.
    """

    def __init__(self, objects: Objects, key: str, version: str, size: int, *, block: int = BLOCK) -> None:
        """size: of the object; block: how much is fetched by one request. Both in bytes. Nothing is asked yet."""
        self._objects = objects
        self._key = key
        self._version = version
        self._size = size
        self._block = block
        self._place = 0
        self._kept: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="visage-ranged")

    @property
    def name(self) -> str:
        return self._key

    @property
    def mode(self) -> str:
        return "rb"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._check()
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Beyond the end is allowed. Raises `ValueError` for a place before the beginning."""
        self._check()
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}
        if whence not in starts:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        place = starts[whence] + offset
        if place < 0:
            raise ValueError(f"a file has no place {place}")
        self._place = place
        return place

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes (None or less than none: all), fewer at the end alone.

        Raises `StorageError`, which is worth a retry from the same place, and `NoObjectError` where the object was
        deleted or replaced.
        """
        self._check()
        end = self._size if size is None or size < 0 else min(self._size, self._place + size)
        pieces, place = [], self._place
        while place < end:
            number, skip = divmod(place, self._block)
            piece = self._fetched(number)[skip : skip + end - place]
            if not piece:  # the object is shorter than it was said to be
                break
            pieces.append(piece)
            place += len(piece)
        self._place = place
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Ends the thread, once what it fetches is there. Twice is once."""
        self._pool.shutdown(cancel_futures=True)
        self._kept.clear()
        super().close()

    def _fetched(self, number: int) -> bytes:
        """The block of that number, from 0."""
        found = self._kept.get(number)
        if found is None:
            found = Future()
            found.set_result(self._fetch(number))
        try:
            data = found.result()
        except BaseException:
            self._kept.pop(number, None)  # it may go better next time
            raise
        self._keep(number, found)
        if number - 1 in self._kept or number + 1 in self._kept:
            self._keep_following(number + 1)
        return data

    def _keep_following(self, number: int) -> None:
        """What is likely to be read next outlasts what was read before."""
        if (found := self._kept.get(number)) is None and number * self._block < self._size:
            found = self._pool.submit(self._fetch, number)
        if found:
            self._keep(number, found)

    def _keep(self, number: int, block: "Future[bytes]") -> None:
        self._kept[number] = block
        self._kept.move_to_end(number)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1].cancel()

    def _fetch(self, number: int) -> bytes:
        start = number * self._block
        return self._objects.part(self._key, start, min(self._block, self._size - start), self._version)

    def _check(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")
