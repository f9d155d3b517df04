"""A photo of somebody -> a face in the gallery, or the reason why not."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from visage.core.answers import Enrollment, Outcome
from visage.core.errors import NoPersonError
from visage.core.match import CANDIDATES, is_ruled_out
from visage.core.ports.gallery import Gallery
from visage.core.recognize import Probe
from visage.core.values import Embeddings, EnrolledFace, EnrollOptions, Floats, Frame, Person, Pixels, Quality

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
    """Enroll the face in `frame` as `person`, which is (collection, name); or, with `options.deny`, keep it as an
    example of who is not that person, however poor it is. found: where `options.box` is given, the face there alone.

    Raises `NoPersonError` where nobody is called so who could be denied.
    """
    collection, name = person
    gallery = registrar.gallery
    already = gallery.person(collection, name) if options.deny else _person(gallery, collection, name)
    probe = _chosen(found, options)
    if not isinstance(probe, Probe):
        return Enrollment(*probe, already)
    digest = hashlib.sha256(frame.pixels.tobytes()).hexdigest()
    face_id = registrar.new_id(digest)
    if already and options.deny:
        gallery.deny(collection, already.id, _record(face_id, digest, probe, frame, source, registrar))
        return Enrollment(Outcome.DENIED, f"kept as a face that is not {already.name}", already, face_id)
    if already and (twin := _twin(gallery, already, probe, digest, face_id)):
        _take_back(gallery, already, probe)
        return Enrollment(Outcome.DUPLICATE, f"{name} is enrolled with this picture already ({twin.source})", already)
    resembles = _resembles(registrar, collection, name, probe)
    enrolled = gallery.add(collection, name, _record(face_id, digest, probe, frame, source, registrar))
    _take_back(gallery, enrolled, probe)
    detail = f"enrolled, {enrolled.faces} face{'s' if enrolled.faces > 1 else ''} now"
    if resembles:
        detail += f"; looks like {resembles[0]} (similarity {resembles[1]:.2f}): the same person under two names?"
    return Enrollment(Outcome.ENROLLED, detail, enrolled, face_id, resembles)


def _chosen(found: Sequence[Probe], options: EnrollOptions) -> Probe | tuple[Outcome, str]:
    """The face that is meant, or why there is none."""
    if not found and options.box:
        return Outcome.NO_FACE, "no face is at that place; take the box from an answer about this very photo or video"
    if not found:
        return Outcome.NO_FACE, "no face was found; give a photo that shows the face larger"
    if len(found) > 1 and not options.largest:
        return Outcome.SEVERAL_FACES, f"{len(found)} faces; crop the photo, or take the largest with --largest"
    probe = max(found, key=lambda p: p.face.area)
    if not options.force and not options.deny and (why := poor(probe.quality)):
        return why[0], f"{why[1]} (--force enrolls it all the same)"
    return probe


def _record(face_id: str, digest: str, probe: Probe, frame: Frame, source: str, registrar: Registrar) -> EnrolledFace:
    crop, landmarks = keepsake(frame.pixels, probe.face.box, probe.face.landmarks)
    return EnrolledFace(
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


def poor(quality: Quality) -> tuple[Outcome, str] | None:
    """Why a face is not good enough to be enrolled; None where it is."""
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


def _take_back(gallery: Gallery, person: Person, probe: Probe) -> None:
    """What said that this very face is not the person's: whoever enrolls it as theirs has thought better of it."""
    denied = gallery.denials(person.collection, person.id, crops=False)
    same = [face.id for face in denied if float(face.vector @ probe.vector) > SAME_PICTURE]
    if same:
        gallery.undeny(person.collection, same, person_id=person.id)


def _resembles(registrar: Registrar, collection: str, name: str, probe: Probe) -> tuple[str, float] | None:
    probes = Embeddings(probe.vector[None], registrar.model)
    for candidate in registrar.gallery.search(collection, probes, CANDIDATES)[0]:
        told = not candidate.hidden and not is_ruled_out(candidate, registrar.threshold)
        if told and candidate.name != name and candidate.similarity >= registrar.threshold:
            return candidate.name, candidate.similarity
    return None
