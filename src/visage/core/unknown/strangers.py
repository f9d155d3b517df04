"""Who is seen by a worker and matches nobody: a few good faces of each, gathered while a job is performed.

In a video one person is seen a thousand times. Faces are grouped as they come, by similarity and by who is in one
picture with whom; of each group a few good and different faces are kept, each with the places in the answer that it
stands for. In a photo every face stands for itself.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from visage.core.enroll import keepsake, poor
from visage.core.names import check_name
from visage.core.ports.objects import Objects
from visage.core.tickets import Ticket
from visage.core.unknown.follow import Follower, best_pairs, vector_of
from visage.core.unknown.kept import Haul, Stands, Unknown, crop_key, faces_key, haul_to_bytes, unknown_id
from visage.core.values import Floats, Frame, Media, Pixels, Quality, Sighting

# Faces kept of one job, and of one person in a video. A face is kept beside others of its person where it is farther
# from the most similar of them than this share of what is allowed to one person, or better than each by BETTER.
MOST = 200
OF_ONE = 6
FARTHER = 0.5
BETTER = 1.25

# A face that does not follow from the picture before has to be nearer to all the kept faces of a person by this share:
# what is put together here is not parted again, while what is missed is found when all jobs are looked at together.
SURER = 0.3

# Poor faces that wait until somebody is found whom they resemble: 2,000 of 512 numbers take 4 MB.
WAITING = 2000


@dataclass(frozen=True, slots=True)
class Strangers:
    """haul: what is kept. crops: JPEGs by the place of the face."""

    haul: Haul
    crops: dict[int, bytes]

    def store(self, objects: Objects) -> bool:
        """Unless they are there already; whether they were not. The crops first, so that no face is without its own.
        Raises `StorageError`; it may be repeated."""
        key = faces_key(self.haul.job)
        if not self.haul.faces or objects.version(key) is not None:
            return False
        for place, crop in self.crops.items():
            objects.put(crop_key(self.haul.job, place), crop)
        return objects.create(key, haul_to_bytes(self.haul))


@dataclass
class _Kept:
    """A face that is kept. places, similarities: see `Stands`; its own come first."""

    group: int
    time: float
    vector: Floats
    landmarks: Floats
    quality: Quality
    digest: str
    crop: bytes | None
    places: list[int]
    similarities: list[float]


@dataclass
class _Group:
    """One person, as far as can be told. members: numbers of their faces. known: they turned out to be somebody whom
    the gallery knows."""

    members: list[int] = field(default_factory=list)
    frames: set[int] = field(default_factory=set)
    known: bool = False


class Gatherer:
    """A `jobs.Watcher` of one job that recognizes; called with every picture of it, in order."""

    def __init__(self, *, link: float, to_jpeg: Callable[[Pixels], bytes] | None) -> None:
        """link: the similarity from which on two faces of one video are taken for one person's. to_jpeg: None where
        crops are not kept."""
        self._link = link
        self._sure = link + SURER * (1.0 - link)
        self._to_jpeg = to_jpeg
        self._place = 0  # of the next sighting in the answer
        self._is_video = False
        self._kept: list[_Kept] = []
        self._groups: list[_Group] = []
        self._apart: set[tuple[int, int]] = set()
        self._waiting: list[tuple[int, Sighting]] = []
        self._follower = Follower(link)

    def __call__(self, frame: Frame, seen: Sequence[Sighting], media: Media) -> None:
        self._is_video = media.is_video
        traces = self._follower.follow(frame.time, seen) if self._is_video else [None] * len(seen)
        known = [_is_known(one) or (trace is not None and trace.known) for one, trace in zip(seen, traces, strict=True)]
        for one, trace in zip(seen, traces, strict=True):
            if _is_known(one) and trace and trace.group is not None:
                self._groups[trace.group].known = True
        groups = [None if is_known or not trace else trace.group for is_known, trace in zip(known, traces, strict=True)]
        found = self._assign(seen, known, groups)
        digest = _Digest(frame)
        for i, one in enumerate(seen):
            if not known[i]:
                groups[i] = self._take(frame, self._place + i, one, found[i], digest)
        self._place += len(seen)
        self._follower.note(frame.time, seen, groups, known)
        self._tell_apart(frame.index)

    def strangers(self, ticket: Ticket, model: str) -> Strangers:
        """What was gathered. model: that made the vectors."""
        for place, one in self._waiting:
            near = self._nearest(one)
            if near:
                self._stand(near[0], place, one, near[1])
        self._waiting.clear()
        left = [one for one in self._kept if not self._groups[one.group].known]
        haul = Haul(
            job=ticket.id,
            collection=check_name(ticket.job.collection),
            model=model,
            source=ticket.names[0].encode("utf-8", "backslashreplace").decode(),
            created=ticket.created,
            faces=tuple(_unknown(ticket.id, one) for one in left),
            apart=tuple(sorted(self._apart)) if self._is_video else None,
        )
        crops = {one.places[0]: one.crop for one in left if one.crop is not None}
        return Strangers(haul, crops)

    def _assign(
        self, seen: Sequence[Sighting], known: Sequence[bool], groups: Sequence[int | None]
    ) -> list[tuple[int, float] | None]:
        """For each face of one picture the kept face of its person that is most similar to it, and how similar; None
        where it is nobody's. groups: whom it is known to be by where it was. The others go by how alike they are to all
        the kept faces of a person, those who are most alike first, for nobody is in a picture twice."""
        found: list[tuple[int, float] | None] = [None] * len(seen)
        if not self._kept or not seen or not self._is_video:
            return found
        scores = self._scores(seen)
        alike = self._by_group(scores)
        for i, group in enumerate(groups):
            if group is not None:
                found[i] = self._example(scores[i], group)
                alike[:, group] = -2.0
            if known[i] or group is not None:
                alike[i] = -2.0
        for i, group in best_pairs(alike, self._sure):
            found[i] = self._example(scores[i], group)
        return found

    def _scores(self, seen: Sequence[Sighting]) -> Floats:
        """(faces, kept faces) similarities."""
        vectors: Floats = np.stack([vector_of(one) for one in seen])
        return vectors @ np.stack([one.vector for one in self._kept]).T

    def _by_group(self, scores: Floats) -> Floats:
        """(faces, kept faces) -> (faces, groups): on average."""
        means = [scores[:, group.members].mean(axis=1) for group in self._groups]
        return np.stack(means, axis=1)

    def _example(self, scores: Floats, group: int) -> tuple[int, float]:
        """The kept face of the group that has the highest of the scores (kept faces,)."""
        number = max(self._groups[group].members, key=lambda member: float(scores[member]))
        return number, float(scores[number])

    def _take(
        self, frame: Frame, place: int, one: Sighting, near: tuple[int, float] | None, digest: "_Digest"
    ) -> int | None:
        """Keep the face, or let one that is kept stand for it; whose it is now."""
        group = self._kept[near[0]].group if near else None
        if poor(one.quality):
            if near:
                self._stand(near[0], place, one, near[1])
            elif self._is_video and len(self._waiting) < WAITING:
                self._waiting.append((place, one))
        elif near and group is not None and (len(self._kept) == MOST or not self._adds(group, one, near[1])):
            self._stand(near[0], place, one, near[1])
        elif len(self._kept) < MOST:
            return self._keep(frame, place, one, digest, group)
        return group

    def _nearest(self, one: Sighting) -> tuple[int, float] | None:
        """The same of a face by itself, among those who were not seen in its picture."""
        if not self._kept:
            return None
        scores = self._scores([one])
        alike = self._by_group(scores)[0]
        alike[[one.frame in group.frames for group in self._groups]] = -2.0
        best = int(alike.argmax())
        return self._example(scores[0], best) if alike[best] >= self._sure else None

    def _adds(self, group: int, one: Sighting, similarity: float) -> bool:
        """Whether it is worth being kept beside the other faces of its person."""
        members = self._groups[group].members
        if len(members) >= OF_ONE:
            return False
        best = max(self._kept[number].quality.score for number in members)
        return 1.0 - similarity > FARTHER * (1.0 - self._link) or one.quality.score > BETTER * best

    def _stand(self, number: int, place: int, one: Sighting, similarity: float) -> None:
        kept = self._kept[number]
        kept.places.append(place)
        kept.similarities.append(similarity)
        self._groups[kept.group].frames.add(one.frame)

    def _keep(self, frame: Frame, place: int, one: Sighting, digest: "_Digest", group: int | None) -> int:
        if group is None:
            group = len(self._groups)
            self._groups.append(_Group())
        crop, landmarks = keepsake(frame.pixels, one.face.box, one.face.landmarks)
        jpeg = self._to_jpeg(crop) if self._to_jpeg else None
        self._groups[group].members.append(len(self._kept))
        self._groups[group].frames.add(one.frame)
        self._kept.append(
            _Kept(group, one.time, vector_of(one), landmarks, one.quality, digest(), jpeg, [place], [1.0])
        )  # fmt: skip
        return group

    def _tell_apart(self, frame: int) -> None:
        """Who is in one picture is not one person."""
        if self._is_video:
            together = [number for number, group in enumerate(self._groups) if frame in group.frames]
            self._apart.update(combinations(together, 2))


class _Digest:
    """Of a picture, taken when it is first asked for."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._digest = ""

    def __call__(self) -> str:
        self._digest = self._digest or hashlib.sha256(self._frame.pixels.tobytes()).hexdigest()
        return self._digest


def _is_known(seen: Sighting) -> bool:
    return seen.match is not None or seen.withheld


def _unknown(job: str, kept: _Kept) -> Unknown:
    return Unknown(
        id=unknown_id(job, kept.places[0]),
        place=kept.places[0],
        group=kept.group,
        time=kept.time,
        vector=kept.vector,
        landmarks=kept.landmarks,
        quality=kept.quality,
        digest=kept.digest,
        crop=kept.crop is not None,
        stands=Stands(np.array(kept.places, np.int32), np.array(kept.similarities, np.float32)),
    )
