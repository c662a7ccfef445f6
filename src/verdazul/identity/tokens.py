"""The `Tokens` port: whether a JSON Web Token is signed by whom it says, by PyJWT.

Only public-key signatures count, and only with the key and the algorithm that fit together: a token
cannot choose `none`, a shared secret, or a key that it brings along (`jwk`, `jku`, `x5c` are never
looked at). Times and audiences are judged elsewhere, by a clock that is an argument.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from jwt.types import Options

from verdazul.core.claims import TokenUnknown
from verdazul.core.trust import Signer

MOST_BYTES = 16 * 1024
_ALGORITHMS = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
    "OKP": frozenset({"EdDSA"}),
}
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class JsonWebTokens:
    """Stateless."""

    def verified(self, token: str, signers: Iterable[Signer]) -> tuple[Signer, Mapping[str, Any]]:
        """See ports.Tokens."""
        header, told = _read(token)
        name = told.get("iss")
        signer = next((one for one in signers if one.issuer == name), None)
        if signer is None:
            raise TokenUnknown("its issuer is not trusted here")
        algorithm = str(header.get("alg"))
        fitting = [key for key in _keys(signer.keys) if _fits(key, algorithm, header.get("kid"))]
        if not fitting:
            raise TokenUnknown("its issuer has no such key (kid, alg)", issuer=signer.issuer)
        for key in fitting:
            claims = _signed(token, key, algorithm)
            if claims is not None:
                return signer, claims
        raise TokenUnknown("its signature is wrong")


def _read(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims, of which nothing is proven yet."""
    if len(token) > MOST_BYTES:
        raise TokenUnknown(f"it is longer than {MOST_BYTES} bytes")
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenUnknown("it cannot be read as a JSON Web Token") from None
    return whole["header"], whole["payload"]


@functools.lru_cache(maxsize=64)
def _keys(text: str) -> tuple[Mapping[str, str], ...]:
    return tuple(json.loads(text)["keys"])


def _fits(key: Mapping[str, str], algorithm: str, kid: object) -> bool:
    """By type, curve, and what both sides say; a key without `kid` may be any."""
    is_named = kid is None or key.get("kid", kid) == kid
    wanted = key.get("alg") or _OF_CURVE.get(key.get("crv", ""), algorithm)
    return is_named and algorithm in _ALGORITHMS[key["kty"]] and algorithm == wanted


def _signed(token: str, key: Mapping[str, str], algorithm: str) -> Mapping[str, Any] | None:
    try:
        public = jwt.PyJWK.from_dict(dict(key), algorithm=algorithm)
        claims: Mapping[str, Any] = jwt.decode(
            token, public, algorithms=[algorithm], options=_SIGNATURE_ONLY
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return claims
