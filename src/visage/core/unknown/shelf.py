"""Where the hauls lie, looked at again and again: what workers and other web processes write is read and handed on."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from visage.core.errors import NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.unknown.kept import FACES, Haul, faces_key, haul_from_bytes

# The store is listed at most every LOOK seconds, and for no more than a share of SPENT of the time. What was written so
# shortly before a look (seconds) may be written again without looking different, so it is read once more.
LOOK = 1.0
SPENT = 0.1
UNSETTLED = 3.0
# What is asked for and not there may just have come: for its sake the store is listed sooner, yet for no more than this
# share of the time, whoever asks for how many that never were.
ASKED = 0.25

# So many objects are read while whoever asks waits; more are read on a thread of its own, so many at a time.
AT_ONCE = 500
_TOGETHER = 8  # threads that read

_NONE = (-1, 0.0)  # the mark of what was never seen in the store

Hauls = Mapping[str, Haul | None]


class Shelf:
    """Used by many threads. Whoever asks waits for a listing at most."""

    def __init__(
        self,
        objects: Objects,
        now: Callable[[], float],
        take: Callable[[Hauls], None],
        expect: Callable[[bool], None],
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        """take: is given what was read, by key, None for what is not there any more. expect: is told when `take` will
        be called again and again for a while, and when that is over."""
        self._objects = objects
        self._now = now
        self._take = take
        self._expect = expect
        self._at_once = at_once
        self._looking = threading.Lock()
        self._marks: dict[str, tuple[int, float]] = {}
        self._looked = -UNSETTLED
        self._took = 0.0  # the last look, in seconds
        self._reading: Future[None] | None = None
        # What was handed on by `put` since the last look began: that is newer than what the look finds.
        self._handing = threading.RLock()
        self._newer: set[str] = set()

    @property
    def reading(self) -> bool:
        """Whether many objects are being read."""
        reading = self._reading
        return reading is not None and not reading.done()

    def look(self, *, missing: bool = False) -> None:
        """If it is time. missing: something was asked for that is not there. Raises `StorageError`, also for what was
        read in the background since."""
        # Whoever knows something already need not wait for another who looks.
        if not self._looking.acquire(blocking=self._looked < 0):
            return
        try:
            if self._reading is not None and self._reading.done():
                ended, self._reading = self._reading, None
                ended.result()
            pause = self._took / ASKED if missing else max(LOOK, self._took / SPENT)
            if self._reading is None and not 0 <= self._now() - self._looked < pause:
                self._reading = self._look()
        finally:
            self._looking.release()

    def look_now(self) -> None:
        """Right now, and until all is read. Raises `StorageError`."""
        while True:
            with self._looking:
                fresh = not self.reading
                if fresh:
                    self._reading = self._look()
                reading = self._reading
            if reading is not None:
                reading.result()
            if fresh:
                return

    def put(self, written: Hauls) -> None:
        """Hand on what somebody wrote, or deleted, just now."""
        with self._handing:
            self._newer.update(written)
            self._marks.update(dict.fromkeys(written, _NONE))
            self._take(written)

    def reread(self, jobs: Iterable[str]) -> None:
        """Look at what these jobs brought, right now."""
        self.put(self._read_all([faces_key(job) for job in jobs]))

    def _look(self) -> Future[None] | None:
        """What is still to be read, if it is much."""
        now = self._now()
        with self._handing:
            self._newer.clear()
        marks = {stored.key: (stored.size, stored.modified) for stored in self._objects.list(FACES)}
        self._took = self._now() - now
        settled = self._looked - UNSETTLED
        stale = [key for key, mark in marks.items() if mark != self._marks.get(key) or mark[1] > settled]
        self._hand_on(dict.fromkeys(self._marks.keys() - marks.keys()))
        if len(stale) <= self._at_once:
            self._hand_on(self._read_all(stale))
            self._settled(marks, now)
            return None
        reading: Future[None] = Future()
        arguments = (reading, stale, marks, now)
        threading.Thread(target=self._read_on, args=arguments, name="visage-unknown", daemon=True).start()
        return reading

    def _read_on(
        self, reading: Future[None], stale: Sequence[str], marks: dict[str, tuple[int, float]], now: float
    ) -> None:
        try:
            self._expect(True)
            for start in range(0, len(stale), self._at_once):
                self._hand_on(self._read_all(stale[start : start + self._at_once]))
            self._settled(marks, now)
            self._expect(False)
        except BaseException as error:  # noqa: BLE001 (whoever asks next is told, and has it tried again)
            self._expect(False)
            reading.set_exception(error)
        else:
            reading.set_result(None)

    def _settled(self, marks: dict[str, tuple[int, float]], now: float) -> None:
        with self._handing:
            self._marks, self._looked = {**dict.fromkeys(self._newer, _NONE), **marks}, now

    def _hand_on(self, read: Hauls) -> None:
        with self._handing:
            self._take({key: haul for key, haul in read.items() if key not in self._newer})

    def _read_all(self, keys: Sequence[str]) -> Hauls:
        with ThreadPoolExecutor(_TOGETHER) as threads:
            return dict(zip(keys, threads.map(self._read, keys), strict=True))

    def _read(self, key: str) -> Haul | None:
        """None too for what is damaged, or lies under another's key: one of a thousand objects is not to hide the
        others."""
        try:
            data = self._objects.get(key)
        except NoObjectError:
            return None
        try:
            haul = haul_from_bytes(data, key)
        except StorageError:
            return None
        return haul if faces_key(haul.job) == key else None
