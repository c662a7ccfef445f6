"""The world as the control plane is given it: one value that every use case and loop receives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from verdazul.control.guesses import Guesses
from verdazul.control.turns import Turns
from verdazul.core.limits import Limits
from verdazul.core.route import Surroundings
from verdazul.model.errors import Problem
from verdazul.model.kubernetes import BUILT_IN, Grant
from verdazul.ports import (
    Accounts,
    Artifacts,
    Blobs,
    Clock,
    Compute,
    DataPlane,
    Environments,
    Ids,
    Issuers,
    Passwords,
    Secrets,
    Store,
    Tokens,
    TokenSigner,
    Uploads,
)
from verdazul.registry_port import Registries
from verdazul.settings import Settings


def _no_trouble(endpoint: str) -> None:
    """For worlds without a loop."""
    del endpoint


async def _only_built_in() -> Mapping[str, Grant]:
    return BUILT_IN


@dataclass(frozen=True, slots=True)
class World:
    """All adapters, chosen by the composition root.

    `address` is what callers know this home by. `wake(endpoint)` asks the loop to look;
    `trouble(endpoint)` is why it cannot go on there. `kubernetes_types()` are the instance types of
    Kubernetes deployments; raises UserError for a file that is wrong.
    Every use case that changes an endpoint waits for its turn.
    """

    store: Store
    compute: Compute
    gateway: DataPlane
    environments: Environments
    secrets: Secrets
    artifacts: Artifacts
    registries: Registries
    uploads: Uploads
    blobs: Blobs
    accounts: Accounts
    clock: Clock
    ids: Ids
    issuers: Issuers
    signer: TokenSigner
    tokens: Tokens
    passwords: Passwords
    settings: Settings
    address: str
    wake: Callable[[str], None]
    trouble: Callable[[str], Problem | None] = _no_trouble
    kubernetes_types: Callable[[], Awaitable[Mapping[str, Grant]]] = _only_built_in
    turns: Turns = field(default_factory=Turns)
    guesses: Guesses = field(default_factory=Guesses)


def surroundings(settings: Settings) -> Surroundings:
    """What the settings say to every endpoint's route."""
    limits = Limits(
        settings.requests_per_second,
        settings.bandwidth_kib_per_second,
        settings.max_request_bytes,
        settings.max_response_bytes,
    )
    return Surroundings(limits, settings.location, settings.domain)
