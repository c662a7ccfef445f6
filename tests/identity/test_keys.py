"""Which keys of an issuer are passed on to the gateway."""

from __future__ import annotations

import json

import pytest

from tests.gateway.token_kit import EcIssuer, RsaIssuer
from verdazul.core.jwks import key_set
from verdazul.identity.keys import sound_keys

EC = EcIssuer("").jwk()
RSA = RsaIssuer("").jwk()
ED = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@pytest.mark.parametrize("key", [EC, RSA, ED, {**RSA, "alg": "PS512"}, {**ED, "alg": "EdDSA"}])
def test_real_keys_pass(key: dict[str, str]) -> None:
    assert json.loads(sound_keys(key_set([key])))["keys"] == [key]


@pytest.mark.parametrize(
    "key",
    [
        {**EC, "x": EC["y"]},  # no point of the curve
        {**EC, "crv": "P-1"},
        {**EC, "crv": "P-384"},
        {**EC, "alg": "RS256"},
        {**EC, "x": "*"},
        {**RSA, "n": RSA["n"][:40]},
        {**RSA, "e": "AA"},
        {**RSA, "alg": "HS256"},
        {**ED, "x": "short"},
        {**ED, "crv": "X25519"},
    ],
)
def test_what_is_no_key_is_left_out(key: dict[str, str]) -> None:
    assert sound_keys(key_set([key])) == ""
    assert sound_keys(key_set([key, ED])) == key_set([ED])
