"""The home as Azure's clients see an identity provider: one tenant, its issuer, its resources.

A tenant has several names in URLs: its own two, and `common` and `organizations`, which clients say
when nobody told them.
"""

from __future__ import annotations

from verdazul.core.trust import DATA_AUDIENCE
from verdazul.model.oauth import TENANT, TENANT_ID, TokenRefused
from verdazul.model.show import shown

_NAMES = frozenset({TENANT, TENANT_ID, "common", "organizations"})

STORAGE_AUDIENCE = "https://storage.azure.com"
MANAGEMENT_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
"""For whom Azure's clients ask a token when nobody told them another address."""

_IDENTITY_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_LONGEST_SCOPE = 2000
_PERMISSIONS = (".default", "user_impersonation")


def issuer_of(address: str) -> str:
    """What `iss` says in tokens of this home."""
    return f"{address}/{TENANT_ID}/v2.0"


def control_audiences(address: str) -> tuple[str, ...]:
    """For whom a token is that opens the control API."""
    return (address, *MANAGEMENT_AUDIENCES)


def check_tenant(name: str) -> None:
    """Raise TokenRefused when it is no name of the one tenant there is."""
    if name.lower() not in _NAMES:
        raise TokenRefused(
            "invalid_request",
            90002,
            f"Tenant {shown(name)} not found; this home is one tenant, called {TENANT} "
            f"or {TENANT_ID}",
        )


def audience_of_scope(scope: str, address: str) -> str:
    """The one resource that scopes name, as `aud` will say it.

    https://localhost:8443//.default openid   ->   https://localhost:8443
    """
    if len(scope) > _LONGEST_SCOPE:
        raise TokenRefused(
            "invalid_scope", 70011, f"The scope is longer than {_LONGEST_SCOPE} characters"
        )
    wanted = {_resource(part) for part in scope.split() if part not in _IDENTITY_SCOPES}
    if not wanted:
        raise TokenRefused(
            "invalid_request",
            900144,
            "The request body must contain a scope that names a resource, such as "
            f"{address}/.default",
        )
    if len(wanted) > 1:
        raise TokenRefused(
            "invalid_scope",
            28000,
            f"The scope {shown(scope)} names more than one resource; ask for one token each",
        )
    return audience_of_resource(wanted.pop(), address)


def audience_of_resource(resource: str, address: str) -> str:
    """Raise TokenRefused for what no token is made for."""
    known = (*control_audiences(address), STORAGE_AUDIENCE, DATA_AUDIENCE)
    for audience in known:
        if resource.rstrip("/").lower() == audience.lower():
            return audience
    raise TokenRefused(
        "invalid_resource",
        500011,
        f"The resource {shown(resource)} is not known here; tokens are made for {', '.join(known)}",
    )


def _resource(scope: str) -> str:
    for permission in _PERMISSIONS:
        if scope.lower().endswith(f"/{permission}"):
            return scope[: -len(permission) - 1]
    raise TokenRefused(
        "invalid_scope",
        70011,
        f"The scope {shown(scope)} is not valid; it must be RESOURCE/.default",
    )
