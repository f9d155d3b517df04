"""What the web room is told of the house it stands in, and cannot find out by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from visage.core.cards import Card
from visage.core.service.keyring import Key


class Level(StrEnum):
    """How much a finding matters: it works, but could do better; it will go wrong; it does not work."""

    ADVICE = "advice"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that whoever runs the service should know. what: in plain words. remedy: what to do about it; empty
    where `what` says so already, or nothing is to be done."""

    level: Level
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that is known here."""

    card: Card
    installed: bool
    in_use: bool


@dataclass(frozen=True)
class Facts:
    """version: of Visage. keep_days: after how many days inputs and answers are deleted. limits: what is refused, by
    the name of its setting. The functions are called by many threads, and may raise `VisageError`.

    models: all there are. all_keys: also those that were revoked. check: what is wrong with models, people and disk,
    without any network's work.
    """

    version: str
    keep_days: float
    limits: Mapping[str, float]
    models: Callable[[], Sequence[ModelState]]
    all_keys: Callable[[], Sequence[Key]]
    check: Callable[[], Sequence[Finding]]
