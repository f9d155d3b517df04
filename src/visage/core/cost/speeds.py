"""How long the parts of the work take, measured: what a quote reckons with."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds are those of one processor: all threads' together, so that what else a machine does counts nothing.

    decode: per megapixel of a decoded frame, by the codec's name in FFmpeg; of others `other_codec`. key_frame: how
    many times that, where key frames alone are decoded. encode: per megapixel of a frame that is kept, to RGB and to
    JPEG; decode_jpeg: and back. convert: to RGB alone. frame: to look at one, however large. face: more for each face
    in it. demux: per megabyte of video that is cut, not decoded. jpeg_bytes: per megapixel.

    What was not measured but supposed, and is seconds on the clock: request: the wait for an answer of S3. megabyte:
    for one on its way from or to S3. cold: a function's first start. warm: what any invocation takes besides its work.
    """

    date: str
    machine: str
    command: str
    decode: Mapping[str, float]
    other_codec: float
    key_frame: float
    encode: float
    decode_jpeg: float
    convert: float
    frame: float
    face: float
    demux: float
    jpeg_bytes: float
    request: float
    megabyte: float
    cold: float
    warm: float

    def decoding(self, codec: str, *, keys: bool = False) -> float:
        """Seconds per megapixel. keys: of key frames alone."""
        return self.decode.get(codec, self.other_codec) * (self.key_frame if keys else 1.0)


# Of one to three runs on a machine that others used too: good to a third.
MEASURED = Speeds(
    date="2026-11-22",
    machine="2 cores of a Xeon, YuNet and ResNet on OpenVINO in bf16",
    command="python benchmarks/unit_costs.py",
    decode=MappingProxyType({"h264": 0.0036, "hevc": 0.0055, "vp9": 0.0049, "av1": 0.0012, "mpeg4": 0.0009}),
    other_codec=0.0055,
    key_frame=4.2,
    encode=0.0040,
    decode_jpeg=0.0050,
    convert=0.0005,
    frame=0.0147,
    face=0.0041,
    demux=0.0028,
    jpeg_bytes=240_000,
    request=0.025,
    megabyte=1 / 80,
    cold=2.0,
    warm=0.02,
)
