"""What came in and what was found is kept for a while, then deleted."""

from visage.core.ports.objects import Objects

_BATCH = 500


def sweep(objects: Objects, before: float) -> int:
    """Delete every object last modified before that time (seconds since 1970); how many.

    They are deleted batch by batch while the store is being listed, so memory stays flat however many there are. An
    object that is written anew between being listed and being deleted, at most a batch later, goes too: stores delete
    by key alone. So sweep where an old key is not used again, as among jobs. Raises `StorageError`; what is deleted by
    then stays so, and it is worth a retry.
    """
    swept = 0
    batch: list[str] = []
    for stored in objects.list():
        if stored.modified < before:
            batch.append(stored.key)
        if len(batch) == _BATCH:
            objects.delete(batch)
            swept += len(batch)
            batch = []
    objects.delete(batch)
    return swept + len(batch)
