"""What is right and wrong with models, people and disk: for `visage doctor`, and for the web tier to show."""

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from visage.core.advice import advise
from visage.core.errors import VisageError
from visage.core.ports.gallery import Gallery
from visage.core.service.keyring import Keyring
from visage.settings import Settings
from visage.web.facts import Facts, Finding, Level, ModelState
from visage.wiring import detector_card, embedder_card, embedder_cards, installed_models, model_cards

# Bytes left on the disk from which on to warn.
SCARCE = 2 * 1024**3


@dataclass(frozen=True)
class People:
    """The people of a collection, and how far the embedder carries them: lines for people to read."""

    people: int
    faces: int
    advice: list[str]
    findings: list[Finding]


def check_people(settings: Settings, gallery: Gallery) -> People:
    """Raises `VisageError` where the gallery or the embedder's card cannot be read."""
    size = gallery.size(settings.collection)
    model = gallery.model(settings.collection)
    card = embedder_card(settings)
    advice = advise(card, embedder_cards(settings), size, settings.stranger_rate)
    findings = []
    if model not in {None, card.name}:
        what = f"the people were enrolled with {model}, but {card.name} is in use"
        findings.append(Finding(Level.PROBLEM, what, "visage people migrate"))
    return People(gallery.population(settings.collection), size, advice.lines if advice else [], findings)


def check_models(settings: Settings) -> list[Finding]:
    """Whether the models in use are there; they are not tried."""
    try:
        cards = detector_card(settings), embedder_card(settings)
    except VisageError as error:
        return [Finding(Level.PROBLEM, str(error))]
    installed = installed_models(settings)
    return [
        Finding(
            Level.PROBLEM,
            f"the {card.kind} {card.name} is in use, but its files are not here",
            f"visage models fetch {card.name}",
        )
        for card in cards
        if not installed[card.name]
    ]


def check_disk(settings: Settings) -> list[Finding]:
    """Whether the home folder's disk has room."""
    try:
        free = shutil.disk_usage(settings.home).free
    except OSError:  # there is no such folder yet
        return []
    if free >= SCARCE:
        return []
    remedy = "Make room, or keep what comes in for fewer days: VISAGE_KEEP_DAYS."
    return [Finding(Level.WARNING, f"Only {free / 1024**3:.1f} GB are left on the disk of the home folder.", remedy)]


def facts_of(settings: Settings, keyring: Keyring, gallery: Callable[[], Gallery]) -> Facts:
    """What the web tier may tell of models, keys, limits, and of what is wrong."""

    def check() -> list[Finding]:
        people = check_people(settings, gallery())
        return [*check_models(settings), *people.findings, *check_disk(settings), *_advice(people)]

    limits = ("max_upload", "max_bytes", "max_pixels", "max_seconds", "max_backlog", "request_seconds")
    return Facts(
        version=importlib.metadata.version("visage"),
        keep_days=settings.keep_days,
        limits={name: getattr(settings, name) for name in limits},
        models=lambda: _models(settings),
        all_keys=keyring.list,
        check=check,
    )


def _models(settings: Settings) -> list[ModelState]:
    installed = installed_models(settings)
    in_use = {settings.embedder, settings.detector}
    if settings.detector == "auto":
        in_use.add(detector_card(settings).name)
    return [ModelState(card, installed[card.name], card.name in in_use) for card in model_cards(settings)]


def _advice(people: People) -> list[Finding]:
    if not people.faces or not people.advice:
        return []
    what, *rest = people.advice
    better, commands = "".join(rest[:1]), ", then ".join(line.strip() for line in rest[1:])
    return [Finding(Level.ADVICE, what, f"{better} {commands}".strip())]
