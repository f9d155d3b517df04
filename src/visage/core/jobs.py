"""`perform(job) -> Answer`: the only worker of work. Every door calls it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from visage.core.ahead import ahead
from visage.core.answers import Answer, Comparison, Models
from visage.core.boxes import iou
from visage.core.enroll import Registrar, enroll
from visage.core.errors import OtherModelError, UnreadableError, UsageError, VisageError
from visage.core.kit import Kit
from visage.core.match import Rule, probabilities, rule_for
from visage.core.names import check_name
from visage.core.photos import Lap, Photo, Stopwatch, perform_photos
from visage.core.ports.media import Clip
from visage.core.recognize import WEAK, Eyes, Finder, Probe, batches, largest, measure, name, probes
from visage.core.track import appearances, step_of
from visage.core.values import Face, Frame, Job, JobKind, Media, Sampling, Sighting

# A face is the one that a box means from this overlap (IoU) on.
SAME_BOX = 0.5

# Called with each frame that was looked at and what was seen in it: for progress, and for drawing.
Watcher = Callable[[Frame, Sequence[Sighting], Media], None]


def perform(job: Job, kit: Kit, watch: Watcher | None = None) -> Answer:
    """Do the job. Raises `InputError` where a source is of no use, `GalleryError`, `ModelError`, `StorageError`."""
    if job.kind is JobKind.BULK:
        raise UsageError("a job that is many jobs is taken apart by a worker of the service")
    stopwatch = Stopwatch(kit.clock)
    sources = 2 if job.kind is JobKind.COMPARE else 1
    if len(job.sources) != sources:
        raise UsageError(f"{job.kind} takes {sources} source{'s' if sources > 1 else ''}, not {len(job.sources)}")
    if job.kind in {JobKind.RECOGNIZE, JobKind.DETECT}:
        return _look(job, kit, stopwatch, watch)
    with stopwatch.lap("total"):
        return _compare(job, kit, stopwatch) if job.kind is JobKind.COMPARE else _enroll(job, kit, stopwatch)


def _look(job: Job, kit: Kit, stopwatch: Stopwatch, watch: Watcher | None) -> Answer:
    if job.kind is JobKind.RECOGNIZE:
        kit.gallery()  # without one, better to say so before anything is decoded
    with ExitStack() as stack:
        with stopwatch.lap("total"), stopwatch.lap("decode"):  # a photo is decoded as it is opened
            clip = stack.enter_context(kit.decoder.open(job.sources[0], job.sampling))
        if clip.media.is_video:
            with stopwatch.lap("total"):
                return _video_answer(job, clip, kit, stopwatch, watch)
        photo = Photo(job, next(iter(clip.frames())), clip.media, stopwatch)
    return _photo_answer(photo, kit, watch)


def _photo_answer(photo: Photo, kit: Kit, watch: Watcher | None) -> Answer:
    (answer,) = perform_photos([photo], kit)
    if isinstance(answer, VisageError):
        raise answer
    _tell(watch, [photo.frame], answer.sightings, photo.media)
    return answer


def _video_answer(job: Job, clip: Clip, kit: Kit, stopwatch: Stopwatch, watch: Watcher | None) -> Answer:
    lap = stopwatch.lap
    gaze = _namer(job, kit, lap) if job.kind is JobKind.RECOGNIZE else _measurer(kit)
    sightings: list[Sighting] = []
    frames = 0
    for batch, faces in _searched(clip, Finder(kit.detector, video=True), lap):
        seen = gaze.see(batch, [largest(found, job.limit) for found in faces])
        sightings += seen
        frames += len(batch)
        _tell(watch, batch, seen, clip.media)
    return Answer(
        kind=job.kind,
        media=(clip.media,),
        models=Models(kit.detector.name, kit.embedder.name if gaze.rule else None, kit.runtime()),
        frames=frames,
        sightings=tuple(sightings),
        people=appearances(sightings, step_of(job.sampling, clip.media, frames)) if gaze.rule else (),
        rule=gaze.rule,
        timings=stopwatch.timings,
    )


@dataclass(frozen=True)
class _Gaze:
    """How the faces of a batch become sightings; by which rule they are named, if they are."""

    see: Callable[[Sequence[Frame], Sequence[Sequence[Face]]], list[Sighting]]
    rule: Rule | None = None


def _namer(job: Job, kit: Kit, lap: Lap) -> _Gaze:
    collection = check_name(job.collection)
    gallery = kit.gallery()
    rule = rule_for(kit.card, job.match, gallery.size(collection), gallery.version())
    people = gallery.population(collection)
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lap)

    def see(batch: Sequence[Frame], faces: Sequence[Sequence[Face]]) -> list[Sighting]:
        flat = [probe for found in probes(batch, faces, eyes) for probe in found]
        return name(flat, gallery, collection, rule, people, eyes)

    return _Gaze(see, rule)


def _measurer(kit: Kit) -> _Gaze:
    def see(batch: Sequence[Frame], faces: Sequence[Sequence[Face]]) -> list[Sighting]:
        return [
            Sighting(frame.index, frame.time, face, quality)
            for frame, found in zip(batch, faces, strict=True)
            for face, quality in zip(found, measure(frame, found, kit.card)[1], strict=True)
        ]

    return _Gaze(see)


def _compare(job: Job, kit: Kit, stopwatch: Stopwatch) -> Answer:
    (first, media1, _), (second, media2, _) = (_photo(source, kit, stopwatch.lap) for source in job.sources)
    largest = max(first, key=lambda probe: probe.face.area, default=None)
    if largest is None or not second:
        source = (media2 if largest else media1).source
        raise UnreadableError(source, "no face was found in it, so there is nothing to compare")
    similarities = np.array([float(largest.vector @ probe.vector) for probe in second])
    nearest = int(similarities.argmax())
    threshold = kit.card.threshold if job.match.threshold is None else job.match.threshold
    similarity = float(similarities[nearest])
    return Answer(
        kind=job.kind,
        media=(media1, media2),
        models=Models(kit.detector.name, kit.embedder.name, kit.runtime()),
        frames=2,
        comparison=Comparison(
            same=similarity >= threshold,
            similarity=similarity,
            probability=float(probabilities(similarities[nearest : nearest + 1], kit.card, 1)[0]),
            threshold=threshold,
            first=largest.face,
            second=second[nearest].face,
        ),
        timings=stopwatch.timings,
    )


def _enroll(job: Job, kit: Kit, stopwatch: Stopwatch) -> Answer:
    if job.name is None:
        raise UsageError("to enroll somebody, give a name")
    person = (check_name(job.collection), check_name(job.name))
    gallery = kit.gallery(create=True)
    made_by = gallery.model(person[0])
    if made_by not in {None, kit.card.name}:
        raise OtherModelError(
            f"{person[0]!r} was enrolled with {made_by}, but {kit.card.name} is in use; to change everybody over: "
            f"visage people migrate, or to go back: visage models use {made_by}"
        )
    pointed = job.enroll.box is not None or job.enroll.frame is not None
    look = _pointed_at(job, kit, stopwatch.lap) if pointed else _photo(job.sources[0], kit, stopwatch.lap)
    found, media, frame = look
    if media.problem:
        raise UnreadableError(media.source, f"{media.problem}; enroll from an undamaged copy")
    new_id = _face_ids(job, kit)
    registrar = Registrar(gallery, kit.embedder.name, kit.card.threshold, kit.to_jpeg, kit.now, new_id)
    with stopwatch.lap("store"):
        enrollment = enroll(frame, found, person, (*job.called, *job.sources)[0], job.enroll, registrar)
    return Answer(
        kind=job.kind,
        media=(media,),
        models=Models(kit.detector.name, kit.embedder.name, kit.runtime()),
        frames=1,
        enrollment=enrollment,
        timings=stopwatch.timings,
    )


def _face_ids(job: Job, kit: Kit) -> Callable[[str], str]:
    """How an enrolled face gets its id. That of a job with an id of its own follows from the job and the picture's
    digest: where its worker died with the face kept, but not the answer, the second time finds it there."""

    def made(digest: str) -> str:
        if not job.id:
            return kit.new_id()
        whole = "\0".join((job.id, job.collection, job.name or "", digest))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    return made


def _photo(source: str, kit: Kit, lap: Lap) -> tuple[list[Probe], Media, Frame]:
    """The probes of a photo (of a video: of its first frame), and that frame."""
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lap)
    with lap("decode"), kit.decoder.open(source, Sampling()) as clip:
        frame = next(iter(clip.frames()))
        media = clip.media
    with lap("detect"):
        faces = Finder(kit.detector, video=False).find([frame])
    return probes([frame], faces, eyes)[0], media, frame


def _pointed_at(job: Job, kit: Kit, lap: Lap) -> tuple[list[Probe], Media, Frame]:
    """As `_photo`, of the frame that is meant, and where a box is given, with the face there alone."""
    with lap("decode"), kit.decoder.open(job.sources[0], job.sampling) as clip:
        frame = _meant(clip, job.enroll.frame)
        media = clip.media
    with lap("detect"):
        if media.is_video:  # where a weak detection may have been believed, for what was seen just before and after
            faces = kit.detector.detect([frame.pixels], least=WEAK * kit.detector.threshold)[0]
        else:
            faces = Finder(kit.detector, video=False).find([frame])[0]
    if job.enroll.box is not None:
        faces = _in_box(faces, job.enroll.box)
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lap)
    return probes([frame], [faces], eyes)[0], media, frame


def _in_box(faces: Sequence[Face], box: tuple[float, float, float, float]) -> list[Face]:
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    overlaps = iou(np.array([box], np.float32), boxes)[0]
    return [faces[int(overlaps.argmax())]] if overlaps.max(initial=0.0) >= SAME_BOX else []


def _meant(clip: Clip, index: int | None) -> Frame:
    """The frame of that index, or the first."""
    for frame in clip.frames():
        if index is None or frame.index == index:
            return frame
        if frame.index > index:
            break
    reason = f"frame {index} is none of those looked at; give the frame and the sampling of one answer"
    raise UnreadableError(clip.media.source, reason)


def _searched(clip: Clip, finder: Finder, lap: Lap) -> Iterator[tuple[list[Frame], list[list[Face]]]]:
    """The frames in batches, each with its faces; the next batch is searched while this one is used.

    A third of the time goes to steps that keep only one core busy; side by side they fill each other's gaps.
    """

    def search() -> Iterator[tuple[list[Frame], list[list[Face]]]]:
        for batch in batches(_timed(clip.frames(), lap)):
            with lap("detect"):
                faces = finder.find(batch)
            yield batch, faces

    return ahead(search(), depth=1)


def _tell(watch: Watcher | None, batch: Sequence[Frame], seen: Sequence[Sighting], media: Media) -> None:
    if watch is not None:
        for frame in batch:
            watch(frame, [sighting for sighting in seen if sighting.frame == frame.index], media)


def _timed(frames: Iterator[Frame], lap: Lap) -> Iterator[Frame]:
    """The frames, with the time spent waiting for them counted as decoding."""
    while True:
        with lap("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame
