"""What our own tokens say, and which keys of a set may be trusted."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.jwks import key_set, usable_keys
from verdazul.core.trust import (
    DATA_AUDIENCE,
    HOME_DIRECTORY,
    HOME_OWNER,
    OWN_IDENTITIES,
    OWN_ISSUER,
    Token,
    audience_of,
    owner_claims,
)

RSA = {"kty": "RSA", "n": "nn", "e": "AQAB", "kid": "1", "alg": "RS256", "use": "sig"}
EC = {"kty": "EC", "crv": "P-256", "x": "xx", "y": "yy"}
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "xx"}
SECRET = {"kty": "oct", "k": "c2VjcmV0"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.integers(0, 2**40), st.integers(1, 10**6))
def test_a_token_is_for_one_endpoint_and_is_renewed_before_it_expires(at: int, life: int) -> None:
    token = Token("credit", "uid", "jti", at, at + life)

    assert at <= token.refresh_at < token.expires_at
    assert token.claims() == {
        "iss": OWN_ISSUER,
        "aud": audience_of("uid"),
        "sub": "credit",
        "jti": "jti",
        "iat": at,
        "nbf": at,
        "exp": at + life,
    }


@given(st.integers(0, 2**40), st.integers(1, 10**6))
def test_the_owners_token_is_for_the_data_plane_and_opens_no_endpoint_by_itself(
    at: int, life: int
) -> None:
    claims = owner_claims("jti", at, at + life)

    assert (claims["iss"], claims["aud"]) == (OWN_IDENTITIES, DATA_AUDIENCE)
    assert f"//{HOME_DIRECTORY}/{claims['oid']}" == HOME_OWNER
    assert claims["iss"] != Token("credit", "uid", "jti", at, at + life).claims()["iss"]
    assert (claims["nbf"], claims["exp"]) == (at, at + life)


def test_endpoints_of_one_name_are_told_apart() -> None:
    assert audience_of("uid-1") != audience_of("uid-2")


@given(st.permutations([RSA, EC, OKP, SECRET, {**RSA, "use": "enc"}, {"kty": "RSA", "n": "only"}]))
def test_only_public_signing_keys_are_kept_in_whatever_order(keys: list[dict[str, str]]) -> None:
    found = json.loads(usable_keys(json.dumps({"keys": keys})))["keys"]

    assert sorted(key["kty"] for key in found) == ["EC", "OKP", "RSA"]
    assert usable_keys(json.dumps({"keys": keys})) == usable_keys(key_set([OKP, EC, RSA, EC]))


def test_private_parts_and_what_nobody_asked_for_are_left_out() -> None:
    told = key_set([{**RSA, "d": "private", "x5c": "chain"}])

    assert usable_keys(told) == key_set([RSA])


@given(json_values)
def test_what_is_no_set_of_keys_has_none(value: Any) -> None:
    for text in (json.dumps(value), json.dumps({"keys": value}), json.dumps({"keys": [value]})):
        assert usable_keys(text) == ""
    assert usable_keys("{") == ""
    assert usable_keys(json.dumps({"keys": [SECRET]})) == ""
    assert usable_keys("[" * 100_000) == ""
