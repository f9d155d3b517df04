"""Which of a video's frames are wanted."""

from visage.core.errors import UsageError
from visage.core.values import Place, Sampling

# Times come as fractions made floats: 2.9999999 is a frame at 3 s.
_ROUNDING = 1e-6


class Sampler:
    """Says of each frame, in order, whether it is to be kept. With `keys` set it is shown key frames only."""

    def __init__(self, sampling: Sampling, after: Place | None = None) -> None:
        """after: the frames up to this place were sampled before. Raises `UsageError` for an interval or a number of
        nothing or less, or for two kinds at once."""
        said = (sampling.seconds is not None, sampling.frames is not None, sampling.count is not None, sampling.keys)
        if sum(said) > 1:
            raise UsageError("sample a video by seconds, by frames, by a number or by key frames, not by two of them")
        if sampling.seconds is not None and not sampling.seconds > 0:
            raise UsageError(f"cannot sample a video every {sampling.seconds} seconds; give more than 0")
        if sampling.frames is not None and sampling.frames < 1:
            raise UsageError(f"cannot sample a video every {sampling.frames} frames; give 1 or more")
        if sampling.count is not None and sampling.count < 1:
            raise UsageError(f"cannot take {sampling.count} frames of a video; give 1 or more")
        self.keys = sampling.keys
        self._frames = sampling.frames
        self._seconds = float("inf") if sampling.count == 1 else sampling.seconds
        self._count = sampling.count
        self._after = after
        self._interval = -1
        self._pass_by()

    @property
    def needs_length(self) -> bool:
        """Whether `spread` is to be called before the first frame is shown."""
        return self._count is not None and self._seconds is None

    def spread(self, seconds: float) -> None:
        """The video's length, over which a number of frames is spread."""
        self._seconds = max(seconds, _ROUNDING) / (self._count or 1)
        self._pass_by()

    def wants(self, index: int, time: float) -> bool:
        """The first frame at or after each multiple of the interval; a gap over several multiples gives one."""
        if self._seconds is None:
            return self._frames is None or index % self._frames == 0
        interval = int(time / self._seconds + _ROUNDING)
        wanted = interval > self._interval and (self._count is None or interval < self._count)
        self._interval = max(self._interval, interval)
        return wanted

    @property
    def satisfied(self) -> bool:
        """Whether no later frame will be wanted."""
        return self._count is not None and self._interval >= self._count - 1

    def _pass_by(self) -> None:
        if self._after is not None and self._seconds is not None:
            self._interval = int(self._after.time / self._seconds + _ROUNDING)
