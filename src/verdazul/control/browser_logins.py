"""Logging in by a browser (RFC 6749 4.1 with PKCE, RFC 8252): a program on the person's own machine
opens the page, the person logs in there, and the browser brings the program a code.

The code goes to a loopback address only and is worth something to whoever has the verifier that the
program kept. It is good for a minute or two and for one try; of too many the oldest goes.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import secrets
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from verdazul.control.directory import find_identity
from verdazul.control.logins import check_client
from verdazul.control.world import World
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.identities import User
from verdazul.core.keys import digest
from verdazul.core.records import Item
from verdazul.core.tenant import audience_of_scope
from verdazul.model.oauth import TokenRefused
from verdazul.model.show import shown

CODE_SECONDS = 120
_KIND = "authorizationCodes"
_TURN = "authorization codes"
_MOST_OPEN = 1000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LONGEST = 2000
MODES = ("query", "form_post")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks for, as its address said it."""

    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    state: str = ""
    nonce: str = ""
    mode: str = MODES[0]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A code that somebody logged in for, until the program brings it."""

    asked: Asked
    user: str
    sessions: int
    expires_at: float


def check_redirect(redirect_uri: str) -> None:
    """Raise TokenRefused for any address that is not of a program on the person's own machine."""
    try:
        parts = urlsplit(redirect_uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    is_good = parts.scheme == "http" and _is_loopback(host) and not parts.fragment
    plain = "@" not in parts.netloc and port != 0 and len(redirect_uri) <= _LONGEST
    if not (is_good and plain and redirect_uri.isascii() and redirect_uri.isprintable()):
        raise TokenRefused(
            "invalid_request",
            50011,
            f"The redirect_uri {shown(redirect_uri)} is not one of a program on this machine; it "
            "must be http://localhost:PORT or http://127.0.0.1:PORT",
        )


def check(world: World, asked: Asked, response_type: str, method: str) -> None:
    """Raise TokenRefused for what the program is told of at its address."""
    if response_type != "code":
        raise TokenRefused(
            "unsupported_response_type",
            700054,
            f"response_type is {shown(response_type)}, not code",
        )
    if asked.mode not in MODES:
        raise TokenRefused(
            "invalid_request", 70007, f"response_mode is {shown(asked.mode)}, none of {MODES}"
        )
    if method != "S256" or not _CHALLENGE.fullmatch(asked.challenge):
        raise TokenRefused(
            "invalid_request",
            9002325,
            "Proof Key for Code Exchange is required: code_challenge with method S256",
        )
    if max(len(asked.state), len(asked.nonce)) > _LONGEST:
        raise TokenRefused("invalid_request", 90015, "state or nonce is too long")
    audience_of_scope(asked.scope, world.address)


async def allow(world: World, asked: Asked, user: User) -> str:
    """The code that the browser brings the program."""
    async with world.turns.of(_TURN):
        now, code = world.clock.now(), world.ids.new_key()
        known = sorted(await world.store.items(_KIND), key=lambda one: one.created_at)
        ended = [one for one in known if now >= one.created_at + CODE_SECONDS]
        left = known[len(ended) :]
        gone = [*ended, *left[: max(0, len(left) - _MOST_OPEN + 1)]]
        allowed = Allowed(asked, user.id, user.sessions, now + CODE_SECONDS)
        kept = PutItem(Item(_KIND, digest(code), json.dumps(asdict(allowed)), now, now))
        await world.store.commit(*(ForgetItem(_KIND, one.name) for one in gone), kept)
    return code


async def redeem(
    world: World, code: str, client_id: str, redirect_uri: str, verifier: str
) -> tuple[User, Asked]:
    """Who has logged in, and for what; a code is tried once. Raises TokenRefused."""
    check_client(client_id)
    async with world.turns.of(_TURN):
        item = await world.store.item(_KIND, digest(code))
        if item:
            await world.store.commit(ForgetItem(_KIND, item.name))
    if item is None:
        raise TokenRefused("invalid_grant", 54005, "The code is not known, or was redeemed already")
    told = json.loads(item.body)
    allowed = Allowed(**{**told, "asked": Asked(**told["asked"])})
    _refuse_others(allowed, client_id, redirect_uri, verifier)
    user = await find_identity(world, allowed.user)
    if world.clock.now() >= allowed.expires_at:
        raise TokenRefused("invalid_grant", 70008, "The code has expired; log in again")
    if not isinstance(user, User) or user.sessions != allowed.sessions:
        raise TokenRefused(
            "invalid_grant", 50173, "Who logged in was deleted, or has another password since"
        )
    return user, allowed.asked


def _refuse_others(allowed: Allowed, client_id: str, redirect_uri: str, verifier: str) -> None:
    if (allowed.asked.client_id, allowed.asked.redirect_uri) != (client_id, redirect_uri):
        raise TokenRefused(
            "invalid_grant", 50011, "The code belongs to another client_id or redirect_uri"
        )
    hashed = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    if not _VERIFIER.fullmatch(verifier) or not secrets.compare_digest(
        made, allowed.asked.challenge
    ):
        raise TokenRefused(
            "invalid_grant", 501481, "The code_verifier is not of the code_challenge"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
