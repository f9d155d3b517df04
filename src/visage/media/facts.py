"""What a video's index tells of it, without decoding."""

from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from visage.core.cost.footage import Footage
from visage.core.errors import UnreadableError
from visage.core.values import Media
from visage.media.kinds import DEMUXERS, HEAD_BYTES, kind_of

Keys = tuple[float, ...] | None


def read_facts(path: Path, media: Media) -> Footage:
    """media: what its decoder told of the video at `path`.

    Where the file has no index, or one without key frames or length, as a recording that was never closed, it is read
    through. Raises `UnreadableError`.
    """
    try:
        with path.open("rb") as file:
            kind = kind_of(file.read(HEAD_BYTES))
        with av.open(
            f"file:{path.absolute()}",
            "r",
            format=DEMUXERS.get(kind) if kind else None,
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        ) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise UnreadableError(media.source, "there is no video in it")
            frames, keys, seconds = _counted(container, stream, media)
            codec = stream.codec_context.name
            size = path.stat().st_size
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(media.source, "the video cannot be read; copy or download it again") from error
    return Footage(media.source, media.width, media.height, seconds, frames, size, codec, keys)


def _counted(container: InputContainer, stream: VideoStream, media: Media) -> tuple[int, Keys, float]:
    """Frames, the times of key frames (None: the index does not tell), seconds."""
    entries, step = stream.index_entries, float(stream.time_base or 1)
    declared, fps = media.duration or 0.0, media.fps or 25.0
    if declared and stream.frames and len(entries) == stream.frames:
        return stream.frames, _from_zero([entry.timestamp * step for entry in entries if entry.is_keyframe]), declared
    if declared:
        return stream.frames or max(1, round(declared * fps)), None, declared
    stamps, keys = [], []
    for packet in container.demux(stream):
        if packet.pts is not None and packet.size:
            stamps.append(packet.pts * step)
            keys += stamps[-1:] if packet.is_keyframe else []
    seconds = max(stamps) - min(stamps) + 1 / fps if stamps else 0.0
    return max(1, len(stamps)), _from_zero(keys), seconds


def _from_zero(times: list[float]) -> Keys:
    return tuple(time - times[0] for time in times) or None
