"""Deployments over HTTP: PUT, GET, LIST, DELETE, getLogs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, json_body, merged, precondition
from verdazul.api.bodies import GET_LOGS, TAIL_DEFAULT, TAIL_LIMIT, refuse_unknown
from verdazul.api.resources import TYPE, deployment_resource
from verdazul.control import deployments
from verdazul.control.endpoints import Precondition, get_endpoint
from verdazul.control.preparation import preparation_log
from verdazul.control.world import World
from verdazul.model.arm import deployment_from_arm
from verdazul.model.deployment import MOST_INSTANCES
from verdazul.model.errors import UserError

Values = Mapping[str, str]
PATCHABLE = frozenset({"tags", "sku"})
_ONE = "onlineEndpoints/{endpoint}/deployments/{deployment}"


@dataclass(frozen=True, slots=True)
class DeploymentRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [
            Rule("GET", "onlineEndpoints/{endpoint}/deployments", self.list),
            Rule("GET", _ONE, self.get),
            Rule("PUT", _ONE, self.put),
            Rule("PATCH", _ONE, self.patch),
            Rule("DELETE", _ONE, self.delete),
            Rule("GET", f"{_ONE}/skus", self.skus),
            Rule("POST", f"{_ONE}/getLogs", self.get_logs),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection."""
        view = await get_endpoint(self.world, values["endpoint"])
        resources = [
            deployment_resource(self.links, view.record, state) for state in view.deployments
        ]
        return self.links.page(request, resources)

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        endpoint, state = await deployments.get_deployment(
            self.world, values["endpoint"], values["deployment"]
        )
        resource = deployment_resource(self.links, endpoint, state)
        latest = await self.world.store.latest_operation(endpoint.name, state.record.name)
        return self.links.found(resource, generation=state.record.generation, latest=latest)

    async def put(self, request: Request, values: Values) -> Response:
        """Declare, new or changed."""
        names = values["endpoint"], values["deployment"]
        return await self._put(names, await json_body(request), precondition(request))

    async def patch(self, request: Request, values: Values) -> Response:
        """Change tags or the number of instances only, of the version that is there now."""
        patch = await json_body(request)
        endpoint, state = await deployments.get_deployment(
            self.world, values["endpoint"], values["deployment"]
        )
        record = state.record
        precondition(request).check(f'deployment "{record.name}"', record.generation)
        resource = deployment_resource(self.links, endpoint, state)
        body = merged(resource, patch, allowed=PATCHABLE)
        seen = Precondition(generation=record.generation)
        return await self._put((endpoint.name, record.name), body, seen)

    async def skus(self, request: Request, values: Values) -> Response:
        """Between how many instances it can be scaled."""
        await deployments.get_deployment(self.world, values["endpoint"], values["deployment"])
        sku = {
            "resourceType": TYPE + "/onlineEndpoints/deployments",
            "sku": {"name": "Default"},
            "capacity": {
                "minimum": 1,
                "maximum": MOST_INSTANCES,
                "default": 1,
                "scaleType": "Manual",
            },
        }
        return self.links.page(request, [sku])

    async def _put(
        self, names: tuple[str, str], body: dict[str, Any], wanted: Precondition
    ) -> Response:
        spec = deployment_from_arm(*names, body)
        accepted = await deployments.put_deployment(self.world, spec, precondition=wanted)
        endpoint, state = await deployments.get_deployment(
            self.world, spec.endpoint_name, spec.name
        )
        resource = deployment_resource(self.links, endpoint, state)
        return self.links.put_answer(accepted, resource, generation=state.record.generation)

    async def delete(self, request: Request, values: Values) -> Response:
        """Take it down."""
        del request
        accepted = await deployments.delete_deployment(
            self.world, values["endpoint"], values["deployment"]
        )
        return self.links.later(accepted)

    async def get_logs(self, request: Request, values: Values) -> Response:
        """The last lines of one instance, or of what went before all of them."""
        body = await json_body(request)
        refuse_unknown(body, GET_LOGS)
        read = _LOGS[_container(body.get("containerType"))]
        content = await read(
            self.world, values["endpoint"], values["deployment"], tail=_tail(body.get("tail"))
        )
        return JSONResponse({"content": content})


_LOGS = {"inferenceserver": deployments.logs, "storageinitializer": preparation_log}


def _tail(value: object) -> int:
    if value is None:
        return TAIL_DEFAULT
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= TAIL_LIMIT:
        raise UserError(
            f"tail is {value!r}; it must be a whole number from 1 to {TAIL_LIMIT}",
            code="InvalidValue",
        )
    return value


def _container(value: object) -> str:
    kind = str("InferenceServer" if value is None else value).lower().replace("-", "")
    if kind not in _LOGS:
        raise UserError(
            f"Invalid container type '{value}'. Supported container types are inference-server "
            "and storage-initializer",
            code="InvalidValue",
        )
    return kind
