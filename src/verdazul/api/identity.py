"""Who may use the control API: whoever has the home's token, one that was made for its holder, or a
signed one of an issuer that is trusted (control/callers.py): the home's own, or an external one.

The second kind is what `DefaultAzureCredential` gets, unmodified, by App Service's managed-identity
protocol: it shows the home's token as IDENTITY_HEADER and is given one that expires. Such a token
is sealed, so only we can make or read it, and it opens only what it was asked for. For Azure's data
plane it is a signed one, by which the home's owner calls endpoints of auth_mode aad_token.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, problem_answer
from verdazul.control import permissions
from verdazul.control.callers import caller_of, data_caller_of
from verdazul.control.world import World
from verdazul.core.callers import OWNER, Caller
from verdazul.core.claims import EXPIRED, OTHER_AUDIENCE
from verdazul.core.tenant import MANAGEMENT_AUDIENCES
from verdazul.core.trust import DATA_AUDIENCE, owner_claims
from verdazul.model.actions import USE_DATASTORE
from verdazul.model.errors import Problem, UserError, VerdazulError
from verdazul.model.show import shown

TOKEN_SECONDS = 3600
STORAGE = "https://storage.azure.com"
"""What clients ask a token for when they open a datastore with their own credential."""
_KIND = "token"
_DOTS_OF_A_JWT = 2
_UNAUTHORIZED = 401

NO_TOKEN = Problem(
    "Unauthorized",
    "the control API needs a bearer token (Authorization: Bearer ...)",
    fix="log in (`verdazul login`, azure-identity), or use the home's token (`verdazul env`)",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """`token` is the home's. An empty one opens nothing."""

    world: World
    links: Links
    token: str = field(repr=False)

    def public_rules(self) -> list[Rule]:
        """Paths from the root; the header is the credential."""
        return [Rule("GET", "msi/token", self.managed_identity)]

    async def caller(self, request: Request) -> Caller | Response:
        """Who calls, or what to answer."""
        found = await self._caller(_bearer(request), self.links.address)
        return _refused(found) if isinstance(found, Problem) else found

    async def finder(self, request: Request) -> Caller | Response:
        """Who asks where something is, also by a token for endpoints, as clients do."""
        credential = _bearer(request)
        found = await self._caller(credential, self.links.address)
        if isinstance(found, Problem) and credential.count(".") == _DOTS_OF_A_JWT:
            found = await data_caller_of(self.world, credential)
        return _refused(found) if isinstance(found, Problem) else found

    async def opens_storage(self, request: Request) -> bool:
        """Whether the caller may use every datastore."""
        found = await self._caller(_bearer(request), STORAGE)
        if isinstance(found, Problem):
            return False
        return (await permissions.of_caller(self.world, found, at="")).allow(USE_DATASTORE)

    async def managed_identity(self, request: Request, values: Mapping[str, str]) -> Response:
        """A token for the resource that is asked for."""
        del values
        if not self._is_home_token(request.headers.get("x-identity-header", "")):
            return _refused(
                Problem(
                    "Unauthorized",
                    "X-IDENTITY-HEADER is not this home's token",
                    fix="set IDENTITY_HEADER as `verdazul env` prints it",
                )
            )
        resource = request.query_params.get("resource", "")
        now = int(self.world.clock.now())
        expires = now + TOKEN_SECONDS
        audience = self._audience(resource)
        if audience:
            token = self.world.secrets.seal(json.dumps([_KIND, audience, expires]))
        elif resource.rstrip("/") == DATA_AUDIENCE:
            token = self.world.signer.sign(owner_claims(self.world.ids.new(), now, expires))
        else:
            raise UserError(
                f"resource is {shown(resource)}; tokens are made for {self.links.address}, "
                f"{STORAGE} and {DATA_AUDIENCE} only",
                code="InvalidResource",
                fix="set ARM_CLOUD_METADATA_URL as `verdazul env` prints it",
            )
        return JSONResponse(
            {
                "access_token": token,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": self.links.settings.subscription,
            }
        )

    async def _caller(self, credential: str, wanted: str) -> Caller | Problem:
        if self._is_home_token(credential):
            return OWNER
        if credential.count(".") == _DOTS_OF_A_JWT:
            audiences = () if wanted == self.links.address else (wanted,)
            return await caller_of(self.world, credential, audiences)
        try:
            kind, audience, told = json.loads(self.world.secrets.open(credential))
            expires = float(told)
        except (VerdazulError, ValueError, TypeError):
            return NO_TOKEN
        if kind != _KIND or audience != wanted:
            return OTHER_AUDIENCE
        return EXPIRED if self.world.clock.now() > expires else OWNER

    def _is_home_token(self, text: str) -> bool:
        return bool(self.token) and hmac.compare_digest(text.encode(), self.token.encode())

    def _audience(self, resource: str) -> str:
        """As sealed tokens name it; "" for what none of them is made for."""
        if resource.rstrip("/").lower() in MANAGEMENT_AUDIENCES:
            return self.links.address
        known = (self.links.address, STORAGE)
        return next((one for one in known if one.lower() == resource.rstrip("/").lower()), "")


def _bearer(request: Request) -> str:
    """The credential, or "" when there is none of that kind."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _refused(problem: Problem) -> Response:
    response = problem_answer(problem, _UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
