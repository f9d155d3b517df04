"""What a file is, told by its first bytes: names lie, first bytes seldom do."""

from enum import StrEnum

HEAD_BYTES = 1024

# How the names of photos and videos end, for who looks through folders.
PHOTO_SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
    }
)
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"}
)


class Kind(StrEnum):
    """A format that can be opened; the value is its name for messages."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    WEBP = "WebP"
    HEIC = "HEIC"
    AVIF = "AVIF"
    MP4 = "MP4"
    MATROSKA = "Matroska"
    AVI = "AVI"
    TRANSPORT = "MPEG-TS"
    PROGRAM = "MPEG-PS"
    FLASH = "FLV"
    WINDOWS = "WMV"
    OGG = "Ogg"


# FFmpeg's name of the reader. Naming it keeps FFmpeg from guessing: a playlist called clip.mp4 would otherwise be
# followed to whatever files and addresses it lists.
DEMUXERS = {
    Kind.MP4: "mov",
    Kind.MATROSKA: "matroska",
    Kind.AVI: "avi",
    Kind.TRANSPORT: "mpegts",
    Kind.PROGRAM: "mpeg",
    Kind.FLASH: "flv",
    Kind.WINDOWS: "asf",
    Kind.OGG: "ogg",
}

_STARTS = (
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),
    (b"MM\x00+", Kind.TIFF),
    (b"\x1a\x45\xdf\xa3", Kind.MATROSKA),
    (b"\x00\x00\x01\xba", Kind.PROGRAM),
    (b"FLV\x01", Kind.FLASH),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind.WINDOWS),
    (b"OggS", Kind.OGG),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}
_OLD_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_TRANSPORT_PACKETS = ((0, 188), (4, 192))  # (offset of the first sync byte, packet length); 192 is Blu-ray's


def kind_of(head: bytes) -> Kind | None:
    """The format of a file that begins with `head` (its first `HEAD_BYTES`, or fewer); None for any other."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": Kind.WEBP, b"AVI ": Kind.AVI}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head[4:8] in _OLD_QUICKTIME:
        return Kind.MP4
    # Two letters are too weak a sign for a bitmap: a text may begin with BM.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return Kind.BMP
    return Kind.TRANSPORT if _is_transport(head) else None


def _is_transport(head: bytes) -> bool:
    """A transport stream has no header, only a byte 0x47 at the start of every packet."""
    return any(
        len(head) > offset + 2 * length and all(head[offset + n * length] == 0x47 for n in range(3))
        for offset, length in _TRANSPORT_PACKETS
    )


def _brand(head: bytes) -> Kind | None:
    """Photo or video, for the box format that HEIC, AVIF, MP4 and MOV share: the major brand decides.

    Cameras write HEIC under the neutral brand mif1 and put their own among the compatible ones. Canon's camera raw
    has the form of a film, too; it is none.
    """
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    major = head[8:12]
    if major in _AVIF_BRANDS or (major in {b"mif1", b"msf1"} and brands & _AVIF_BRANDS):
        return Kind.AVIF
    if major == b"crx ":
        return None
    return Kind.HEIC if major in _HEIC_BRANDS else Kind.MP4
