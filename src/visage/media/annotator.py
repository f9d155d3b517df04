"""Answers drawn on their pictures and videos while these are being looked at."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from visage.core.errors import StorageError
from visage.core.values import Frame, Media, Sighting
from visage.media.draw import Mark, annotate, save_picture

Draw = Callable[[Frame, Sequence[Sighting], Media], None]


class Annotator:
    """Writes pictures and videos with boxes and names into a folder, each under its source's name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the folder {folder}: {(error.strerror or str(error)).lower()}") from error

    @contextmanager
    def drawing(self, source: str) -> Iterator[Draw]:
        """Inside it, call what it gives with every frame; the file is there whole when it ends, if no error ends it."""
        with ExitStack() as open_files:
            writers: list[Callable[[Frame, Sequence[Sighting]], None]] = []

            def draw(frame: Frame, seen: Sequence[Sighting], media: Media) -> None:
                if not writers:
                    writers.append(self._writer(source, frame, media, open_files))
                writers[0](frame, seen)

            yield draw

    def _writer(
        self, source: str, frame: Frame, media: Media, open_files: ExitStack
    ) -> Callable[[Frame, Sequence[Sighting]], None]:
        if not media.is_video:
            path = self._path(source, ".png" if Path(source).suffix.lower() == ".png" else ".jpg")
            return lambda frame, seen: save_picture(path, annotate(frame.pixels, marks(seen)))
        # PyAV is slow to import, and most who draw draw photos.
        from visage.media.video_writer import VideoWriter

        path = self._path(source, ".mp4")
        video = open_files.enter_context(VideoWriter(path, frame.width, frame.height, media.fps))
        return lambda frame, seen: video.write(annotate(frame.pixels, marks(seen)), frame.time)

    def _path(self, source: str, suffix: str) -> Path:
        """The source's name with this ending; numbered where two sources share it."""
        stem, number = Path(source).stem, 1
        name = f"{stem}{suffix}"
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
        self._taken.add(name)
        return self._folder / name


def marks(seen: Sequence[Sighting]) -> list[Mark]:
    """A labelled box for each face; a bare one where nobody was asked who it is."""
    return [Mark(sighting.face.box, _label(sighting), named=sighting.match is not None) for sighting in seen]


def _label(sighting: Sighting) -> str:
    if sighting.match is not None:
        return f"{sighting.match.name} {sighting.match.similarity:.2f}"
    return sighting.name if sighting.vector is not None else ""
