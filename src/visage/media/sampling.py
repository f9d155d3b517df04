"""Which of a video's frames are wanted."""

from visage.core.errors import UsageError
from visage.core.values import Sampling

# Times come as fractions made floats: 2.9999999 is a frame at 3 s.
_ROUNDING = 1e-6


class Sampler:
    """Says of each frame, in order, whether it is to be kept."""

    def __init__(self, sampling: Sampling) -> None:
        """Raises `UsageError` for an interval of nothing or less, or for both kinds at once."""
        if sampling.seconds is not None and sampling.frames is not None:
            raise UsageError("sample a video every so many seconds or every so many frames, not both")
        if sampling.seconds is not None and not sampling.seconds > 0:
            raise UsageError(f"cannot sample a video every {sampling.seconds} seconds; give more than 0")
        if sampling.frames is not None and sampling.frames < 1:
            raise UsageError(f"cannot sample a video every {sampling.frames} frames; give 1 or more")
        self._sampling = sampling
        self._interval = -1

    def wants(self, index: int, time: float) -> bool:
        """The first frame at or after each multiple of the interval; a gap over several multiples gives one."""
        if self._sampling.seconds is not None:
            interval = int(time / self._sampling.seconds + _ROUNDING)
            wanted = interval > self._interval
            self._interval = max(self._interval, interval)
            return wanted
        return self._sampling.frames is None or index % self._sampling.frames == 0
