"""A naming is taken back whose faces are not kept any more: by what was noted of them when they were named."""

from collections.abc import Mapping, Sequence

from visage.core.amend import restore, rewrite
from visage.core.errors import MessageError, NoObjectError, UsageError
from visage.core.journal.steps import present
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Objects
from visage.core.tickets import ticket_from_text, ticket_key
from visage.core.values import Sampling

# By the id of a job, the places in its answer's `faces`.
Places = Mapping[str, Sequence[int]]

OTHERS = "the faces that were named are another person's by now; move them by hand"


def take_back(
    gallery: Gallery,
    inputs: Objects,
    outputs: Objects,
    collection: str,
    faces: Sequence[str],
    person_id: str,
    places: Places,
) -> int:
    """The answers are as they were before, and those of the faces that were enrolled leave the gallery; how many
    answers were changed. Twice is once. person_id: as whom they were named; empty where that is not known, since naming
    broke off. Raises `UsageError` where one is somebody else's by now; then nothing is changed."""
    owners = present(gallery, collection, faces)
    named_as = {person_id} if person_id else set(owners.values())
    if len(named_as) > 1 or not named_as.issuperset(owners.values()):
        raise UsageError(OTHERS)
    answers = 0
    for by in named_as:
        for job, theirs in places.items():
            sampling = sampling_of(inputs, job)
            answers += rewrite(outputs, job, lambda result: restore(result, theirs, sampling, by))  # noqa: B023
    if owners:
        gallery.remove_faces(collection, list(owners))
    return answers


def sampling_of(inputs: Objects, job: str) -> Sampling | None:
    """Which pictures of a video were looked at, as far as that is still known."""
    try:
        return ticket_from_text(inputs.get(ticket_key(job)).decode()).job.sampling
    except (NoObjectError, MessageError, UnicodeDecodeError):
        return None
