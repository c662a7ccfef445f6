"""Registries over HTTP: the resource itself, and where clients find one.

An unmodified client asks the discovery first, and then the same API behind a prefix that this
answer does not name (`mferp/managementfrontend`, api/app.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import PROVIDER, Links, Rule, asset_name, json_body
from verdazul.api.identity import Identity
from verdazul.api.resources import system_data
from verdazul.control import permissions, registries
from verdazul.control.world import World
from verdazul.core.registries import Registry
from verdazul.model.actions import ML, READ_REGISTRY
from verdazul.model.errors import NotFound
from verdazul.model.oauth import TENANT_ID
from verdazul.model.registry import registry_from_arm
from verdazul.settings import Settings

Values = Mapping[str, str]
IN_SUBSCRIPTION = f"subscriptions/{{subscription}}/{PROVIDER}/registries"
IN_GROUP = f"subscriptions/{{subscription}}/resourceGroups/{{group}}/{PROVIDER}/registries"
ONE = f"{IN_GROUP}/{{registry}}"
FRONT = "verdazul.front"
"""Set in the scope of a request that came by that prefix."""
DISCOVERY = "registrymanagement/v1.0/registries/{registry}/discovery"


@dataclass(frozen=True, slots=True)
class RegistryRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links
    identity: Identity

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        return [
            Rule("GET", IN_SUBSCRIPTION, self.list),
            Rule("GET", IN_GROUP, self.list),
            Rule("GET", ONE, self.get),
            Rule("PUT", ONE, self.put),
            Rule("DELETE", ONE, self.delete),
        ]

    def public_rules(self) -> list[Rule]:
        """Paths that look at the credential themselves: more kinds of tokens may ask here."""
        return [Rule("GET", DISCOVERY, self.discover)]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection."""
        check_group(self.links.settings, values)
        found = await self.world.registries.list()
        return self.links.page(request, [self._resource(one) for one in found])

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        check_group(self.links.settings, values)
        return JSONResponse(self._resource(await self.world.registries.get(values["registry"])))

    async def put(self, request: Request, values: Values) -> Response:
        """Make one, or say something else about it."""
        check_group(self.links.settings, values)
        body = await json_body(request)
        spec = registry_from_arm(values["registry"], body, location=self.links.settings.location)
        wanted = Registry(values["registry"], spec.description or "", spec.tags)
        made, is_new = await registries.put_registry(self.world, wanted)
        return JSONResponse(self._resource(made), 201 if is_new else 200)

    async def delete(self, request: Request, values: Values) -> Response:
        """With all that it holds."""
        del request
        check_group(self.links.settings, values)
        name = asset_name("registry", values["registry"])
        was_there = await registries.delete_registry(self.world, name)
        return Response(status_code=200 if was_there else 204)

    async def discover(self, request: Request, values: Values) -> Response:
        """Where a client finds it. Some ask with the token that they call endpoints with."""
        caller = await self.identity.finder(request)
        if isinstance(caller, Response):
            return caller
        may = await permissions.of_caller(self.world, caller, at="")
        if not may.allow(READ_REGISTRY, ""):
            scope = f"/subscriptions/{self.links.settings.subscription}"
            raise permissions.refused(may, READ_REGISTRY, scope, "")
        found = await self.world.registries.get(values["registry"])
        settings = self.links.settings
        return JSONResponse(
            {
                "registryName": found.name,
                "tenantId": TENANT_ID,
                "primaryRegion": settings.location,
                "regions": [settings.location],
                "registryFqdns": {settings.location: {"uri": f"{self.links.address}/"}},
                "subscriptionId": settings.subscription,
                "resourceGroup": settings.resource_group,
                "primaryRegionResourceProviderUri": f"{self.links.address}/",
            }
        )

    def _resource(self, one: Registry) -> dict[str, Any]:
        settings = self.links.settings
        return {
            "id": f"/{ONE}".format(
                subscription=settings.subscription,
                group=settings.resource_group,
                registry=one.name,
            ),
            "name": one.name,
            "type": f"{ML}/registries",
            "location": settings.location,
            "tags": dict(one.tags),
            "properties": {
                "description": one.description or None,
                "publicNetworkAccess": "Enabled",
                "discoveryUrl": f"{self.links.address}/{DISCOVERY}".format(registry=one.name),
                "regionDetails": [
                    {
                        "location": settings.location,
                        "acrDetails": [],
                        "storageAccountDetails": [],
                    }
                ],
                "provisioningState": "Succeeded",
            },
            "systemData": system_data(one.created_at, one.created_at),
        }


def check_group(settings: Settings, values: Values) -> None:
    """Raise NotFound when the path names another subscription or group than this home's."""
    for what, here in (("subscription", settings.subscription), ("group", settings.resource_group)):
        if values.get(what, here).lower() != here.lower():
            raise NotFound(f"{what} {values[what][:80]} is not here; this home is in {here}")
