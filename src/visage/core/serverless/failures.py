"""What failed for good: the set of answers is completed by saying so."""

from collections.abc import Mapping
from typing import Any

from visage.core.errors import FaultError, MessageError, NoObjectError
from visage.core.serverless.folding import fold, given_up, keep_answer
from visage.core.serverless.results import failed, keep
from visage.core.serverless.splitting import Stores
from visage.core.serverless.staging import folder_of, manifest_from_bytes, rest_from_bytes
from visage.core.serverless.uploads import Ask, Task, Upload, tasks_of_event

_LONGEST = 500  # characters of a reason


def is_failure(event: object) -> bool:
    """Whether this is Lambda's record of an event that it gave up, not an event itself."""
    return isinstance(event, Mapping) and "requestPayload" in event and "requestContext" in event


def tasks_of_failure(event: Mapping[str, Any], inputs: str, stage: str) -> tuple[list[Task], str]:
    """What was given up, and why. Nothing where it was such a record itself: records of records would never end.

    Raises `MessageError` for what is no record."""
    try:
        payload, response = event["requestPayload"], event.get("responsePayload") or {}
        if is_failure(payload):
            return [], ""
        reason = response.get("errorMessage") or event["requestContext"]["condition"]
    except (KeyError, TypeError, AttributeError) as error:
        raise MessageError("the event is no record of one that was given up") from error
    return tasks_of_event(payload, inputs, stage), str(reason)


def give_up(task: Task, reason: str, stores: Stores) -> None:
    """Write down that the task failed: a failed answer for a chunk, an error for anything else.

    Whatever was found out of it meanwhile, or will be, stays or takes its place. May raise `StorageError`.
    """
    reason = " ".join(reason.split())[:_LONGEST] or "it failed, and nobody knows why"
    try:
        if task.ask is Ask.CHUNK:
            manifest = manifest_from_bytes(stores.stage.get(task.key))
            keep_answer(stores.stage, folder_of(manifest.upload), given_up(manifest, reason))
            fold(stores.stage, stores.outputs, folder_of(manifest.upload))
        elif task.ask is Ask.REST:
            _fail(rest_from_bytes(stores.stage.get(task.key)).upload, reason, stores)
        elif task.upload:
            _fail(task.upload, reason, stores)
    except NoObjectError:
        return  # nothing asks for it any more


def _fail(upload: Upload, reason: str, stores: Stores) -> None:
    keep(stores.outputs, upload.key, failed(upload, FaultError(f"{upload.key}: {reason}")))
