"""What a verified token is worth: for whom it is, when it holds, who its holder is.

The signature has been checked before (identity/tokens.py); at the gateway, Envoy and token.lua
judge by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verdazul.core.trust import Signer
from verdazul.model.errors import Problem
from verdazul.model.principals import one_spelling
from verdazul.model.show import shown

Claims = Mapping[str, Any]
_END_OF_TIME = 1e12


class TokenUnknown(Exception):
    """Nobody who is trusted has signed this token. `issuer` is known when only the key is not."""

    def __init__(self, why: str, *, issuer: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.issuer = issuer


EXPIRED = Problem(
    "ExpiredAuthenticationToken",
    "the bearer token has expired",
    fix="get a new one; azure-identity does so by itself unless the clocks differ",
)
OTHER_AUDIENCE = Problem(
    "InvalidAuthenticationTokenAudience",
    "the bearer token was made for another service",
    fix="ask for a token with this server's address as its resource",
)


def invalid(why: str) -> Problem:
    """A token that is none of ours, or none at all."""
    return Problem(
        "InvalidAuthenticationToken",
        f"the bearer token is not valid: {why}",
        fix="log in again (`verdazul login`), or get a new token from its issuer",
    )


def trouble_with(claims: Claims, signer: Signer, now: float) -> Problem | None:
    """Why these claims open nothing now; None when they do."""
    skew = signer.clock_skew_seconds
    expires, begins = _time(claims.get("exp")), _time(claims.get("nbf", 0))
    if expires is None or begins is None:
        return invalid("its times (exp, nbf) are not numbers")
    if now >= expires + skew:
        return EXPIRED
    if now < begins - skew:
        return invalid("it is not valid yet (nbf); the clocks differ, or it was made for later")
    return None if is_for(claims, signer.audiences) else OTHER_AUDIENCE


def is_for(claims: Claims, audiences: tuple[str, ...]) -> bool:
    """Whether one of its audiences is one of these; a slash at the end makes no difference."""
    told = claims.get("aud")
    named = told if isinstance(told, list) else [told]
    wanted = {audience.rstrip("/") for audience in audiences}
    return any(isinstance(one, str) and one.rstrip("/") in wanted for one in named)


@dataclass(frozen=True, slots=True)
class Holder:
    """The identity that a token is about, as role assignments name it."""

    id: str
    name: str
    groups: tuple[str, ...]


def holder_of(claims: Claims, directory: str) -> Holder | Problem:
    """By `oid`, else `sub`; nobody can take a name in another directory."""
    told = claims.get("oid") or claims.get("sub")
    id_ = _principal(told, directory)
    if not id_:
        return invalid(f"it names its holder {shown(told)}; `oid` or `sub` must be an identity")
    groups = claims.get("groups")
    listed = groups if isinstance(groups, list) else []
    members = (_principal(group, directory) for group in listed)
    names = (claims.get(key) for key in ("preferred_username", "upn", "name", "appid"))
    name = next((name for name in names if isinstance(name, str) and name), id_)
    return Holder(id_, name, tuple(group for group in members if group))


def _principal(told: object, directory: str) -> str:
    """An identity as role assignments name it; "" when it cannot be one."""
    if not isinstance(told, str) or not told or (not directory and told.startswith("//")):
        return ""
    return one_spelling(f"//{directory}/{told}" if directory else told)


def _time(value: object) -> float | None:
    """Seconds since 1970; None for what is no time."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < _END_OF_TIME else None
