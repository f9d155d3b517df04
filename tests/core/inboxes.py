"""A world with strangers in it: jobs that were done, whoever matched nobody in them, and an inbox to look at."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from tests.fakes import CARD, face, picture, quality
from visage.core.answers import Answer, Models
from visage.core.match import Rule
from visage.core.ports.gallery import Gallery
from visage.core.tickets import Ticket, result_key, result_of, result_to_bytes, ticket_key, ticket_to_text
from visage.core.track import appearances, step_of
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.shelf import AT_ONCE
from visage.core.unknown.strangers import Gatherer
from visage.core.values import Floats, Frame, Job, JobKind, Match, Media, Pixels, Sampling, Sighting
from visage.objects.folder import FolderObjects

PICTURE = picture(1)
LINK = 0.7  # of the card
STEP = Sampling(seconds=0.5)


def somebody(seed: int) -> Floats:
    vector = np.random.default_rng(seed).standard_normal(CARD.dimension)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def like(who: Floats, seed: int, similarity: float = 0.92) -> Floats:
    """Another picture of them: a unit vector of that similarity to the first."""
    other = somebody(10_000 + seed)
    other = other - (other @ who) * who
    return np.asarray(similarity * who + (1 - similarity**2) ** 0.5 * other / np.linalg.norm(other), np.float32)


def seen(vector: Floats, frame: int = 0, who: Match | None = None, near: Match | None = None) -> Sighting:
    score = 0.5 + abs(float(vector[0])) / 2
    return Sighting(frame, frame / 2, face(), quality(score), who, who or near, near if who else None, vector)


def jpeg(pixels: Pixels) -> bytes:
    return b"a crop of " + str(pixels.shape).encode()


@dataclass
class World:
    folder: Path
    gallery: Gallery
    now: float = field(default_factory=time.time)
    jobs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unknown = FolderObjects(self.folder / "unknown")
        self.inputs = FolderObjects(self.folder / "inputs")
        self.outputs = FolderObjects(self.folder / "outputs")

    def inbox(
        self, unknown: FolderObjects | None = None, outputs: FolderObjects | None = None, at_once: int = AT_ONCE
    ) -> Inbox:
        inbox = Inbox(
            unknown or self.unknown,
            self.inputs,
            outputs or self.outputs,
            lambda: self.gallery,
            CARD,
            now=lambda: self.now,
            days=7.0,
            at_once=at_once,
        )
        return cast(Inbox, _Slow(inbox, self))

    def photo(self, *found: Sighting, collection: str = "default", model: str = CARD.name) -> str:
        """A job that is done, of a photo; its id."""
        return self._done([found], Media("party.jpg", 400, 300), collection, model)

    def film(self, *pictures: Sequence[Sighting]) -> str:
        return self._done(pictures, Media("film.mp4", 400, 300, len(pictures) / 2, 10.0), "default", CARD.name)

    def result(self, job: str) -> dict[str, Any]:
        return dict(json.loads(self.outputs.get(result_key(job))))

    def names(self, job: str) -> list[str]:
        return [one["name"] for one in self.result(job)["answer"]["faces"]]

    def _done(self, pictures: Sequence[Sequence[Sighting]], media: Media, collection: str, model: str) -> str:
        job_id = f"{len(self.jobs):032x}"
        job = Job(JobKind.RECOGNIZE, (f"{job_id}/0",), collection, sampling=STEP, id=job_id)
        ticket = Ticket(job_id, job, (media.source,), None, "req", "me", "", vectors=False, created=self.now)
        gatherer = Gatherer(link=LINK, to_jpeg=jpeg)
        for number, found in enumerate(pictures):
            gatherer(Frame(PICTURE, number, number / 2), found, media)
        gatherer.strangers(ticket, model).store(self.unknown)
        sightings = tuple(one for found in pictures for one in found)
        answer = Answer(
            kind=JobKind.RECOGNIZE,
            media=(media,),
            models=Models("detector", model, "runtime"),
            frames=len(pictures),
            sightings=sightings,
            people=appearances(sightings, step_of(STEP, media, len(pictures)) if media.is_video else 0.0),
            rule=Rule(0.6, "given", limited=False, stranger_rate=0.01, enrolled=3),
        )
        self.inputs.put(ticket_key(job_id), ticket_to_text(ticket).encode())
        self.outputs.put(result_key(job_id), result_to_bytes(result_of(ticket, answer, self.now)))
        self.jobs.append(job_id)
        return job_id


class _Slow:
    """An inbox that is asked something every five seconds, so that it looks again each time."""

    def __init__(self, inbox: Inbox, world: World) -> None:
        self._inbox = inbox
        self._world = world

    def __getattr__(self, name: str) -> Any:
        self._world.now += 5.0
        return getattr(self._inbox, name)


class Broken(FolderObjects):
    """A store of which `fail` is told before anything is replaced in it."""

    def __init__(self, root: Path, fail: Callable[[str], None]) -> None:
        super().__init__(root)
        self._fail = fail

    def replace(self, key: str, data: bytes, version: str) -> bool:
        self._fail(key)
        return super().replace(key, data, version)
