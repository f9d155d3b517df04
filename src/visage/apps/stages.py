"""The stages that there are: the serverless form's, and those of folders that are or were watched.

Where somebody watches is noted in the home folder, for a stage may be any folder, and so may that of the results.
"""

import json
import time
from collections.abc import Iterator
from hashlib import sha256

from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.serverless.struck import drop_notes
from visage.core.serverless.unstage import Stage
from visage.settings import Settings
from visage.wiring import is_missing, open_objects


def remember(settings: Settings) -> None:
    """Note that somebody watches with these settings. Raises `StorageError`."""
    places = json.dumps({"stage": settings.stage_url, "outputs": settings.outputs_url}).encode()
    open_objects(_watched(settings)).put(f"{sha256(settings.stage_url.encode()).hexdigest()[:32]}.json", places)


def stages(settings: Settings) -> list[Stage]:
    """Those whose folders are there, and a bucket where one is set. Raises `StorageError`."""
    found = {settings.stage_url: settings.outputs_url} if settings.stage else {}
    found |= dict(_noted(settings))
    return [
        Stage(open_objects(stage), open_objects(outputs), time.time())
        for stage, outputs in found.items()
        if not is_missing(stage)
    ]


def welcome(settings: Settings, gallery: Gallery) -> None:
    """Whoever is in the collection may be named again, also if they were erased before. Raises `StorageError`."""
    people = [person.id for person in gallery.people(settings.collection)]
    for stage in stages(settings):
        drop_notes(stage.objects, lookup_name(settings.collection), people)


def _noted(settings: Settings) -> Iterator[tuple[str, str]]:
    """(stage, outputs): the URLs of each."""
    objects = open_objects(_watched(settings))
    for stored in objects.list():
        try:
            places = json.loads(objects.get(stored.key))
            yield str(places["stage"]), str(places["outputs"])
        except (ValueError, KeyError, TypeError):  # whatever it is, it was not written here
            continue


def _watched(settings: Settings) -> str:
    return f"file:///{settings.home / 'watched'}"
