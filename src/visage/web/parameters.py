"""What a request may say, as the types that check it and that the OpenAPI document is made from."""

import re
from collections.abc import Callable
from typing import Annotated

from flask_openapi3.models.file import FileStorage
from pydantic import ConfigDict, Field, ValidationError, field_validator

from visage.core.cards import EmbedderCard
from visage.core.errors import UsageError
from visage.core.every import HELP, parse_every
from visage.core.match import rule_for
from visage.core.service.joblist import PLACE
from visage.core.values import MatchOptions, Sampling
from visage.web.described import Described
from visage.web.problems import Problem, usage

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.ASCII)


class Parameters(Described):
    model_config = ConfigDict(extra="ignore")


class DetectOptions(Parameters):
    every: Annotated[
        str | None,
        Field(description=f"Of a video, which frames to look at. {HELP}. All of them where it is not given."),
    ] = None

    limit: Annotated[
        int, Field(ge=0, le=1000, description="Only so many faces of a photo or of each frame, the largest; 0: all.")
    ] = 0

    @field_validator("every")
    @classmethod
    def _sensible(cls, every: str | None) -> str | None:
        if every is not None:
            try:
                parse_every(every)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return every

    @property
    def sampling(self) -> Sampling:
        return Sampling() if self.every is None else parse_every(self.every)


class CompareOptions(Parameters):
    threshold: Annotated[
        float | None,
        Field(ge=-1, le=1, description="The least similarity (cosine) of one person, in place of the model's own."),
    ] = None
    max_false_match_rate: Annotated[
        float | None,
        Field(gt=0, le=1, description="The share of different people that may be taken for one, 0.001 at most."),
    ] = None

    def least(self, card: Callable[[], EmbedderCard]) -> float | None:
        """The least similarity of one person, where it is not to be the model's own. card: of the embedder in use."""
        if self.threshold is not None or self.max_false_match_rate is None:
            return self.threshold
        return rule_for(card(), MatchOptions(self.max_false_match_rate), 1).threshold


class RecognizeOptions(DetectOptions, CompareOptions):
    collection: Annotated[str | None, Field(min_length=1, max_length=255, description="The people to look among.")] = (
        None
    )
    max_false_match_rate: Annotated[
        float | None, Field(gt=0, le=1, description="The share of strangers that may be given a name.")
    ] = None
    nearest: Annotated[bool, Field(description="Name the most similar person, however dissimilar.")] = False
    vectors: Annotated[bool, Field(description="Every face's embedding in the answer.")] = False

    def match(self, stranger_rate: float) -> MatchOptions:
        """stranger_rate: where none is given."""
        rate = stranger_rate if self.max_false_match_rate is None else self.max_false_match_rate
        return MatchOptions(rate, self.threshold, nearest=self.nearest)


class EnrollChoices(Parameters):
    collection: Annotated[str | None, Field(min_length=1, max_length=255, description="The people to add to.")] = None
    largest: Annotated[bool, Field(description="Of several faces in a photo, take the largest.")] = False
    force: Annotated[bool, Field(description="Take small, blurred and turned faces too.")] = False


class Upload(Parameters):
    """One of the three fields, as fits."""

    image: Annotated[FileStorage | None, Field(description="A photo.")] = None
    video: Annotated[FileStorage | None, Field(description="A video.")] = None
    file: Annotated[FileStorage | None, Field(description="Either.")] = None


class RecognizeForm(RecognizeOptions, Upload):
    """Options may stand here or in the query; here they go first."""


class DetectForm(DetectOptions, Upload):
    """Options may stand here or in the query; here they go first."""


class CompareForm(CompareOptions):
    """Options may stand here or in the query; here they go first."""

    first: Annotated[FileStorage, Field(description="A photo; its largest face is compared.")]
    second: Annotated[FileStorage, Field(description="A photo; all its faces are compared.")]


class EnrollForm(EnrollChoices):
    """Options may stand here or in the query; here they go first."""

    name: Annotated[str, Field(description="Who is in the photos.")]
    photo: Annotated[list[FileStorage], Field(description="The photos, each in a field of this name; 100 at most.")]


class Base64Upload(Parameters):
    """A file as base64 in one of the three fields."""

    image: Annotated[str | None, Field(description="A photo, in base64.")] = None
    video: Annotated[str | None, Field(description="A video, in base64.")] = None
    file: Annotated[str | None, Field(description="Either, in base64.")] = None
    name: Annotated[str | None, Field(description="What the file is called.")] = None


class RecognizeJson(RecognizeOptions, Base64Upload):
    """Options may stand here or in the query; here they go first."""


class DetectJson(DetectOptions, Base64Upload):
    """Options may stand here or in the query; here they go first."""


class CompareJson(CompareOptions):
    """Options may stand here or in the query; here they go first."""

    first: Annotated[str, Field(description="A photo, in base64; its largest face is compared.")]
    second: Annotated[str, Field(description="A photo, in base64; all its faces are compared.")]


class Base64Photo(Parameters):
    data: Annotated[str, Field(description="The photo, in base64.")]
    name: Annotated[str | None, Field(description="What the file is called.")] = None


class EnrollJson(EnrollChoices):
    """Options may stand here or in the query; here they go first."""

    name: Annotated[str, Field(description="Who is in the photos.")]
    photos: Annotated[list[Base64Photo], Field(description="100 at most.")]


class ClassicForm(Parameters):
    inputFile: Annotated[FileStorage, Field(description="A photo or video.")]  # noqa: N815 (the field is called so)


class JobPath(Parameters):
    id: Annotated[str, Field(description="The job's id.")]


class SourcePath(JobPath):
    n: Annotated[int, Field(ge=0, description="Which of the files that came in, from 0.")]


class SourceOptions(Parameters):
    size: Annotated[
        int | None,
        Field(ge=16, le=2048, description="Of a photo: a JPEG that fits into a square of so many pixels instead."),
    ] = None


class JobsOptions(Parameters):
    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(pattern=f"^{PLACE}$", description="`next` of the page before.")] = None


class WaitOptions(Parameters):
    wait: Annotated[
        float, Field(ge=0, description="Seconds to wait for the job's end, as far as the service lets a request wait.")
    ] = 0.0


class AskHeaders(Parameters):
    """The headers that a request for work may have beside."""

    idempotency_key: Annotated[
        str | None,
        Field(
            alias="Idempotency-Key",
            pattern="^[!-~]{1,255}$",
            description="A text of your own for this request: ask again with it after a failure, and it is answered as "
            "the one request it is.",
        ),
    ] = None
    prefer: Annotated[
        str | None,
        Field(alias="Prefer", description="respond-async: answer 202 at once. wait=SECONDS: wait no longer than that."),
    ] = None

    def wish(self, longest: float) -> tuple[bool, float]:
        """Whether to answer at once, and how many seconds to wait otherwise (RFC 7240)."""
        given = [one.strip().lower() for one in (self.prefer or "").split(",")]
        waits = [float(found[1]) for one in given if (found := _WAIT.fullmatch(one))]
        return "respond-async" in given and not waits, min([*waits, longest])


def refused(error: ValidationError) -> Problem:
    """The problem that says which parameters are wrong, without what was in them."""
    said = [f"{'.'.join(map(str, one['loc'])) or 'the request'}: {one['msg']}" for one in error.errors()]
    return usage("; ".join(said))
