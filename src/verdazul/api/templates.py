"""Microsoft.Resources/deployments over HTTP, and the hands that carry a template out.

A resource of a template is put by the very request that a client would send, on behalf of whoever
asked for the deployment: the same rights, the same checks, the same entries in the activity log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import RETRY_AFTER, Links, Rule, properties_of, template_body
from verdazul.api.bodies import TEMPLATE_DEPLOYMENT, refuse_unknown
from verdazul.api.resources import iso
from verdazul.api.subscriptions import GROUP, check_above
from verdazul.control import templates
from verdazul.control.templates import Hands, TemplateDeployment, TemplateState
from verdazul.control.world import World
from verdazul.core.callers import Caller
from verdazul.core.records import OperationState
from verdazul.model.arm_expression import Json
from verdazul.model.durations import write_duration
from verdazul.model.errors import NotFound, Problem, UserError
from verdazul.model.show import shown
from verdazul.model.template import Place, read_template

Values = Mapping[str, str]
Inner = Callable[[Caller, str, str, Json], Awaitable[Response]]
"""Answers a request of a caller to a path, as if it had come from outside."""
_TYPE = "Microsoft.Resources/deployments"
_OPERATIONS = f"{GROUP}/deployments/{{template}}/operations"  # where Azure has them, too
_ALL = f"{GROUP}/providers/{_TYPE}"
_ONE = f"{_ALL}/{{template}}"
_NAME = re.compile(r"[-\w.()]{1,64}", re.ASCII)
_POLL_SECONDS = 0.1
_REFUSED = 400
_NAMED = re.compile(r"\{\w+\}")
_log = logging.getLogger(__name__)


class TemplateRoutes:
    """`close` ends the work of all that run; `resume`, in the next life, goes on with it."""

    def __init__(self, world: World, links: Links, inner: Inner) -> None:
        self._world = world
        self._links = links
        self._inner = inner
        self._types: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        return [
            Rule("GET", _ALL, self.list),
            Rule("GET", _ONE, self.get),
            Rule("PUT", _ONE, self.put),
            Rule("DELETE", _ONE, self.delete),
            Rule("POST", f"{_ONE}/validate", self.validate),
            Rule("POST", f"{_ONE}/cancel", self.cancel),
            Rule("GET", f"{_ONE}/operations", self.operations),
            Rule("GET", _OPERATIONS, self.operations, f"{_TYPE}/operations/read"),
            Rule("GET", f"{_ONE}/operationStatuses/{{status}}", self.status),
        ]

    def learn(self, rules: list[Rule]) -> None:
        """Which resources there are: whatever has a PUT below the workspace."""
        paths = (r.path.partition("/providers/")[2] for r in rules if r.method == "PUT")
        ours = (path for path in paths if path.startswith("Microsoft.MachineLearningServices/"))
        kinds = {re.sub(_NAMED, "", path).replace("//", "/").strip("/") for path in ours}
        self._types = tuple(sorted(kind.lower() for kind in kinds if "providers" not in kind))

    async def resume(self) -> None:
        """Go on with those that were running when the last control plane ended."""
        for one in await templates.list_all(self._world):
            if one.state is TemplateState.RUNNING:
                self._carry_out(one.name)

    async def close(self) -> None:
        """End the work; what is written down stays, for `resume`."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def list(self, request: Request, values: Values) -> Response:
        """Newest first."""
        self._check(values)
        found = await templates.list_all(self._world)
        return self._links.page(request, [self._resource(one) for one in found])

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        return JSONResponse(self._resource(await self._known(values)))

    async def put(self, request: Request, values: Values) -> Response:
        """Check all of it, then begin."""
        self._check(values)
        caller: Caller = request.state.caller
        told = _asked(await template_body(request))
        name = _named(values["template"])
        made, is_new = await templates.begin(self._world, name, told, caller, self._place)
        self._carry_out(name)
        headers = {"Azure-AsyncOperation": self._status_url(made), "Retry-After": RETRY_AFTER}
        return JSONResponse(self._resource(made), 201 if is_new else 200, headers)

    async def delete(self, request: Request, values: Values) -> Response:
        """Out of the history; resources stay."""
        del request
        self._check(values)
        was_there = await templates.forget(self._world, values["template"])
        return Response(status_code=200 if was_there else 204)

    async def validate(self, request: Request, values: Values) -> Response:
        """Check it and change nothing."""
        self._check(values)
        told = _asked(await template_body(request))
        name = _named(values["template"])
        plan = read_template(told["template"], told["parameters"], self._place)
        properties = {
            "provisioningState": "Succeeded",
            "mode": "Incremental",
            "parameters": {key: {"value": one} for key, one in plan.parameters.items()},
            "validatedResources": [{"id": resource.id} for resource in plan.resources],
        }
        return JSONResponse(
            {"id": self._id(name), "name": name, "type": _TYPE, "properties": properties}
        )

    async def cancel(self, request: Request, values: Values) -> Response:
        """Put no further resource."""
        del request
        await templates.cancel(self._world, (await self._known(values)).name)
        return Response(status_code=204)

    async def operations(self, request: Request, values: Values) -> Response:
        """What became of each resource."""
        known = await self._known(values)
        found = [
            self._operation(known, n, id_)
            for n, id_ in enumerate(known.resources)
            if id_ in known.done or id_ == known.failed
        ]
        return self._links.page(request, found)

    async def status(self, request: Request, values: Values) -> Response:
        """How far it is, for clients that wait."""
        del request
        known = await self._known(values)
        if known.id != values["status"]:
            raise NotFound(f"deployment {known.name} has no operation {shown(values['status'])}")
        body: dict[str, Any] = {"status": known.state.value}
        if known.problem:
            body["error"] = known.problem.to_arm()
        return JSONResponse(body, headers={"Retry-After": RETRY_AFTER})

    @property
    def _place(self) -> Place:
        settings = self._links.settings
        return Place(settings.subscription, settings.resource_group, settings.location, self._types)

    def _check(self, values: Values) -> None:
        check_above(self._links.settings, values)

    async def _known(self, values: Values) -> TemplateDeployment:
        self._check(values)
        return await templates.get(self._world, values["template"])

    def _carry_out(self, name: str) -> None:
        hands = Hands(self._put_resource, self._get_resource)
        task = asyncio.get_running_loop().create_task(
            self._work(name, hands),
            name=f"template {name}",
            context=Context(),  # each resource is put on behalf of its own request
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, name: str, hands: Hands) -> None:
        try:
            await templates.carry_out(self._world, name, hands, self._place)
        except Exception:  # noqa: BLE001 - the last line of defence: it must not run for ever
            _log.exception("failed template deployment=%s", name)
            await templates.give_up(self._world, name)

    async def _put_resource(self, caller: Caller, id_: str, body: dict[str, Json]) -> None:
        response = await self._inner(caller, "PUT", id_, body)
        _raise_refusal(response)
        url = response.headers.get("azure-asyncoperation", "")
        operation_id = url.partition("?")[0].rpartition("/")[2]
        while operation_id:
            operation = await self._world.store.operation(operation_id)
            if operation is None or operation.state is not OperationState.IN_PROGRESS:
                if operation and operation.problem:
                    raise UserError.of(operation.problem)
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _get_resource(self, caller: Caller, id_: str) -> dict[str, Json]:
        response = await self._inner(caller, "GET", id_, None)
        _raise_refusal(response)
        found: dict[str, Json] = json.loads(bytes(response.body)).get("properties") or {}
        return found

    def _id(self, name: str) -> str:
        return f"{self._place.group_id}/providers/{_TYPE}/{name}"

    def _status_url(self, one: TemplateDeployment) -> str:
        path = f"{self._id(one.name)}/operationStatuses/{one.id}"
        return f"{self._links.address}{path}?api-version=2021-04-01"

    def _resource(self, one: TemplateDeployment) -> dict[str, Any]:
        until = one.finished_at or self._world.clock.now()
        properties: dict[str, Any] = {
            "provisioningState": one.state.value,
            "correlationId": one.id,
            "timestamp": iso(until),
            "duration": write_duration(max(0, int(1000 * (until - one.started_at)))),
            "mode": "Incremental",
            "parameters": {name: {"value": value} for name, value in one.parameters.items()},
            "outputs": one.outputs,
            "outputResources": [{"id": id_} for id_ in one.done],
        }
        if one.problem:
            properties["error"] = one.problem.to_arm()
        return {"id": self._id(one.name), "name": one.name, "type": _TYPE, "properties": properties}

    def _operation(self, one: TemplateDeployment, n: int, id_: str) -> dict[str, Any]:
        provider, *pairs = id_.partition("/providers/")[2].split("/")
        is_failed = id_ == one.failed and one.state is TemplateState.FAILED
        state = "Succeeded" if id_ in one.done else "Failed" if is_failed else "Running"
        target = {
            "id": id_,
            "resourceType": "/".join([provider, *pairs[::2]]),
            "resourceName": "/".join(pairs[1::2]),
        }
        details = one.problem.details if is_failed and one.problem else ()
        properties: dict[str, Any] = {"provisioningState": state, "targetResource": target}
        if details:
            properties["statusMessage"] = {"error": details[0].to_arm()}
        operation = str(n)
        return {
            "id": f"{self._id(one.name)}/operations/{operation}",
            "operationId": operation,
            "properties": properties,
        }


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    """The template and its parameters. Raises UserError for what has no effect here."""
    refuse_unknown(body, TEMPLATE_DEPLOYMENT)
    properties = properties_of(body)
    mode = properties.get("mode")
    if mode is not None and str(mode).lower() != "incremental":
        raise UserError(
            f"properties.mode is {shown(mode)}; it must be Incremental: nothing is deleted here",
            code="InvalidValue",
        )
    if not isinstance(properties.get("template"), Mapping):
        raise UserError(
            "properties.template is missing; it must be the template itself", code="MissingKey"
        )
    given = properties.get("parameters")
    return {"template": properties["template"], "parameters": {} if given is None else given}


def _named(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise UserError(
            f"the deployment's name is {shown(text)}; it must be 1 to 64 letters, digits, -_.()",
            code="InvalidDeploymentName",
        )
    return text


def _raise_refusal(response: Response) -> None:
    if response.status_code >= _REFUSED:
        raise UserError.of(Problem.from_arm(json.loads(bytes(response.body))["error"]))
