"""A video as far as its cost depends on it, and how many of its frames a piece of work has to do with."""

from dataclasses import dataclass
from math import ceil

from visage.core.values import Sampling

_ROUNDING = 1e-6
_KEY_FRAMES = 2.0  # seconds between them, where the file does not tell


@dataclass(frozen=True, slots=True)
class Footage:
    """A video, as far as its cost depends on it; a photo is one of one frame and no seconds.

    frames: all there are. size: bytes. codec: its name in FFmpeg. keys: seconds at which there are key frames, from the
    first on; None where that is not known.
    """

    source: str
    width: int
    height: int
    seconds: float
    frames: int
    size: int
    codec: str
    keys: tuple[float, ...] | None = None

    @property
    def megapixels(self) -> float:
        """Of one frame."""
        return self.width * self.height / 1e6

    @property
    def key_times(self) -> tuple[float, ...]:
        """Those that are known, or else likely."""
        if self.keys:
            return self.keys
        return tuple(number * _KEY_FRAMES for number in range(max(1, ceil(self.seconds / _KEY_FRAMES))))


def wanted(footage: Footage, sampling: Sampling) -> int:
    """How many of its frames are looked at."""
    frames = footage.frames
    if sampling.keys:
        return min(frames, len(footage.key_times))
    if sampling.count is not None:
        return min(sampling.count, frames)
    if sampling.frames is not None:
        return ceil(frames / sampling.frames)
    if sampling.seconds is not None and footage.seconds:
        last = footage.seconds * (frames - 1) / frames
        return min(frames, int(last / sampling.seconds + _ROUNDING) + 1)
    return frames


def pieces(footage: Footage, seconds: float) -> int:
    """How many segments of so many seconds or a little more."""
    count, start = 1, 0.0
    for time in footage.key_times:
        if time - start >= seconds - _ROUNDING:
            count, start = count + 1, time
    return count


def decoded(footage: Footage, sampling: Sampling) -> int:
    """How many frames have to be decoded for those that are looked at."""
    if sampling.keys:
        return wanted(footage, sampling)
    if sampling.count is not None:  # nothing behind the last of them
        return min(footage.frames, ceil(footage.frames * (sampling.count - 1) / sampling.count) + 1)
    return footage.frames
