"""What a signed address opens, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.grants import Act, Grant, read_grant

grants = st.builds(
    Grant,
    st.text(max_size=8),
    st.frozensets(st.sampled_from(Act)),
    st.floats(0, 1e12, allow_nan=False),
)


@given(grants)
def test_a_grant_is_read_as_it_was_written(grant: Grant) -> None:
    assert read_grant(grant.text()) == grant


@given(grants, st.sampled_from(Act), st.text(max_size=8), st.floats(0, 1e12))
def test_it_opens_one_container_for_its_acts_until_its_time(
    grant: Grant, act: Act, container: str, now: float
) -> None:
    opens = grant.allows(act, container, now)

    assert opens == (act in grant.acts and container == grant.container and now <= grant.expires_at)


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        "x",
        [],
        ["blob", "c", "r"],
        ["blob", "c", "x", 1],
        ["blob", "c", "r", "soon"],
        ["blob", 7, "r", 1],
        ["token", "c", "r", 1],
    ],
)
def test_any_other_text_is_no_grant(told: object) -> None:
    assert read_grant(json.dumps(told)) is None
    assert read_grant("{") is None
