"""How large a source may be, and the words for one that is larger."""

from dataclasses import dataclass

from visage.core.errors import TooLargeError

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest source that is opened: bytes of the file, pixels of one frame, seconds of a video."""

    bytes: int
    pixels: int
    seconds: float

    def check_bytes(self, source: str, size: int) -> None:
        """Raises `TooLargeError` where the file of `size` bytes is over the limit."""
        if size > self.bytes:
            raise TooLargeError(
                source,
                f"it has {spelled(size)}; the limit is {spelled(self.bytes)}. Make it smaller or raise the limit",
            )

    def check_pixels(self, source: str, width: int, height: int) -> None:
        """Raises `TooLargeError` where a frame of width x height is over the limit."""
        if width * height > self.pixels:
            raise TooLargeError(
                source,
                f"it is {width} x {height}, {_megapixels(width * height)} megapixels; the limit is "
                f"{_megapixels(self.pixels)}. Make it smaller or raise the limit",
            )

    def pixels_exceeded(self, source: str) -> TooLargeError:
        """The error for a picture that the decoder itself found to be over the limit, without telling its size."""
        return TooLargeError(
            source,
            f"its pictures have more than {_megapixels(self.pixels)} megapixels. Make it smaller or raise the limit",
        )

    def check_seconds(self, source: str, seconds: float) -> None:
        """Raises `TooLargeError` where a video of that length is over the limit."""
        if seconds > self.seconds:
            raise TooLargeError(
                source,
                f"it lasts {seconds:.0f} s or more; the limit is {self.seconds:.0f} s. Cut it or raise the limit",
            )


def spelled(size: int) -> str:
    """10_500_000 -> "10.5 MB"."""
    step = 0
    while step + 1 < len(_UNITS) and size >= 1000 ** (step + 1):
        step += 1
    return f"{size / 1000**step:.{1 if step else 0}f} {_UNITS[step]}"


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:.3g}" if pixels < 1e8 else f"{pixels / 1e6:.0f}"
