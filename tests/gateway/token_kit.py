"""A tiny issuer of tokens, good ones and all kinds of bad ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from verdazul.core.jwks import key_set
from verdazul.core.trust import Signer
from verdazul.secrets.signing import base64url, signed

AUDIENCE = "https://ml.azure.com"


def now() -> int:
    return int(time.time())


def parts(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))


@dataclass
class EcIssuer:
    """Signs with ES256, as Verdazul does."""

    url: str
    kid: str = "ec-1"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        x, y = (base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "alg": "ES256", "x": x, "y": y}

    def signer(self, **fields: Any) -> Signer:
        return Signer(self.url, key_set([self.jwk()]), **fields)

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {"iss": self.url, "sub": "alice", "aud": AUDIENCE, "exp": now() + 300}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Changed claims; None leaves one out."""
        heading = {"alg": "ES256", "kid": self.kid} | (header or {})
        return signed(self.key, heading, self.claims(**changes))

    def unsigned(self, **changes: Any) -> str:
        return parts({"alg": "none"}, self.claims(**changes)) + "."


@dataclass
class RsaIssuer:
    """Signs with RS256, as Entra and most others do."""

    url: str
    kid: str = "rsa-1"
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        n, e = base64url(numbers.n.to_bytes(256, "big")), base64url(numbers.e.to_bytes(3, "big"))
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": n, "e": e}

    def signer(self, **fields: Any) -> Signer:
        return Signer(self.url, key_set([self.jwk()]), **fields)

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {"iss": self.url, "sub": "alice", "aud": AUDIENCE, "exp": now() + 300}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, **changes: Any) -> str:
        text = parts({"alg": "RS256", "kid": self.kid}, self.claims(**changes))
        raw = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{base64url(raw)}"

    def signed_with_the_public_key(self, **changes: Any) -> str:
        """HS256 under what everybody knows: the classic confusion of algorithms."""
        text = parts({"alg": "HS256", "kid": self.kid}, self.claims(**changes))
        pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"{text}.{base64url(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def altered(token: str, **changes: Any) -> str:
    """Other claims under the old signature."""
    header, claims, signature = token.split(".")
    padded = claims + "=" * (-len(claims) % 4)
    told = json.loads(base64.urlsafe_b64decode(padded)) | changes
    return f"{header}.{base64url(json.dumps(told).encode())}.{signature}"
