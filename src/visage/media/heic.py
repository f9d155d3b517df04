"""HEIC photos, by pillow-heif: an optional extra, so this file is imported only when such a photo is met."""

from typing import IO

import pillow_heif


def open_heic(stream: IO[bytes]) -> pillow_heif.HeifFile:
    """The photo with its `size` (width, height) read and its pixels not yet; `to_pillow()` decodes it to 8 bits.

    libheif turns it upright by the file's own boxes; an orientation in its Exif block is then history and is not to
    be followed (ISO/IEC 23008-12, 6.5.10).
    """
    return pillow_heif.open_heif(stream)
