"""Logging in by a device code (RFC 8628): a program shows a code, a person types it elsewhere.

A code is kept with the digest of the secret that only the program has; it is good for a quarter of
an hour and for one login. Of too many open codes the oldest goes.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from verdazul.control.directory import (
    existing,
    find_by_name,
    find_identity,
    has_users,
    set_password,
)
from verdazul.control.guesses import Failures, Guesses
from verdazul.control.world import World
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.identities import User
from verdazul.core.keys import digest
from verdazul.core.records import Item
from verdazul.core.tenant import audience_of_scope
from verdazul.model.errors import Problem, UserError
from verdazul.model.oauth import TokenRefused

CODE_SECONDS = 900
POLL_SECONDS = 5
_KIND = "deviceCodes"
_TURN = "device codes"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels: no words; nothing that looks like a digit
_LENGTH = 9
_LONGEST_NAME = 130  # of a user; what is longer need not be remembered
LOCKED = "AADSTS50053"
_MOST_OPEN, _MOST_OF_ONE = 1000, 50
"""In all, and begun from one address: who begins many pushes out no one else's."""
_TOO_SOON = 0.8  # of the interval: clients' clocks tick in whole seconds
_CLIENT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Code:
    """One login that a program waits for. `user`: the id of whom has allowed it."""

    text: str
    secret_digest: str
    client_id: str
    scope: str
    expires_at: float
    source: str = ""
    user: str = ""
    is_denied: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """What the program is told: `device_code` is its secret."""

    code: Code
    device_code: str


def check_client(client_id: str) -> None:
    """Programs without a secret are any GUID, as Azure's own are; ours need not register.

    Nothing else: a token's audience must never be something that a caller made up.
    """
    if not _CLIENT.fullmatch(client_id):
        raise TokenRefused(
            "unauthorized_client", 700016, "client_id is missing or no GUID; it names a program"
        )


async def begin(world: World, client_id: str, scope: str, *, source: str = "") -> Begun:
    """Open a code. `source`: from where. Raises TokenRefused."""
    check_client(client_id)
    audience_of_scope(scope, world.address)
    if not await has_users(world):
        raise TokenRefused(
            "access_denied",
            50034,
            "There is no user in this home who could log in; its owner makes one: "
            "verdazul ad user create",
        )
    async with world.turns.of(_TURN):
        now, text = world.clock.now(), "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        secret = world.ids.new_key()
        code = Code(text, digest(secret), client_id, scope, now + CODE_SECONDS, source)
        known = [_code(one) for one in await world.store.items(_KIND)]
        gone = _superfluous(known, source, now)
        await world.store.commit(*(ForgetItem(_KIND, one.text) for one in gone), _kept(code, now))
        for one in gone:
            world.guesses.polls.pop(one.text, None)
    return Begun(code, f"{text}.{secret}")


async def find_code(world: World, typed: str) -> Code | None:
    """The open login of that code, as a person types it: in any case, with spaces and dashes."""
    text = re.sub(r"[\s-]", "", typed).upper()
    item = await world.store.item(_KIND, text) if len(text) == _LENGTH else None
    code = _code(item) if item else None
    is_open = code and world.clock.now() < code.expires_at and not (code.user or code.is_denied)
    return code if is_open else None


async def settle(world: World, text: str, user: User | None) -> bool:
    """Allow it as that user, or deny it (None). False when it is not open any more."""
    async with world.turns.of(_TURN):
        code = await find_code(world, text)
        if code is None:
            return False
        settled = replace(code, user=user.id if user else "", is_denied=user is None)
        await world.store.commit(_kept(settled, world.clock.now()))
    return True


async def redeem(world: World, device_code: str, client_id: str) -> tuple[User, str]:
    """Who has allowed it, and the scope that was asked for; once. Raises TokenRefused."""
    text, _, secret = device_code.partition(".")
    async with world.turns.of(_TURN):
        item = await world.store.item(_KIND, text) if text else None
        code = _code(item) if item else None
        now = world.clock.now()
        _refuse_unready(world, code, digest(secret), client_id, now)
        assert code  # noqa: S101 - refused above
        await world.store.commit(ForgetItem(_KIND, text))
        world.guesses.polls.pop(text, None)
    user = await find_identity(world, code.user)
    if not isinstance(user, User):
        raise TokenRefused("authorization_declined", 70018, "Who allowed it was deleted since")
    return user, code.scope


async def logged_in(world: World, name: str, password: str, source: str) -> User | Problem:
    """The user of that name and password; who guesses waits ever longer. `source`: from where."""
    now, kept = world.clock.now(), _counts(world.guesses, name.lower()[:_LONGEST_NAME], source)
    wait = max(failures.wait(key, now) for failures, key in kept)
    if wait:
        return Problem(LOCKED, f"too many wrong passwords; try again in {wait:.0f} s")
    found = await find_by_name(world, name)
    user = found if isinstance(found, User) else None
    if await world.passwords.matches(password, user.password if user else "") and user:
        for failures, key in kept:
            failures.succeeded(key)
        return user
    for failures, key in kept:
        failures.failed(key, now)
    return Problem("AADSTS50126", "the user name or the password is wrong")


class PasswordRefused(UserError):
    """The password in use was not proved. Try again with the right one, or later (429)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, code=problem.code)
        self.http_status = 429 if problem.code == LOCKED else 400


async def change_own_password(
    world: World, id_: str, current: str, new: str, *, source: str
) -> None:
    """A person gives themselves a new password; whatever they were logged in to ends.

    Raises PasswordRefused, NotFound for who is no person of this home.
    """
    user: User = await existing(world, User, id_)
    found = await logged_in(world, user.name, current, source)
    if isinstance(found, Problem):
        raise PasswordRefused(found)
    if new == current:
        raise UserError(
            "the new password is the one in use; it must be another", code="PasswordNotComplex"
        )
    await set_password(world, found.id, new)


def _counts(guesses: Guesses, name: str, source: str) -> tuple[tuple[Failures, str], ...]:
    return (
        (guesses.passwords, f"{name} from {source}"),
        (guesses.many, f"user {name}"),
        (guesses.many, f"from {source}"),
    )


def _refuse_unready(
    world: World, code: Code | None, given: str, client_id: str, now: float
) -> None:
    if code is None or not secrets.compare_digest(code.secret_digest, given):
        raise TokenRefused("bad_verification_code", 70000, "The device_code is not known")
    if code.client_id != client_id:
        raise TokenRefused("invalid_grant", 70000, "The device_code belongs to another client_id")
    if now >= code.expires_at:
        raise TokenRefused("expired_token", 70020, "The code has expired; begin the login again")
    if code.is_denied:
        raise TokenRefused("authorization_declined", 70018, "The login was denied")
    if code.user:
        return
    last = world.guesses.polls.get(code.text)
    world.guesses.polls[code.text] = now
    if last is not None and now - last < POLL_SECONDS * _TOO_SOON:
        raise TokenRefused("slow_down", 70016, f"Ask every {POLL_SECONDS} seconds")
    raise TokenRefused("authorization_pending", 70016, "Nobody has typed in the code so far")


def _superfluous(known: Iterable[Code], source: str, now: float) -> list[Code]:
    """Those that have ended, and the oldest of too many: of that source, then of all."""
    by_age = sorted(known, key=lambda one: one.expires_at)
    ended = [one for one in by_age if now >= one.expires_at]
    opened = by_age[len(ended) :]
    theirs = [one for one in opened if one.source == source]
    gone = theirs[: max(0, len(theirs) - _MOST_OF_ONE + 1)]
    left = [one for one in opened if one not in gone]
    return [*ended, *gone, *left[: max(0, len(left) - _MOST_OPEN + 1)]]


def _kept(code: Code, now: float) -> PutItem:
    return PutItem(Item(_KIND, code.text, json.dumps(asdict(code)), now, now))


def _code(item: Item) -> Code:
    return Code(**json.loads(item.body))
