"""What the routes of people and faces take and give, as the types that check it and that the document is made from."""

from typing import Annotated

from pydantic import ConfigDict, Field

from visage.web.answers import QualityOut, Shape
from visage.web.directory import Hidden
from visage.web.parameters import Parameters
from visage.web.system_types import CollectionSize

PAGE = 50
MOST = 200

Collection = Annotated[
    str | None, Field(min_length=1, max_length=255, description="The collection; the service's own where none is said.")
]
Name = Annotated[str, Field(min_length=1, max_length=1000, description="In any script; 200 characters at most.")]
Id = Annotated[str, Field(min_length=1, max_length=255)]


class CollectionOption(Parameters):
    collection: Collection = None


class PeopleOptions(CollectionOption):
    q: Annotated[
        str, Field(max_length=1000, description="A part of the name, without regard to upper and lower case.")
    ] = ""
    limit: Annotated[int, Field(ge=1, le=MOST, description="People on a page.")] = PAGE
    cursor: Annotated[
        str | None, Field(max_length=4000, description="`next` of the page before; without it, the first page.")
    ] = None
    hidden: Annotated[Hidden, Field(description="Whether to list those who are hidden too, or alone.")] = Hidden.NO


class PersonPath(Parameters):
    id: Annotated[str, Field(description="The person's id.")]


class FacePath(Parameters):
    id: Annotated[str, Field(description="The face's id.")]


class KeyHeaders(Parameters):
    """The header that whatever changes something may have."""

    idempotency_key: Annotated[
        str | None,
        Field(
            alias="Idempotency-Key",
            pattern="^[!-~]{1,255}$",
            description="A text of your own for this request: asked again with it within a day, it gets the same "
            "answer, and nothing is done twice.",
        ),
    ] = None


class ChangeHeaders(KeyHeaders):
    if_match: Annotated[
        str | None,
        Field(alias="If-Match", description="The ETag of what was read: change nothing (412) if it is another by now."),
    ] = None


class Change(Parameters):
    """A body of JSON. What it holds beside is refused, for it was meant to do something."""

    model_config = ConfigDict(extra="forbid")


class Renaming(Change):
    name: Name


class Merging(Change):
    into: Annotated[Id, Field(description="The id of the person who gets all the faces, and is left.")]


class Moving(Change):
    faces: Annotated[
        list[Id], Field(min_length=1, max_length=10_000, description="Ids of this person's faces that go.")
    ]
    name: Annotated[Name, Field(description="Whose they are; somebody new where there is nobody of that name.")]


class SomebodyOut(Shape):
    """Somebody enrolled. faces: how many. created: seconds since 1970. hidden: they are recognized, and never named.
    cover: the id of the first face that has a crop, where there is one."""

    id: str
    name: str
    collection: str
    faces: int
    created: float
    hidden: bool
    cover: str | None


class PeoplePage(Shape):
    """People by name, without regard to upper and lower case. next: the cursor of the page that follows, if one does.
    total: how many there are on all pages."""

    people: list[SomebodyOut]
    next: str | None
    total: int


class KeptFace(Shape):
    """source: what the picture was called. crop: whether one is kept. created: seconds since 1970."""

    id: str
    created: float
    source: str
    quality: QualityOut
    crop: bool


class WholePerson(SomebodyOut):
    """face_list: in the order of enrollment."""

    face_list: list[KeptFace]


class ErasedCount(Shape):
    """crops: of the faces. jobs: with what came in and what was found. uploads: of the serverless form, out of whose
    stage they were taken. results: of these uploads, which still name them; they are whoever's who uploaded it."""

    faces: int
    crops: int
    jobs: int
    uploads: int
    results: int


class ErasedOut(Shape):
    erased: ErasedCount


class CollectionList(Shape):
    """Those that have a face."""

    collections: list[CollectionSize]
