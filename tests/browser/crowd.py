"""People for the pages about people, and how somebody finds their way there."""

import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.doors.service import Site
from visage.core.values import EnrolledFace, Quality
from visage.wiring import open_gallery

EVIL = "<script>document.title='evil'<"


def made_up(site: Site, collection: str, people: Iterable[tuple[str, int]]) -> None:
    """Puts people with so many faces, which nobody has, straight into the site's gallery."""
    gallery = open_gallery(site.settings.gallery_url, create=True)
    for name, faces in people:
        for number in range(1, faces + 1):
            face_id = uuid.uuid4().hex
            vector = np.random.default_rng(uuid.uuid4().int).normal(size=128).astype(np.float32)
            vector /= np.linalg.norm(vector)
            points, quality = np.zeros((5, 2), np.float32), Quality(90, 0.8, 5, 5, 0, 0.7)
            face = EnrolledFace(
                face_id, "", vector, "resnet", None, points, f"folder/{number}.jpg", face_id, quality, 1.7e9
            )
            gallery.add(collection, name, face)
    gallery.close()


def card(page: Any, name: str) -> Any:
    """A person's, in the grid."""
    return page.locator(".person").filter(has_text=re.compile(rf"^{re.escape(name)}\d+ face"))


def button(within: Any, name: str) -> Any:
    return within.get_by_role("button", name=name, exact=True)


def choose(page: Any, *files: Path) -> None:
    """Photos or a folder, in the dialog that is open."""
    page.get_by_role("dialog").locator("input[type=file]").first.set_input_files(list(files))


def line(page: Any, file: str) -> Any:
    """What the dialog says of a photo."""
    return page.get_by_role("dialog").get_by_role("listitem").filter(has_text=file)
