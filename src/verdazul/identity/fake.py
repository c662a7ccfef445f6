"""`Issuers`, `TokenSigner`, `Tokens` and `Passwords` in memory, for tests.

Whatever is put in is trusted; a token is its claims, in the clear.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from verdazul.core.claims import TokenUnknown
from verdazul.core.trust import Signer
from verdazul.model.errors import Problem


class FakeIssuers:
    """Set `known` and `wrong`; `refreshed` counts."""

    def __init__(self) -> None:
        self.known: tuple[Signer, ...] = ()
        self.wrong: tuple[Problem, ...] = ()
        self.refreshed = 0

    async def refresh(self) -> None:
        """See ports.Issuers."""
        self.refreshed += 1

    def signers(self) -> tuple[Signer, ...]:
        """See ports.Issuers."""
        return self.known

    def for_control(self) -> tuple[Signer, ...]:
        """See ports.Issuers."""
        return self.known

    async def ask_again(self, issuer: str) -> bool:
        """See ports.Issuers."""
        del issuer
        return False

    def problems(self) -> tuple[Problem, ...]:
        """See ports.Issuers."""
        return self.wrong


class FakeSigner:
    """Tokens are their claims, in the clear."""

    def __init__(self) -> None:
        self.keys = '{"keys": ["first"]}'

    def sign(self, claims: Mapping[str, object]) -> str:
        """See ports.TokenSigner."""
        return json.dumps(dict(claims))

    def public_keys(self) -> str:
        """See ports.TokenSigner."""
        return self.keys


class FakeTokens:
    """Reads what FakeSigner writes."""

    def verified(self, token: str, signers: Iterable[Signer]) -> tuple[Signer, Mapping[str, Any]]:
        """See ports.Tokens."""
        try:
            claims = dict(json.loads(token))
        except (ValueError, TypeError):
            raise TokenUnknown("it cannot be read as a JSON Web Token") from None
        for signer in signers:
            if signer.issuer == claims.get("iss"):
                return signer, claims
        raise TokenUnknown("its issuer is not trusted here")


class FakePasswords:
    """Digests are the passwords turned around."""

    async def digest(self, password: str) -> str:
        """See ports.Passwords."""
        return f"fake {password[::-1]}"

    async def matches(self, password: str, digest: str) -> bool:
        """See ports.Passwords."""
        return digest == await self.digest(password)
