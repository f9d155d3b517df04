"""Taking somebody who is erased out of what lies between the two functions of the serverless form.

Of an upload with its result nothing that lies there is wanted any more, so all of it goes: frames too. Of one that is
under way, or of which a part failed that may be done again, the person is struck out of the answers.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from visage.core.errors import MessageError, NoObjectError, StorageError
from visage.core.ports.objects import Objects
from visage.core.serverless.results import Standing, json_key, level, standing
from visage.core.serverless.staging import answer_key, answers_folder
from visage.core.serverless.struck import Note, note, speaks_of, strike
from visage.core.serverless.unfinished import Staged, by_folder, upload_in
from visage.core.serverless.uploads import Upload, is_later

# Uploads, and answers of one, that are looked at together: most of the time is spent on waiting for the store.
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Stage:
    """What lies between the functions, where their results go, and the time: seconds since 1970."""

    objects: Objects
    outputs: Objects
    now: float


@dataclass(frozen=True, slots=True)
class Unstaged:
    """uploads: that spoke of them. results: of these, which are the user's own and still do."""

    uploads: int = 0
    results: int = 0


def unstage(stages: Iterable[Stage], collection: str, person_id: str, ids: frozenset[str]) -> Unstaged:
    """Take a person out of every stage; from then on no answer names them there. ids: of the person and their faces.

    Raises `StorageError`, and is worth a retry: what spoke of them goes last."""
    uploads = results = 0
    for stage in stages:
        noted = Note(collection, person_id, ids, stage.now)
        note(stage.objects, noted)
        folders = by_folder(stage.objects.list())
        with ThreadPoolExecutor(_TOGETHER) as threads:
            looks = threads.map(lambda one, stage=stage, noted=noted: _Look(stage, noted, *one).take(), folders.items())
            spoke = [key for found in looks for key in found]
        uploads += len(spoke)
        results += sum(_still_speaks(stage.outputs, key, ids) for key in {key for key in spoke if key})
    return Unstaged(uploads, results)


class _Look:
    """At one upload's folder in the stage."""

    def __init__(self, stage: Stage, noted: Note, folder: str, staged: Staged) -> None:
        self._stage = stage.objects
        self._outputs = stage.outputs
        self._noted = noted
        self._folder = folder
        self._staged = staged

    def take(self) -> list[str]:
        """See to it: nothing where it does not speak of them; else the upload's key, empty where nobody knows it."""
        upload = self._upload()
        found = self._standing(upload) if upload else None
        if upload is None or found is None or not _is_settled(upload, found):
            return [upload.key if upload else ""] if self._strike() else []
        if not self._speaks(upload, found):
            return []
        level(self._outputs, upload.key)  # whoever wrote the JSON may have died before the text
        answers = answers_folder(self._folder) + "/"
        keys = [stored.key for stored in self._stage.list(self._folder)]
        self._stage.delete([key for key in keys if not key.startswith(answers)])
        self._stage.delete([key for key in keys if key.startswith(answers)])
        return [upload.key]

    def _upload(self) -> Upload | None:
        with suppress(MessageError, NoObjectError):
            return upload_in(self._stage, self._folder, self._staged)
        return None

    def _standing(self, upload: Upload) -> Standing | None:
        try:
            return standing(self._outputs, upload.key)
        except StorageError:
            if self._outputs.version(json_key(upload.key)) is None:
                raise
            return None  # something else lies in its place

    def _speaks(self, upload: Upload, found: Standing) -> bool:
        """Whether an answer does. Where the result was made of them, that tells it with one request."""
        if found.version == upload.version and not speaks_of(self._outputs.get(json_key(upload.key)), self._noted.ids):
            return False
        return any(self._answer_speaks(number) for number in sorted(self._staged.answers))

    def _answer_speaks(self, number: int) -> bool:
        try:
            data = self._stage.get(answer_key(self._folder, number))
        except NoObjectError:
            return False
        if not speaks_of(data, self._noted.ids):
            return False
        with suppress(ValueError, AttributeError):
            return json.loads(data).get("collection") in {None, self._noted.collection}
        return True

    def _strike(self) -> bool:
        keys = [answer_key(self._folder, number) for number in sorted(self._staged.answers)]
        with ThreadPoolExecutor(_TOGETHER) as threads:
            return any([*threads.map(lambda key: strike(self._stage, key, [self._noted]), keys)])


def _is_settled(upload: Upload, found: Standing) -> bool:
    """Whether nothing can be added to the result that there is."""
    return found.status == "done" if found.version == upload.version else is_later(found.order, upload.order)


def _still_speaks(outputs: Objects, key: str, ids: frozenset[str]) -> bool:
    try:
        return speaks_of(outputs.get(json_key(key)), ids)
    except NoObjectError:
        return False
