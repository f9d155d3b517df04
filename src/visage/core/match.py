"""Who is it: the rule for "unknown", and similarities turned into probabilities.

Prior of every probability: one half that the probe is somebody enrolled, shared equally among the enrolled people. For
a comparison of two faces: one half that they are the same person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visage.core.cards import EmbedderCard
from visage.core.values import Candidate, Match, MatchOptions

# How many people are looked at for one probe, those whom a negative example rules out included; those further down
# have a likelihood ratio near nought.
CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule for "unknown" as it was applied.

    threshold: least similarity that names somebody. basis: `false matches` (it follows from stranger_rate and the
    number of enrolled faces), `given`, `nearest` (no threshold) or `card` (the model was never calibrated). limited:
    the card's table ends before the wished rate, so strangers are named more often than stranger_rate says. gallery:
    its version, which changes whenever somebody in it does; empty where nobody said.
    """

    threshold: float
    basis: str
    limited: bool
    stranger_rate: float
    enrolled: int
    gallery: str = ""


def rule_for(card: EmbedderCard, options: MatchOptions, enrolled: int, gallery: str = "") -> Rule:
    """The rule for a search among `enrolled` faces of a gallery of that version."""
    rate = options.stranger_rate
    if options.nearest:
        return Rule(-1.0, "nearest", False, rate, enrolled, gallery)
    if options.threshold is not None:
        return Rule(options.threshold, "given", False, rate, enrolled, gallery)
    if card.calibration is None:
        return Rule(card.threshold, "card", True, rate, enrolled, gallery)
    threshold, limited = card.calibration.threshold_for(rate, max(1, enrolled))
    return Rule(threshold, "false matches", limited, rate, enrolled, gallery)


@dataclass(frozen=True, slots=True)
class Verdict:
    """match: who it is, or None; nearest, runner_up: the two most similar people in any case. withheld: it is somebody
    hidden, and nobody is told."""

    match: Match | None
    nearest: Match | None
    runner_up: Match | None
    withheld: bool = False


def decide(candidates: Sequence[Candidate], rule: Rule, card: EmbedderCard, people: int) -> Verdict:
    """candidates: best first. people: how many are enrolled.

    Who is ruled out by a negative example is passed over; the next takes their place. Hidden people keep their place,
    so that nobody else is named in their stead, but they are never told.
    """
    left = [candidate for candidate in candidates if not is_ruled_out(candidate, rule.threshold)]
    if left and left[0].hidden and left[0].similarity >= rule.threshold:
        return Verdict(None, None, None, withheld=True)
    matches = with_probabilities(left, card, people)
    told = [match for match, candidate in zip(matches, left, strict=True) if not candidate.hidden]
    nearest = told[0] if told else None
    runner_up = told[1] if len(told) > 1 else None
    named = nearest is not None and nearest.similarity >= rule.threshold
    return Verdict(nearest if named else None, nearest, runner_up)


def is_ruled_out(candidate: Candidate, threshold: float) -> bool:
    """Whether the probe resembles one who is known not to be this person at least as much as the person, and so much
    that it might be taken for that one. threshold: the similarity from which two faces are taken for one person."""
    return candidate.denied is not None and candidate.denied >= max(candidate.similarity, threshold)


def with_probabilities(candidates: Sequence[Candidate], card: EmbedderCard, people: int) -> list[Match]:
    similarities = np.array([candidate.similarity for candidate in candidates], np.float64)
    chances = probabilities(similarities, card, people)
    return [
        Match(c.person_id, c.name, c.face_id, c.similarity, float(chance))
        for c, chance in zip(candidates, chances, strict=True)
    ]


def probabilities(similarities: np.ndarray, card: EmbedderCard, people: int) -> np.ndarray:
    """(m,) similarities of the m nearest of `people` enrolled -> (m,) probabilities.

    A model that was never calibrated has none to give: then 1 where the similarity reaches its threshold, else 0.
    """
    if card.calibration is None:
        return (similarities >= card.threshold).astype(np.float64)
    chances: np.ndarray = card.calibration.probability(similarities, max(people, len(similarities)))
    return chances
