from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from visage.core.calibration import calibrate
from visage.core.cards import EmbedderCard
from visage.core.unknown.cluster import Clusters, thresholds_for
from visage.core.values import Floats

LINK = 0.7
CARD = EmbedderCard(
    name="plain",
    kind="embedder",
    architecture="file",
    title="Plain",
    source="here",
    license="MIT",
    files=(),
    size=(112, 112),
    dimension=16,
    template=((0.0, 0.0),) * 5,
    threshold=0.5,
)


def unit(vectors: Any) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def people(each: Sequence[int], noise: float = 0.5, seed: int = 0, d: int = 16) -> tuple[Floats, list[int]]:
    """So many faces of each person, and whose each is."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(each)), each)
    centers = unit(random.standard_normal((len(each), d)))
    noises = random.standard_normal((len(labels), d)) / np.sqrt(d)
    return unit(centers[labels] + noise * noises), labels.tolist()


def named(count: int) -> list[str]:
    return [f"f{number:04}" for number in range(count)]


def apart(count: int) -> list[frozenset[str]]:
    """Each face on a picture of its own."""
    return [frozenset([f"p{number}"]) for number in range(count)]


def clusters_of(vectors: Floats, pictures: Sequence[frozenset[str]] | None = None, **options: Any) -> Clusters:
    clusters = Clusters(LINK, **options)
    clusters.add(named(len(vectors)), vectors, pictures or apart(len(vectors)))
    return clusters


def by_definition(vectors: Floats, pictures: Sequence[frozenset[str]]) -> list[list[str]]:
    """Average linkage of everything, by another's hand; who was seen together is a billion apart."""
    distances = 1.0 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    together = [[bool(one & other) for other in pictures] for one in pictures]
    distances[np.array(together)] = 1e9
    labels = fcluster(linkage(distances[np.triu_indices(len(vectors), 1)], "average"), 1.0 - LINK, "distance")
    ids = np.array(named(len(vectors)))
    groups: list[list[str]] = [ids[labels == label].tolist() for label in np.unique(labels)]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_those_of_average_linkage(seed: int) -> None:
    vectors, _ = people([1, 1, 2, 2, 3, 5, 8, 13], 0.55 + seed * 0.02, seed)
    pictures = [frozenset([f"p{number % 20}"]) for number in range(len(vectors))]
    found = clusters_of(vectors, pictures).groups()
    assert found == by_definition(vectors, pictures)
    assert 8 < len(found) < len(vectors)


def test_every_face_is_in_one_group_and_the_largest_comes_first() -> None:
    vectors, labels = people([5, 2, 9, 1], 0.3)
    clusters = clusters_of(vectors)
    groups = clusters.groups()
    assert sorted(face for group in groups for face in group) == named(len(vectors))
    assert [len(group) for group in groups] == [9, 5, 2, 1]
    for group in groups:
        assert len({labels[int(face[1:])] for face in group}) == 1
        assert all(clusters.group_of(face) == group for face in group)


def test_a_chain_does_not_make_two_people_one() -> None:
    angles = np.radians(np.arange(0, 181, 15))  # neighbors are alike (cos 15 = .97), the ends are opposite
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    groups = clusters_of(vectors).groups()
    assert len(groups) >= 3
    for group in groups:
        rows = [int(face[1:]) for face in group]
        assert (vectors[rows] @ vectors[rows].T).mean() >= LINK


def test_faces_of_one_picture_are_never_one_person() -> None:
    vectors = np.repeat(people([1])[0], 6, axis=0)  # the same face six times
    pictures = [frozenset(["a"]), frozenset(["a", "b"]), frozenset(["b"]), *apart(3)]
    groups = clusters_of(vectors, pictures).groups()
    assert sorted(map(len, groups), reverse=True) == [len(group) for group in groups]
    for group in groups:
        seen = [picture for face in group for picture in pictures[int(face[1:])]]
        assert len(seen) == len(set(seen))
    assert len(groups) == 2


def test_the_same_face_many_times_is_one_person() -> None:
    vectors = np.repeat(people([1])[0], 300, axis=0)
    assert [len(group) for group in clusters_of(vectors, neighbors=8).groups()] == [300]


def test_more_faces_than_neighbors_are_still_one_person() -> None:
    vectors, _ = people([200, 150], 0.4, d=64)
    assert [len(group) for group in clusters_of(vectors, neighbors=12).groups()] == [200, 150]


Step = tuple[bool, list[int]]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1000),
    st.floats(0.3, 0.9),
    st.integers(2, 6),
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 39), min_size=1, max_size=12)), min_size=1, max_size=12),
    st.lists(st.integers(0, 25), min_size=40, max_size=40),
)
def test_no_order_of_coming_and_going_makes_a_difference(
    seed: int, noise: float, neighbors: int, steps: list[Step], pictures: list[int]
) -> None:
    vectors, _ = people([1, 2, 3, 5, 7, 10], noise, seed, d=6)
    vectors = np.concatenate([vectors, vectors[::3], vectors[:2]])  # some of them twice or thrice: equally alike
    seen = [frozenset([f"p{picture}"]) for picture in pictures]
    ids = named(40)
    here: set[int] = set()
    clusters = Clusters(LINK, neighbors=neighbors)
    for coming, faces in steps:
        chosen = [face for face in dict.fromkeys(faces) if coming != (face in here)]
        if coming:
            clusters.add([ids[one] for one in chosen], vectors[chosen], [seen[one] for one in chosen])
            here |= set(chosen)
        else:
            assert clusters.remove([ids[one] for one in chosen]) == len(chosen)
            here -= set(chosen)
        at_once = Clusters(LINK, neighbors=neighbors)
        at_once.add([ids[one] for one in sorted(here)], vectors[sorted(here)], [seen[one] for one in sorted(here)])
        assert clusters.groups() == at_once.groups()
    assert len(clusters) == len(here)


def test_one_more_and_one_less_among_many() -> None:
    vectors, _ = people(list(range(1, 40)), 0.75, d=24)
    clusters = clusters_of(vectors[:-40], neighbors=10)
    rest = named(len(vectors))[-40:]
    for number, face in enumerate(rest, len(vectors) - 40):
        clusters.add([face], vectors[number : number + 1], apart(len(vectors))[number : number + 1])
    whole = clusters_of(vectors, neighbors=10).groups()
    assert clusters.groups() == whole
    for face in rest:
        clusters.remove([face])
    assert clusters.groups() == clusters_of(vectors[:-40], neighbors=10).groups() != whole


def test_who_is_gone_can_come_again() -> None:
    vectors, _ = people([4, 4], 0.3)
    clusters = clusters_of(vectors)
    before = clusters.groups()
    assert clusters.remove(["f0001", "f0001", "nobody"]) == 1
    assert "f0001" not in clusters
    with pytest.raises(KeyError):
        clusters.group_of("f0001")
    clusters.add(["f0001"], vectors[1:2], apart(2)[1:])
    assert clusters.groups() == before
    assert clusters.remove(named(8)) == 8
    assert clusters.groups() == []
    assert len(clusters) == 0


def test_what_is_not_a_face_is_refused_and_changes_nothing() -> None:
    vectors, _ = people([3, 3])
    clusters = clusters_of(vectors)
    before = clusters.groups()
    wrong: list[tuple[list[str], Any, list[frozenset[str]]]] = [
        (["f0000"], vectors[:1], apart(1)),
        (["new", "new"], vectors[:2], apart(2)),
        (["new"], vectors[:2], apart(1)),
        (["new"], vectors[:1], apart(2)),
        (["new"], vectors[:1, :8], apart(1)),
        (["new"], vectors[0], apart(1)),
        (["new"], vectors[:1] * 2, apart(1)),
        (["new"], vectors[:1] / 2, apart(1)),
        (["new"], vectors[:1] * np.float32("nan"), apart(1)),
    ]
    for ids, rows, pictures in wrong:
        with pytest.raises(ValueError, match="face"):
            clusters.add(ids, rows, pictures)
    clusters.add([], vectors[:0], [])
    assert clusters.groups() == before
    for link in (0.0, -0.5, 1.5):
        with pytest.raises(ValueError, match="similarity"):
            Clusters(link)


def test_thresholds_follow_from_the_calibration() -> None:
    vectors, labels = people([4] * 400, 0.3, d=64)
    calibration = calibrate(vectors, labels)
    found = thresholds_for(replace(CARD, calibration=calibration))
    assert found.calibrated
    assert found.link == pytest.approx(calibration.threshold_for(2e-5, 1)[0])


def test_thresholds_without_a_calibration_are_cautious() -> None:
    found = thresholds_for(CARD)
    assert not found.calibrated
    assert CARD.threshold < found.link < 1
    few, labels = people([4] * 10, 0.3)
    scanty = thresholds_for(replace(CARD, calibration=calibrate(few, labels)))
    assert not scanty.calibrated
    assert scanty.link >= found.link
