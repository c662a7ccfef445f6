"""Use cases of what opens an endpoint: show and change keys, make tokens, by its `auth_mode`."""

from __future__ import annotations

import re
from dataclasses import replace

from verdazul.control.endpoints import Accepted, declare, existing_endpoint, refuse_deleting
from verdazul.control.world import World
from verdazul.core.keys import digest
from verdazul.core.records import EndpointRecord, OperationKind
from verdazul.core.trust import DATA_AUDIENCE, Token
from verdazul.model.endpoint import AuthMode
from verdazul.model.errors import Retryable, UserError

_KEY = re.compile(r"[\x21-\x7e]{32,256}")


async def list_keys(world: World, name: str) -> tuple[str, str]:
    """Primary and secondary key."""
    record = await existing_endpoint(world, name)
    _refuse_without_keys(record)
    primary, secondary = record.sealed_keys
    return world.secrets.open(primary), world.secrets.open(secondary)


async def regenerate_key(world: World, name: str, *, primary: bool, value: str = "") -> Accepted:
    """Replace one key; the other goes on opening the endpoint.

    `value` sets a key of the caller's own; a key that is in use already (clients echo the current
    one) means: make a new one. Raises UserError (InvalidKey) for a weak one.
    """
    async with world.turns.of(name):
        return await _regenerate(world, name, primary=primary, value=value)


async def _regenerate(world: World, name: str, *, primary: bool, value: str) -> Accepted:
    known = await existing_endpoint(world, name)
    refuse_deleting(known)
    _refuse_without_keys(known)
    is_echo = digest(value) in known.key_digests
    if value and not is_echo and not _KEY.fullmatch(value):
        raise UserError(
            "keyValue is not a key: it must be 32 to 256 printable ASCII characters, no spaces",
            code="InvalidKey",
            fix="leave keyValue out to get a random one",
        )
    key = value if value and not is_echo else world.ids.new_key()
    index = 0 if primary else 1
    record = replace(
        known,
        sealed_keys=_replaced(known.sealed_keys, index, world.secrets.seal(key)),
        key_digests=_replaced(known.key_digests, index, digest(key)),
        generation=known.generation + 1,
        modified_at=world.clock.now(),
    )
    which = "primary" if primary else "secondary"
    return await declare(
        world, record, known.generation, OperationKind.REGENERATE_KEYS, f"{which} key replaced"
    )


async def make_token(world: World, name: str) -> tuple[Token, str]:
    """A token that opens this endpoint for a while: what it says, and its text.

    Raises UserError for an endpoint that no token of ours opens, Retryable while the gateway
    would not know it.
    """
    record = await existing_endpoint(world, name)
    refuse_deleting(record)
    _refuse_without_own_tokens(world, record)
    if world.gateway.trusted() is None:
        raise Retryable(
            "the gateway does not know yet who signs tokens; try again in a moment",
            code="GatewayNotAnswering",
        )
    now = int(world.clock.now())
    life = int(world.settings.token_seconds)
    token = Token(record.name, record.uid, world.ids.new(), now, now + life)
    return token, world.signer.sign(token.claims())


def _refuse_without_keys(record: EndpointRecord) -> None:
    """The first sentence is Azure's."""
    mode = record.spec.auth_mode
    if mode is not AuthMode.KEY:
        raise UserError(
            f"Endpoint '{record.name}' does not use keys for authentication. "
            f"Its auth_mode is {mode.value}",
            code="EndpointWithoutKeys",
            fix="get a token with get-credentials, or set `auth_mode: key`",
        )


def _refuse_without_own_tokens(world: World, record: EndpointRecord) -> None:
    mode = record.spec.auth_mode
    if mode is AuthMode.KEY:
        raise UserError(
            f"Endpoint '{record.name}' does not use tokens for authentication. "
            f"Its auth_mode is {mode.value}",
            code="EndpointWithoutTokens",
            fix="get its keys with get-credentials, or set `auth_mode: aml_token`",
        )
    if mode is AuthMode.AAD_TOKEN:
        raise UserError(
            f"Endpoint '{record.name}' takes tokens of identities (auth_mode aad_token), which are "
            f"not made for an endpoint: get one from {_providers(world)}",
            code="TokenFromIssuer",
            fix="who may call it is said by `verdazul role assignment create`",
        )


def _providers(world: World) -> str:
    known = [
        f"{signer.issuer} (audience {' or '.join(signer.audiences)})"
        for signer in world.issuers.signers()
    ]
    home = f"GET /msi/token?resource={DATA_AUDIENCE} (the home's owner)"
    return "; or ".join([home, *known])


def _replaced(pair: tuple[str, str], index: int, value: str) -> tuple[str, str]:
    return (value, pair[1]) if index == 0 else (pair[0], value)
