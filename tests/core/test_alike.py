"""Every two that are alike, whatever the tiles; each once; and neighbors that follow from the faces alone."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.core.test_cluster import LINK, apart, clusters_of, named, people
from visage.core.unknown import alike as module
from visage.core.unknown import neighbors
from visage.core.unknown.alike import alike
from visage.core.unknown.cluster import Clusters
from visage.core.unknown.neighbors import SCALE, Neighbors, rank_of

Small = Callable[[], None]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    """Tiles and heaps of pairs so small that a few faces are many."""

    def make() -> None:
        for name, value in (("SIDE", 4), ("WIDTH", 6), ("FEW", 1), ("SOME", 0)):
            monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(neighbors, "_WAITING", 7)

    return make


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("chosen", [range(40), range(0, 40, 3), [0, 1, 2, 37, 38, 39], [39], [], range(5, 9)])
def test_every_pair_is_found_once(small: Small, chosen: list[int], mutual: bool) -> None:
    small()
    vectors, _ = people([10, 10, 10, 10], 0.4)
    whole = np.rint(vectors * SCALE).astype(np.float32)
    rivals = {3: {4, 20}, 4: {3}, 20: {3}}
    rows, asked = np.array(chosen, np.intp), set(chosen)
    table = whole @ whole.T
    wanted = {
        (one, other): table[one, other]
        for one in range(40)
        for other in range(40)
        if one != other
        and table[one, other] >= 0.7 * SCALE**2
        and other not in rivals.get(one, ())
        and (one in asked or (mutual and other in asked))
    }
    found = [
        (int(one), int(other), float(similarity))
        for pairs in alike(whole, rows, 0.7 * SCALE**2, rivals, mutual=mutual)
        for one, other, similarity in zip(*pairs, strict=True)
    ]
    assert len(found) == len(wanted)
    assert {(one, other): similarity for one, other, similarity in found} == wanted
    assert bool(wanted) is bool(chosen)


@pytest.mark.parametrize("seed", range(4))
def test_groups_do_not_hang_on_the_size_of_a_tile(small: Small, seed: int) -> None:
    vectors, _ = people([1, 2, 3, 5, 8, 13, 20], 0.6, seed)
    ids, pictures = named(len(vectors)), [frozenset([f"p{number % 30}"]) for number in range(len(vectors))]
    whole = clusters_of(vectors, pictures, neighbors=5).groups()
    small()
    assert clusters_of(vectors, pictures, neighbors=5).groups() == whole
    clusters = Clusters(LINK, neighbors=5)
    for part in np.array_split(np.random.default_rng(seed).permutation(len(vectors)), 4):
        clusters.add([ids[one] for one in part], vectors[part], [pictures[one] for one in part])
    clusters.remove(ids[::3])
    clusters.add(ids[::3], vectors[::3], pictures[::3])
    assert clusters.groups() == whole


def test_of_a_change_it_is_known_how_far_up_it_matters() -> None:
    """Who got a neighbor that is less alike than a level asks for is as before at that level."""
    near, far = np.array([[0.95, 0.05]]), np.array([[0.75, 0.25]])
    first = np.array([[1.0, 0.0]], np.float32)
    held = Neighbors(0.5, 4)
    ids, pictures = named(3), apart(3)
    rows = [held.add(ids[:1], first, pictures[:1])[0]]
    for number, other in enumerate((far, near), 1):
        unit = np.sqrt(other).astype(np.float32)
        row, change = held.add(ids[number : number + 1], unit, pictures[number : number + 1])
        rows.append(row)
        similarity = float(unit[0, 0])
        for level in (0.6, 0.8, 0.9, 0.96, 0.99):
            there = rows[0] in change.above(rank_of(level))
            assert there is (similarity >= level)
            assert row in change.above(rank_of(level))
    change = held.remove(rows[2])
    assert rows[0] in change.above(rank_of(0.96))
    assert rows[0] not in change.above(rank_of(0.99))
