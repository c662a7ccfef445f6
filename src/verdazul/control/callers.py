"""Who calls, by the token that is shown: one that the home's issuer signed, or another one trusted.

A token of ours also ends with its holder: a deleted service principal is refused at once.
"""

from __future__ import annotations

from dataclasses import replace

from verdazul.control.directory import find_identity
from verdazul.control.world import World
from verdazul.core.callers import OWNER, Caller
from verdazul.core.claims import Claims, TokenUnknown, holder_of, invalid, trouble_with
from verdazul.core.identities import is_still_good
from verdazul.core.tenant import control_audiences, issuer_of
from verdazul.core.trust import DATA_AUDIENCE, OWN_IDENTITIES, Signer
from verdazul.model.errors import Problem

_OWN_SKEW_SECONDS = 1


async def caller_of(world: World, token: str, audiences: tuple[str, ...] = ()) -> Caller | Problem:
    """Who it is, or why the token opens nothing here.

    `audiences`: for whom it has to be (none: for the control API).
    """
    try:
        signer, claims = await _verified(world, token, audiences)
    except TokenUnknown as error:
        return invalid(error.why)
    trouble = trouble_with(claims, signer, world.clock.now())
    if trouble:
        return trouble
    if signer.issuer == issuer_of(world.address):
        return await _own(world, claims)
    return await _foreign(world, claims, signer)


async def data_caller_of(world: World, token: str) -> Caller | Problem:
    """Who holds a token with which endpoints are called, or why it is none."""
    audiences = (DATA_AUDIENCE,)
    home = Signer(OWN_IDENTITIES, world.signer.public_keys(), audiences, _OWN_SKEW_SECONDS)
    ours = [home, own_signer(world, audiences)]
    names = {one.issuer for one in ours}
    others = [one for one in world.issuers.signers() if one.issuer not in names]
    try:
        signer, claims = world.tokens.verified(token, [*ours, *others])
    except TokenUnknown as error:
        return invalid(error.why)
    trouble = trouble_with(claims, signer, world.clock.now())
    if trouble:
        return trouble
    if signer is home:
        return OWNER
    return await (_own(world, claims) if signer is ours[1] else _foreign(world, claims, signer))


def own_signer(world: World, audiences: tuple[str, ...]) -> Signer:
    """The home's issuer, as others see one."""
    keys = world.signer.public_keys()
    return Signer(issuer_of(world.address), keys, audiences, _OWN_SKEW_SECONDS)


async def _verified(world: World, token: str, audiences: tuple[str, ...]) -> tuple[Signer, Claims]:
    try:
        return world.tokens.verified(token, _signers(world, audiences))
    except TokenUnknown as error:
        if not error.issuer or not await world.issuers.ask_again(error.issuer):
            raise
    return world.tokens.verified(token, _signers(world, audiences))


def _signers(world: World, audiences: tuple[str, ...]) -> list[Signer]:
    """With ours first: nobody can declare an issuer of our name and be believed."""
    wanted = audiences or control_audiences(world.address)
    others = [] if audiences else list(world.issuers.for_control())
    return [own_signer(world, wanted), *(_with_audiences(one, wanted) for one in others)]


def _with_audiences(signer: Signer, usual: tuple[str, ...]) -> Signer:
    if signer.audiences:
        return signer
    return replace(signer, audiences=usual)


async def _own(world: World, claims: Claims) -> Caller | Problem:
    holder = await find_identity(world, str(claims.get("oid")))
    if holder is None or not is_still_good(claims, holder):
        return invalid("its holder was deleted, or has another password since")
    return Caller(holder.id, holder.name)


async def _foreign(world: World, claims: Claims, signer: Signer) -> Caller | Problem:
    holder = holder_of(claims, signer.directory)
    if isinstance(holder, Problem):
        return holder
    if await find_identity(world, holder.id):
        return invalid("its holder's id is that of an identity of this home")
    return Caller(holder.id, holder.name, holder.groups)
