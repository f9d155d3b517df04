"""A photo of somebody -> a face in the gallery, or the reason why not."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from visage.core.answers import Enrollment, Outcome
from visage.core.errors import NoPersonError
from visage.core.match import CANDIDATES
from visage.core.ports import Gallery
from visage.core.recognize import Probe
from visage.core.values import Embeddings, EnrolledFace, EnrollOptions, Floats, Frame, Person, Pixels

# Faces beyond these are often not recognized later. Chosen on LFW's training pictures, shrunk, blurred and turned:
# docs/decisions/quality.md says what each costs.
LEAST_SIZE = 32.0
LEAST_SHARPNESS = 0.1
LARGEST_YAW = 45.0
LARGEST_PITCH = 45.0

# Two enrolled faces of one person more similar than this come from the same photo, or from its copy.
SAME_PICTURE = 0.985

# The crop kept beside the vector: so much larger than the face on every side that any embedder's crop fits into it, and
# so large in pixels that a face of 150 pixels loses nothing.
CROP_MARGIN = 0.6
CROP_SIZE = 400


@dataclass(frozen=True)
class Registrar:
    """What enrollment needs beside eyes. threshold: the similarity from which two faces are taken for one person.
    new_id: a face's id, from the digest of its picture. Where one job may be done twice it gives the same again: the
    face of the first time is then no duplicate, but what was asked for."""

    gallery: Gallery
    model: str
    threshold: float
    to_jpeg: Callable[[Pixels], bytes] | None
    now: Callable[[], float]
    new_id: Callable[[str], str]


def enroll(
    frame: Frame,
    found: Sequence[Probe],
    person: tuple[str, str],
    source: str,
    options: EnrollOptions,
    registrar: Registrar,
) -> Enrollment:
    """Enroll the face in `frame` as `person`, which is (collection, name)."""
    collection, name = person
    already = _person(registrar.gallery, collection, name)
    if not found:
        return Enrollment(Outcome.NO_FACE, "no face was found; give a photo that shows the face larger", already)
    if len(found) > 1 and not options.largest:
        detail = f"{len(found)} faces; crop the photo, or take the largest with --largest"
        return Enrollment(Outcome.SEVERAL_FACES, detail, already)
    probe = max(found, key=lambda p: p.face.area)
    if not options.force and (poor := _poor(probe)):
        return Enrollment(poor[0], f"{poor[1]} (--force enrolls it all the same)", already)
    digest = hashlib.sha256(frame.pixels.tobytes()).hexdigest()
    face_id = registrar.new_id(digest)
    if already and (twin := _twin(registrar.gallery, already, probe, digest, face_id)):
        return Enrollment(Outcome.DUPLICATE, f"{name} is enrolled with this picture already ({twin.source})", already)
    resembles = _resembles(registrar, collection, name, probe)
    crop, landmarks = keepsake(frame.pixels, probe.face.box, probe.face.landmarks)
    face = EnrolledFace(
        id=face_id,
        person_id="",
        vector=probe.vector,
        model=registrar.model,
        crop=registrar.to_jpeg(crop) if registrar.to_jpeg else None,
        landmarks=landmarks,
        source=source.encode("utf-8", "backslashreplace").decode(),  # a file's name may hold broken characters
        digest=digest,
        quality=probe.quality,
        created=registrar.now(),
    )
    enrolled = registrar.gallery.add(collection, name, face)
    detail = f"enrolled, {enrolled.faces} face{'s' if enrolled.faces > 1 else ''} now"
    if resembles:
        detail += f"; looks like {resembles[0]} (similarity {resembles[1]:.2f}): the same person under two names?"
    return Enrollment(Outcome.ENROLLED, detail, enrolled, face.id, resembles)


def keepsake(pixels: Pixels, box: tuple[float, float, float, float], landmarks: Floats) -> tuple[Pixels, Floats]:
    """The face with a margin, cut out and at most CROP_SIZE large, and its five points in that crop's pixels."""
    x1, y1, x2, y2 = box
    margin = CROP_MARGIN * max(x2 - x1, y2 - y1)
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    right, bottom = min(pixels.shape[1], int(x2 + margin) + 1), min(pixels.shape[0], int(y2 + margin) + 1)
    crop = pixels[top:bottom, left:right]
    points = landmarks - np.array([left, top], np.float32)
    scale = CROP_SIZE / max(crop.shape[:2])
    if scale < 1:
        size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
        points = points * np.array([size[0] / crop.shape[1], size[1] / crop.shape[0]], np.float32)
        crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return np.ascontiguousarray(crop), points.astype(np.float32)


def _person(gallery: Gallery, collection: str, name: str) -> Person | None:
    try:
        return gallery.person(collection, name)
    except NoPersonError:
        return None


def _poor(probe: Probe) -> tuple[Outcome, str] | None:
    quality = probe.quality
    if quality.size < LEAST_SIZE:
        return Outcome.TOO_SMALL, f"the face is {quality.size:.0f} pixels large, {LEAST_SIZE:.0f} are needed"
    if abs(quality.yaw) > LARGEST_YAW or abs(quality.pitch) > LARGEST_PITCH:
        return Outcome.EXTREME_POSE, "the face looks too far aside, up or down"
    if quality.sharpness < LEAST_SHARPNESS:
        return Outcome.TOO_BLURRED, "the face is too blurred"
    return None


def _twin(gallery: Gallery, person: Person, probe: Probe, digest: str, own: str) -> EnrolledFace | None:
    """The person's face out of the same picture; none where the face `own` is theirs, which is this one."""
    faces = list(gallery.faces(person.collection, person.id, crops=False))
    if any(face.id == own for face in faces):
        return None
    same = (face for face in faces if face.digest == digest or float(face.vector @ probe.vector) > SAME_PICTURE)
    return next(same, None)


def _resembles(registrar: Registrar, collection: str, name: str, probe: Probe) -> tuple[str, float] | None:
    probes = Embeddings(probe.vector[None], registrar.model)
    for candidate in registrar.gallery.search(collection, probes, CANDIDATES)[0]:
        if candidate.name != name and candidate.similarity >= registrar.threshold:
            return candidate.name, candidate.similarity
    return None
