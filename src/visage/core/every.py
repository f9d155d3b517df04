"""How a sampling is spelled: `1s`, `10f`, `12x`, `first`, `keys`, `all`."""

import re

from visage.core.errors import UsageError
from visage.core.values import Sampling

HELP = "1s: a frame a second; 10f: every tenth; 12x: twelve in all; first; keys: the key frames; all"

_SPELLED = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s|(\d{1,9})f|(\d{1,9})x", re.ASCII)


def parse_every(text: str) -> Sampling:
    """Raises `UsageError` for what is no sampling."""
    if text == "all":
        return Sampling()
    if text == "first":
        return Sampling(count=1)
    if text == "keys":
        return Sampling(keys=True)
    found = _SPELLED.fullmatch(text)
    if not found or not float(text[:-1]) > 0:
        raise UsageError(f"{text!r} does not say which frames; {HELP}")
    seconds, frames, count = found.groups()
    if seconds:
        return Sampling(seconds=float(seconds))
    return Sampling(frames=int(frames)) if frames else Sampling(count=int(count))


def spell_every(sampling: Sampling) -> str:
    """What `parse_every` reads as this sampling."""
    if sampling.seconds is not None:
        return f"{sampling.seconds:.9f}".rstrip("0").rstrip(".") + "s"
    if sampling.frames is not None:
        return f"{sampling.frames}f"
    if sampling.count is not None:
        return "first" if sampling.count == 1 else f"{sampling.count}x"
    return "keys" if sampling.keys else "all"
