"""Use cases of the token endpoint: who proves to be somebody gets a token, for one resource.

A program proves it by a secret, a person by a code that they allowed, or by the refresh token of an
earlier login. Refresh tokens are sealed and kept nowhere: nothing grows, and a new password or the
user's end makes them worthless.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import Any

from verdazul.control import browser_logins, logins
from verdazul.control.directory import find_by_name, find_identity
from verdazul.control.world import World
from verdazul.core.identities import (
    ACCESS_SECONDS,
    REFRESH_SECONDS,
    Identity,
    Login,
    ServicePrincipal,
    Token,
    User,
)
from verdazul.core.keys import digest
from verdazul.core.tenant import audience_of_scope
from verdazul.model.errors import VerdazulError
from verdazul.model.oauth import TokenRefused
from verdazul.model.show import shown

_KIND = "refresh"
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token, and for people what they log in with again."""

    access_token: str
    expires_at: int
    scope: str
    holder: Identity
    id_token: str = ""
    refresh_token: str = ""

    @property
    def expires_in(self) -> int:
        """Seconds."""
        return ACCESS_SECONDS


async def to_program(world: World, client_id: str, secret: str, scope: str) -> Issued:
    """grant_type client_credentials. A secret is too random to be guessed, so nothing slows it."""
    found = await find_by_name(world, client_id)
    if not isinstance(found, ServicePrincipal):
        raise TokenRefused(
            "unauthorized_client",
            700016,
            f"Application with identifier {shown(client_id)} was not found in this home",
        )
    if not found.secret(digest(secret), world.clock.now()):
        raise TokenRefused(
            "invalid_client",
            7000215,
            f"Invalid client secret provided for application {shown(client_id)}: it is wrong, or "
            "it has expired",
            status=_UNAUTHORIZED,
        )
    return _issued(world, found, client_id, scope)


async def by_device_code(world: World, client_id: str, device_code: str) -> Issued:
    """grant_type device_code."""
    user, scope = await logins.redeem(world, device_code, client_id)
    return _to_person(world, user, client_id, scope)


async def by_browser(
    world: World, client_id: str, code: str, redirect_uri: str, verifier: str
) -> Issued:
    """grant_type authorization_code."""
    user, asked = await browser_logins.redeem(world, code, client_id, redirect_uri, verifier)
    return _to_person(world, user, client_id, asked.scope, nonce=asked.nonce)


async def by_refresh_token(world: World, client_id: str, token: str, scope: str) -> Issued:
    """grant_type refresh_token. The new refresh token lasts as long again."""
    logins.check_client(client_id)
    login = _opened(world, token)
    found = await find_identity(world, login.id)
    user = found if isinstance(found, User) else None
    why = login.why_ended(user, client_id, world.clock.now())
    if why or user is None:
        raise TokenRefused("invalid_grant", 700082, f"The login has ended: {why}; log in again")
    return _to_person(world, user, client_id, scope)


def _to_person(world: World, user: User, client_id: str, scope: str, *, nonce: str = "") -> Issued:
    plain = _issued(world, user, client_id, scope)
    token = _token(world, client_id, scope)
    login = Login(user.id, user.sessions, client_id, world.clock.now() + REFRESH_SECONDS)
    return Issued(
        plain.access_token,
        plain.expires_at,
        plain.scope,
        user,
        world.signer.sign(token.identity_of(user, nonce)),
        world.secrets.seal(json.dumps([_KIND, *astuple(login)])),
    )


def _issued(world: World, holder: Identity, client_id: str, scope: str) -> Issued:
    token = _token(world, client_id, scope)
    return Issued(world.signer.sign(token.of(holder)), token.expires_at, scope, holder)


def _token(world: World, client_id: str, scope: str) -> Token:
    return Token(
        world.address,
        audience_of_scope(scope, world.address),
        client_id,
        world.ids.new(),
        int(world.clock.now()),
    )


def _opened(world: World, token: str) -> Login:
    try:
        told: Any = json.loads(world.secrets.open(token))
        kind, *rest = told
        login = Login(*rest)
    except (VerdazulError, ValueError, TypeError):
        kind, login = "", None
    if login is None or kind != _KIND:
        raise TokenRefused("invalid_grant", 9002313, "The refresh_token is none of this home")
    return login
