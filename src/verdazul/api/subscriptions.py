"""What is above a workspace in Azure: the tenant, the subscription, its region and resource group.

A home is one of each. `az login` and `az group` ask for them before anything else. Whoever has any
role sees the subscription, as in Azure; who has none sees an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule
from verdazul.api.discovery import CLOUD
from verdazul.api.guard import sees_subscription
from verdazul.model.actions import RESOURCES, SEE_SUBSCRIPTION, SEE_TENANT
from verdazul.model.errors import NotFound
from verdazul.model.oauth import TENANT_ID
from verdazul.model.show import shown
from verdazul.settings import Settings

Values = Mapping[str, str]
SUBSCRIPTION = "subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
_GROUPS = f"{RESOURCES}/subscriptions/resourceGroups/read"


def check_above(settings: Settings, values: Values) -> None:
    """Raise NotFound for another subscription or resource group than this home's."""
    for name, what, code in (
        ("subscription", "Subscription", "SubscriptionNotFound"),
        ("group", "Resource group", "ResourceGroupNotFound"),
    ):
        ours = settings.subscription if name == "subscription" else settings.resource_group
        if name in values and values[name].lower() != ours.lower():
            raise NotFound(
                f"{what} {shown(values[name])} could not be found; this home's is {ours}", code=code
            )


@dataclass(frozen=True, slots=True)
class SubscriptionRoutes:
    """Handlers that only read settings."""

    links: Links

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        see = SEE_SUBSCRIPTION
        return [
            Rule("GET", "tenants", self.tenants, SEE_TENANT),
            Rule("GET", "subscriptions", self.list, see),
            Rule("GET", SUBSCRIPTION, self.get, see),
            Rule("GET", f"{SUBSCRIPTION}/locations", self.locations, see),
            Rule("GET", GROUP.rpartition("/")[0], self.groups, _GROUPS),
            Rule("GET", GROUP, self.group, _GROUPS),
            Rule("HEAD", GROUP, self.has_group, _GROUPS),
        ]

    async def tenants(self, request: Request, values: Values) -> Response:
        """One: whoever has a token is of it."""
        del request, values
        return self.links.whole([{"id": f"/tenants/{TENANT_ID}", "tenantId": TENANT_ID}])

    async def list(self, request: Request, values: Values) -> Response:
        """One, or none for who may see nothing of it."""
        del values
        return self.links.whole([self._subscription()] if sees_subscription(request) else [])

    async def get(self, request: Request, values: Values) -> Response:
        """GET of it."""
        del request
        check_above(self.links.settings, values)
        return JSONResponse(self._subscription())

    async def locations(self, request: Request, values: Values) -> Response:
        """One."""
        del request
        check_above(self.links.settings, values)
        name, above = self.links.settings.location, self._subscription()["id"]
        region = {
            "id": f"{above}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": name,
            "regionalDisplayName": name,
        }
        return self.links.whole([region])

    async def groups(self, request: Request, values: Values) -> Response:
        """One."""
        del request
        check_above(self.links.settings, values)
        return self.links.whole([self._group()])

    async def group(self, request: Request, values: Values) -> Response:
        """GET of it."""
        del request
        check_above(self.links.settings, values)
        return JSONResponse(self._group())

    async def has_group(self, request: Request, values: Values) -> Response:
        """204: it is there; else 404."""
        del request
        check_above(self.links.settings, values)
        return Response(status_code=204)

    def _subscription(self) -> dict[str, Any]:
        id_ = self.links.settings.subscription
        return {
            "id": f"/subscriptions/{id_}",
            "subscriptionId": id_,
            "tenantId": TENANT_ID,
            "displayName": CLOUD,
            "state": "Enabled",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
        }

    def _group(self) -> dict[str, Any]:
        settings = self.links.settings
        above = self._subscription()["id"]
        return {
            "id": f"{above}/resourceGroups/{settings.resource_group}",
            "name": settings.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": settings.location,
            "tags": {},
            "properties": {"provisioningState": "Succeeded"},
        }
