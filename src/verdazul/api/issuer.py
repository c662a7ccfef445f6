"""The home as an OpenID Connect issuer, at the paths where Azure's libraries look for one.

    /TENANT/v2.0/.well-known/openid-configuration    what is where
    /TENANT/oauth2/v2.0/token                        a secret, a code, an earlier login -> a token
    /TENANT/oauth2/v2.0/devicecode                   a code for a person to type (device_page.py)
    /TENANT/oauth2/v2.0/authorize                    a page for a browser (browser_page.py)

Failures are OAuth's (`error`, `error_description`), with Entra's numbers. No credential is asked
for here but what the forms say, and none is logged.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Rule
from verdazul.api.device_page import PATH
from verdazul.api.forms import read_form, source_of
from verdazul.control import browser_logins, issuing, logins
from verdazul.control.issuing import Issued
from verdazul.control.world import World
from verdazul.core.identities import User
from verdazul.core.tenant import check_tenant, issuer_of
from verdazul.model.errors import Retryable, UserError
from verdazul.model.oauth import TENANT_ID, TokenRefused
from verdazul.model.show import shown

Values = Mapping[str, str]
Form = Mapping[str, str]
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_GRANTS = (
    *("authorization_code", "client_credentials"),
    *(_DEVICE_GRANT, "device_code", "refresh_token"),
)
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class IssuerRoutes:
    """Paths from the root; they need no bearer token."""

    world: World

    def public_rules(self) -> list[Rule]:
        """Some have an older form without the version, which clients use too."""
        found = "{tenant}/%s.well-known/openid-configuration"
        return [
            Rule("GET", found % "v2.0/", self.describe),
            Rule("GET", found % "", self.describe),
            Rule("GET", "{tenant}/discovery/v2.0/keys", self.keys),
            Rule("POST", "{tenant}/oauth2/v2.0/token", self.token),
            Rule("POST", "{tenant}/oauth2/token", self.token),
            Rule("POST", "{tenant}/oauth2/v2.0/devicecode", self.device_code),
            Rule("GET", "common/discovery/instance", self.instance),
        ]

    async def describe(self, request: Request, values: Values) -> Response:
        """OpenID Connect discovery."""
        del request
        try:
            check_tenant(values["tenant"])
        except TokenRefused as error:
            return self._refusal(error)
        address = self.world.address
        base = f"{address}/{values['tenant'].lower()}"
        return JSONResponse(
            {
                "issuer": issuer_of(address),
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "grant_types_supported": [
                    *("authorization_code", "client_credentials"),
                    *(_DEVICE_GRANT, "refresh_token"),
                ],
                "response_types_supported": ["code"],
                "response_modes_supported": list(browser_logins.MODES),
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "offline_access"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                ],
            }
        )

    async def keys(self, request: Request, values: Values) -> Response:
        """The public keys of all tokens that have not ended."""
        del request
        try:
            check_tenant(values["tenant"])
        except TokenRefused as error:
            return self._refusal(error)
        return JSONResponse(json.loads(self.world.signer.public_keys()))

    async def instance(self, request: Request, values: Values) -> Response:
        """What clients ask to learn whether an authority is known: this one is."""
        del request, values
        address = self.world.address
        host = urlsplit(address).netloc
        names = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        return JSONResponse(
            {
                "tenant_discovery_endpoint": (
                    f"{address}/{TENANT_ID}/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [names],
            }
        )

    async def token(self, request: Request, values: Values) -> Response:
        """Every way to get a token."""

        async def answer(form: Form) -> Response:
            issued = await self._granted(form, request.headers.get("authorization", ""))
            return JSONResponse(_token_body(issued), headers=_NOT_KEPT)

        return await self._asked(request, values, answer)

    async def device_code(self, request: Request, values: Values) -> Response:
        """Begin a login that a person allows elsewhere."""

        async def answer(form: Form) -> Response:
            begun = await logins.begin(
                self.world, form.get("client_id", ""), _scope(form), source=source_of(request)
            )
            return JSONResponse(self._code_body(begun), headers=_NOT_KEPT)

        return await self._asked(request, values, answer)

    async def _asked(
        self, request: Request, values: Values, answer: Callable[[Form], Awaitable[Response]]
    ) -> Response:
        try:
            check_tenant(values["tenant"])
            return await answer(await read_form(request))
        except TokenRefused as error:
            return self._refusal(error)
        except Retryable as error:
            busy = TokenRefused("temporarily_unavailable", 90033, str(error), status=503)
            return self._refusal(busy)
        except UserError as error:
            return self._refusal(TokenRefused("invalid_request", 900144, str(error)))

    async def _granted(self, form: Form, authorization: str) -> Issued:
        client_id, secret = _client(form, authorization)
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            return await issuing.to_program(self.world, client_id, secret, _scope(form))
        if grant in {_DEVICE_GRANT, "device_code"}:
            given = form.get("device_code") or form.get("code") or ""
            return await issuing.by_device_code(self.world, client_id, given)
        if grant == "authorization_code":
            names = ("code", "redirect_uri", "code_verifier")
            return await issuing.by_browser(
                self.world, client_id, *(_needed(form, name) for name in names)
            )
        if grant == "refresh_token":
            given = _needed(form, "refresh_token")
            return await issuing.by_refresh_token(self.world, client_id, given, _scope(form))
        raise TokenRefused(
            "unsupported_grant_type",
            70003,
            f"grant_type is {shown(grant)}; it must be one of {', '.join(_GRANTS)}",
        )

    def _code_body(self, begun: logins.Begun) -> dict[str, Any]:
        page = f"{self.world.address}/{PATH}"
        code = begun.code.text
        return {
            "user_code": code,
            "device_code": begun.device_code,
            "verification_uri": page,
            "verification_url": page,
            "expires_in": logins.CODE_SECONDS,
            "interval": logins.POLL_SECONDS,
            "message": f"To sign in, use a web browser to open the page {page} and enter the code "
            f"{code} to authenticate.",
        }

    def _refusal(self, error: TokenRefused) -> Response:
        body = {
            "error": error.error,
            "error_description": f"{error.problem.code}: {error.problem.message}",
            "error_codes": [error.number],
        }
        return JSONResponse(body, error.status, headers=_NOT_KEPT)


def _token_body(issued: Issued) -> dict[str, Any]:
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": issued.scope,
        "expires_in": issued.expires_in,
        "ext_expires_in": issued.expires_in,
        "expires_on": str(issued.expires_at),
        "access_token": issued.access_token,
    }
    if isinstance(issued.holder, User):
        who = {"uid": issued.holder.id, "utid": TENANT_ID}
        body |= {
            "refresh_token": issued.refresh_token,
            "id_token": issued.id_token,
            "client_info": base64.urlsafe_b64encode(json.dumps(who).encode()).decode().rstrip("="),
        }
    return body


def _scope(form: Form) -> str:
    """`resource` is what the older form of the request says."""
    resource = form.get("resource", "")
    return form.get("scope") or (f"{resource}/.default" if resource else "")


def _needed(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise TokenRefused(
            "invalid_request",
            900144,
            f"The request body must contain the following parameter: '{name}'",
        )
    return value


def _client(form: Form, authorization: str) -> tuple[str, str]:
    """The program and its secret ("" for none), from the form or the header; not from both."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return _needed(form, "client_id"), form.get("client_secret", "")
    try:
        told = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        told = ""
    name, colon, secret = told.partition(":")
    if not colon or "client_secret" in form:
        raise TokenRefused(
            "invalid_request",
            900144,
            "The Authorization header must be Basic CLIENT_ID:SECRET, with no secret in the body",
        )
    return unquote_plus(name), unquote_plus(secret)
