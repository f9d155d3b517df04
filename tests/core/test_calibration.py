"""Tables from comparisons whose distributions are known, and what is read off them."""

import json
import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.calibration import BINS, LEAST_COMPARISONS, Calibration, calibrate
from visage.core.errors import UsageError
from visage.core.values import Floats

PEOPLE, PICTURES, DIMENSION = 600, 3, 64


def crowd(
    people: int = PEOPLE, pictures: int = PICTURES, noise: float = 1.3, seed: int = 0
) -> tuple[Floats, list[str]]:
    """Unit vectors spread evenly over the sphere, one per person, each picture that vector with noise added."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(people, DIMENSION)), pictures, axis=0)
    vectors = centres + noise * random.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [f"person {index // pictures}" for index in range(len(vectors))]


@pytest.fixture(scope="module")
def made() -> Calibration:
    return calibrate(*crowd(), data="an even crowd")


# Different people's cosines: nearly normal with variance 1 / dimension.
STRANGERS = NormalDist(0, 1 / math.sqrt(DIMENSION))

GAUSSIANS = Calibration(
    data="two Gaussians, computed",
    comparisons=10_000_000,
    same_comparisons=10_000,
    false_match=tuple((10.0**-power, STRANGERS.inv_cdf(1 - 10.0**-power)) for power in range(1, 7)),
    true_match=tuple((share / 100, NormalDist(0.7, 0.1).inv_cdf(1 - share / 100)) for share in range(99, 0, -1)),
    evidence=tuple((place / 20, (place - 8) / 2) for place in range(20)),
)


def every_similarity(vectors: Floats, labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    similarities = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    first, second = np.triu_indices(len(labels), 1)
    return similarities[first, second], np.array(labels)[first] == np.array(labels)[second]


def test_all_comparisons_are_counted(made: Calibration) -> None:
    assert made.same_comparisons == PEOPLE * 3
    assert made.comparisons == 1800 * 1799 // 2 - PEOPLE * 3
    assert made.data == "an even crowd"


def test_a_threshold_keeps_to_its_rate_and_no_stricter(made: Calibration) -> None:
    similarities, same = every_similarity(*crowd())
    different = similarities[~same]
    for rate, threshold in made.false_match:
        step = 2 / BINS
        assert (different >= threshold + 1e-6).sum() <= rate * len(different) * (1 + 1e-9)
        assert (different >= threshold - step - 1e-6).sum() > rate * len(different) * (1 - 1e-9)


def test_rates_end_at_ten_comparisons(made: Calibration) -> None:
    assert made.false_match[0][0] == 0.1
    assert made.false_match[-1][0] == LEAST_COMPARISONS / made.comparisons


def test_thresholds_are_those_of_the_distribution(made: Calibration) -> None:
    for rate, threshold in made.false_match:
        if rate >= 1e-4:
            assert threshold == pytest.approx(STRANGERS.inv_cdf(1 - rate), abs=0.02)


def test_shares_of_the_same_are_those_counted(made: Calibration) -> None:
    similarities, same = every_similarity(*crowd())
    for threshold in np.linspace(-0.2, 1.0, 60):
        counted = (similarities[same] >= threshold).mean()
        assert made.expected_recognized(float(threshold)) == pytest.approx(counted, abs=0.01)
    assert made.expected_recognized(-1.0) == 1.0
    assert made.expected_recognized(1.0) == 0.0


def test_evidence_is_the_ratio_of_the_densities(made: Calibration) -> None:
    similarities, same = every_similarity(*crowd())
    for place in (0.25, 0.35, 0.4, 0.45):
        shares = [(np.abs(kind - place) < 0.02).mean() for kind in (similarities[same], similarities[~same])]
        assert made.log_ratio(place) == pytest.approx(math.log10(shares[0] / shares[1]), abs=0.35)


def test_evidence_is_flat_and_bounded_beyond_the_data(made: Calibration) -> None:
    assert made.log_ratio(1.0) == made.evidence[-1][1] <= math.log10(made.comparisons / 9.99)
    assert made.log_ratio(-1.0) == made.evidence[0][1] >= math.log10(9.99 / made.same_comparisons)
    assert 15 <= len(made.evidence) <= 30


def test_a_comparison_of_two_is_calibrated(made: Calibration) -> None:
    """Of the pairs said to be of one person with probability p, a share of p is, where half of all pairs are."""
    similarities, same = every_similarity(*crowd(seed=1))
    claimed = np.array([made.probability([value], 1)[0] for value in np.linspace(-1, 1, 401)])
    claims = np.interp(similarities, np.linspace(-1, 1, 401), claimed)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 0.99), (0.99, 1.0)):
        inside = (claims >= low) & (claims < high)
        true = (weights * same)[inside].sum() / weights[inside].sum()
        assert true == pytest.approx((weights * claims)[inside].sum() / weights[inside].sum(), abs=0.06)


@pytest.mark.parametrize("noise", [0.05, 3.0])
def test_people_fully_apart_or_hardly_at_all_still_make_tables(noise: float) -> None:
    made = calibrate(*crowd(people=40, noise=noise))
    assert np.isfinite(made.evidence).all()
    same = made.probability([made.true_match[0][1]], 1)[0]
    assert same > 0.9 if noise < 1 else same < 0.6


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, made: Calibration) -> None:
    monkeypatch.setattr("visage.core.calibration.BLOCK", 100_000)
    assert calibrate(*crowd(), data="an even crowd") == made


def test_labels_may_be_numbers() -> None:
    vectors, labels = crowd(people=40)
    assert calibrate(vectors, [int(label.split()[1]) for label in labels]) == calibrate(vectors, labels)


def test_too_little_to_calibrate_on() -> None:
    vectors, labels = crowd(people=4)
    with pytest.raises(UsageError, match="54 comparisons of different people and 12 of the same"):
        calibrate(vectors, labels)
    vectors, labels = crowd(people=100, pictures=1)
    with pytest.raises(UsageError, match="0 of the same"):
        calibrate(vectors, labels)
    vectors[3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        calibrate(vectors, labels)


def test_the_rule_for_unknown() -> None:
    # 1 stranger in 100 among 100 faces: one comparison in 10,000.
    assert GAUSSIANS.threshold_for(0.01, 100) == pytest.approx((STRANGERS.inv_cdf(1 - 1e-4), False))
    assert GAUSSIANS.threshold_for(0.01, 0) == GAUSSIANS.threshold_for(0.01, 1) == GAUSSIANS.threshold_for(0.5, 10)
    assert GAUSSIANS.threshold_for(0.01, 10)[0] == pytest.approx(STRANGERS.inv_cdf(1 - 1e-3))
    between = GAUSSIANS.threshold_for(0.01, 316)[0]
    assert between == pytest.approx(STRANGERS.inv_cdf(1 - 0.01 / 316), abs=0.003)


def test_the_table_is_never_left() -> None:
    last = GAUSSIANS.false_match[-1][1]
    assert GAUSSIANS.threshold_for(0.01, 10_000) == pytest.approx((last, False))
    assert GAUSSIANS.threshold_for(0.01, 10_001) == (last, True)
    assert GAUSSIANS.threshold_for(1e-9, 10**9) == (last, True)


def test_a_short_table_is_limited_even_at_the_laxest_rate() -> None:
    short = replace(GAUSSIANS, false_match=GAUSSIANS.false_match[:2])
    assert short.threshold_for(0.01, 1) == (short.false_match[-1][1], True)


rates = st.floats(1e-6, 1.0)
faces = st.integers(0, 10**7)


@given(rates, faces, faces)
def test_more_faces_ask_for_more(rate: float, fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    first, second = GAUSSIANS.threshold_for(rate, fewer), GAUSSIANS.threshold_for(rate, more)
    assert first[0] <= second[0]
    assert first[1] <= second[1]


@given(rates, rates, faces)
def test_fewer_strangers_ask_for_more(one: float, other: float, count: int) -> None:
    strict, lax = sorted((one, other))
    assert GAUSSIANS.threshold_for(strict, count)[0] >= GAUSSIANS.threshold_for(lax, count)[0]


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, math.nan])
def test_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(UsageError, match="share of strangers"):
        GAUSSIANS.threshold_for(rate, 10)


similarities = st.lists(st.floats(-1, 1), max_size=10)


@given(similarities, st.integers(0, 10**6), st.floats(0.001, 0.999))
def test_probabilities_are_some(values: list[float], others: int, prior: float) -> None:
    chances = GAUSSIANS.probability(values, max(1, len(values) + others), prior)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert chances.sum() <= 1 + 1e-12
    order = np.argsort(values, kind="stable")
    assert (np.diff(chances[order]) >= 0).all()


def test_bayes_by_hand() -> None:
    # At 0.5 the ratio is 10, at 0.6 it is 100.
    assert GAUSSIANS.probability([0.5], 1)[0] == pytest.approx(10 / 11)
    assert GAUSSIANS.probability([0.5], 1, prior=0.01)[0] == pytest.approx(0.1 / (0.1 + 0.99))
    assert GAUSSIANS.probability([0.6, 0.5], 50) == pytest.approx([1 / 1.6, 0.1 / 1.6])
    assert GAUSSIANS.probability([], 3).shape == (0,)


def test_enormous_ratios_do_not_overflow() -> None:
    extreme = replace(GAUSSIANS, evidence=((0.0, -5000.0), (1.0, 5000.0)))
    assert extreme.probability([1.0, 1.0, 0.0], 3).tolist() == pytest.approx([0.5, 0.5, 0.0])
    assert extreme.probability([0.0], 1)[0] == 0.0


@pytest.mark.parametrize(("people", "prior"), [(1, 0.5), (2, 0.0), (2, 1.0)])
def test_a_probability_of_nothing(people: int, prior: float) -> None:
    with pytest.raises(ValueError, match="similarities among"):
        GAUSSIANS.probability([0.1, 0.2], people, prior)


def test_more_people_are_recognized_less_and_more_faces_help() -> None:
    shares = [GAUSSIANS.expected(people, 0.01) for people in (1, 10, 100, 1_000, 10_000)]
    assert shares == sorted(shares, reverse=True)
    assert GAUSSIANS.expected(100, 0.01) == GAUSSIANS.expected_recognized(GAUSSIANS.threshold_for(0.01, 100)[0])
    assert GAUSSIANS.expected(1_000, 0.01, 3) > GAUSSIANS.expected(1_000, 0.01)


def test_a_card_gives_back_what_was_put_in_it(made: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))) == made


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": None},
        {"evidence": [[0.1, 1.0]]},
        {"evidence": [[0.2, 1.0], [0.1, 2.0]]},
        {"true_match": [[0.5, 0.1], [0.9, 0.2]]},
        {"false_match": [[0.1, 0.5], [0.01, 0.4]]},
        {"false_match": [[0.1, 0.5], [0.0, 0.6]]},
        {"false_match": [[0.1, 0.5, 3], [0.01, 0.6, 4]]},
        {"false_match": [[0.1, math.nan], [0.01, 0.6]]},
        {"comparisons": "many"},
    ],
)
def test_a_damaged_card_is_refused(change: dict[str, object]) -> None:
    record = {**GAUSSIANS.to_json(), **change}
    with pytest.raises((TypeError, ValueError)):
        Calibration.from_json(record)


def test_a_card_without_a_table_is_refused() -> None:
    record = GAUSSIANS.to_json()
    del record["evidence"]
    with pytest.raises(KeyError):
        Calibration.from_json(record)
