"""The first look at a video."""

from collections.abc import Generator
from contextlib import closing

from visage.core.errors import UnreadableError
from visage.core.values import Media
from visage.media.develop import Developer
from visage.media.pictures import Clock, Picture
from visage.media.reel import Reel
from visage.media.upright import swaps_sides


class FirstLook:
    """The first picture that decodes, and what it tells of the whole.

    start: its stamp, which times count from; None where it has none. Raises `UnreadableError`, `TooLargeError`.
    """

    def __init__(self, reel: Reel) -> None:
        reel.film.limits.check_seconds(reel.film.source, reel.declared)
        self.reel = reel
        clock = Clock(reel.gap)
        self._rest = reel.pictures(clock)
        first = next(self._rest, None)
        if first is None:
            raise UnreadableError(
                reel.film.source, "not one frame of the video can be decoded; copy or download it again"
            )
        self.first = first
        self._rewound = False
        self.start = clock.start
        self.developer = Developer(reel.film, reel.stream.metadata.get("rotate", "0"))
        self.orientation = self.developer.orientation(first.frame)
        width, height = first.frame.width, first.frame.height
        if swaps_sides(self.orientation):
            width, height = height, width
        self.media = Media(reel.film.source, width, height, duration=reel.declared, fps=reel.fps)

    def pictures(self) -> Generator[Picture, None, None]:
        """All of them; once."""
        with closing(self._rest):
            if not self._rewound:
                yield self.first
            yield from self._rest

    def rewind(self) -> None:
        """The reel to its beginning, from where `pictures` then starts anew."""
        self._rest.close()
        self.reel.rewind()
        self._rest, self._rewound = self.reel.pictures(Clock(self.reel.gap)), True
