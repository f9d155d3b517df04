"""The first function: an upload -> frames (or segments), the manifests of its chunks, and in the end the plan.

What it writes follows from the upload alone, chunk after chunk, so it can be done twice, by two at once, and gone on
with by another: whoever comes looks which manifests there are, and begins behind the last.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from visage.core.cost.counting import CountingObjects, Tally
from visage.core.cost.prices import Architecture
from visage.core.errors import InputError, NoObjectError, NotFoundError
from visage.core.ports.media import Cutter
from visage.core.ports.objects import Objects
from visage.core.serverless.cutting import Cut, Cutting, OvertakenError
from visage.core.serverless.folding import fold
from visage.core.serverless.ranged import RangedFile
from visage.core.serverless.results import failed, keep, level, standing
from visage.core.serverless.staging import Rest, folder_of, plan_key, rest_from_bytes
from visage.core.serverless.uploads import Upload, is_later
from visage.core.values import Pixels

Log = Callable[..., None]


@dataclass(frozen=True)
class Stores:
    """Videos; what lies between the two functions; names."""

    inputs: Objects
    stage: Objects
    outputs: Objects


@dataclass(frozen=True)
class Surroundings:
    """What a function is given. clock: seconds, for how long things take. log: told of what happens. memory: GB that
    the function has, where that is what is paid for; by its architecture."""

    clock: Callable[[], float]
    log: Log
    memory: float | None = None
    architecture: Architecture = Architecture.X86


class Splitter:
    """Its methods raise what is worth a retry; what is wrong with an upload itself becomes its result."""

    def __init__(
        self, stores: Stores, cutter: Cutter, to_jpeg: Callable[[Pixels], bytes], cutting: Cutting, around: Surroundings
    ) -> None:
        self._stores = stores
        self._cutter = cutter
        self._to_jpeg = to_jpeg
        self._cutting = cutting
        self._around = around

    def split(self, upload: Upload, remaining: Callable[[], float]) -> None:
        """remaining: seconds that are left. Shortly before there are none the rest is left to another invocation."""
        self._take(Rest(upload, 1, {}), remaining)

    def go_on(self, key: str, remaining: Callable[[], float]) -> None:
        """key: of the note that says where to go on in which upload. One that is gone is long done with."""
        try:
            rest = rest_from_bytes(self._stores.stage.get(key))
        except NoObjectError:
            self._around.log("there is no such note any more", key=key)
            return
        self._take(rest, remaining)

    def _take(self, rest: Rest, remaining: Callable[[], float]) -> None:
        upload = rest.upload
        if self._is_settled(upload):
            self._around.log("this upload, or a later one, has its result", key=upload.key, version=upload.version)
            return
        try:
            while not self._stores.stage.version(plan_key(folder_of(upload))):
                try:
                    if not self._cut(rest, remaining):
                        return
                except OvertakenError:
                    continue
        except NoObjectError:
            self._gone(upload)
        except InputError as error:
            self._around.log("it cannot be read", key=upload.key, version=upload.version, reason=error.reason)
            keep(self._stores.outputs, upload.key, failed(upload, error))
        else:
            fold(self._stores.stage, self._stores.outputs, folder_of(upload), self._around.architecture)

    def _is_settled(self, upload: Upload) -> bool:
        """Whether nothing can be added to the result that there is."""
        found = standing(self._stores.outputs, upload.key)
        if found is None:
            return False
        settled = found.status == "done" if found.version == upload.version else is_later(found.order, upload.order)
        if settled:
            level(self._stores.outputs, upload.key)  # whoever wrote the JSON may have died before the text
        return settled

    def _cut(self, rest: Rest, remaining: Callable[[], float]) -> bool:
        """Whether all of it is cut now. Raises `NoObjectError` where the upload is not there any more."""
        upload, tally = rest.upload, Tally()
        stage = CountingObjects(self._stores.stage, tally)
        inputs = CountingObjects(self._stores.inputs, tally)
        with closing(RangedFile(inputs, upload.key, upload.tag, upload.size)) as file:
            cut = Cut(rest, stage, self._cutting, tally, self._around, remaining)
            if self._cutting.segment:
                whole = cut.segments(self._cutter, file)
            else:
                whole = cut.frames(self._cutter, file, self._to_jpeg)
        self._around.log("cut" if whole else "cut as far as the time allowed", key=upload.key, version=upload.version,
                         chunks=cut.number - 1, seconds=round(cut.seconds, 3))  # fmt: skip
        return whole

    def _gone(self, upload: Upload) -> None:
        """Deleted, or replaced by a later upload, of which there is an event too."""
        if self._stores.inputs.version(upload.key) is not None:
            self._around.log("there is a later upload of this key", key=upload.key, version=upload.version)
            return
        error = NotFoundError(upload.key, "it was deleted before it was read; put it there again")
        keep(self._stores.outputs, upload.key, failed(upload, error))
