"""What the routes of the history and of the audit log take and give."""

from typing import Annotated

from pydantic import Field

from visage.core.journal.audit import Action
from visage.core.journal.audit_log import GROUP
from visage.core.journal.change import ID, ChangeKind
from visage.web.answers import Shape
from visage.web.parameters import Parameters


class HistoryOptions(Parameters):
    collection: Annotated[
        str | None,
        Field(min_length=1, max_length=255, description="Of this collection alone; of all where none is said."),
    ] = None
    person: Annotated[str | None, Field(max_length=255, description="About the person of this id alone.")] = None
    limit: Annotated[int, Field(ge=1, le=200, description="Changes on a page, at most.")] = 50
    cursor: Annotated[str | None, Field(pattern=f"^{ID}$", description="`next` of the page before.")] = None


class ChangePath(Parameters):
    id: Annotated[str, Field(description="The change's id.")]


class SomeoneOut(Shape):
    """name: as they were called before the change. id: empty where they were yet to be made."""

    id: str
    name: str


class UndoneOut(Shape):
    """at: seconds since 1970. by: as of the change."""

    at: float
    by: str | None


class ChangeOut(Shape):
    """people: whom it is about; of two the second got the faces. name: what the person is called since. faces: how
    many it is about. at: seconds since 1970. by: the name of the key that did it, where you may know. pending: the
    photos are still being looked at. undone: when that was done, if it was."""

    id: str
    kind: ChangeKind
    collection: str
    people: list[SomeoneOut]
    name: str | None
    faces: int
    at: float
    by: str | None
    pending: bool
    undone: UndoneOut | None


class HistoryPage(Shape):
    """The newest first. next: the cursor of the page that follows, if one does: also a short page may have one."""

    changes: list[ChangeOut]
    next: str | None


class AuditOptions(Parameters):
    limit: Annotated[int, Field(ge=1, le=1000, description="Entries on a page, at most.")] = 100
    cursor: Annotated[
        str | None, Field(pattern=f"^{GROUP}:[0-9]{{1,7}}$", description="`next` of the page before.")
    ] = None
    action: Annotated[Action | None, Field(description="What was done.")] = None
    person: Annotated[str | None, Field(max_length=255, description="About the person of this id alone.")] = None
    account: Annotated[str | None, Field(max_length=255, description="By the key of this id alone.")] = None


class AuditPersonOut(Shape):
    """name: none where they are not enrolled any more; the log itself holds ids alone."""

    id: str
    name: str | None


class EntryOut(Shape):
    """at: seconds since 1970. account: the key's id, empty where none was needed; by: its name. people: whom it is
    about, or who was found. request: as in X-Request-Id."""

    at: float
    account: str
    by: str | None
    action: Action
    collection: str
    people: list[AuditPersonOut]
    faces: int
    jobs: list[str]
    request: str


class AuditPage(Shape):
    """The newest first. next: the cursor of the page that follows, if one does: also a short page may have one."""

    entries: list[EntryOut]
    next: str | None
