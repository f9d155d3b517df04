"""What the service keeps of somebody who is erased with the command, and not by the web tier."""

import time
import uuid

from visage.core.history import History
from visage.core.ports import Gallery
from visage.core.repeats import Repeats
from visage.core.unknown import forget_named
from visage.core.values import Person
from visage.settings import Settings
from visage.wiring import open_objects


def forget(settings: Settings, gallery: Gallery, person: Person) -> None:
    """Delete what was changed of them and their faces, and the unknown faces that were named as them, while they are
    still in the gallery. Raises `StorageError`."""
    faces = [face.id for face in gallery.faces(person.collection, person.id, crops=False)]
    objects = open_objects(settings.journal_url)
    history = History(objects, lambda: gallery, ended=lambda _: None, now=time.time, new_id=lambda: uuid.uuid4().hex)
    history.forget([person.id, *faces])
    Repeats(objects, time.time).forget([person.id, *faces])
    forget_named(open_objects(settings.unknown_url), person.collection, person.id, faces)
