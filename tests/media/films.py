"""The videos that cutting is tried on: what makes stamps, key frames and the order of frames differ."""

from typing import Any

import numpy as np

from visage.core.values import Pixels

_X264 = {"preset": "veryfast", "crf": "20", "bf": "3"}
_MPEG4 = {"qmin": "4", "qmax": "4", "bf": "2"}
_UNEVEN = [round(n * 0.04 + 0.009 * (n % 5) + (1.5 if n > 25 else 0), 3) for n in range(50)]
_LATE = [5 + n / 10 for n in range(50)]

# Name -> (suffix, what `make_video` is given).
FILMS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("mp4", {"options": _X264}),
    "mp4 with sound": ("mp4", {"options": _X264, "sound": 4.0}),
    "mp4 in fragments": ("mp4", {"options": _X264, "container": {"movflags": "frag_keyframe+empty_moov"}}),
    "mp4 of uneven times": ("mp4", {"options": _X264, "times": _UNEVEN}),
    "mkv": ("mkv", {"options": _X264}),
    "mkv of uneven times": ("mkv", {"options": _X264, "times": _UNEVEN}),
    "mkv that begins late": ("mkv", {"options": {**_X264, "bf": "0"}, "times": _LATE}),
    "ts": ("ts", {"options": _X264}),
    "flv": ("flv", {"options": _X264}),
    "webm": ("webm", {"codec": "libvpx", "options": {"deadline": "good", "cpu-used": "8", "lag-in-frames": "16"}}),
    "webm of VP9": ("webm", {"codec": "libvpx-vp9", "options": {"deadline": "good", "cpu-used": "8"}}),
    "webm without a length": ("webm", {"codec": "libvpx", "options": {"deadline": "realtime"},
                                       "container": {"live": "1"}}),
    "avi": ("avi", {"codec": "mpeg4", "options": _MPEG4}),
    "avi of H.264": ("avi", {"options": _X264}),
    "mov of open groups": ("mov", {"codec": "mpeg4", "options": _MPEG4}),
    "HEVC of open groups": ("mp4", {"codec": "libx265", "options": {
        "preset": "ultrafast", "x265-params": "log-level=none:keyint=10:bframes=3:open-gop=1"}}),
    "mpg": ("mpg", {"codec": "mpeg2video", "options": _MPEG4, "rate": 25}),
}  # fmt: skip


def noise(n: int) -> Pixels:
    """(48, 64, 3): no frame is like another."""
    return np.random.default_rng(n).integers(0, 200, (48, 64, 3), dtype=np.uint8)
