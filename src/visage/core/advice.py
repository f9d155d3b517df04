"""What a newcomer cannot know: how far the embedder in use carries the people enrolled."""

from collections.abc import Iterable
from dataclasses import dataclass

from visage.core.cards import EmbedderCard

# Another embedder is worth the user's time when it names so many more of the known faces.
WORTH_CHANGING = 0.05


@dataclass(frozen=True, slots=True)
class Advice:
    """expected: share of known faces (one photo enrolled of each person) that will be named, when no more than
    `stranger_rate` of strangers are; limited: that rate is not reached, see `match.Rule`. better: another embedder that
    would name clearly more, with its share."""

    model: str
    enrolled: int
    stranger_rate: float
    expected: float
    limited: bool
    better: str | None = None
    better_expected: float = 0.0

    @property
    def lines(self) -> list[str]:
        faces = f"{self.enrolled} face{'' if self.enrolled == 1 else 's'} enrolled"
        text = f"With {faces}, {self.model} names about {self.expected:.0%} of known faces"
        if self.limited:
            text += "; more than the wished share of strangers get a name, its table does not reach further."
        else:
            text += f" while 1 stranger in {1 / self.stranger_rate:.0f} gets a name."
        said = [text]
        if self.better:
            said.append(f"{self.better} would name about {self.better_expected:.0%}. To change over:")
            said.append(f"  visage models use {self.better}")
            said.append("  visage people migrate")
        return said


def advise(card: EmbedderCard, others: Iterable[EmbedderCard], enrolled: int, stranger_rate: float) -> Advice | None:
    """What to expect with `enrolled` faces; None for a model that was never calibrated."""
    if card.calibration is None:
        return None
    expected, limited = _expected(card, enrolled, stranger_rate)
    best, best_share = None, expected + WORTH_CHANGING
    for other in others:
        if other.name != card.name and other.calibration is not None:
            share, _ = _expected(other, enrolled, stranger_rate)
            if share > best_share:
                best, best_share = other.name, share
    return Advice(card.name, enrolled, stranger_rate, expected, limited, best, best_share if best else 0.0)


def _expected(card: EmbedderCard, enrolled: int, stranger_rate: float) -> tuple[float, bool]:
    if card.calibration is None:
        return 0.0, True
    threshold, limited = card.calibration.threshold_for(stranger_rate, max(1, enrolled))
    return card.calibration.expected_recognized(threshold), limited
