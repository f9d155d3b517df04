"""A font for any name: the bundled one, else one of the system's, else the name spelled in ASCII."""

import unicodedata
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# By script where it matters, common ones first; Pillow looks for them in the folders where each system keeps fonts.
_CANDIDATES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "wqy-zenhei.ttc",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Nirmala.ttf",
    "unifont.ttf",
)
_NOBODYS_GLYPH = "\U0010fffd"  # the last private character: every font draws its sign for "missing"


def font_for(text: str, size: int) -> tuple[Font | None, str]:
    """A font of `size` pixels that has every character of `text`, and the text to draw with it.

    Where no font has them all, the text comes back in ASCII: accents dropped, the rest as \\uXXXX. The font is None
    only where Pillow was built without FreeType.
    """
    shown = "".join(character if character.isprintable() else " " for character in unicodedata.normalize("NFC", text))
    bundled = _bundled(size)
    if bundled is None:
        return None, _ascii(shown)
    for name in (None, *_CANDIDATES):
        font = bundled if name is None else _system(name, size)
        if font is not None and all(_has(font, character) for character in set(shown)):
            return font, shown
    return bundled, _ascii(shown)


def _ascii(text: str) -> str:
    letters = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    return letters.encode("ascii", "backslashreplace").decode("ascii")


@lru_cache(maxsize=64)
def _bundled(size: int) -> Font | None:
    font = ImageFont.load_default(size)
    return font if isinstance(font, ImageFont.FreeTypeFont) else None


@lru_cache(maxsize=256)
def _system(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    """Whether the font draws the character, not its sign for a missing one. Pillow does not tell; the pictures do."""
    if character.isspace():
        return True
    drawn, missing = (font.getmask(each) for each in (character, _NOBODYS_GLYPH))
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)
