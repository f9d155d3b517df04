"""`perform(job) -> Answer`: the only worker of work. Every door calls it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np

from visage.core.ahead import ahead
from visage.core.answers import Answer, Comparison, Models
from visage.core.enroll import Registrar, enroll
from visage.core.errors import OtherModelError, UnreadableError, UsageError
from visage.core.kit import Kit
from visage.core.match import probabilities, rule_for
from visage.core.names import check_name
from visage.core.ports import Clip
from visage.core.recognize import Eyes, Finder, Probe, batches, measure, name, probes
from visage.core.track import appearances
from visage.core.values import Face, Frame, Job, JobKind, Media, Sampling, Sighting

# Called with each frame that was looked at and what was seen in it: for progress, and for drawing.
Watcher = Callable[[Frame, Sequence[Sighting], Media], None]

Lap = Callable[[str], AbstractContextManager[None]]


def perform(job: Job, kit: Kit, watch: Watcher | None = None) -> Answer:
    """Do the job. Raises `InputError` where a source is of no use, `GalleryError`, `ModelError`, `StorageError`."""
    timings: dict[str, float] = {}
    lap = _stopwatch(kit.clock, timings)
    sources = 2 if job.kind is JobKind.COMPARE else 1
    if len(job.sources) != sources:
        raise UsageError(f"{job.kind} takes {sources} source{'s' if sources > 1 else ''}, not {len(job.sources)}")
    with lap("total"):
        if job.kind is JobKind.RECOGNIZE:
            return _recognize(job, kit, lap, timings, watch)
        if job.kind is JobKind.DETECT:
            return _detect(job, kit, lap, timings, watch)
        if job.kind is JobKind.COMPARE:
            return _compare(job, kit, lap, timings)
        return _enroll(job, kit, lap, timings)


def _recognize(job: Job, kit: Kit, lap: Lap, timings: dict[str, float], watch: Watcher | None) -> Answer:
    collection = check_name(job.collection)
    gallery = kit.gallery()
    rule = rule_for(kit.card, job.match, gallery.size(collection))
    people = len(gallery.people(collection))
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lap)
    sightings: list[Sighting] = []
    frames = 0
    with _opened(job, kit, lap) as clip:
        finder = Finder(kit.detector, video=clip.media.is_video)
        for batch, faces in _searched(clip, finder, lap):
            flat = [probe for found in probes(batch, faces, eyes) for probe in found]
            seen = name(flat, gallery, collection, rule, people, eyes)
            sightings += seen
            frames += len(batch)
            _tell(watch, batch, seen, clip.media)
        media = clip.media
    return Answer(
        kind=job.kind,
        media=(media,),
        models=Models(kit.detector.name, kit.embedder.name, kit.runtime()),
        frames=frames,
        sightings=tuple(sightings),
        people=appearances(sightings, _step(job.sampling, media)),
        rotation=finder.rotation,
        rule=rule,
        timings=timings,
    )


def _detect(job: Job, kit: Kit, lap: Lap, timings: dict[str, float], watch: Watcher | None) -> Answer:
    sightings: list[Sighting] = []
    frames = 0
    with _opened(job, kit, lap) as clip:
        finder = Finder(kit.detector, video=clip.media.is_video)
        for batch, faces in _searched(clip, finder, lap):
            seen = [
                Sighting(frame.index, frame.time, face, quality)
                for frame, found in zip(batch, faces, strict=True)
                for face, quality in zip(found, measure(frame, found, kit.card)[1], strict=True)
            ]
            sightings += seen
            frames += len(batch)
            _tell(watch, batch, seen, clip.media)
        media = clip.media
    return Answer(
        kind=job.kind,
        media=(media,),
        models=Models(kit.detector.name, None, kit.runtime()),
        frames=frames,
        sightings=tuple(sightings),
        rotation=finder.rotation,
        timings=timings,
    )


def _compare(job: Job, kit: Kit, lap: Lap, timings: dict[str, float]) -> Answer:
    (first, media1, _), (second, media2, _) = (_photo(source, kit, lap) for source in job.sources)
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
        timings=timings,
    )


def _enroll(job: Job, kit: Kit, lap: Lap, timings: dict[str, float]) -> Answer:
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
    found, media, frame = _photo(job.sources[0], kit, lap)
    if media.problem:
        raise UnreadableError(media.source, f"{media.problem}; enroll from an undamaged copy")
    registrar = Registrar(gallery, kit.embedder.name, kit.card.threshold, kit.to_jpeg, kit.now, kit.new_id)
    with lap("store"):
        enrollment = enroll(frame, found, person, job.sources[0], job.enroll, registrar)
    return Answer(
        kind=job.kind,
        media=(media,),
        models=Models(kit.detector.name, kit.embedder.name, kit.runtime()),
        frames=1,
        enrollment=enrollment,
        timings=timings,
    )


def _photo(source: str, kit: Kit, lap: Lap) -> tuple[list[Probe], Media, Frame]:
    """The probes of a photo (of a video: of its first frame), and that frame."""
    eyes = Eyes(kit.detector, kit.embedder, kit.card, lap)
    with lap("decode"), kit.decoder.open(source, Sampling()) as clip:
        frame = next(iter(clip.frames()))
        media = clip.media
    with lap("detect"):
        faces = Finder(kit.detector, video=False).find([frame])
    return probes([frame], faces, eyes)[0], media, frame


@contextmanager
def _opened(job: Job, kit: Kit, lap: Lap) -> Iterator[Clip]:
    """The job's source; opening it counts as decoding, because a photo is decoded there."""
    opening = kit.decoder.open(job.sources[0], job.sampling)
    with ExitStack() as stack:
        with lap("decode"):
            clip = stack.enter_context(opening)
        yield clip


def _searched(clip: Clip, finder: Finder, lap: Lap) -> Iterator[tuple[list[Frame], list[list[Face]]]]:
    """The frames in batches, each with its faces; of a video, the next batch is searched while this one is used.

    A third of the time goes to steps that keep only one core busy; side by side they fill each other's gaps.
    """

    def search() -> Iterator[tuple[list[Frame], list[list[Face]]]]:
        for batch in batches(_timed(clip.frames(), lap)):
            with lap("detect"):
                faces = finder.find(batch)
            yield batch, faces

    return ahead(search(), depth=1) if clip.media.is_video else search()


def _step(sampling: Sampling, media: Media) -> float:
    """Seconds between the frames that were looked at."""
    if sampling.seconds is not None:
        return sampling.seconds
    return (sampling.frames or 1) / media.fps if media.fps else 0.0


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


def _stopwatch(clock: Callable[[], float], timings: dict[str, float]) -> Lap:
    @contextmanager
    def lap(stage: str) -> Iterator[None]:
        start = clock()
        try:
            yield
        finally:
            timings[stage] = timings.get(stage, 0.0) + clock() - start

    return lap
