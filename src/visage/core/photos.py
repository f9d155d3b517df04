"""Photos of several jobs through the networks together. One photo is a group of one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from visage.core.answers import Answer, Models
from visage.core.errors import VisageError
from visage.core.kit import Kit
from visage.core.match import rule_for
from visage.core.names import check_name
from visage.core.recognize import Eyes, Finder, Probe, largest, measure, name, probes
from visage.core.track import appearances
from visage.core.values import Face, Frame, Job, JobKind, Media, Sighting

Lap = Callable[[str], AbstractContextManager[None]]


@dataclass
class Stopwatch:
    """Seconds by stage. `lap` times a block, and adds to what the stage took before."""

    clock: Callable[[], float]
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        start = self.clock()
        try:
            yield
        finally:
            self.timings[stage] = self.timings.get(stage, 0.0) + self.clock() - start


@dataclass(frozen=True)
class Photo:
    """A decoded photo, and the job it belongs to, which is to recognize or to detect."""

    job: Job
    frame: Frame
    media: Media
    watch: Stopwatch


def open_photo(job: Job, kit: Kit) -> Photo | None:
    """Decode the job's photo, so that the networks need not wait for it. None where that can't be done ahead: the
    source is a video, or the job is of another kind. Raises `InputError`."""
    if job.kind not in {JobKind.RECOGNIZE, JobKind.DETECT} or len(job.sources) != 1:
        return None
    watch = Stopwatch(kit.clock)
    with watch.lap("total"), watch.lap("decode"), kit.decoder.open(job.sources[0], job.sampling) as clip:
        if clip.media.is_video:
            return None
        return Photo(job, next(iter(clip.frames())), clip.media, watch)


def perform_photos(photos: Sequence[Photo], kit: Kit) -> list[Answer | VisageError]:
    """The answer to each job, or what was wrong with that one alone.

    Faces are found and embedded for all photos together; so the time that this takes counts for each of them. Raises
    `ModelError`, and `VisageError` where something is wrong with all of them.
    """
    together = Stopwatch(kit.clock)
    with together.lap("total"):
        finder = Finder(kit.detector, video=False)
        with together.lap("detect"):
            everything = finder.find([photo.frame for photo in photos])
            faces = [largest(found, photo.job.limit) for found, photo in zip(everything, photos, strict=True)]
        to_name = [i for i, photo in enumerate(photos) if photo.job.kind is JobKind.RECOGNIZE]
        eyes = Eyes(kit.detector, kit.embedder, kit.card, together.lap) if to_name else None
        found: dict[int, list[Probe]] = {}
        if eyes:
            embedded = probes([photos[i].frame for i in to_name], [faces[i] for i in to_name], eyes)
            found = dict(zip(to_name, embedded, strict=True))
    answers: list[Answer | VisageError] = []
    for i, photo in enumerate(photos):
        for stage, seconds in together.timings.items():
            photo.watch.timings[stage] = photo.watch.timings.get(stage, 0.0) + seconds
        try:
            answers.append(_answer(photo, faces[i], found.get(i), finder.rotations[i], kit))
        except VisageError as error:
            answers.append(error)
    return answers


def _answer(photo: Photo, faces: Sequence[Face], found: Sequence[Probe] | None, rotation: int, kit: Kit) -> Answer:
    job, frame, watch = photo.job, photo.frame, photo.watch
    with watch.lap("total"):
        answer = Answer(
            kind=job.kind,
            media=(photo.media,),
            models=Models(kit.detector.name, kit.embedder.name if found is not None else None, kit.runtime()),
            frames=1,
            rotation=rotation,
            timings=watch.timings,
        )
        if found is None:
            qualities = measure(frame, faces, kit.card)[1]
            seen = [Sighting(frame.index, frame.time, *one) for one in zip(faces, qualities, strict=True)]
            return replace(answer, sightings=tuple(seen))
        collection = check_name(job.collection)
        gallery = kit.gallery()
        rule = rule_for(kit.card, job.match, gallery.size(collection), gallery.version())
        eyes = Eyes(kit.detector, kit.embedder, kit.card, watch.lap)
        seen = name(found, gallery, collection, rule, gallery.population(collection), eyes)
        return replace(answer, sightings=tuple(seen), people=appearances(seen, 0.0), rule=rule)
