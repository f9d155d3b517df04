"""Everybody enrolled, by name, page by page, and those with a text in their name: as fast as somebody types."""

import base64
import bisect
import threading
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from visage.core.names import lookup_name
from visage.core.ports.gallery import Gallery
from visage.core.values import Person
from visage.web.problems import usage

# A name without regard to case, by which people are sorted, and as it is, which tells two apart.
Place = tuple[str, str]
Listed = list[tuple[Place, Person]]


class Hidden(StrEnum):
    """Whether those are listed whom nobody is told of."""

    INCLUDE = "include"
    ONLY = "only"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Page:
    """following: the cursor of the next page, None where there is none. total: people on all pages."""

    people: Sequence[Person]
    following: str | None
    total: int


class Directory:
    """What was read of a collection is kept in memory until the gallery changes: reading ten thousand people with a
    hundred thousand faces takes 50 ms (SQLite) to 100 ms (PostgreSQL). Used by many threads; where several want what
    is not there yet, one of them reads it for all."""

    def __init__(self, gallery: Callable[[], Gallery]) -> None:
        self._gallery = gallery
        self._lock = threading.Lock()
        self._version = ""
        self._held: dict[str, Listed] = {}
        self._coming: dict[tuple[str, str], Future[Listed]] = {}

    def page(self, collection: str, part: str, limit: int, cursor: str | None, hidden: Hidden = Hidden.INCLUDE) -> Page:
        """The next `limit` people with `part` in their name. A cursor tells the last name shown, so that who comes or
        goes shifts no page. Raises `Problem` 422 for one that is none."""
        part = unicodedata.normalize("NFC", part).strip().casefold()
        after = _name_in(cursor) if cursor is not None else None
        found = self._listed(collection)
        if part:
            found = [one for one in found if part in one[0][0]]
        if hidden is not Hidden.INCLUDE:
            found = [one for one in found if one[1].hidden is (hidden is Hidden.ONLY)]
        start = 0 if after is None else bisect.bisect_right(found, (after.casefold(), after), key=lambda one: one[0])
        people = [person for _, person in found[start : start + limit]]
        more = start + limit < len(found)
        return Page(people, _cursor_of(people[-1].name) if more else None, len(found))

    def forget(self) -> None:
        """Who was erased is to be in no memory either, nor come back with what is just being read."""
        with self._lock:
            self._held, self._coming = {}, {}

    def _listed(self, collection: str) -> Listed:
        collection = lookup_name(collection)
        gallery = self._gallery()
        version = gallery.version()  # of before the reading: what changes meanwhile is read again
        wanted = collection, version
        with self._lock:
            if version == self._version and collection in self._held:
                return self._held[collection]
            coming, mine = self._coming.get(wanted), Future[Listed]()
            if coming is None:
                self._coming[wanted] = mine
        return coming.result() if coming else self._read(gallery, wanted, mine)

    def _read(self, gallery: Gallery, wanted: tuple[str, str], mine: Future[Listed]) -> Listed:
        collection, version = wanted
        try:
            people = [((person.name.casefold(), person.name), person) for person in gallery.people(collection)]
        except BaseException as error:
            with self._lock:
                self._ended(wanted, mine)
            mine.set_exception(error)
            raise
        with self._lock:
            if self._ended(wanted, mine):
                if version != self._version:
                    self._version, self._held = version, {}
                if people:
                    self._held[collection] = people
        mine.set_result(people)
        return people

    def _ended(self, wanted: tuple[str, str], mine: Future[Listed]) -> bool:
        """Whether what was read may be kept: nothing was forgotten meanwhile."""
        if self._coming.get(wanted) is not mine:
            return False
        del self._coming[wanted]
        return True


def _cursor_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _name_in(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), "-_", validate=True).decode()
    except ValueError:
        raise usage("cursor: it is none of ours; take `next` of the page before") from None
