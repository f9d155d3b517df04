"""The second function: a chunk's manifest -> its answer, and, where it is the last, the result; a picture -> its
result."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

from visage.core.cost.counting import CountingObjects, Tally
from visage.core.errors import InputError, NoObjectError, NotFoundError
from visage.core.jobs import perform
from visage.core.kit import Kit
from visage.core.ports.media import Clip, Cutter
from visage.core.ports.objects import Objects
from visage.core.serverless.folding import answered, fold, is_done, keep_answer, strike_erased
from visage.core.serverless.ranged import RangedFile
from visage.core.serverless.results import done, failed, keep
from visage.core.serverless.splitting import Stores, Surroundings
from visage.core.serverless.staging import Manifest, StagedFrame, folder_of, frame_key, manifest_from_bytes, segment_key
from visage.core.serverless.uploads import Upload
from visage.core.values import Frame, Job, JobKind, MatchOptions, Media, Pixels, Sampling, Segment
from visage.core.wire import answer_to_json

# Frames that are read and decoded at the same time; fewer where they are large, but always one.
AT_ONCE = 8
AT_ONCE_BYTES = 256_000_000


@dataclass(frozen=True)
class Asking:
    """Whom to look for: in which collection, and by which rule."""

    collection: str
    match: MatchOptions


@dataclass(frozen=True)
class Reading:
    """What reads the stage. open_cutter: for segments and pictures; frames do without FFmpeg, which takes a while to
    load. from_jpeg: a JPEG, and its name for messages -> its pixels."""

    open_cutter: Callable[[], Cutter]
    from_jpeg: Callable[[bytes, str], Pixels]


class Recognizer:
    """Its methods raise what is worth a retry. Their kit is theirs alone: each chunk puts its own decoder into it."""

    def __init__(self, stores: Stores, kit: Kit, reading: Reading, asking: Asking, around: Surroundings) -> None:
        self._stores = stores
        self._kit = kit
        self._reading = reading
        self._asking = asking
        self._around = around

    def recognize(self, key: str) -> None:
        """key: of a manifest. One that is gone is long done with."""
        begun, tally = self._around.clock(), Tally()
        stage = CountingObjects(self._stores.stage, tally)
        try:
            manifest = manifest_from_bytes(stage.get(key))
        except NoObjectError:
            self._around.log("there is no such manifest any more", key=key)
            strike_erased(self._stores.stage, key)  # who stored an answer to it may have died before that
            return
        folder = folder_of(manifest.upload)
        facts = {"key": manifest.upload.key, "version": manifest.upload.version, "chunk": manifest.number}
        if is_done(stage, folder, manifest.number):
            self._around.log("this chunk was recognized before", **facts)
        else:
            self._kit.decoder = ChunkDecoder(manifest, stage, self._reading)
            answer = perform(self._job(key, manifest.sampling), self._kit)
            seconds = self._around.clock() - begun
            took = tally.took(seconds, memory_gb=self._around.memory)
            keep_answer(stage, folder, answered(manifest, answer, took, self._asking.collection))
            self._around.log("recognized", frames=answer.frames, faces=len(answer.sightings),
                             seconds=round(seconds, 3), **facts)  # fmt: skip
        strike_erased(self._stores.stage, key)
        fold(self._stores.stage, self._stores.outputs, folder, self._around.architecture)

    def picture(self, upload: Upload) -> None:
        """upload: of a picture in the stage."""
        begun, tally = self._around.clock(), Tally()
        stage = CountingObjects(self._stores.stage, tally)
        self._kit.decoder = _PictureDecoder(upload, stage, self._reading.open_cutter())
        try:
            answer = perform(self._job(upload.key, Sampling()), self._kit)
        except NoObjectError:
            if self._stores.stage.version(upload.key) is None:
                error = NotFoundError(upload.key, "it was deleted before it was read; put it there again")
                keep(self._stores.outputs, upload.key, failed(upload, error))
        except InputError as error:
            keep(self._stores.outputs, upload.key, failed(upload, error))
        else:
            took = tally.took(self._around.clock() - begun, memory_gb=self._around.memory)
            keep(self._stores.outputs, upload.key, done(upload, answer_to_json(answer), chunks=1, took=took))

    def _job(self, source: str, sampling: Sampling) -> Job:
        asking = self._asking
        return Job(JobKind.RECOGNIZE, (source,), asking.collection, match=asking.match, sampling=sampling)


class ChunkDecoder:
    """`core.ports.media.Decoder` of one chunk: whatever is to be opened, it is the chunk."""

    def __init__(self, manifest: Manifest, stage: Objects, reading: Reading) -> None:
        self._manifest = manifest
        self._folder = folder_of(manifest.upload)
        self._stage = stage
        self._reading = reading

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:  # noqa: ARG002  both stand in the manifest
        """The frames that the manifest lists, or those wanted of its segment, at their places in the whole video.

        Raises `NotFoundError` where one of them is gone, `UnreadableError`, `StorageError`.
        """
        try:
            if self._manifest.segment:
                with self._reading.open_cutter().segment(self._segment(), self._manifest.media, sampling) as clip:
                    yield clip
            else:
                yield _Frames(self._manifest.media, self._frames())
        except NoObjectError as error:
            raise NotFoundError(self._folder, "a part of it is not in the stage any more; upload it again") from error

    def find(self, folder: str) -> list[str]:
        """A chunk holds nothing but itself."""
        return [folder]

    def _segment(self) -> Segment:
        manifest, staged = self._manifest, self._manifest.segment
        if staged is None:
            raise NotFoundError(self._folder, "it has no segment")
        data = self._stage.get(segment_key(self._folder, manifest.number))
        return Segment(data, staged.start, staged.last, staged.before, manifest.end)

    def _frames(self) -> Iterator[Frame]:
        media = self._manifest.media
        together = max(1, min(AT_ONCE, AT_ONCE_BYTES // max(1, 3 * media.width * media.height)))
        with ThreadPoolExecutor(together) as pool:
            left = iter(self._manifest.frames)
            waiting = deque(pool.submit(self._frame, staged) for staged in islice(left, together))
            while waiting:
                frame = waiting.popleft().result()
                if (staged := next(left, None)) is not None:
                    waiting.append(pool.submit(self._frame, staged))
                yield frame

    def _frame(self, staged: StagedFrame) -> Frame:
        key = frame_key(self._folder, staged.number)
        return Frame(self._reading.from_jpeg(self._stage.get(key), key), staged.index, staged.time)


@dataclass(frozen=True)
class _Frames:
    media: Media
    content: Iterator[Frame]

    def frames(self) -> Iterator[Frame]:
        return self.content


class _PictureDecoder:
    """`core.ports.media.Decoder` of one picture in the stage."""

    def __init__(self, upload: Upload, stage: Objects, cutter: Cutter) -> None:
        self._upload = upload
        self._stage = stage
        self._cutter = cutter

    @contextmanager
    def open(self, source: str, sampling: Sampling) -> Iterator[Clip]:
        upload = self._upload
        with (
            closing(RangedFile(self._stage, upload.key, upload.tag, upload.size)) as file,
            self._cutter.frames(file, source, upload.size, sampling) as clip,
        ):
            yield clip

    def find(self, folder: str) -> list[str]:
        return [folder]
