"""Makers of files that nobody wants to be given, and of small ones to damage."""

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from visage.core.values import Pixels


def png_of(width: int, height: int, rows: bytes) -> bytes:
    """A PNG that declares this size, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_bomb(side: int = 30_000) -> bytes:
    """A whole and valid PNG of side x side black pixels: 2.7 GB in 2.7 MB, made without going through them all."""
    deflate, length = zlib.compressobj(wbits=-15), (1 + 3 * side) * side
    piece, rest = divmod(length, 1000)
    pieces = deflate.compress(bytes(piece)) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(wbits=-15)
    end = last.compress(bytes(rest)) + last.flush()
    checksum = struct.pack(">HH", length % 65521, 1)  # Adler-32 of so many zeros
    return png_of(side, side, b"x\x9c" + pieces * 1000 + end + checksum)


def encoded(pixels: Pixels, form: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **settings)
    return stream.getvalue()


def film(path: Path, pictures: list[Pixels], rate: int = 10, **container: str) -> Path:
    """An H.264 film of these pictures, in the container that the name asks for."""
    with av.open(str(path), "w", options=container) as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        assert isinstance(stream, VideoStream)
        stream.codec_context.height, stream.codec_context.width = pictures[0].shape[:2]
        stream.codec_context.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 5
        for pixels in pictures:
            out.mux(stream.encode(VideoFrame.from_ndarray(pixels, "rgb24")))
        out.mux(stream.encode(None))
    return path


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000, layout="mono")
        for n in range(8):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 8000, n * 1024
            out.mux(stream.encode(samples))
        out.mux(stream.encode(None))
    return path


def photo(path: Path, height: int) -> Pixels:
    """A photo, scaled to this height; its sides are even, as films want them."""
    with Image.open(path) as opened:
        width = round(opened.width * height / opened.height) // 2 * 2
        return np.array(opened.convert("RGB").resize((width, height)))
