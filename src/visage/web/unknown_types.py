"""What the routes of unknown people take and give, as the types that check it and that the document is made from."""

from typing import Annotated, Literal

from pydantic import Field

from visage.web.answers import EnrolledOut, MatchOut, QualityOut, Shape
from visage.web.parameters import Parameters
from visage.web.people_types import Change, CollectionOption, Id, Name

PAGE = 24
MOST = 100

# What a face may be, and those of them that are listed: whoever is named is among the people.
State = Literal["new", "ignored", "not-a-face", "named"]
Listed = Literal["new", "ignored", "not-a-face"]


class UnknownOptions(CollectionOption):
    state: Annotated[Listed, Field(description="Which of them: those nobody has looked at, or those put aside.")] = (
        "new"
    )
    limit: Annotated[int, Field(ge=1, le=MOST, description="People on a page.")] = PAGE
    cursor: Annotated[
        str | None, Field(max_length=300, description="`next` of the page before; without it, the first page.")
    ] = None


class ClusterPath(Parameters):
    id: Annotated[str, Field(description="The unknown person's id.")]


class UnknownFacePath(Parameters):
    id: Annotated[str, Field(description="The face's id.")]


class SomeFaces(Change):
    faces: Annotated[
        list[Id] | None,
        Field(min_length=1, max_length=10_000, description="Some of their faces; all of them where none are named."),
    ] = None


class Naming(SomeFaces):
    name: Annotated[Name, Field(description="Who it is: somebody enrolled already, or somebody new.")]


class Denying(Change):
    person_id: Annotated[Id, Field(description="Who it is not.")]


class UnknownOut(Shape):
    """Somebody who matched nobody. faces: how many are kept of them; pictures: photos, and frames of videos, that they
    were seen in. first, last: when these came in, seconds since 1970. members: ids of their best faces, at most six.
    suggestion: somebody enrolled whom they resemble, though not enough to be named."""

    id: str
    state: State
    faces: int
    pictures: int
    jobs: int
    first: float
    last: float
    members: list[str]
    suggestion: MatchOut | None


class UnknownPage(Shape):
    """enabled: whether faces that match nobody are kept at all; for so many days. next: the cursor of the page that
    follows, if one does. total: how many there are on all pages. grouping: whether some faces are still being put
    together, so that there will be more in a while."""

    enabled: bool
    days: float
    clusters: list[UnknownOut]
    next: str | None
    total: int
    grouping: bool


class UnknownFace(Shape):
    """job, source: where it came from, and what the file was called, for who may enroll. time: seconds into a video.
    sightings: in how many pictures it stands for the person. crop: whether a picture is kept of it."""

    id: str
    job: str | None
    source: str | None
    time: float
    created: float
    sightings: int
    crop: bool
    state: State
    quality: QualityOut


class WholeUnknown(UnknownOut):
    """face_list: the best first."""

    face_list: list[UnknownFace]


class NamedOut(Shape):
    """enrolled: how many of the faces were added to the person. answers: how many that are kept name them now. change:
    its id in the history, where it can be undone."""

    person: EnrolledOut
    enrolled: int
    answers: int
    change: str


class FaceCount(Shape):
    """faces: how many were put elsewhere, or erased. change: its id in the history, where it can be undone; None where
    it cannot."""

    faces: int
    change: str | None
