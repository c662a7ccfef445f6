"""What a verified token is worth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.claims import Holder, holder_of, is_for, trouble_with
from verdazul.core.trust import HOME_OWNER, Signer
from verdazul.model.errors import Problem

SIGNER = Signer("https://id", "", ("https://a", "https://b"), 60)
NOW = 1_000_000.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
GOOD = {"aud": "https://a", "exp": NOW + 100, "nbf": NOW - 100}


def code(**changes: Any) -> str:
    found = trouble_with({**GOOD, **changes}, SIGNER, NOW)
    return found.code if found else ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"aud": "https://b/"}, ""),
        ({"aud": ["x", "https://a"]}, ""),
        ({"exp": NOW - 59}, ""),
        ({"nbf": NOW + 60}, ""),
        ({"exp": NOW - 60}, "ExpiredAuthenticationToken"),
        ({"exp": None}, "InvalidAuthenticationToken"),
        ({"exp": "soon"}, "InvalidAuthenticationToken"),
        ({"exp": float("nan")}, "InvalidAuthenticationToken"),
        ({"exp": float("inf")}, "InvalidAuthenticationToken"),
        ({"exp": True}, "InvalidAuthenticationToken"),
        ({"nbf": NOW + 61}, "InvalidAuthenticationToken"),
        ({"aud": "https://c"}, "InvalidAuthenticationTokenAudience"),
        ({"aud": "https://a.evil.example"}, "InvalidAuthenticationTokenAudience"),
        ({"aud": []}, "InvalidAuthenticationTokenAudience"),
        ({"aud": {"https://a": 1}}, "InvalidAuthenticationTokenAudience"),
    ],
)
def test_times_and_audience_decide(changes: dict[str, Any], expected: str) -> None:
    assert code(**changes) == expected


@given(st.dictionaries(st.sampled_from(["aud", "exp", "nbf", "oid", "sub", "groups"]), JSON))
def test_no_claim_makes_it_fail_and_none_passes_that_lacks_an_end(claims: dict[str, Any]) -> None:
    trouble = trouble_with(claims, SIGNER, NOW)
    holder_of(claims, "d")

    assert trouble or (claims["exp"] > NOW - 61 and is_for(claims, SIGNER.audiences))


@given(st.dictionaries(st.sampled_from(["oid", "sub", "groups", "name"]), JSON))
def test_nobody_takes_a_name_of_another_directory(claims: dict[str, Any]) -> None:
    first, other = holder_of(claims, ""), holder_of(claims, "partner")

    if isinstance(first, Holder):
        assert not any(name.startswith("//") for name in (first.id, *first.groups))
    if isinstance(other, Holder):
        assert all(name.startswith("//partner/") for name in (other.id, *other.groups))
    assert not (isinstance(first, Holder) and first.id == HOME_OWNER)


def test_an_identity_is_its_oid_else_its_sub() -> None:
    both = {"oid": "o", "sub": "s", "name": "Ann", "groups": ["g", 1, ""]}

    assert holder_of(both, "") == Holder("o", "Ann", ("g",))
    assert holder_of({"sub": "s"}, "d") == Holder("//d/s", "//d/s", ())
    guid = {"oid": "8E3AF657-A8FF-443C-A75C-2FE8C4BCB635"}
    assert holder_of(guid, "d") == holder_of({"oid": guid["oid"].lower()}, "d")
    assert isinstance(holder_of({"sub": HOME_OWNER}, ""), Problem)
