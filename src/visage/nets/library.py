"""Cards and where their files are: those that come with Visage, and those fetched or brought into the home folder."""

import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path

from visage.core.cards import Card, DetectorCard, EmbedderCard, WeightFile, card_from_json
from visage.core.errors import ModelError, StorageError

SHIPPED = Path(__file__).parent / "cards"


def all_cards(models: Path) -> dict[str, DetectorCard | EmbedderCard]:
    """Every card by name: the shipped ones first, then those in the folders of `models`."""
    found: dict[str, DetectorCard | EmbedderCard] = {}
    for path in [*sorted(SHIPPED.glob("*.json")), *sorted(models.glob("*/card.json"))]:
        card = read_card(path)
        found.setdefault(card.name, card)
    return found


def card_named(name: str, models: Path) -> DetectorCard | EmbedderCard:
    """Raises `ModelError` with the names there are."""
    cards = all_cards(models)
    if name not in cards:
        raise ModelError(f"there is no model {name!r}; there are: {', '.join(cards)} (see: visage models list)")
    return cards[name]


def read_card(path: Path) -> DetectorCard | EmbedderCard:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the card {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"the card {path} must be one JSON object")
    return card_from_json(data)


def place(file: WeightFile, card: Card, models: Path) -> Path | None:
    """Where the file is, or belongs; None where it comes with a package that is not installed."""
    if file.package is None:
        return models / card.name / file.name
    package = importlib.util.find_spec(file.package)  # finds the folder without running the package's code
    for folder in (package.submodule_search_locations or []) if package else []:
        return Path(folder) / (file.path or file.name)
    return None


def is_installed(card: Card, models: Path) -> bool:
    """Whether all its files are there; their content is looked at when they are used."""
    places = [place(file, card, models) for file in card.files]
    return all(path is not None and path.is_file() for path in places)


def files_of(card: Card, models: Path) -> list[Path]:
    """The card's files, each checked against its hash. Raises `ModelError` with what to do."""
    found = []
    for file in card.files:
        path = place(file, card, models)
        if path is None or not path.is_file():
            raise ModelError(f"the model {card.name} is not installed; {_how(file, card)}")
        if file.sha256 is not None and sha256(path, path.stat().st_mtime_ns) != file.sha256:
            raise ModelError(f"{path} is not the file that the card of {card.name} names; {_how(file, card)}")
        found.append(path)
    return found


@cache
def sha256(path: Path, _changed: int) -> str:
    """Of a whole file; `_changed`, its time of change, keeps an old hash from being given for a new content."""
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _how(file: WeightFile, card: Card) -> str:
    if file.package is not None:
        return "install it with: pip install 'visage[models]'"
    if file.urls:
        return f"fetch it with: visage models fetch {card.name}"
    return f"put {file.name} beside its card again"
