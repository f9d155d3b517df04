"""The page's files: templates, and what a browser loads beside them, read once and kept in memory."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from markupsafe import Markup, escape

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it goes out. zipped: the same through gzip."""

    data: bytes
    zipped: bytes
    content_type: str


class Assets:
    """The files of `static/` by their names. stamp: a hash of all of them together.

    The stamp is a folder in their addresses, so a module that imports `./visage.js` gets the one of its own version
    without being told, and every answer may be kept for ever. Only what was found at the start is there: no name that
    a client asks for is ever a path.
    """

    def __init__(self) -> None:
        folder = files(__name__) / "static"
        found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
        self._assets = {
            name: Asset(data, gzip.compress(data, 9, mtime=0), kind)
            for name, data in sorted(found.items())
            if (kind := _TYPES.get(name[name.rfind(".") :]))
        }
        whole = hashlib.sha256()
        for name, asset in self._assets.items():
            whole.update(f"{name} {len(asset.data)}\n".encode() + asset.data)
        self.stamp = whole.hexdigest()[:12]

    def get(self, name: str) -> Asset | None:
        return self._assets.get(name)

    def address(self, name: str) -> str:
        """Where a browser finds the file. Raises `KeyError` for one that is not there: a template's mistake."""
        if name not in self._assets:
            raise KeyError(f"there is no file {name} in static/")
        return f"/static/{self.stamp}/{name}"

    def icon(self, name: str) -> Markup:
        """One symbol of icons.svg, as markup."""
        where = escape(f"{self.address('icons.svg')}#{name}")
        return Markup(f'<svg class="icon" aria-hidden="true"><use href="{where}"></use></svg>')
