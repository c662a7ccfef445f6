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
    """Set `known` and `wrong`, and `news`: what it is once asked again; the rest counts."""

    def __init__(self) -> None:
        self.known: tuple[Signer, ...] = ()
        self.wrong: tuple[Problem, ...] = ()
        self.news: tuple[Signer, ...] = ()
        self.refreshed = 0
        self.asked: list[str] = []

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
        self.asked.append(issuer)
        is_news = bool(self.news)
        self.known, self.news = self.news or self.known, ()
        return is_news

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
