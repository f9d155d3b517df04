"""The rule for "unknown", and probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import CARD, UNCALIBRATED
from visage.core.errors import UsageError
from visage.core.match import Rule, decide, probabilities, rule_for, with_probabilities
from visage.core.values import Candidate, MatchOptions

AT_HALF = Rule(0.5, "given", limited=False, stranger_rate=0.01, enrolled=10)


def candidates(*similarities: float) -> list[Candidate]:
    return [Candidate(f"p{i}", f"Person {i}", f"f{i}", each) for i, each in enumerate(similarities)]


@pytest.mark.parametrize(("enrolled", "threshold"), [(1, 0.5), (10, 0.5), (100, 0.6)])
def test_the_threshold_is_that_of_the_wished_rate_shared_among_the_enrolled(enrolled: int, threshold: float) -> None:
    rule = rule_for(CARD, MatchOptions(stranger_rate=0.01), enrolled)
    assert rule.threshold == pytest.approx(threshold)
    assert (rule.basis, rule.limited) == ("false matches", False)
    assert (rule.stranger_rate, rule.enrolled) == (0.01, enrolled)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(1e-6, 1))
def test_the_more_are_enrolled_the_more_resemblance_it_takes(first: int, second: int, rate: float) -> None:
    few, many = sorted((first, second))
    options = MatchOptions(stranger_rate=rate)
    assert rule_for(CARD, options, few).threshold <= rule_for(CARD, options, many).threshold


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.5, 1.0])
def test_it_is_never_laxer_than_one_false_match_in_a_thousand(rate: float) -> None:
    assert rule_for(CARD, MatchOptions(stranger_rate=rate), 1).threshold >= 0.5


def test_where_the_table_ends_the_rule_says_so() -> None:
    rule = rule_for(CARD, MatchOptions(stranger_rate=0.01), 101)
    assert rule.limited
    assert rule.threshold == 0.6  # nothing is extrapolated


def test_nobody_enrolled_counts_as_one() -> None:
    assert rule_for(CARD, MatchOptions(), 0).threshold == rule_for(CARD, MatchOptions(), 1).threshold


def test_a_given_threshold_goes_before_the_rule() -> None:
    rule = rule_for(CARD, MatchOptions(threshold=0.123), 10**6)
    assert (rule.threshold, rule.basis, rule.limited) == (0.123, "given", False)


def test_nearest_goes_before_everything() -> None:
    rule = rule_for(CARD, MatchOptions(threshold=0.9, nearest=True), 10**6)
    assert rule.basis == "nearest"
    verdict = decide(candidates(-1.0), rule, CARD, 1)
    assert verdict.match is not None


def test_without_calibration_the_cards_threshold_counts_and_is_called_limited() -> None:
    rule = rule_for(UNCALIBRATED, MatchOptions(stranger_rate=0.0001), 10**6)
    assert (rule.threshold, rule.basis, rule.limited) == (UNCALIBRATED.threshold, "card", True)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan")])
def test_a_rate_that_is_no_share_is_wrong_usage(rate: float) -> None:
    with pytest.raises(UsageError, match="share of strangers"):
        rule_for(CARD, MatchOptions(stranger_rate=rate), 10)


def test_from_the_threshold_on_somebody_is_named() -> None:
    rule = rule_for(CARD, MatchOptions(threshold=0.5), 2)
    named, unnamed = decide(candidates(0.5, 0.4), rule, CARD, 2), decide(candidates(0.4999, 0.4), rule, CARD, 2)
    assert named.match == named.nearest
    assert named.match is not None
    assert (named.match.name, named.match.person_id, named.match.face_id) == ("Person 0", "p0", "f0")
    assert unnamed.match is None
    assert unnamed.nearest is not None
    assert unnamed.runner_up is not None
    assert (unnamed.nearest.similarity, unnamed.runner_up.similarity) == (0.4999, 0.4)


def one(name: str, similarity: float, *, hidden: bool = False, denied: float | None = None) -> Candidate:
    return Candidate(f"id of {name}", name, f"face of {name}", similarity, hidden, denied)


def told(*found: Candidate, rule: Rule = AT_HALF) -> tuple[str | None, str | None, str | None, bool]:
    """The names of match, nearest and runner-up, and whether somebody is withheld."""
    verdict = decide(found, rule, CARD, 10)
    match, nearest, runner_up = [m.name if m else None for m in (verdict.match, verdict.nearest, verdict.runner_up)]
    return match, nearest, runner_up, verdict.withheld


@pytest.mark.parametrize(
    ("similarity", "denied", "passed_over"),
    [(0.7, 0.8, True), (0.7, 0.7, True), (0.7, 0.69, False), (0.7, None, False), (0.4, 0.49, False), (0.4, 0.5, True)],
)
def test_whom_a_negative_example_speaks_against(similarity: float, denied: float | None, passed_over: bool) -> None:
    """At least as similar as the person, and so similar that the two might be one."""
    found = told(one("Ada", similarity, denied=denied), one("Bob", 0.3))
    assert found[1:3] == (("Bob", None) if passed_over else ("Ada", "Bob"))


def test_the_next_takes_the_place_of_who_is_passed_over() -> None:
    left = [one("Bob", 0.7, denied=0.2), one("Eve", 0.6)]
    assert told(one("Ada", 0.9, denied=0.95), *left) == ("Bob", "Bob", "Eve", False)
    alone = decide(left, AT_HALF, CARD, 10)
    assert decide([one("Ada", 0.9, denied=0.95), *left], AT_HALF, CARD, 10) == alone
    assert told(one("Ada", 0.9, denied=0.95)) == (None, None, None, False)
    assert told(one("Ada", 0.9, denied=0.95), one("Bob", 0.4)) == (None, "Bob", None, False)


def test_with_nearest_a_negative_example_counts_from_any_similarity_on() -> None:
    nearest = rule_for(CARD, MatchOptions(nearest=True), 10)
    assert told(one("Ada", 0.2, denied=0.3), one("Bob", 0.1), rule=nearest)[0] == "Bob"


def test_somebody_hidden_is_never_told() -> None:
    ada = one("Ada", 0.8, hidden=True)
    assert told(ada, one("Bob", 0.7)) == (None, None, None, True)
    assert told(one("Bob", 0.9), ada, one("Eve", 0.6)) == ("Bob", "Bob", "Eve", False)
    assert told(one("Bob", 0.9), ada) == ("Bob", "Bob", None, False)
    assert told(one("Ada", 0.4, hidden=True), one("Bob", 0.3), one("Eve", 0.2)) == (None, "Bob", "Eve", False)
    assert told(one("Ada", 0.4, hidden=True)) == (None, None, None, False)
    nearest = rule_for(CARD, MatchOptions(nearest=True), 10)
    assert told(one("Ada", 0.1, hidden=True), one("Bob", 0.0), rule=nearest) == (None, None, None, True)


def test_who_is_hidden_and_ruled_out_is_passed_over() -> None:
    assert told(one("Ada", 0.8, hidden=True, denied=0.9), one("Bob", 0.7)) == ("Bob", "Bob", None, False)


def test_hidden_people_have_their_share_of_the_probability() -> None:
    """Else somebody would seem surer to be it for somebody's being hidden."""
    shown, hidden = (
        decide([one("Bob", 0.7), one("Ada", 0.69, hidden=how)], AT_HALF, CARD, 10) for how in (False, True)
    )
    assert shown.match == hidden.match
    assert (shown.runner_up is None, hidden.runner_up is None) == (False, True)


def test_an_empty_gallery_names_nobody() -> None:
    verdict = decide([], rule_for(CARD, MatchOptions(nearest=True), 0), CARD, 0)
    assert (verdict.match, verdict.nearest, verdict.runner_up) == (None, None, None)


def test_a_similarity_that_says_nothing_leaves_the_prior() -> None:
    """At 0.5 the two are as likely from one person as from two: half that it is anybody, shared among all."""
    assert probabilities(np.array([0.5]), CARD, 1)[0] == pytest.approx(0.5)
    assert probabilities(np.array([0.5]), CARD, 10)[0] == pytest.approx(0.05 / 0.55)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.integers(0, 1000))
def test_probabilities_are_shares_of_a_whole_and_rise_with_similarity(similarities: list[float], more: int) -> None:
    falling = sorted(similarities, reverse=True)
    found = probabilities(np.array(falling), CARD, len(falling) + more)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9
    assert (np.diff(found) <= 1e-12).all()


def test_among_more_people_a_resemblance_means_less() -> None:
    alone, crowd = (with_probabilities(candidates(0.7), CARD, people)[0].probability for people in (1, 1000))
    assert alone > 0.9 > crowd


def test_an_uncalibrated_model_has_only_yes_and_no() -> None:
    assert probabilities(np.array([0.6, 0.4]), UNCALIBRATED, 2).tolist() == [1.0, 0.0]


def test_fewer_people_than_candidates_is_no_error() -> None:
    """Somebody may be enrolled between counting and searching."""
    assert len(with_probabilities(candidates(0.7, 0.6), CARD, 1)) == 2
