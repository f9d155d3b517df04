"""Many photos of many people as one job: which photos there are, whose they are, and what their own jobs are called.

The job's *plan* lists the photos. Each that may be looked at is a *part*: a job of its own, to enroll one photo, whose
id follows from the whole's and from the photo's path. So all of it may be done twice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import IO, Any, Protocol

from visage.core.answers import Outcome
from visage.core.errors import NoObjectError, StorageError, UsageError
from visage.core.names import check_name, lookup_name
from visage.core.ports.objects import Objects
from visage.core.tickets import Part, Ticket, input_key, progress_key, result_key, ticket_key, try_key
from visage.core.values import Job, JobKind

# Parts that are under way at a time: the end of each sends the one that stands so many places further. So whoever else
# asks for something meanwhile waits for no more than these.
WINDOW = 16

# What became of a part beside what becomes of photos: nothing could be made of it; its person was erased meanwhile.
FAILED = "failed"
ERASED = "erased"

_VERSION = 1
_TRIES = range(1, 4)  # alone, of which a worker leaves notes


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in a bundle. path: the folders that it lies in, and its name, parted by slashes. problem: why it is not to
    be opened, as a sentence for people; empty where it may be a photo."""

    path: str
    problem: str = ""


class Bundle(Protocol):
    """Files in folders, opened to be read."""

    def files(self) -> Sequence[Packed]:
        """All of them but hidden ones, sorted by their paths, of which no two are the same."""

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """One of them; several threads may each read one. Raises `InputError`, also while it is read, where the file
        is damaged or no more, and `StorageError` where there is no room to read it."""


class Bundles(Protocol):
    """Opens archives that came from outside, and folders of this machine. Nothing is ever unpacked under a name."""

    def archive(self, file: str | IO[bytes], source: str) -> AbstractContextManager[Bundle]:
        """A ZIP, by its path or as a file that can seek; source: what it is called. Raises `UnreadableError`, and
        `TooLargeError` for one that holds more than is sensible."""

    def folder(self, name: str) -> AbstractContextManager[Bundle]:
        """A folder below the one that may be read. Raises `UsageError` where there is none such, or `name` leads out of
        it, and `NotFoundError`."""

    def folders(self) -> list[str] | None:
        """The folders that stand right below the one that may be read; None where none may be."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A file of the plan. name: the person's; empty where it cannot be told. problem: as of `Packed`."""

    path: str
    name: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """photos: sorted by their paths. parts: the places of those that are jobs of their own."""

    photos: tuple[Photo, ...]
    parts: tuple[int, ...]

    def part(self, whole: Ticket, rank: int) -> Ticket:
        """The ticket of a part. rank: its place among the parts."""
        photo = self.photos[self.parts[rank]]
        part_id = self.part_id(whole.id, rank)
        then = self.part_id(whole.id, rank + WINDOW) if rank + WINDOW < len(self.parts) else ""
        sources = (input_key(part_id, 0),)
        job = Job(
            JobKind.ENROLL,
            sources,
            whole.job.collection,
            name=photo.name,
            enroll=whole.job.enroll,
            called=(photo.path,),
            id=part_id,
        )
        return replace(
            whole, id=part_id, job=job, names=(photo.path,), reply=None, print="", part=Part(whole.id, rank, then)
        )

    def part_id(self, whole_id: str, rank: int) -> str:
        path = self.photos[self.parts[rank]].path
        return hashlib.sha256(f"{whole_id}\0{path}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def plan_of(files: Sequence[Packed], *, wrapped: bool) -> Plan:
    """Whose photos these are: the first folder of each names the person, however deep it lies in it, as with `visage
    enroll FOLDER`. wrapped: where one folder holds nothing but folders it is taken for the whole of it, since that is
    what archives are made of."""
    ways = [one.path.split("/") for one in files if not one.problem]
    above = int(wrapped and bool(ways) and len({way[0] for way in ways}) == 1 and all(len(way) > 2 for way in ways))
    photos = tuple(_photo(one, one.path.split("/")[above:]) for one in files)
    return Plan(photos, _parts(photos))


def _photo(file: Packed, way: Sequence[str]) -> Photo:
    if len(way) < 2:
        return Photo(file.path, "", file.problem or "it lies in no folder that says whose photo it is")
    try:
        return Photo(file.path, check_name(way[0]), file.problem)
    except UsageError as error:
        return Photo(file.path, "", file.problem or f"{error}, and rename the folder")


def _parts(photos: Sequence[Photo]) -> tuple[int, ...]:
    return tuple(place for place, photo in enumerate(photos) if not photo.problem)


def plan_to_bytes(plan: Plan) -> bytes:
    photos = [[photo.path, photo.name, photo.problem] for photo in plan.photos]
    return json.dumps({"visage": _VERSION, "photos": photos}, separators=(",", ":")).encode()


def read_plan(inputs: Objects, whole_id: str) -> Plan | None:
    """None where there is none: it has not been made yet, or all is over."""
    try:
        data = json.loads(inputs.get(plan_key(whole_id)))
        if data["visage"] == _VERSION:
            photos = tuple(Photo(*one) for one in data["photos"])
            return Plan(photos, _parts(photos))
    except NoObjectError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(whole_id) from error
    raise _damaged(whole_id)


def _damaged(whole_id: str) -> StorageError:
    return StorageError(f"{plan_key(whole_id)}: what is stored there is damaged; delete the job and ask again")


def plan_key(whole_id: str) -> str:
    """Where the plan lies in the input store."""
    return f"{whole_id}/plan.json"


def erased_key(whole_id: str, collection: str, name: str) -> str:
    """Where the input store says that this person was erased meanwhile, without saying who they are."""
    who = f"{lookup_name(collection)}\0{lookup_name(name)}"
    return f"{erased_folder(whole_id)}/{hashlib.sha256(who.encode()).hexdigest()[:32]}"


def erased_folder(whole_id: str) -> str:
    return f"{whole_id}/erased"


def ends_folder(whole_id: str) -> str:
    """Where the output store has an empty object for each part that has ended."""
    return f"{whole_id}/ends"


def end_key(whole_id: str, rank: int, outcome: str) -> str:
    """The one of a part; its name alone tells what became of it."""
    return f"{ends_folder(whole_id)}/{rank:06d}-{outcome.replace(' ', '_')}"


def outcome_in(result: Mapping[str, Any]) -> str:
    """What became of a part, by its result."""
    if result["status"] != "done":
        return FAILED
    return Outcome(result["answer"]["enrollment"]["outcome"]).value


def is_erased(inputs: Objects, part: Ticket) -> bool:
    """Whether its person was erased while the whole is under way."""
    if part.part is None or part.job.name is None:
        return False
    return inputs.version(erased_key(part.part.of, part.job.collection, part.job.name)) is not None


def forget_parts(inputs: Objects, outputs: Objects, part_ids: Sequence[str]) -> None:
    """Delete all that is kept of these parts: results last, so that none is enrolled, or told of, once more."""
    inputs.delete([input_key(one, 0) for one in part_ids])
    inputs.delete([ticket_key(one) for one in part_ids])
    notes = [[result_key(one), progress_key(one), *(try_key(one, number) for number in _TRIES)] for one in part_ids]
    outputs.delete([key for keys in notes for key in keys])


def part_ids(plan: Plan, whole_id: str) -> list[str]:
    return [plan.part_id(whole_id, rank) for rank in range(len(plan.parts))]
