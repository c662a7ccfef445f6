"""Who the home itself knows: people, who have a password, and programs, which have secrets.

An identity's `id` never comes back: one that is made again under an old name has another id, so
tokens and roles of the first are worth nothing to the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verdazul.core.tenant import issuer_of
from verdazul.model.oauth import TENANT_ID

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 30 * 86400
USER, APP = "user", "app"
"""What `idtyp` says in a token."""
_SESSIONS = "verdazul_sessions"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One password of a service principal; only its digest is kept. `hint`: how it begins."""

    id: str
    name: str
    hint: str
    digest: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A program. `app_id` is the name it logs in by."""

    id: str
    app_id: str
    display_name: str
    created_at: float
    secrets: tuple[ClientSecret, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.display_name

    def secret(self, digest: str, now: float) -> ClientSecret | None:
        """The one of that digest, unless it has ended."""
        valid = (one for one in self.secrets if now < one.expires_at)
        return next((one for one in valid if one.digest == digest), None)


@dataclass(frozen=True, slots=True)
class User:
    """A person. `sessions` counts the passwords: tokens from before the last one are worthless."""

    id: str
    name: str
    display_name: str
    password: str
    created_at: float
    sessions: int = 0


Identity = User | ServicePrincipal


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that is to be signed. `client_id` is the program that will hold it."""

    address: str
    audience: str
    client_id: str
    token_id: str
    issued_at: int

    @property
    def expires_at(self) -> int:
        """When it ends."""
        return self.issued_at + ACCESS_SECONDS

    def of(self, holder: Identity) -> dict[str, object]:
        """What it says, in Entra's claims."""
        return {
            **self._times(),
            **_who(holder),
            "aud": self.audience,
            "appid": self.client_id,
            "azp": self.client_id,
            "jti": self.token_id,
        }

    def identity_of(self, user: User, nonce: str = "") -> dict[str, object]:
        """The id_token beside it, which tells the program who logged in and opens nothing.

        `nonce` is the program's own word, by which it knows that the token answers its question.
        """
        told = {"nonce": nonce} if nonce else {}
        return {**self._times(), **_who(user), **told, "aud": self.client_id}

    def _times(self) -> dict[str, object]:
        return {
            "iss": issuer_of(self.address),
            "tid": TENANT_ID,
            "ver": "2.0",
            "iat": self.issued_at,
            "nbf": self.issued_at,
            "exp": self.expires_at,
        }


@dataclass(frozen=True, slots=True)
class Login:
    """What a refresh token says: this program may go on as this person."""

    id: str
    sessions: int
    client_id: str
    expires_at: float

    def why_ended(self, user: User | None, client_id: str, now: float) -> str:
        """Why it is worth nothing any more; "" when it is."""
        if user is None:
            return "the user does not exist any more"
        if self.client_id != client_id:
            return "it was given to another client"
        if now >= self.expires_at:
            return "it has expired"
        return "" if user.sessions == self.sessions else "the password was changed since"


def is_still_good(claims: Mapping[str, object], holder: Identity) -> bool:
    """Whether no password was given since a token of ours was signed for this holder."""
    return isinstance(holder, ServicePrincipal) or claims.get(_SESSIONS) == holder.sessions


def _who(holder: Identity) -> dict[str, object]:
    same = {"oid": holder.id, "sub": holder.id, "name": holder.display_name}
    if isinstance(holder, ServicePrincipal):
        return {**same, "idtyp": APP}
    named = {"preferred_username": holder.name, "upn": holder.name}
    return {**same, **named, "idtyp": USER, _SESSIONS: holder.sessions}
