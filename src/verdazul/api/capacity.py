"""What there is to deploy on, over HTTP: usages, quotas and instance types of the one location."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from verdazul.api.arm import PROVIDER, Links, Rule, check_location
from verdazul.control.world import World
from verdazul.core.usage import Usage, cores_by_family
from verdazul.model.skus import INSTANCE_TYPES, InstanceType

Values = Mapping[str, str]
_LOCATION = f"subscriptions/{{subscription}}/{PROVIDER}/locations/{{location}}"
_TYPE = "Microsoft.MachineLearningServices"


@dataclass(frozen=True, slots=True)
class CapacityRoutes:
    """Handlers of three lists; they read and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        return [
            Rule("GET", f"{_LOCATION}/usages", self.usages),
            Rule("GET", f"{_LOCATION}/quotas", self.quotas),
            Rule("GET", f"{_LOCATION}/vmSizes", self.sizes),
        ]

    async def usages(self, request: Request, values: Values) -> Response:
        """What is declared, against what may be."""
        check_location(self.links.settings, values)
        return self.links.page(request, [self._usage(one) for one in await self._used()])

    async def quotas(self, request: Request, values: Values) -> Response:
        """The limits alone."""
        check_location(self.links.settings, values)
        found = [
            {
                "id": self._id("quotas", one.name),
                "type": f"{_TYPE}/workspaces/quotas",
                "name": {"value": one.name, "localizedValue": one.shown},
                "limit": one.limit,
                "unit": "Count",
            }
            for one in await self._used()
        ]
        return self.links.page(request, found)

    async def sizes(self, request: Request, values: Values) -> Response:
        """Every instance type, on one page: clients read no second one."""
        del request
        check_location(self.links.settings, values)
        return self.links.whole([_size(kind) for kind in INSTANCE_TYPES])

    async def _used(self) -> list[Usage]:
        endpoints = await self.world.store.endpoints()
        declared = [state.record for endpoint in endpoints for state in endpoint.deployments]
        settings = self.world.settings
        return [
            Usage("onlineEndpoints", "Online endpoints", len(endpoints), settings.endpoints),
            Usage("onlineDeployments", "Online deployments", len(declared), settings.deployments),
            *cores_by_family(declared),
        ]

    def _usage(self, one: Usage) -> dict[str, Any]:
        return {
            "id": self._id("usages", one.name),
            "type": f"{_TYPE}/usages",
            "amlWorkspaceLocation": self.links.settings.location,
            "unit": "Count",
            "currentValue": one.used,
            "limit": one.limit,
            "name": {"value": one.name, "localizedValue": one.shown},
        }

    def _id(self, kind: str, name: str) -> str:
        settings = self.links.settings
        return (
            f"/subscriptions/{settings.subscription}/{PROVIDER}/locations/{settings.location}"
            f"/{kind}/{name}"
        )


def _size(kind: InstanceType) -> dict[str, Any]:
    """Fractions of a GPU count as one, as Azure lists them."""
    return {
        "name": kind.name,
        "family": kind.family,
        "vCPUs": kind.cpus,
        "gpus": math.ceil(kind.gpus),
        "memoryGB": kind.memory_gib,
        "osVhdSizeMB": 0,
        "maxResourceVolumeMB": 0,
        "lowPriorityCapable": False,
        "premiumIO": False,
        "supportedComputeTypes": ["Managed"],
    }
