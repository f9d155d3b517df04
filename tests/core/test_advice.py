"""What is said of how far an embedder carries."""

from dataclasses import replace

import pytest

from tests.fakes import CALIBRATION, CARD, UNCALIBRATED
from visage.core.advice import advise

BETTER = replace(
    CARD, name="better", calibration=replace(CALIBRATION, true_match=((1.0, 0.5), (0.9, 0.65), (0.5, 0.8), (0.0, 0.9)))
)


def test_the_share_expected_falls_with_the_number_enrolled() -> None:
    found = [advise(CARD, [], enrolled, 0.01) for enrolled in (1, 10, 30, 100)]
    shares = [advice.expected for advice in found if advice]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.9)
    assert shares[-1] == pytest.approx(0.7)


def test_a_better_embedder_is_named_with_the_two_commands() -> None:
    advice = advise(CARD, [CARD, UNCALIBRATED, BETTER], 10, 0.01)
    assert advice is not None
    assert (advice.better, advice.better_expected) == ("better", 1.0)
    text = "\n".join(advice.lines)
    assert "fake names about 90%" in text
    assert "1 stranger in 100" in text
    assert "visage models use better" in text
    assert "visage people migrate" in text


def test_one_that_is_hardly_better_is_not_worth_the_change() -> None:
    nearly = replace(
        CARD, name="nearly", calibration=replace(CALIBRATION, true_match=((1.0, 0.4), (0.9, 0.51), (0.0, 0.9)))
    )
    advice = advise(CARD, [nearly], 10, 0.01)
    assert advice is not None
    assert advice.better is None
    assert len(advice.lines) == 1


def test_where_the_table_ends_it_says_so() -> None:
    advice = advise(CARD, [], 10_000, 0.01)
    assert advice is not None
    assert advice.limited
    assert "does not reach further" in advice.lines[0]


def test_of_an_uncalibrated_model_nothing_can_be_said() -> None:
    assert advise(UNCALIBRATED, [CARD], 10, 0.01) is None


def test_one_face_is_not_faces() -> None:
    advice = advise(CARD, [], 1, 0.01)
    assert advice is not None
    assert advice.lines[0].startswith("With 1 face enrolled")
