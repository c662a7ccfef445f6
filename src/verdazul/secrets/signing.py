"""The `TokenSigner` port: ES256 under keys that lie in a file of the home folder only.

Three generations of keys: the *next* one is published long before it signs, the *current* one
signs, *retired* ones are published until the last token that they signed has expired. So a rotation
needs nobody's acknowledgement, and no caller sees it. Removing the file ends all tokens at once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from verdazul.core.jwks import key_set
from verdazul.model.errors import Fatal
from verdazul.ports import Clock
from verdazul.private_files import check_private, replace_private

_DAY = 86400.0
_PART_BYTES = 32  # of a P-256 coordinate, and of each half of a signature
_CURVE = ec.SECP256R1()


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key (PEM) and since when it signs; 0: it does not yet."""

    pem: str
    signs_since: float = 0.0

    def private(self) -> ec.EllipticCurvePrivateKey:
        """Raise ValueError or TypeError when it is none."""
        key = serialization.load_pem_private_key(self.pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("not an elliptic-curve key")
        return key

    def public(self) -> dict[str, str]:
        """As a JSON Web Key; its id is RFC 7638's thumbprint."""
        numbers = self.private().public_key().public_numbers()
        members = {"crv": "P-256", "kty": "EC", "x": _number(numbers.x), "y": _number(numbers.y)}
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        kid = base64url(hashlib.sha256(text.encode()).digest())
        return {**members, "alg": "ES256", "use": "sig", "kid": kid}


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys. `retired`: with the time of their retirement as `signs_since`."""

    next: Pair
    current: Pair
    retired: tuple[Pair, ...] = ()

    def rotated(self, now: float) -> Ring:
        """The next key signs from now on."""
        retired = replace(self.current, signs_since=now)
        return Ring(_new(), replace(self.next, signs_since=now), (retired, *self.retired))

    def without_expired(self, now: float, token_seconds: float) -> Ring:
        """Keys whose last token has expired are not published any more."""
        kept = (one for one in self.retired if now < one.signs_since + token_seconds)
        return replace(self, retired=tuple(kept))


class FileSigner:
    """Keys in home/signing.json (0600), made when it is missing.

    Raises UserError (InsecureKeyFile) when others may read the file, Fatal (SecretsUnreadable)
    when it holds no keys.
    """

    def __init__(
        self, home: Path, *, clock: Clock, rotate_days: float, token_seconds: float
    ) -> None:
        self._path = home / "signing.json"
        self._clock = clock
        self._rotate_seconds = rotate_days * _DAY
        self._token_seconds = token_seconds
        self._ring = self._read() or self._kept(Ring(_new(), Pair(_new().pem, clock.now())))

    def sign(self, claims: Mapping[str, object]) -> str:
        """See ports.TokenSigner."""
        current = self._ring.current
        header = {"alg": "ES256", "kid": current.public()["kid"], "typ": "JWT"}
        return signed(current.private(), header, claims)

    def public_keys(self) -> str:
        """See ports.TokenSigner."""
        now = self._clock.now()
        ring = self._ring.without_expired(now, self._token_seconds)
        if now >= ring.current.signs_since + self._rotate_seconds:
            ring = ring.rotated(now)
        if ring != self._ring:
            self._ring = self._kept(ring)
        return key_set([pair.public() for pair in (ring.next, ring.current, *ring.retired)])

    def _kept(self, ring: Ring) -> Ring:
        replace_private(self._path, json.dumps(asdict(ring)))
        return ring

    def _read(self) -> Ring | None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        check_private(self._path, fix="and remove it if others had access: all tokens then end")
        try:
            return _ring(json.loads(text))
        except (ValueError, KeyError, TypeError):
            raise Fatal(
                "the file holds no keys for signing tokens",
                code="SecretsUnreadable",
                where=str(self._path),
                fix="put the right file back, or remove it: then all tokens end and new keys "
                "are made",
            ) from None


def signed(
    key: ec.EllipticCurvePrivateKey, header: Mapping[str, object], claims: Mapping[str, object]
) -> str:
    """A JSON Web Token."""
    text = f"{_encoded(header)}.{_encoded(claims)}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(_PART_BYTES, "big") + s.to_bytes(_PART_BYTES, "big")
    return f"{text}.{base64url(raw)}"


def base64url(data: bytes) -> str:
    """Without padding, as JSON Web Tokens want it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encoded(value: Mapping[str, object]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def _number(value: int) -> str:
    return base64url(value.to_bytes(_PART_BYTES, "big"))


def _new() -> Pair:
    pem = ec.generate_private_key(_CURVE).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(pem.decode())


def _ring(value: dict[str, Any]) -> Ring:
    ring = Ring(
        Pair(**value["next"]),
        Pair(**value["current"]),
        tuple(Pair(**one) for one in value["retired"]),
    )
    for pair in (ring.next, ring.current, *ring.retired):
        pair.public()
    return ring
