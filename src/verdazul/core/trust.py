"""Whose tokens open an endpoint, in our words: who signs them and what must stand in them.

A *signer* is known by its public keys; a *door* says what a token must say to pass. Who may pass by
an identity provider's word is named by a principal: the identity's id in the first directory, or
`//DIRECTORY/ID` in another one, so that nobody can take a name that another directory gave.
"""

from __future__ import annotations

from dataclasses import dataclass

OWN_ISSUER = "urn:verdazul:tokens"
OWN_IDENTITIES = "urn:verdazul:identities"
HOME_DIRECTORY = "home"
HOME_OWNER = f"//{HOME_DIRECTORY}/owner"
"""Whoever holds the home's token: may call every endpoint, as an owner may in Azure."""
DATA_AUDIENCE = "https://ml.azure.com"
"""For whom Azure's clients ask a token when an endpoint is aad_token."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs tokens: `keys` is a JSON Web Key Set of public keys.

    A token counts when it is for one of `audiences` (none: the door tells for whom it must be).
    `clock_skew_seconds` is at least 1: Envoy takes 0 for 60.
    """

    issuer: str
    keys: str
    audiences: tuple[str, ...] = ()
    clock_skew_seconds: int = 60
    directory: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """All signers that the gateway trusts: ourselves, and the identity providers."""

    own: Signer | None = None
    providers: tuple[Signer, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnTokens:
    """Tokens that we made for this very endpoint open it (`auth_mode: aml_token`)."""

    audience: str


@dataclass(frozen=True, slots=True)
class Identities:
    """Tokens of identity providers, and a role, open it (`auth_mode: aad_token`)."""

    users: tuple[str, ...]
    groups: tuple[str, ...]


Door = OwnTokens | Identities


def audience_of(uid: str) -> str:
    """What an endpoint's own tokens are for. A new endpoint of an old name has another `uid`."""
    return f"urn:verdazul:endpoint:{uid}"


def owner_claims(token_id: str, issued_at: int, expires_at: int) -> dict[str, object]:
    """What a token says by which the home's owner calls endpoints of aad_token."""
    return {
        "iss": OWN_IDENTITIES,
        "aud": DATA_AUDIENCE,
        "oid": "owner",
        "sub": "owner",
        "jti": token_id,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": expires_at,
    }


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is to be signed: for one endpoint, for a limited time."""

    endpoint: str
    uid: str
    token_id: str
    issued_at: int
    expires_at: int

    @property
    def refresh_at(self) -> int:
        """When to ask for the next one: late enough to be rare, early enough to try again."""
        return self.issued_at + (self.expires_at - self.issued_at) // 2

    def claims(self) -> dict[str, object]:
        """As RFC 7519 names them."""
        return {
            "iss": OWN_ISSUER,
            "aud": audience_of(self.uid),
            "sub": self.endpoint,
            "jti": self.token_id,
            "iat": self.issued_at,
            "nbf": self.issued_at,
            "exp": self.expires_at,
        }
