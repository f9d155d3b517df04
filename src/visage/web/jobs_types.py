"""Jobs as they go out, for the OpenAPI document."""

from typing import Any

from visage.web.answers import JobOut, JobProblem, JobState, Shape


class CorrectionOf(Shape):
    """Somebody said who a face is. job: the one whose answer it is in. person: who was named. denied: that it is not
    them."""

    job: str
    person: str
    denied: bool


class KnownJob(JobState):
    """corrects: where it is no job of its own, but a correction."""

    corrects: CorrectionOf | None = None


class JobSummary(JobOut):
    """A job in the list. names: what the files are called. people: who was found, most seen first, or enrolled.
    corrects: as of a job."""

    names: list[str]
    people: list[str]
    progress: dict[str, Any] | None
    error: JobProblem | None
    corrects: CorrectionOf | None


class JobPage(Shape):
    """Newest first. next: the cursor of the next page, None where there is none."""

    jobs: list[JobSummary]
    next: str | None
