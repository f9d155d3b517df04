"""What comes out of a job."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from visage.core.match import Rule
from visage.core.values import Appearance, Face, JobKind, Media, Person, Sighting


class Outcome(StrEnum):
    """What became of a photo that was to be enrolled."""

    ENROLLED = "enrolled"
    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    TOO_SMALL = "too small"
    TOO_BLURRED = "too blurred"
    EXTREME_POSE = "extreme pose"
    DUPLICATE = "duplicate"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Enrollment:
    """outcome, and in detail: one plain sentence that says why and what to do. person: whom it was for, None where
    they have no face yet. resembles: the enrolled person that this face might be too, with the similarity."""

    outcome: Outcome
    detail: str
    person: Person | None
    face_id: str | None = None
    resembles: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The largest face of the first picture against the most similar face of the second.

    probability: that they are one person, if that was as likely as not beforehand. threshold: the similarity from
    which they are taken for one.
    """

    same: bool
    similarity: float
    probability: float
    threshold: float
    first: Face
    second: Face


@dataclass(frozen=True, slots=True)
class Models:
    """Who did the work. runtime: library, device and arithmetic."""

    detector: str
    embedder: str | None
    runtime: str


@dataclass(frozen=True)
class Answer:
    """Everything found out about one source (two for a comparison).

    frames: how many were looked at. rotation: by how many degrees clockwise the picture had to be turned until a face
    was found. rule: how names were given, None where none were asked for. timings: seconds by stage, `total` included.
    """

    kind: JobKind
    media: tuple[Media, ...]
    models: Models
    frames: int = 0
    sightings: tuple[Sighting, ...] = ()
    people: tuple[Appearance, ...] = ()
    rotation: int = 0
    rule: Rule | None = None
    comparison: Comparison | None = None
    enrollment: Enrollment | None = None
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.media[0].source

    @property
    def names(self) -> list[str]:
        """The people named, most seen first; `unknown` only where there were faces and nobody was named."""
        return names_of(self.people)

    @property
    def text(self) -> str:
        """The names, one a line; empty where no face was found."""
        return "\n".join(self.names)


def names_of(people: Sequence[Appearance]) -> list[str]:
    """See `Answer.names`."""
    named = [person.name for person in people if person.person_id is not None]
    return named or [person.name for person in people]
