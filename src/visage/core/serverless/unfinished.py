"""What lies in the stage of an upload, and what of its work is left."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from visage.core.ports.objects import Objects, Stored
from visage.core.serverless.staging import (
    manifest_from_bytes,
    manifest_key,
    plan_from_bytes,
    plan_key,
    rest_from_bytes,
    rest_key,
)
from visage.core.serverless.uploads import Ask, Upload

# The keys that core/serverless/staging.py makes: nothing else is ever taken for an upload's.
_LAYOUT = re.compile(
    r"(?P<folder>[^/].*/[0-9A-Za-z]+(?:-[0-9A-Za-z]+)+)/"
    r"(?:(?P<plan>plan\.json)|(?P<chunk>\d{6,})\.chunk\.json|(?P<rest>\d{6,})\.rest\.json"
    r"|answers/(?P<answer>\d{6,})\.json|frame-\d{6,}\.jpg|segment-\d{6,}\.mkv)",
    re.ASCII,
)


@dataclass
class Staged:
    """What there is of one upload. Numbers are those of chunks. newest: when it was last written to."""

    plan: bool = False
    chunks: set[int] = field(default_factory=set)
    answers: set[int] = field(default_factory=set)
    rests: set[int] = field(default_factory=set)
    newest: float = 0.0

    def left(self) -> Iterator[tuple[Ask, int]]:
        """What is still to be done, with the number of the chunk or note. Where all is there but the result, or nothing
        is there yet, it is to be split (again), which ends with a look whether the result can be made."""
        unanswered = sorted(self.chunks - self.answers)
        yield from ((Ask.CHUNK, number) for number in unanswered)
        notes = self.rests - self.chunks
        if notes and not self.plan:
            yield Ask.REST, max(notes)
        elif not unanswered or not self.plan:
            yield Ask.SPLIT, 0


def by_folder(found: Iterable[Stored]) -> dict[str, Staged]:
    """Objects of the stage -> each upload's folder. What nobody but a user can have put there is left out."""
    folders: dict[str, Staged] = {}
    for stored in found:
        match = _LAYOUT.fullmatch(stored.key)
        if not match:
            continue
        staged = folders.setdefault(match["folder"], Staged())
        staged.newest = max(staged.newest, stored.modified)
        staged.plan = staged.plan or bool(match["plan"])
        for name, numbers in (("chunk", staged.chunks), ("answer", staged.answers), ("rest", staged.rests)):
            if match[name]:
                numbers.add(int(match[name]))
    return folders


def upload_in(stage: Objects, folder: str, staged: Staged) -> Upload | None:
    """Which upload that is, as it was first noticed. Raises `NoObjectError`, `MessageError`, `StorageError`."""
    if staged.chunks:
        return manifest_from_bytes(stage.get(manifest_key(folder, min(staged.chunks)))).upload
    if staged.rests:
        return rest_from_bytes(stage.get(rest_key(folder, min(staged.rests)))).upload
    return plan_from_bytes(stage.get(plan_key(folder))).upload if staged.plan else None
