"""What comes into a folder that is an object store: which keys, and whether somebody is still writing there."""

import logging
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from watchfiles import watch

from visage.core.errors import UsageError
from visage.objects.keys import check_key

# Milliseconds without a further event after which those that came are told, and how long they are kept at most.
_STEP, _DEBOUNCE = 100, 400
# Milliseconds between two looks, where the system tells of no events.
_POLL = 1000
# Seconds until watching begins anew, where it came to an end: doubled with each time, up to the longest.
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

_log = logging.getLogger(__name__)

Told = Callable[[list[str]], None]


class FolderArrivals:
    """`core.serverless.watcher.Arrivals` by the system's own events (inotify and its like), or by looking where there
    are none.

    Keys are those of the store that `FolderObjects` makes of the folder. Events are missed of a disk on another
    machine, and when they come faster than the system keeps them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._told: Told | None = None
        self._ended: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._watched: tuple[int, int] | None = None

    def begin(self, told: Told) -> None:
        """told: called on a thread of its own."""
        self._told = told
        self.renew()

    def renew(self) -> bool:
        """Whether the folder is there; if it is another one than was watched so far, that is watched from now on."""
        try:
            found = self._root.stat()
        except OSError:
            self.close()
            return False
        alive = self._thread is not None and self._thread.is_alive()
        if self._told and (self._watched != (found.st_dev, found.st_ino) or not alive):
            self.close()
            self._watched = found.st_dev, found.st_ino
            self._ended = threading.Event()
            self._thread = threading.Thread(
                target=self._watch, args=(self._told, self._ended), name="arrivals", daemon=True
            )
            self._thread.start()
        return True

    def close(self) -> None:
        """Twice is once."""
        if self._ended and self._thread:
            self._ended.set()
            self._thread.join(5.0)
        self._thread = self._ended = self._watched = None

    def whole(self, key: str) -> int | None:
        """The file's size in bytes; None where there is none, or somebody has it open for writing, as far as the system
        tells: of others' files, and elsewhere than on Linux, it does not."""
        try:
            held = os.open(self._root / check_key(key), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _NONBLOCK)
        except OSError:
            return None
        try:
            found = os.fstat(held)
            return None if not stat.S_ISREG(found.st_mode) or _is_being_written(held) else found.st_size
        finally:
            os.close(held)

    def _watch(self, told: Told, ended: threading.Event) -> None:
        pause, polling = _PAUSE, None  # None: as the system is able to
        while not ended.is_set():
            try:
                self._tell(told, ended, polling)
            except OSError:  # too many folders for the system, or one that is just going
                polling = True
            except RuntimeError as error:  # of watchfiles, where a name is no text
                _log.info("watching %s begins anew: %s", self._root, error)
            if not ended.wait(pause):
                pause = min(2 * pause, _LONGEST_PAUSE)
                told(self._keys([str(self._root)]))  # of what came meanwhile there was no event

    def _tell(self, told: Told, ended: threading.Event, polling: bool | None) -> None:
        for changes in watch(
            self._root,
            watch_filter=None,
            step=_STEP,
            debounce=_DEBOUNCE,
            rust_timeout=_POLL,
            stop_event=ended,
            raise_interrupt=False,
            force_polling=polling,
            poll_delay_ms=_POLL,
            ignore_permission_denied=True,
        ):
            told(self._keys(path for _, path in changes))

    def _keys(self, paths: Iterable[str]) -> list[str]:
        """Paths -> the keys of those that are, or were, files of the store, and of the files in those that are folders:
        what was in a folder that was moved here, or came right after it, had no event of its own."""
        keys: dict[str, None] = {}
        for path in sorted(paths):
            found = Path(path)
            if not self._is_inside(found):
                continue
            inside = _files(found) if found.is_dir() else [found]
            keys.update((key, None) for one in inside if not one.is_symlink() and (key := self._key(one)))
        return list(keys)

    def _is_inside(self, path: Path) -> bool:
        """Whether no link leads there: such files are none of the store's."""
        between = [path, *path.parents]
        if self._root not in between:
            return False
        return not any(folder.is_symlink() for folder in between[: between.index(self._root)])

    def _key(self, path: Path) -> str | None:
        try:
            return check_key(path.relative_to(self._root).as_posix())
        except (UsageError, ValueError):
            return None


def _files(folder: Path) -> Iterator[Path]:
    for top, _, names in os.walk(folder):
        yield from (Path(top, name) for name in names)


_NONBLOCK = getattr(os, "O_NONBLOCK", 0)

if sys.platform == "linux":
    import fcntl
    import signal

    def _is_being_written(held: int) -> bool:
        """A lease for reading is given on a file that nobody has open for writing. Whoever opens it so while it is
        held, for microseconds, waits; the signal that would tell of that is one that nobody minds."""
        try:
            fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:  # another's file, or a disk that knows no leases
            return False
        return False
else:

    def _is_being_written(held: int) -> bool:  # noqa: ARG001  nothing is known
        return False
