"""Keeps the gateway's trust in signers of tokens fresh: ours and the identity providers'.

First what is known already, so that nobody waits for a provider that is slow; then what is new.
"""

from __future__ import annotations

import logging

from verdazul.control.world import World
from verdazul.core.tenant import issuer_of
from verdazul.core.trust import (
    DATA_AUDIENCE,
    HOME_DIRECTORY,
    OWN_IDENTITIES,
    OWN_ISSUER,
    Signer,
    Trust,
)
from verdazul.model.endpoint import AuthMode
from verdazul.model.errors import VerdazulError

_OURS = 2  # of the providers: the home's owner, and the home's issuer
_log = logging.getLogger(__name__)


async def renew_trust(world: World) -> None:
    """One look: read what is declared, ask whom it is time to ask, tell the gateway.

    Raises what the gateway raises; then the next look tries again.
    """
    is_news = await _tell(world)
    before = world.issuers.problems()
    await world.issuers.refresh()
    is_news |= await _tell(world)
    if is_news or world.issuers.problems() != before:
        await _wake_whom_it_concerns(world)


def are_issuers_acknowledged(world: World) -> bool:
    """Whether the gateway verifies by the keys that are known of them now."""
    acknowledged = world.gateway.trusted()
    return acknowledged is not None and acknowledged.providers[_OURS:] == _others(world)


def _others(world: World) -> tuple[Signer, ...]:
    """Nobody can declare an issuer of our name."""
    ours = {OWN_IDENTITIES, OWN_ISSUER, issuer_of(world.address)}
    return tuple(one for one in world.issuers.signers() if one.issuer not in ours)


async def _tell(world: World) -> bool:
    """Whether there was something to tell."""
    keys = world.signer.public_keys()
    own = Signer(OWN_ISSUER, keys, clock_skew_seconds=1)
    home = Signer(OWN_IDENTITIES, keys, (DATA_AUDIENCE,), 1, HOME_DIRECTORY)
    issuer = Signer(issuer_of(world.address), keys, (DATA_AUDIENCE,), 1)
    trust = Trust(own, (home, issuer, *_others(world)))
    if trust == world.gateway.trusted():
        return False
    try:
        await world.gateway.trust(trust)
    except VerdazulError as error:
        _log.warning("gateway does not trust why=%s", error.problem.message)
        raise
    names = ", ".join(signer.issuer for signer in trust.providers)
    _log.info("trust issuers=%s", names)
    return True


async def _wake_whom_it_concerns(world: World) -> None:
    """Endpoints that identities open say in their status what is wrong with the issuers."""
    for problem in world.issuers.problems():
        _log.warning("issuer problem why=%s", problem.message)
    for endpoint in await world.store.endpoints():
        if endpoint.record.spec.auth_mode is AuthMode.AAD_TOKEN:
            world.wake(endpoint.name)
