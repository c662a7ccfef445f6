"""Deployments over HTTP: PUT, GET, LIST, DELETE, getLogs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, found, json_body, precondition
from verdazul.api.resources import deployment_id, deployment_resource
from verdazul.control import deployments
from verdazul.control.endpoints import get_endpoint
from verdazul.control.world import World
from verdazul.model.arm import deployment_from_arm
from verdazul.model.errors import UserError

Values = Mapping[str, str]
TAIL_DEFAULT = 5000
TAIL_LIMIT = 100_000
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
            Rule("DELETE", _ONE, self.delete),
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
        return found(resource, generation=state.record.generation)

    async def put(self, request: Request, values: Values) -> Response:
        """Declare, new or changed."""
        spec = deployment_from_arm(
            values["endpoint"], values["deployment"], await json_body(request)
        )
        accepted = await deployments.put_deployment(
            self.world, spec, precondition=precondition(request)
        )
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
        if accepted is None:
            return self.links.later(None, "")
        gone = accepted.operation
        return self.links.later(accepted, deployment_id(self.links, gone.endpoint, gone.deployment))

    async def get_logs(self, request: Request, values: Values) -> Response:
        """The last lines of one instance."""
        body = await json_body(request)
        _check_container(body.get("containerType"))
        content = await deployments.logs(
            self.world, values["endpoint"], values["deployment"], tail=_tail(body.get("tail"))
        )
        return JSONResponse({"content": content})


def _tail(value: object) -> int:
    if value is None:
        return TAIL_DEFAULT
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= TAIL_LIMIT:
        raise UserError(
            f"tail is {value!r}; it must be a whole number from 1 to {TAIL_LIMIT}",
            code="InvalidValue",
        )
    return value


def _check_container(value: object) -> None:
    kind = str(value or "InferenceServer").lower().replace("-", "")
    if kind == "storageinitializer":
        raise UserError(
            "containerType StorageInitializer is not supported yet: files arrive with the "
            "deployment, there is no such container",
            code="NotSupportedYet",
            fix="ask for InferenceServer",
        )
    if kind != "inferenceserver":
        raise UserError(
            f"Invalid container type '{value}'. Supported container types are inference-server "
            "and storage-initializer",
            code="InvalidValue",
        )
