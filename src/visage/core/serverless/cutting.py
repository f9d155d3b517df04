"""One invocation's share of cutting an upload: from where the others came to, as far as time allows."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Protocol

from visage.core.cost.counting import Tally, add_took
from visage.core.errors import UnreadableError
from visage.core.ports.media import Cutter
from visage.core.ports.objects import Objects
from visage.core.serverless.staging import (
    Manifest,
    Plan,
    Rest,
    StagedFrame,
    StagedSegment,
    folder_of,
    frame_key,
    manifest_from_bytes,
    manifest_key,
    plan_key,
    rest_key,
    segment_key,
    to_bytes,
)
from visage.core.values import Frame, Media, Pixels, Place, Sampling, Segment

# Frames that are encoded and stored at the same time.
AT_ONCE = 2
# Seconds that must be left for one more step; twice the longest step so far, where that is more.
MARGIN = 10.0


@dataclass(frozen=True)
class Cutting:
    """How uploads are cut. sampling: the frames that are looked at. chunk: how many make a chunk. segment: 0, or the
    seconds of the pieces that are sent in place of frames. margin: see `MARGIN`."""

    sampling: Sampling
    chunk: int = 10
    segment: float = 0.0
    margin: float = MARGIN


class Around(Protocol):
    """What is asked of `splitting.Surroundings`."""

    @property
    def clock(self) -> Callable[[], float]: ...

    @property
    def memory(self) -> float | None: ...


class OvertakenError(Exception):
    """Another invocation has cut this very chunk, and otherwise, as it had less time."""


class Cut:
    """number: of the next chunk to be made."""

    def __init__(
        self,
        rest: Rest,
        stage: Objects,
        cutting: Cutting,
        tally: Tally,
        around: Around,
        remaining: Callable[[], float],
    ) -> None:
        self._rest = rest
        self._upload = rest.upload
        self._folder = folder_of(rest.upload)
        self._stage = stage
        self._cutting = cutting
        self._tally = tally
        self._around = around
        self._remaining = remaining
        self._begun = self._last = around.clock()
        self._longest = 0.0
        self._kept = 0
        self._after: Place | None = None
        self.number = rest.number
        self._find_place()

    @property
    def seconds(self) -> float:
        return self._around.clock() - self._begun

    def frames(self, cutter: Cutter, file: IO[bytes], to_jpeg: Callable[[Pixels], bytes]) -> bool:
        """Cut into chunks of frames; whether the upload's end was reached."""
        upload, sampling = self._upload, self._cutting.sampling
        with (
            cutter.frames(file, upload.key, upload.size, sampling, after=self._after) as clip,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            media = clip.media  # as it is at the start, whoever cuts; in the end it says more
            for frames, last in self._in_chunks(clip.frames()):
                self._store_frames(frames, media, pool, to_jpeg)
                if last:
                    self._leave_the_rest()
                    return False
            self._finish(clip.media)
        return True

    def segments(self, cutter: Cutter, file: IO[bytes]) -> bool:
        """Cut into segments, each a chunk; whether the upload's end was reached."""
        upload = self._upload
        with cutter.cut(file, upload.key, upload.size, self._cutting.segment, after=self._after) as pieces:
            media = pieces.media
            for segment in pieces.segments():
                self._store_segment(segment, media)
                if self._is_time():
                    self._leave_the_rest()
                    return False
            self._finish(pieces.media)
        return True

    def _find_place(self) -> None:
        """Go behind the last chunk that is there already."""
        while self._stage.version(manifest_key(self._folder, self.number)):
            self.number += 1
        if self.number == 1:
            return
        before = manifest_from_bytes(self._stage.get(manifest_key(self._folder, self.number - 1)))
        if before.segment:
            self._after = before.segment.last
        elif before.frames:
            self._after = Place(before.frames[-1].index, before.frames[-1].time)
            self._kept = before.frames[-1].number

    def _in_chunks(self, frames: Iterator[Frame]) -> Iterator[tuple[list[Frame], bool]]:
        """The frames by chunks; True with the last for which there is time, which may be a short one."""
        chunk: list[Frame] = []
        for frame in frames:
            chunk.append(frame)
            late = self._is_time()
            if late or len(chunk) == self._cutting.chunk:
                yield chunk, late
                chunk = []
        if chunk:
            yield chunk, False

    def _is_time(self) -> bool:
        """Whether what is left may not do for one more step."""
        now = self._around.clock()
        self._longest, self._last = max(self._longest, now - self._last), now
        return self._remaining() < max(self._cutting.margin, 2 * self._longest)

    def _store_frames(
        self, frames: Sequence[Frame], media: Media, pool: ThreadPoolExecutor, to_jpeg: Callable[[Pixels], bytes]
    ) -> None:
        staged = tuple(StagedFrame(self._kept + i, one.index, one.time) for i, one in enumerate(frames, 1))

        def store(frame: Frame, number: int) -> None:
            self._stage.put(frame_key(self._folder, number), to_jpeg(frame.pixels))

        for _ in pool.map(store, frames, [one.number for one in staged]):
            pass
        self._store(Manifest(self._upload, self.number, media, self._cutting.sampling, staged[0].time, staged[-1].time,
                             frames=staged))  # fmt: skip
        self._kept = staged[-1].number

    def _store_segment(self, segment: Segment, media: Media) -> None:
        # In one request, which `put` would make several of, however long it is. One that is there already is the same.
        self._stage.create(segment_key(self._folder, self.number), segment.data)
        staged = StagedSegment(segment.start, segment.last, segment.before)
        self._store(Manifest(self._upload, self.number, media, self._cutting.sampling, segment.start.time, segment.end,
                             segment=staged))  # fmt: skip

    def _store(self, manifest: Manifest) -> None:
        """Last of all that belongs to the chunk, for it is what asks for its recognition."""
        key, data = manifest_key(self._folder, self.number), to_bytes(manifest)
        if not self._stage.create(key, data) and self._stage.get(key) != data:
            raise OvertakenError
        self.number += 1

    def _leave_the_rest(self) -> None:
        """What was overtaken, or is gone on with a second time, leaves a note too: a note that is not needed does no
        harm, and one that is missing would end it all."""
        rest = Rest(self._upload, self.number, self._took())
        self._stage.put(rest_key(self._folder, self.number), to_bytes(rest))

    def _finish(self, media: Media) -> None:
        if self.number == 1:
            raise UnreadableError(self._upload.key, "there is not one frame in it; copy or download it again")
        plan = Plan(self._upload, media, self._cutting.sampling, self.number - 1, self._kept, self._took())
        self._stage.create(plan_key(self._folder), to_bytes(plan))

    def _took(self) -> dict[str, float]:
        return add_took(self._rest.took, self._tally.took(self.seconds, memory_gb=self._around.memory))
