"""Which of an issuer's keys truly are keys.

Envoy refuses a whole configuration for one issuer without a usable key; so what it could not use is
left out here, before it concerns anybody else.
"""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from verdazul.core.jwks import key_set, usable_keys

_CURVES: dict[str, tuple[type[ec.EllipticCurve], str]] = {
    "P-256": (ec.SECP256R1, "ES256"),
    "P-384": (ec.SECP384R1, "ES384"),
    "P-521": (ec.SECP521R1, "ES512"),
}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_LEAST_BITS, _MOST_BITS = 2048, 8192


def sound_keys(text: str) -> str:
    """As `usable_keys`, and each key has been tried."""
    usable = usable_keys(text)
    keys = json.loads(usable)["keys"] if usable else []
    sound = [key for key in keys if is_sound(key)]
    return key_set(sound) if sound else ""


def is_sound(key: dict[str, str]) -> bool:
    """Whether it is a point of its curve, a modulus of a fair size, and fits its algorithm."""
    try:
        match key["kty"]:
            case "RSA":
                return _is_rsa(key)
            case "EC":
                return _is_point(key)
            case _:
                raw = _bytes(key["x"])
                ed25519.Ed25519PublicKey.from_public_bytes(raw)
                return key["crv"] == "Ed25519" and key.get("alg", "EdDSA") == "EdDSA"
    except ValueError:
        return False


def _is_rsa(key: dict[str, str]) -> bool:
    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    return (
        _LEAST_BITS <= public.key_size <= _MOST_BITS and key.get("alg", "RS256") in _RSA_ALGORITHMS
    )


def _is_point(key: dict[str, str]) -> bool:
    curve, algorithm = _CURVES.get(key["crv"], (None, ""))
    if curve is None or key.get("alg", algorithm) != algorithm:
        return False
    ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve()).public_key()
    return True


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
