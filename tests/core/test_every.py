"""How a sampling is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.core.errors import UsageError
from visage.core.every import HELP, parse_every, spell_every
from visage.core.values import Sampling


@pytest.mark.parametrize(
    ("text", "sampling"),
    [
        ("1s", Sampling(seconds=1.0)),
        ("0.5s", Sampling(seconds=0.5)),
        ("10f", Sampling(frames=10)),
        ("12x", Sampling(count=12)),
        ("1x", Sampling(count=1)),
        ("first", Sampling(count=1)),
        ("keys", Sampling(keys=True)),
        ("all", Sampling()),
    ],
)
def test_read(text: str, sampling: Sampling) -> None:
    assert parse_every(text) == sampling


@pytest.mark.parametrize(
    "text",
    ["", "s", "1", "often", "0s", "0.0s", "-1s", "1.5f", "0f", "0x", "1.5x", "nans", "infs", "1e3s", " 1s", "1s\n",
     "ALL", "1_0f", "\u0661s", "9999999999s", ".5s"],
)  # fmt: skip
def test_nonsense_is_refused_and_told_how(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_every(text)
    assert repr(text) in str(caught.value)
    assert HELP in str(caught.value)


@given(
    st.one_of(
        st.integers(1, 10**15).map(lambda nano: Sampling(seconds=nano / 10**9)),
        st.integers(1, 10**9 - 1).map(lambda n: Sampling(frames=n)),
        st.integers(1, 10**9 - 1).map(lambda n: Sampling(count=n)),
        st.sampled_from([Sampling(), Sampling(keys=True)]),
    )
)
def test_what_is_spelled_is_read_again(sampling: Sampling) -> None:
    assert parse_every(spell_every(sampling)) == sampling
