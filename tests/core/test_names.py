import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.errors import UsageError
from visage.core.names import LONGEST, check_name, lookup_name


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "Łukasz Żółć",
        "王小明",
        "محمد",
        "O'Brien-Smith, Jr.",
        "👩‍👩‍👧",
        "नर्मदा",
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "...",
        "Unknown Soldier",
        "7",
    ],
)
def test_a_name_in_any_script(name: str) -> None:
    assert check_name(name) == unicodedata.normalize("NFC", name)


def test_one_spelling() -> None:
    assert check_name("  Zoe\u0301\t\n") == "Zo\u00e9"
    assert check_name("A\u030a") == check_name("\u212b") == "\u00c5"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("", "empty"),
        (" \t\u2003", "empty"),
        ("\u200d", "empty"),
        ("a" * (LONGEST + 1), "200 are allowed"),
        ("a/b", "slash"),
        ("a\\b", "backslash"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        ("a\x7fb", "control"),
        ("a\u0085b", "control"),
        ("a\u2028b", "line separator"),
        ("a\u2029b", "paragraph separator"),
        ("a\u202eb", "direction"),
        ("\u2066a\u2069", "direction"),
        ("a\ud800b", "surrogate"),
        (".", "folder"),
        ("..", "folder"),
        ("unknown", "without a name"),
        (" UnKnown ", "without a name"),
        ("un\u200dknown", "without a name"),
    ],
)
def test_what_is_no_name(name: str, advice: str) -> None:
    with pytest.raises(UsageError, match=advice) as caught:
        check_name(name)
    str(caught.value).encode()  # the message itself can always be shown
    assert lookup_name(name) == ""


def test_the_longest_name() -> None:
    assert len(check_name("é" * LONGEST)) == LONGEST


@given(st.text(st.characters(max_codepoint=sys.maxunicode)))
def test_a_name_once_checked_is_settled(name: str) -> None:
    kept = lookup_name(name)
    assert lookup_name(kept) == kept
    if kept:
        kept.encode()
        assert kept.splitlines() == [kept]
