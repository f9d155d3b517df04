"""LFW's lists of pairs, read and refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.accuracy.pairs import Pair, Picture, parse_pairs, pictures
from visage.core.errors import UsageError

TWO_FOLDS = """2\t1
Ada_Lovelace\t1\t4
Ada_Lovelace\t1\tAlan_Turing\t12
Grace_Hopper\t2\t3
Grace_Hopper\t2\tAlan_Turing\t1
"""


def test_folds_with_their_pairs() -> None:
    first, second = parse_pairs(TWO_FOLDS)
    assert first == (
        Pair(Picture("Ada_Lovelace", 1), Picture("Ada_Lovelace", 4)),
        Pair(Picture("Ada_Lovelace", 1), Picture("Alan_Turing", 12)),
    )
    assert [pair.same for pair in second] == [True, False]


def test_one_set_with_spaces_and_blank_lines() -> None:
    (fold,) = parse_pairs("\ufeff\n1\r\n\r\nAda 1 2\r\n  \r\nAda 1 Alan 2\r\n\r\n")
    assert [pair.same for pair in fold] == [True, False]


def test_names_may_hold_spaces_between_tabs() -> None:
    (fold,) = parse_pairs("1\nAda Lovelace\t1\t2\nAda Lovelace\t1\tAlan\t2\n")
    assert fold[0].first.name == "Ada Lovelace"


def test_where_a_picture_is_kept() -> None:
    assert Picture("Abel_Pacheco", 4).path() == "Abel_Pacheco/Abel_Pacheco_0004.jpg"
    assert Picture("Abel_Pacheco", 12345).path(".png") == "Abel_Pacheco/Abel_Pacheco_12345.png"


def test_each_picture_once() -> None:
    assert pictures(parse_pairs(TWO_FOLDS)) == [
        Picture("Ada_Lovelace", 1),
        Picture("Ada_Lovelace", 4),
        Picture("Alan_Turing", 1),
        Picture("Alan_Turing", 12),
        Picture("Grace_Hopper", 2),
        Picture("Grace_Hopper", 3),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("pairs\n", "line 1"),
        ("\n0\n", "line 2"),
        ("-1\n", "line 1"),
        ("1 2 3\n", "line 1"),
        ("9" * 5000, "line 1"),
        ("1\nAda 1\n", "line 2"),
        ("1\nAda 1 Alan 2\n", "line 2"),
        ("1\nAda 1 2\nAda 1 2\n", "line 3"),
        ("1\nAda 1 2\nAda 1 Ada 2\n", "line 3.*twice"),
        ("1\nAda 1 x\n", "line 2.*'x'"),
        ("1\nAda 1 2\n\nAda one Alan 2\n", "line 4.*'one'"),
        ("1\n../../etc 1 2\n", "line 2.*folder"),
        ("1\n.. 1 2\n", "line 2.*folder"),
        ("2\nAda 1 2\nAda 2 3\nAda 1 Alan 2\n", "ends after line 4 with 3 pairs"),
        ("1\nAda 1 2\nAda 1 Alan 2\nAda 3 4\n", "line 4.*one more"),
    ],
)
def test_what_does_not_fit_is_named_by_its_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_pairs(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_pairs(text)
    except UsageError:
        return


names = st.text(st.characters(categories=["L", "N"]), min_size=1)
numbers = st.integers(0, 99_999)


@given(
    st.lists(st.tuples(names, numbers, numbers), min_size=1, max_size=4),
    st.integers(1, 3),
    st.sampled_from(["\t", "  "]),
)
def test_what_is_written_is_read(people: list[tuple[str, int, int]], folds: int, gap: str) -> None:
    fold = [Pair(Picture(name, one), Picture(name, two)) for name, one, two in people]
    fold += [Pair(Picture(name, one), Picture(f"{name}_", two)) for name, one, two in people]
    lines = [
        gap.join([p.first.name, str(p.first.number), *([] if p.same else [p.second.name]), str(p.second.number)])
        for p in fold
    ]
    text = "\n".join([f"{folds}{gap}{len(people)}", *(lines * folds)])
    assert parse_pairs(text) == (tuple(fold),) * folds


@pytest.mark.parametrize(
    ("file", "pairs", "images"), [("pairsDevTrain.txt", 2200, 3443), ("pairsDevTest.txt", 1000, 1549)]
)
def test_the_real_lists(shared_data: Path, file: str, pairs: int, images: int) -> None:
    folds = parse_pairs((shared_data / "lfw-dev" / file).read_text(encoding="utf-8"))
    assert len(folds) == 1
    assert len(folds[0]) == pairs
    assert sum(pair.same for pair in folds[0]) == pairs / 2
    named = pictures(folds)
    assert len(named) == images
    assert all((shared_data / "lfw-dev" / "images" / picture.path()).is_file() for picture in named)
