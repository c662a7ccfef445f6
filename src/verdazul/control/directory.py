"""Use cases of the home's own identities: people and programs are made, shown, and deleted.

An identity is kept under its id; beside it lies the name by which it logs in, which leads to
the id. Both are written in one commit. Deleting one takes its roles along, as `az ad sp delete`
does.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from verdazul.control.access import forget_principal
from verdazul.control.world import World
from verdazul.core.changes import Change, ForgetItem, PutItem
from verdazul.core.identities import ClientSecret, Identity, ServicePrincipal, User
from verdazul.core.keys import digest
from verdazul.core.records import Item
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.show import shown

_IDENTITIES, _NAMES = "identities", "identityNames"
_USER, _PRINCIPAL = "user", "servicePrincipal"
_TURN = "identities of the home"  # no endpoint is called so: names have no spaces
_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._'+-]{0,63}(@[A-Za-z0-9][A-Za-z0-9.-]{0,63})?")
_LONGEST_NAME = 256
_LEAST_PASSWORD, _MOST_PASSWORD = 8, 256
_MOST_SECRETS = 20
_HINT = 3
SECRET_SECONDS = 365 * 86400.0


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret as it is told, once."""

    secret: ClientSecret
    text: str


async def find_identity(world: World, id_: str) -> Identity | None:
    """By its id."""
    item = await world.store.item(_IDENTITIES, id_)
    return _identity(item, world) if item else None


async def find_by_name(world: World, name: str) -> Identity | None:
    """By the name it logs in by: a person's user name, a program's application id."""
    item = await world.store.item(_NAMES, name)
    return await find_identity(world, json.loads(item.body)) if item else None


async def existing(world: World, kind: type[Identity], text: str) -> Any:
    """By id, or by the name it logs in by. Raises NotFound when there is none of that kind."""
    found = await find_identity(world, text) or await find_by_name(world, text)
    if not isinstance(found, kind):
        what = "user" if kind is User else "service principal"
        raise NotFound(f"{what} {shown(text)} does not exist", code="Request_ResourceNotFound")
    return found


async def list_identities(world: World) -> tuple[Identity, ...]:
    """All, oldest first."""
    found = [_identity(item, world) for item in await world.store.items(_IDENTITIES)]
    return tuple(sorted(found, key=lambda one: (one.created_at, one.id)))


async def has_users(world: World) -> bool:
    """Whether there is anybody who could log in by a password."""
    return any(json.loads(one.body) == _USER for one in await world.store.items(_IDENTITIES))


async def create_user(world: World, name: str, display_name: str, password: str) -> User:
    """Raise UserError for a name or password that cannot be, Conflict for a name that is taken."""
    if not _USER_NAME.fullmatch(name):
        raise UserError(
            f"userPrincipalName is {shown(name)}; it must be like alice or alice@example.com",
            code="InvalidUserPrincipalName",
        )
    check_password(password, name)
    hashed = await world.passwords.digest(password)
    async with world.turns.of(_TURN):
        if await find_by_name(world, name):
            raise Conflict(
                f"another identity is called {shown(name)} already",
                code="ObjectConflict",
                fix="choose another name, or delete that one first",
            )
        now = world.clock.now()
        user = User(world.ids.new(), name, _named(display_name or name), hashed, now)
        await world.store.commit(*_kept(world, user, name))
    return user


async def set_password(world: World, text: str, password: str) -> User:
    """Replace it: all that the user was logged in to ends."""
    user: User = await existing(world, User, text)
    check_password(password, user.name)
    hashed = await world.passwords.digest(password)
    async with world.turns.of(_TURN):
        user = await existing(world, User, user.id)
        changed = replace(user, password=hashed, sessions=user.sessions + 1)
        await world.store.commit(*_kept(world, changed, changed.name))
    return changed


async def create_service_principal(world: World, display_name: str) -> ServicePrincipal:
    """One without a secret; several may have the same display name, as in Azure."""
    made = ServicePrincipal(
        world.ids.new(), world.ids.new(), _named(display_name), world.clock.now()
    )
    await world.store.commit(*_kept(world, made, made.app_id))
    return made


async def add_secret(
    world: World, text: str, name: str, *, seconds: float = SECRET_SECONDS
) -> NewSecret:
    """A further secret, told in the clear this once. Raises NotFound, UserError for too many."""
    async with world.turns.of(_TURN):
        principal: ServicePrincipal = await existing(world, ServicePrincipal, text)
        now = world.clock.now()
        valid = tuple(one for one in principal.secrets if now < one.expires_at)
        if len(valid) >= _MOST_SECRETS:
            raise UserError(
                f"service principal {principal.app_id} has {len(valid)} secrets; more cannot be",
                code="TooManyCredentials",
                fix="`verdazul ad sp credential reset` without --append replaces them all",
            )
        text = _new_secret(world)
        made = ClientSecret(
            world.ids.new(), _named(name), text[:_HINT], digest(text), now, now + seconds
        )
        changed = replace(principal, secrets=(*valid, made))
        await world.store.commit(*_kept(world, changed, changed.app_id))
    return NewSecret(made, text)


async def remove_secret(world: World, text: str, secret_id: str) -> None:
    """Raise NotFound when it has none of that id."""
    async with world.turns.of(_TURN):
        principal: ServicePrincipal = await existing(world, ServicePrincipal, text)
        left = tuple(one for one in principal.secrets if one.id != secret_id)
        if left == principal.secrets:
            raise NotFound(
                f"service principal {principal.app_id} has no secret {shown(secret_id)}",
                code="Request_ResourceNotFound",
            )
        await world.store.commit(*_kept(world, replace(principal, secrets=left), principal.app_id))


async def delete_identity(world: World, kind: type[Identity], text: str) -> None:
    """With its roles. Its tokens are refused from now on. Raises NotFound."""
    async with world.turns.of(_TURN):
        found: Identity = await existing(world, kind, text)
        name = found.name if isinstance(found, User) else found.app_id
        gone = ForgetItem(_IDENTITIES, found.id), ForgetItem(_NAMES, name)
        await forget_principal(world, found.id, *gone)


def check_password(password: str, name: str) -> None:
    """Raise UserError for one that is too short, too long, or the name itself."""
    is_name = password.lower() in {name.lower(), name.partition("@")[0].lower()}
    if not _LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD or is_name:
        raise UserError(
            f"the password must have {_LEAST_PASSWORD} to {_MOST_PASSWORD} characters and be "
            "another word than the user's name",
            code="PasswordNotComplex",
        )


def _new_secret(world: World) -> str:
    """One that a command line takes: `-p -x` would be two flags."""
    while True:
        text = world.ids.new_key()
        if text[0].isalnum():
            return text


def _named(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise UserError(
            f"the name {shown(text)} cannot be; it must have 1 to {_LONGEST_NAME} printable "
            "characters",
            code="InvalidDisplayName",
        )
    return name


def _kept(world: World, identity: Identity, name: str) -> tuple[Change, Change]:
    kind = _USER if isinstance(identity, User) else _PRINCIPAL
    told = world.secrets.seal(json.dumps(asdict(identity)))
    at, now = identity.created_at, world.clock.now()
    return (
        PutItem(Item(_IDENTITIES, identity.id, json.dumps(kind), at, now, told)),
        PutItem(Item(_NAMES, name, json.dumps(identity.id), at, now)),
    )


def _identity(item: Item, world: World) -> Identity:
    told = json.loads(world.secrets.open(item.sealed))
    if json.loads(item.body) == _USER:
        return User(**told)
    secrets = tuple(ClientSecret(**one) for one in told.pop("secrets"))
    return ServicePrincipal(**told, secrets=secrets)
