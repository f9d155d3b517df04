"""The two functions on folders: what comes into them -> tasks, and what became of those -> results.

Everything that counts lies in the folders, so whoever is killed loses nothing: the next one looks what is there.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from visage.core.errors import NoObjectError, StorageError, VisageError
from visage.core.serverless.dispatch import Dispatch, Errand
from visage.core.serverless.results import Standing, json_key, level, standing
from visage.core.serverless.settling import Settling
from visage.core.serverless.splitting import Stores
from visage.core.serverless.staging import folder_of, manifest_from_bytes, manifest_key, rest_from_bytes, rest_key
from visage.core.serverless.unfinished import by_folder, upload_in
from visage.core.serverless.uploads import PICTURES, Ask, Task, Upload, ask_of_stage, is_later

# Ends of the names under which other programs keep what they have not finished.
DRAFTS = (".part", ".partial", ".crdownload", ".download", ".tmp", "~")
# How often the same is done again for an upload, without an error and without effect, before it is left alone.
_STRIKES = 3
# Files that are taken before others get their turn, where a great many come at once.
_AT_ONCE = 50


class Arrivals(Protocol):
    """Tells of a folder's changes, as keys of the object store that the folder is.

    It may tell of keys under which there is nothing (any more), of one more than once, and miss some. So whoever
    listens looks at the whole folder now and then, and calls `renew` before.
    """

    def begin(self, told: Callable[[list[str]], None]) -> None:
        """told: called on a thread of its own."""

    def renew(self) -> bool:
        """Whether the folder is there; if it is another one than was watched so far, that is watched from now on."""

    def whole(self, key: str) -> int | None:
        """The file's size in bytes; None where there is none, or somebody is writing it, as far as can be told."""

    def close(self) -> None:
        """Twice is once."""


@dataclass(frozen=True)
class Surroundings:
    """What a watcher is given. whole: the size in bytes of an input, or of a picture in the stage (True), that nobody
    is writing; None where somebody is, or it is gone. stamp: nanoseconds since 1970. show: told of every result, as
    results.py makes it. say: told in one line of what failed."""

    whole: Callable[[str, bool], int | None]
    stamp: Callable[[], int]
    show: Callable[[Mapping[str, Any]], None]
    say: Callable[[str], None]


class Watcher:
    """Knows no clock: `now` are seconds of the caller's, from any start.

    patience: seconds after which a file that is still being written is left alone; None: it is waited for.
    Every method may raise `StorageError`; what was missed by that is made up for by the next `scan`.
    """

    def __init__(
        self, stores: Stores, dispatch: Dispatch, around: Surroundings, *, patience: float | None = None
    ) -> None:
        self._inputs, self._stage, self._outputs = stores.inputs, stores.stage, stores.outputs
        self._dispatch = dispatch
        self._around = around
        self._patience = patience
        self._settling: Settling[tuple[str, bool]] = Settling()
        self._seen: dict[tuple[str, bool], str] = {}
        self._uploads: dict[str, Upload] = {}
        self._present: dict[tuple[str, bool], str] = {}  # which of them is of the file that is there now
        self._strikes: dict[str, tuple[int, list[tuple[Ask, int]]]] = {}
        self._shown: dict[str, str | None] = {}  # results, by the upload's key: the version that was told last
        self.finished = 0
        self.failed: list[str] = []

    @property
    def known(self) -> int:
        """Uploads that came, finished or not."""
        return self.finished + len(self._uploads) + len(self._settling)

    @property
    def waiting(self) -> int:
        return self._dispatch.waiting

    def is_over(self) -> bool:
        """Whether there is nothing left to be done."""
        return not self._settling and not self._uploads and self._dispatch.is_idle()

    def scan(self, now: float) -> None:
        """Look at all there is, also at what came while nobody was looking."""
        here = set()
        for stored in self._inputs.list():
            here.add((stored.key, False))
            self.input_came(stored.key, now)
        for stored in self._stage.list(PICTURES.rstrip("/")):
            here.add((stored.key, True))
            self.staged(stored.key, now)
        for gone in self._seen.keys() - here:
            del self._seen[gone]
            self._shown.pop(gone[0], None)
        for group in list(self._uploads):
            self._look_after(group)

    def input_came(self, key: str, now: float, *, staged: bool = False) -> None:
        """There is, or was, something new under this key of the inputs, or, `staged`, a picture in the stage."""
        if any(part.startswith(".") or part.lower().endswith(DRAFTS) for part in key.split("/")):
            return
        version = (self._stage if staged else self._inputs).version(key)
        if version is None:
            self._settling.forget((key, staged))
        elif self._seen.get((key, staged)) != version:
            self._settling.see((key, staged), version, now)

    def staged(self, key: str, now: float) -> None:
        """There is something new under this key of the stage."""
        ask = ask_of_stage(key)
        if ask is Ask.PICTURE:
            self.input_came(key, now, staged=True)
        elif ask is not None and (version := self._stage.version(key)):
            group = key.rpartition("/")[0]
            if group in self._uploads or self._adopt(ask, key, group):
                self._dispatch.add(Task(ask, key), version, group)

    def tick(self, now: float) -> None:
        """Take the files that have not changed for a while, and try again what failed."""
        self._dispatch.wake(now)
        for (key, staged), version in self._settling.ready(now)[:_AT_ONCE]:
            been = self._settling.postpone((key, staged), now)
            current = (self._stage if staged else self._inputs).version(key)
            if current != version:
                self.input_came(key, now, staged=staged)
            elif (size := self._around.whole(key, staged)) is not None:
                self._accept(key, version, size, staged=staged)
                self._settling.forget((key, staged))
                self._seen[key, staged] = version
            elif self._patience is not None and been > self._patience:
                self._settling.forget((key, staged))
                self._around.say(f"{key}: it is still being written; look at it again later")
                self.failed.append(key)

    def take(self) -> Errand | None:
        """The next task to be done, if there is one; `became` is to be called with it afterwards."""
        return self._dispatch.take()

    def became(self, errand: Errand, failure: str | None, now: float) -> None:
        """failure: why the task failed; None: it did not."""
        if failure is None:
            self._dispatch.done(errand)
        elif self._dispatch.failed(errand, failure, now):
            self._around.say(f"{errand.task.key}: {failure}; it is given up after {errand.tries + 1} tries")
        elif errand.reason is not None:
            self._around.say(f"{errand.task.key}: its failure cannot be written down: {failure}")
            if self._patience is not None:
                self._abandon(errand.group)
        if not self._dispatch.is_active(errand.group):
            self._look_after(errand.group)

    def wait(self, now: float) -> float | None:
        """Seconds until it has something to do of itself; None: as long as nothing comes."""
        waits = [self._settling.wait(now), self._dispatch.due(now)]
        return min((seconds for seconds in waits if seconds is not None), default=None)

    def sweep(self, before: float) -> int:
        """Delete from the stage whatever is of no upload that is in the inputs now, or was written last before that
        time (seconds since 1970), and is not being worked at; of how many uploads. Nothing else is ever deleted."""
        present = [*self._seen.items(), *self._settling.seen()]
        wanted = {folder_of(Upload(key, version, "", version, 0)) for (key, _), version in present}
        swept = 0
        for folder, staged in by_folder(self._stage.list()).items():
            if folder in self._uploads or self._dispatch.is_active(folder):
                continue
            if folder not in wanted or staged.newest < before:
                self._stage.delete([stored.key for stored in self._stage.list(folder)])
                swept += 1
        return swept

    def _accept(self, key: str, version: str, size: int, *, staged: bool) -> None:
        """A file that is whole."""
        try:
            found = standing(self._outputs, key)
            if found and found.version == version:
                level(self._outputs, key)  # whoever wrote the JSON may have been killed before the text
                self._shown[key] = self._outputs.version(json_key(key))
                return
        except StorageError as error:
            self._around.say(str(error))
            self.failed.append(key)
            return
        self._retire(key, staged=staged)
        upload = self._upload(key, version, size, found)
        group = key if staged else folder_of(upload)
        left = self._left(group, upload)
        self._uploads[group] = upload
        self._present[key, staged] = group
        self._add(group, upload, left)

    def _upload(self, key: str, version: str, size: int, found: Standing | None) -> Upload:
        """As it was first noticed, where that is known and may still be; else noticed now, after the present result."""
        upload = Upload(key, version, f"{self._around.stamp():x}", version, size)
        folder = folder_of(upload)
        noticed = by_folder(self._stage.list(folder)).get(folder)
        if noticed:
            try:
                before = upload_in(self._stage, folder, noticed)
            except VisageError:
                before = None
            if before and (not found or is_later(before.order, found.order)):
                return before
            # Cut in an earlier life of this very file, or by another version of Visage.
            self._stage.delete([stored.key for stored in self._stage.list(folder)])
        if found and not is_later(upload.order, found.order):
            return Upload(key, version, found.order + "1", version, size)
        return upload

    def _retire(self, key: str, *, staged: bool) -> None:
        """What is still to be done of earlier uploads under this key is of no use any more."""
        group = self._present.pop((key, staged), None)
        if group is not None and group in self._uploads:
            self._dispatch.drop(group)
            self._leave(group)

    def _left(self, group: str, upload: Upload) -> list[tuple[Ask, int]]:
        """What is still to be done of it, with the number of the chunk or note."""
        if group == upload.key:
            return [(Ask.PICTURE, 0)]
        staged = by_folder(self._stage.list(group)).get(group)
        return list(staged.left()) if staged else [(Ask.SPLIT, 0)]

    def _add(self, group: str, upload: Upload, left: list[tuple[Ask, int]]) -> None:
        for ask, number in left:
            if ask in {Ask.SPLIT, Ask.PICTURE}:
                self._dispatch.add(Task(ask, upload.key, upload), upload.version, group, again=True)
            else:
                key = manifest_key(group, number) if ask is Ask.CHUNK else rest_key(group, number)
                if version := self._stage.version(key):
                    self._dispatch.add(Task(ask, key), version, group, again=True)

    def _look_after(self, group: str) -> None:
        """Where nothing of an upload is waiting or being done, it has its result, or something is left to be done."""
        upload = self._uploads.get(group)
        if upload is None or self._dispatch.is_active(group):
            return
        found = standing(self._outputs, upload.key)
        if found and found.version == upload.version:
            self._show(group, upload)
        elif (found and is_later(found.order, upload.order)) or self._is_replaced(upload, group):
            self._leave(group)
        else:
            self._go_on(group, upload)

    def _go_on(self, group: str, upload: Upload) -> None:
        """There is no result yet, and nobody is at it."""
        left = self._left(group, upload)
        strikes, before = self._strikes.get(group, (0, []))
        strikes = strikes + 1 if left == before else 0
        self._strikes[group] = strikes, left
        if strikes == _STRIKES:
            self._around.say(f"{upload.key}: all was done {_STRIKES + 1} times, and no result came; put it there again")
            self._abandon(group)
        else:
            self._add(group, upload, left)

    def _is_replaced(self, upload: Upload, group: str) -> bool:
        current = (self._stage if group == upload.key else self._inputs).version(upload.key)
        return current not in {None, upload.version}

    def _show(self, group: str, upload: Upload) -> None:
        data, version = self._outputs.read(json_key(upload.key))
        self._leave(group)
        if self._shown.get(upload.key) == version:  # an event that came late asked for what was done already
            return
        self._shown[upload.key] = version
        result = json.loads(data)
        self.finished += 1
        if result["status"] != "done":
            self.failed.append(upload.key)
        self._around.show(result)

    def _abandon(self, group: str) -> None:
        upload = self._uploads.get(group)
        self._dispatch.drop(group)
        if upload:
            self.failed.append(upload.key)
            self._leave(group)

    def _leave(self, group: str) -> None:
        upload = self._uploads.pop(group)
        self._present.pop((upload.key, group == upload.key), None)
        self._strikes.pop(group, None)
        self._dispatch.forget(group)

    def _adopt(self, ask: Ask, key: str, group: str) -> bool:
        """Whether an upload that nobody was thinking of any more is to be gone on with: a chunk that failed was put
        there again, for instance."""
        try:
            data = self._stage.get(key)
            upload = (manifest_from_bytes(data) if ask is Ask.CHUNK else rest_from_bytes(data)).upload
        except NoObjectError:
            return False
        except VisageError as error:
            self._around.say(f"{key}: {error}")
            return False
        if self._is_replaced(upload, group) or folder_of(upload) != group:
            return False
        self._uploads[group] = upload
        self._present.setdefault((upload.key, False), group)
        return True
