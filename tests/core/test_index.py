import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.core.index import Hit, Index, Numbers
from visage.core.values import Floats


def unit(vectors: Floats) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def random(n: int, d: int = 32, seed: int = 0) -> Floats:
    return unit(np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32))


def plain(vectors: Floats, faces: Numbers, people: Numbers, probe: Floats, k: int) -> list[Hit]:
    """The definition: every similarity, sorted."""
    similarities = np.clip(vectors.astype(np.float64) @ probe.astype(np.float64), -1, 1).astype(np.float32)
    best: dict[int, Hit] = {}
    for at in np.lexsort((faces, people, -similarities)):
        best.setdefault(int(people[at]), (int(people[at]), int(faces[at]), float(similarities[at])))
    return list(best.values())[:k]


def same(found: list[Hit], wished: list[Hit]) -> None:
    assert [hit[:2] for hit in found] == [hit[:2] for hit in wished]
    np.testing.assert_allclose([hit[2] for hit in found], [hit[2] for hit in wished], atol=1e-7)


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 5000])
@pytest.mark.parametrize("each", [1, 10, 10_000])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_the_best_people_exactly(n: int, each: int, k: int) -> None:
    vectors, faces = random(n), np.arange(n) + 100
    people = np.random.default_rng(1).permutation(n) // each
    probes = np.concatenate([random(3, seed=2), vectors[-1:]])
    found = Index(vectors, faces, people).search(probes, k)
    for probe, row in zip(probes, found, strict=True):
        same(row, plain(vectors, faces, people, probe, k))


def test_someone_who_fills_the_best_blocks_hides_nobody() -> None:
    near, far = random(1), random(2, seed=5)
    vectors = unit(np.concatenate([near + 0.001 * random(4000, seed=3), far]))
    people = np.array([7] * 4000 + [8, 9])
    index = Index(vectors, np.arange(4002), people)
    assert {hit[0] for hit in index.search(near, 3)[0]} == {7, 8, 9}


def test_an_answer_does_not_depend_on_its_neighbors() -> None:
    vectors = random(3000, 128)
    index = Index(vectors, np.arange(3000), np.arange(3000))
    probes = random(50, 128, seed=1)
    assert index.search(probes, 5) == [index.search(probe[None], 5)[0] for probe in probes]


def test_many_probes_are_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(random(1000), np.arange(1000), np.arange(1000))
    whole = index.search(random(20, seed=1), 2)
    monkeypatch.setattr("visage.core.index._SCORES", 3000)
    assert index.search(random(20, seed=1), 2) == whole


def test_ties_go_to_the_lower_numbers() -> None:
    vectors = np.repeat(random(1), 1001, axis=0)
    faces = np.arange(1001)[::-1].copy()
    index = Index(vectors, faces, faces // 2)
    assert [hit[:2] for hit in index.search(vectors[:1], 3)[0]] == [(0, 0), (1, 2), (2, 4)]


def test_nothing_to_find() -> None:
    empty = Index(np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
    assert empty.search(random(2, 4), 1) == [[], []]
    index = Index(random(3, 4), np.arange(3), np.arange(3))
    assert index.search(random(2, 4), 0) == [[], []]
    assert index.search(np.empty((0, 4), np.float32), 1) == []
    with pytest.raises(ValueError, match="probes"):
        index.search(random(1, 5), 1)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="people"):
        Index(random(3), np.arange(2), np.arange(3))
    with pytest.raises(ValueError, match="faces"):
        Index(random(3), np.arange(4), np.arange(4))
    with pytest.raises(ValueError, match="float32"):
        Index(random(3).astype(np.float64), np.arange(3), np.arange(3))


def test_the_matrix_is_not_copied() -> None:
    vectors = random(1000)
    index = Index(vectors, np.arange(1000), np.arange(1000))
    index.remove(np.array([0]))
    np.testing.assert_array_equal(vectors[0], random(1000)[999])
    assert not vectors[999].any()


def test_rows_after_the_last_face_are_room() -> None:
    vectors = random(10)
    vectors[8:] = 0
    index = Index(vectors, np.arange(8), np.arange(8))
    assert len(index.search(random(1, seed=1), 20)[0]) == 8
    index.add(random(10)[8:], np.array([8, 9]), np.array([8, 9]))
    np.testing.assert_array_equal(vectors, random(10))


def test_a_matrix_that_cannot_be_written_to_is_left_alone() -> None:
    vectors = random(10)
    vectors.flags.writeable = False
    index = Index(vectors, np.arange(10), np.arange(10))
    assert index.remove(np.array([3, 99])) == 1
    np.testing.assert_array_equal(vectors, random(10))
    assert sorted(index.faces) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=12), st.integers(0, 3))
def test_adding_and_removing(steps: list[tuple[bool, int]], start: int) -> None:
    """After any changes the index answers like one that is made anew."""
    pool = random(600, 8)
    here = list(range(start))
    index = Index(pool[:start].copy(), np.arange(start), np.arange(start) // 3)
    unused, rng = start, np.random.default_rng(9)
    for adding, count in steps:
        if adding:
            new = np.arange(unused, unused + count)
            index.add(pool[new], new, new // 3)
            here += list(new)
            unused += count
        else:
            gone = rng.permutation(here)[:count].astype(np.int64)
            assert index.remove(gone) == len(gone)
            here = [face for face in here if face not in set(gone)]
        assert sorted(index.faces) == sorted(here)
        assert len(index) == len(here)
    rows = np.array(here, np.int64)
    same(index.search(pool[:1], 4)[0], plain(pool[rows], rows, rows // 3, pool[0], 4))
