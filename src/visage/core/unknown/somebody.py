"""Unknown faces as they are shown: by who they seem to be, and by what was decided on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from visage.core.unknown.kept import State
from visage.core.unknown.pile import Held
from visage.core.values import Quality


@dataclass(frozen=True, slots=True)
class UnknownFace:
    """One kept face. id: 32 hex digits, under which it is enrolled when it is named. job, source: in which job it came,
    and what the client called the file. time: seconds into a video, 0 in a photo. created: when the job was handed in.
    sightings: in how many pictures this face stands for the person. person_id: as whom it was named, else None."""

    id: str
    job: str
    source: str
    time: float
    created: float
    quality: Quality
    sightings: int
    crop: bool
    state: State
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Faces that seem to be one person's, best first. id: that of the oldest of them."""

    id: str
    collection: str
    state: State
    faces: tuple[UnknownFace, ...]

    @property
    def pictures(self) -> int:
        """Photos and frames they are seen in."""
        return sum(face.sightings for face in self.faces)

    @property
    def jobs(self) -> int:
        return len({face.job for face in self.faces})

    @property
    def first(self) -> float:
        """When the first of them came, seconds since 1970."""
        return min(face.created for face in self.faces)

    @property
    def last(self) -> float:
        return max(face.created for face in self.faces)


def clusters_of(group: Sequence[Held]) -> Iterator[Cluster]:
    """A group, by what was decided on its faces. Those that nobody decided on go with the most similar one that
    somebody did."""
    done = [held for held in group if held.face.state is not None]
    states = [held.face.state or State.NEW for held in group]
    if done and len(done) < len(group):
        scores = np.stack([held.face.vector for held in group]) @ np.stack([held.face.vector for held in done]).T
        near = scores.argmax(axis=1)
        states = [held.face.state or done[near[i]].face.state or State.NEW for i, held in enumerate(group)]
    for state in dict.fromkeys(states):
        faces = [held for held, own in zip(group, states, strict=True) if own is state]
        oldest = min(faces, key=lambda held: (held.haul.created, held.haul.job, held.face.place))
        faces.sort(key=lambda held: (-held.face.quality.score, held.face.id))
        yield Cluster(oldest.face.id, oldest.haul.collection, state, tuple(_shown(held, state) for held in faces))


def _shown(held: Held, state: State) -> UnknownFace:
    face, haul = held.face, held.haul
    return UnknownFace(
        id=face.id,
        job=haul.job,
        source=haul.source,
        time=face.time,
        created=haul.created,
        quality=face.quality,
        sightings=held.sightings,
        crop=face.crop,
        state=state,
        person_id=face.person_id,
    )
