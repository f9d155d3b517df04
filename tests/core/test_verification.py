"""Accuracy and its uncertainty, against cases whose truth is known."""

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.accuracy.verification import (
    accuracy,
    best_threshold,
    equal_error_rate,
    roc,
    true_accept_at,
    verify_at,
    verify_folds,
    verify_with_training,
    wilson,
)
from visage.core.errors import UsageError

Pairs = tuple[np.ndarray, np.ndarray]


def gaussians(count: int, seed: int = 0, apart: float = 0.4, spread: float = 0.1) -> Pairs:
    """count pairs of either kind: the same around `apart`, the different around 0."""
    random = np.random.default_rng(seed)
    same = np.repeat([True, False], count)
    return random.normal(np.where(same, apart, 0.0), spread), same


@st.composite
def some_pairs(draw: st.DrawFn, nan: bool = True) -> Pairs:
    values = st.floats(-1, 1) | st.sampled_from([-0.5, 0.0, 0.5]) | (st.just(math.nan) if nan else st.nothing())
    rows = draw(st.lists(st.tuples(values, st.booleans()), max_size=40))
    rows += [(0.5, True), (0.25, False)]  # both kinds, each with a similarity
    return np.array([value for value, _ in rows]), np.array([flag for _, flag in rows])


def test_two_gaussians_come_out_as_computed() -> None:
    similarities, same = gaussians(50_000)
    measured = verify_at(similarities, same, 0.2)
    error = NormalDist().cdf(-2.0)
    assert measured.accuracy == pytest.approx(1 - error, abs=0.002)
    assert measured.equal_error == pytest.approx(error, abs=0.002)
    assert best_threshold(similarities, same) == pytest.approx(0.2, abs=0.02)
    for point in measured.true_accept:
        threshold = NormalDist(0, 0.1).inv_cdf(1 - point.wanted)
        assert point.enough
        assert point.reached <= point.wanted
        assert point.rate == pytest.approx(1 - NormalDist(0.4, 0.1).cdf(threshold), abs=0.02)


def test_ties_go_to_the_middle_of_the_widest_gap() -> None:
    assert best_threshold([0.1, 0.2, 0.6, 0.7], [False, False, True, True]) == pytest.approx(0.4)
    # 0.15 and 0.75 are right as often; the gap around 0.75 is wider.
    assert best_threshold([0.1, 0.2, 0.5, 1.0], [False, True, False, True]) == pytest.approx(0.75)


def test_accepting_all_or_none_has_a_finite_threshold() -> None:
    assert best_threshold([0.3, 0.5], [True, True]) == 0.3
    threshold = best_threshold([0.3, 0.5], [False, False])
    assert 0.5 < threshold < 0.500001


@given(some_pairs())
def test_no_threshold_is_better_than_the_best(pairs: Pairs) -> None:
    similarities, same = pairs
    best = accuracy(similarities, same, best_threshold(similarities, same))
    levels = similarities[~np.isnan(similarities)]
    assert best >= max(accuracy(similarities, same, float(level)) for level in levels)
    assert best >= accuracy(similarities, same, 2.0)


@given(some_pairs())
def test_the_curve_never_falls_and_agrees_with_counting(pairs: Pairs) -> None:
    similarities, same = pairs
    curve = roc(similarities, same)
    assert (np.diff(curve.false_accept) >= 0).all()
    assert (np.diff(curve.true_accept) >= 0).all()
    unseen = np.isnan(similarities)
    for threshold, false, true in zip(curve.thresholds, curve.false_accept, curve.true_accept, strict=True):
        assert true == pytest.approx((similarities[same] >= threshold).mean())
        assert false == pytest.approx(((similarities >= threshold) | unseen)[~same].mean())
    assert 0.0 <= equal_error_rate(curve) <= 1.0


def test_an_undetected_pair_is_wrong_whatever_it_is() -> None:
    similarities, same = np.array([0.9, math.nan, 0.1, math.nan]), np.array([True, True, False, False])
    for threshold in (-1.0, 0.5, 1.0):
        assert accuracy(similarities, same, threshold) <= 0.5
    measured = verify_at(similarities, same, 0.5)
    assert (measured.accuracy, measured.undetected) == (0.5, 2)
    assert measured.equal_error == pytest.approx(0.5)
    assert [point.rate for point in measured.true_accept] == [0.0, 0.0]


def test_too_few_different_pairs_for_a_rate_are_said() -> None:
    curve = roc([0.9, 0.8, 0.4] + [0.1] * 500, [True] * 3 + [False] * 500)
    strict = true_accept_at(curve, 0.001, 500)
    assert (strict.enough, strict.reached, strict.rate) == (False, 0.0, 1.0)
    assert true_accept_at(curve, 0.01, 500).enough
    assert true_accept_at(curve, 0.002, 500).enough


def test_folds_take_their_threshold_from_the_others() -> None:
    # The first fold lies elsewhere; the second's threshold is perfect for itself only.
    similarities = [0.9, 0.7, 0.5, 0.1]
    same = [True, False, True, False]
    measured = verify_folds(similarities, same, [0, 0, 1, 1])
    assert measured.folds == (0.5, 0.5)
    assert measured.standard_error == 0.0
    assert accuracy(similarities, same, measured.threshold) == 0.5


def test_ten_folds_of_gaussians() -> None:
    similarities, same = gaussians(3000)
    folds = np.arange(6000) % 10
    measured = verify_folds(similarities, same, folds)
    truth = 1 - NormalDist().cdf(-2.0)
    assert len(measured.folds) == 10
    assert measured.accuracy == pytest.approx(np.mean(measured.folds))
    assert measured.standard_error == pytest.approx(np.std(measured.folds, ddof=1) / math.sqrt(10))
    assert measured.low < truth < measured.high


def test_a_training_list_gives_the_threshold() -> None:
    similarities, same = gaussians(500, seed=1)
    training = gaussians(1100, seed=2)
    measured = verify_with_training(similarities, same, *training)
    assert measured.method == "training"
    assert measured.threshold == best_threshold(*training)
    assert (measured.low, measured.high) == wilson(round(measured.accuracy * 1000), 1000)


def test_wilson() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_the_record_goes_through_json() -> None:
    record = json.loads(json.dumps(verify_folds(*gaussians(20), np.arange(40) % 2).to_json(), allow_nan=False))
    assert 0.9 < record["accuracy"] <= 1.0
    assert [point["wanted"] for point in record["true_accept"]] == [0.01, 0.001]
    assert len(record["folds"]) == 2


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UsageError, match="both faces found"):
        best_threshold([math.nan, math.nan], [True, False])
    with pytest.raises(ValueError, match="different people"):
        roc([0.1, 0.2], [True, True])
    with pytest.raises(ValueError, match="two folds"):
        verify_folds([0.1, 0.2], [True, False], [0, 0])
    with pytest.raises(ValueError, match="must both be"):
        accuracy([0.1, 0.2], [True], 0.0)
