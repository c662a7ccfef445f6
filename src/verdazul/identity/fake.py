"""`Issuers` and `TokenSigner` in memory, for tests: whatever is put in is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping

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
