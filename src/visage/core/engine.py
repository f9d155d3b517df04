"""The engine as a Python programmer meets it: each method makes a job and performs it."""

from types import TracebackType
from typing import Self

from visage.core.answers import Answer
from visage.core.jobs import Watcher, perform
from visage.core.kit import Kit
from visage.core.ports.gallery import Gallery
from visage.core.ports.nets import Detector, Embedder
from visage.core.values import EnrollOptions, Job, JobKind, MatchOptions, Sampling


class Engine:
    """Photos and videos in, names out. `open_engine` makes one; close it, or use it in a `with` statement.

    One thread at a time. Every method raises `InputError` where a file is of no use, `GalleryError` where the gallery
    is, `ModelError` where a network is missing, `StorageError` where the disk is full: all of them `VisageError`.
    """

    def __init__(self, kit: Kit, *, collection: str = "default", match: MatchOptions | None = None) -> None:
        """collection, match: what a method takes where its caller does not say."""
        self.kit = kit
        self._collection = collection
        self._match = match or MatchOptions()

    def recognize(
        self,
        source: str,
        *,
        collection: str | None = None,
        match: MatchOptions | None = None,
        sampling: Sampling | None = None,
        watch: Watcher | None = None,
    ) -> Answer:
        """Who is in the photo or video at path `source`. watch: called with each frame and what was seen in it."""
        job = Job(
            JobKind.RECOGNIZE,
            (source,),
            collection=collection or self._collection,
            match=match or self._match,
            sampling=sampling or Sampling(),
        )
        return self.perform(job, watch)

    def detect(self, source: str, *, sampling: Sampling | None = None, watch: Watcher | None = None) -> Answer:
        """The faces in it, without asking who they are."""
        return self.perform(Job(JobKind.DETECT, (source,), sampling=sampling or Sampling()), watch)

    def compare(self, first: str, second: str, *, threshold: float | None = None) -> Answer:
        """Whether the largest face of the first photo is that of anybody in the second: `answer.comparison`."""
        return self.perform(Job(JobKind.COMPARE, (first, second), match=MatchOptions(threshold=threshold)))

    def enroll(
        self, source: str, name: str, *, collection: str | None = None, options: EnrollOptions | None = None
    ) -> Answer:
        """Keep the face in the photo as `name`'s; `answer.enrollment` says whether that was done, or why not."""
        job = Job(
            JobKind.ENROLL,
            (source,),
            collection=collection or self._collection,
            name=name,
            enroll=options or EnrollOptions(),
        )
        return self.perform(job)

    def perform(self, job: Job, watch: Watcher | None = None) -> Answer:
        return perform(job, self.kit, watch)

    @property
    def detector(self) -> Detector:
        return self.kit.detector

    @property
    def embedder(self) -> Embedder:
        return self.kit.embedder

    def gallery(self, *, create: bool = False) -> Gallery:
        """The people enrolled. Raises `NoGalleryError` where there are none yet and `create` is not set."""
        return self.kit.gallery(create=create)

    def runtime(self) -> str:
        """Library, device and arithmetic in use."""
        return self.kit.runtime()

    def close(self) -> None:
        self.kit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
