"""Whose signature counts: only one that a trusted issuer made with a key of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.token_kit import EcIssuer, RsaIssuer, parts
from verdazul.core.claims import TokenUnknown
from verdazul.core.jwks import key_set
from verdazul.core.trust import Signer
from verdazul.identity.tokens import MOST_BYTES, JsonWebTokens
from verdazul.secrets.signing import base64url

OURS, ENTRA = EcIssuer("https://ours"), RsaIssuer("https://entra")
STRANGER = EcIssuer("https://ours")
SIGNERS = (OURS.signer(), ENTRA.signer())


def claims(token: str, signers: tuple[Signer, ...] = SIGNERS) -> dict[str, Any]:
    return dict(JsonWebTokens().verified(token, signers)[1])


def refused(token: str) -> TokenUnknown:
    with pytest.raises(TokenUnknown) as error:
        claims(token)
    return error.value


@pytest.mark.parametrize("issuer", [OURS, ENTRA])
def test_a_signed_token_tells_who_signed_it_and_what_it_says(issuer: Any) -> None:
    signer, told = JsonWebTokens().verified(issuer.token(oid="alice"), SIGNERS)

    assert signer == issuer.signer()
    assert told["oid"] == "alice"


def test_times_and_audience_are_not_judged_here() -> None:
    assert claims(OURS.token(exp=1, nbf=9e11, iat="soon", aud=7, sub=[]))["exp"] == 1


@pytest.mark.parametrize("alg", ["PS256", "RS512", "RS256"])
def test_an_rsa_key_without_alg_takes_every_rsa_signature(alg: str) -> None:
    token = jwt.encode(ENTRA.claims(), ENTRA.key, algorithm=alg, headers={"kid": ENTRA.kid})

    assert claims(token)["iss"] == ENTRA.url


def test_an_ed25519_key_counts() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes_raw()
    known = key_set([{"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}])
    token = jwt.encode({"iss": "i"}, key, algorithm="EdDSA")

    assert claims(token, (Signer("i", known),)) == {"iss": "i"}


def tampered() -> str:
    head, _, signature = OURS.token().split(".")
    return f"{head}.{base64url(json.dumps(OURS.claims(sub='root')).encode())}.{signature}"


def by_public_key_as_secret() -> str:
    """RS256 turned into HS256, with what everybody can read as the secret."""
    pem = ENTRA.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = parts({"alg": "HS256", "kid": ENTRA.kid}, ENTRA.claims())
    return f"{text}.{base64url(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def bringing_its_key(name: str) -> Callable[[], str]:
    def made() -> str:
        value = {"jwk": STRANGER.jwk(), "jku": "https://evil.example/keys", "x5c": ["MII="]}[name]
        return STRANGER.token(header={name: value, "kid": OURS.kid})

    return made


@pytest.mark.parametrize(
    "made",
    [
        lambda: "",
        lambda: "a.b.c",
        OURS.unsigned,
        lambda: OURS.unsigned().replace("bm9uZSI", "Tm9uZSI"),
        lambda: OURS.token() + "x",
        lambda: OURS.token()[:-20],
        STRANGER.token,
        lambda: EcIssuer("https://nobody").token(),
        lambda: OURS.token(iss=ENTRA.url),
        lambda: OURS.token(iss=["https://ours"]),
        lambda: OURS.token(header={"alg": "RS256"}),
        lambda: OURS.token(header={"alg": ["ES256"]}),
        lambda: OURS.token(header={"alg": None}),
        lambda: OURS.token(header={"kid": "../../etc/passwd"}),
        lambda: OURS.token(header={"kid": {"$ne": ""}}),
        lambda: OURS.token(header={"kid": "' OR 1=1 --"}),
        lambda: OURS.token(header={"crit": ["b64"], "b64": False}),
        lambda: OURS.token(pad="x" * MOST_BYTES),
        tampered,
        by_public_key_as_secret,
        bringing_its_key("jwk"),
        bringing_its_key("jku"),
        bringing_its_key("x5c"),
    ],
)  # fmt: skip
def test_what_nobody_trusted_has_signed_is_refused(made: Callable[[], str]) -> None:
    refused(made())


def test_only_an_unknown_key_of_a_known_issuer_is_worth_asking_again() -> None:
    assert refused(OURS.token(header={"kid": "new"})).issuer == OURS.url
    assert refused(STRANGER.token()).issuer == ""
    assert refused(EcIssuer("https://nobody").token()).issuer == ""


def test_a_key_of_another_curve_is_not_tried() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    token = jwt.encode(OURS.claims(), key, algorithm="ES384", headers={"kid": OURS.kid})

    refused(token)


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_no_text_is_a_token_or_a_failure(text: str) -> None:
    refused(text)
