"""Sightings over time -> people and intervals."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import sighting
from visage.core.track import LARGEST_GAP, appearances, join


def test_a_gap_of_two_seconds_is_bridged_and_a_longer_one_is_not() -> None:
    assert LARGEST_GAP == 2.0
    (ada,) = appearances([sighting(time=time) for time in (0, 1, 3, 5.1, 6)])
    assert ada.intervals == ((0, 3), (5.1, 6))
    assert ada.sightings == 5


def test_frames_far_apart_bridge_twice_their_distance() -> None:
    seen = [sighting(time=time) for time in (0, 5, 10, 20, 31)]
    assert appearances(seen, step=5)[0].intervals == ((0, 20), (31, 31))
    assert appearances(seen, step=0.1)[0].intervals == ((0, 0), (5, 5), (10, 10), (20, 20), (31, 31))


def test_a_photo_is_an_instant() -> None:
    assert appearances([sighting()])[0].intervals == ((0, 0),)


def test_most_seen_first_then_by_name_and_everybody_unknown_together_last() -> None:
    seen = [sighting(name) for name in (None, None, None, None, "Cleo", "Ada", "Bo", "Bo")]
    found = appearances(seen)
    assert [(person.name, person.sightings) for person in found] == [("Bo", 2), ("Ada", 1), ("Cleo", 1), ("unknown", 4)]
    assert [person.person_id for person in found][-1] is None


def test_nothing_seen_nobody_there() -> None:
    assert appearances([]) == ()


def test_the_best_face_is_the_best_picture_and_among_equals_the_surest() -> None:
    blurred, good = sighting(score=0.2, similarity=0.99), sighting(score=0.8, similarity=0.7)
    surer = sighting(score=0.8, similarity=0.75)
    assert appearances([blurred, good, surer])[0].best is surer


@given(st.lists(st.floats(0, 100)), st.floats(0, 10))
def test_intervals_hold_every_time_and_are_apart(times: list[float], gap: float) -> None:
    intervals = join(times, gap)
    assert all(any(start <= time <= end for start, end in intervals) for time in times)
    assert all(start in times and end in times for start, end in intervals)
    assert all(later[0] - earlier[1] > gap for earlier, later in itertools.pairwise(intervals))


@pytest.mark.parametrize("times", [[3, 1, 2], [2, 2, 2]])
def test_order_does_not_matter(times: list[float]) -> None:
    assert join(times, 2) == ((min(times), max(times)),)
