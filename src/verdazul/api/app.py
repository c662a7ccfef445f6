"""The control API as one ASGI application: find the rule, check the token, call, render.

Everything but the health check, discovery and signed addresses needs a bearer token (identity.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from verdazul import __version__
from verdazul.api.access import AccessRoutes
from verdazul.api.activity import READS, ActivityRoutes
from verdazul.api.arm import (
    PROVIDER,
    RETRY_AFTER,
    Links,
    Rule,
    check_location,
    check_workspace,
    failure,
    problem_answer,
)
from verdazul.api.assets import AssetRoutes
from verdazul.api.blob import BlobRoutes
from verdazul.api.browser_page import BrowserPage
from verdazul.api.capacity import CapacityRoutes
from verdazul.api.connections import ConnectionRoutes
from verdazul.api.datastores import DatastoreRoutes
from verdazul.api.deployments import DeploymentRoutes
from verdazul.api.device_page import DevicePage
from verdazul.api.directory import DirectoryRoutes
from verdazul.api.discovery import DiscoveryRoutes
from verdazul.api.endpoints import EndpointRoutes
from verdazul.api.guard import Guard
from verdazul.api.identity import Identity
from verdazul.api.issuer import IssuerRoutes
from verdazul.api.locks import LOCKS, LockRoutes
from verdazul.api.openapi.document import document
from verdazul.api.registries import FRONT, RegistryRoutes
from verdazul.api.registry_assets import RegistryAssetRoutes
from verdazul.api.resources import operation_resource, workspace_resource
from verdazul.api.roles import RoleRoutes
from verdazul.api.subscriptions import SubscriptionRoutes
from verdazul.api.templates import TemplateRoutes
from verdazul.api.unread import Body
from verdazul.control.locks import refuse_locked
from verdazul.control.world import World
from verdazul.core.callers import Caller
from verdazul.core.records import Operation, OperationState
from verdazul.model.errors import NotFound, Problem, UserError, VerdazulError, WrongMethod

_log = logging.getLogger(__name__)
_WORKSPACE = (
    f"subscriptions/{{subscription}}/resourceGroups/{{group}}/{PROVIDER}/workspaces/{{workspace}}"
)
_OPERATION = (
    f"subscriptions/{{subscription}}/{PROVIDER}/locations/{{location}}"
    "/mfeOperationsStatus/{operation}"
)

_FRONT = "/mferp/managementfrontend"
_RESULT = _OPERATION.replace("mfeOperationsStatus", "mfeOperationResults")

_OUR_FAILURE = Problem(
    "InternalServerError",
    "the control plane failed on this request; its log says why",
    fix="see control.log in the home's logs folder",
)

StatusReport = Callable[[], Awaitable[dict[str, Any]]]


class Api:
    """`token` opens it; `report` is what `verdazul status` shows."""

    def __init__(self, world: World, links: Links, *, token: str, report: StatusReport) -> None:
        self._world = world
        self._links = links
        self._identity = Identity(world, links, token)
        self._report = report
        self._activity = ActivityRoutes(world, links)
        self.templates = TemplateRoutes(world, links, self._inner)
        self._guard = Guard(world, links)
        registries = RegistryRoutes(world, links, self._identity)
        below = [
            Rule("GET", "", self._workspace),
            *EndpointRoutes(world, links).rules(),
            *DeploymentRoutes(world, links).rules(),
            *AssetRoutes(world, links).rules(),
            *DatastoreRoutes(world, links).rules(),
            *AccessRoutes(world, links).rules(),
            *RoleRoutes(world, links).rules(),
            *ConnectionRoutes(world, links).rules(),
            *LockRoutes(world, links).rules(),
        ]
        self._rules = [
            Rule("GET", _OPERATION, self._operation),
            Rule("GET", _RESULT, self._result),
            Rule("GET", "verdazul/v1/status", self._status, "Microsoft.Verdazul/status/read"),
            *SubscriptionRoutes(links).rules(),
            *CapacityRoutes(world, links).rules(),
            *self._activity.rules(),
            *self.templates.rules(),
            *DirectoryRoutes(world).rules(),
            *AccessRoutes(world, links).root_rules(),
            *RoleRoutes(world, links).root_rules(),
            *registries.rules(),
            *RegistryAssetRoutes(world, links).rules(),
            *(self._in_workspace(rule) for rule in below),
        ]
        self.templates.learn(self._rules)
        self._public = [
            Rule("GET", "healthz", self._health),
            Rule("GET", "openapi.json", self._openapi),
            *DiscoveryRoutes(links).public_rules(),
            *registries.public_rules(),
            *self._identity.public_rules(),
            *IssuerRoutes(world).public_rules(),
            *DevicePage(world).public_rules(),
            *BrowserPage(world).public_rules(),
            *BlobRoutes(world, self._identity).public_rules(),
        ]

    @cached_property
    def description(self) -> dict[str, Any]:
        """The whole API for tools, as `/openapi.json` shows it."""
        return document(self._public, self._rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        scope = _without_front(scope)
        announced = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
        body = Body(receive, announced)
        request = Request(scope, body.receive)
        try:
            response = await self._answer_or_refuse(request)
        except ClientDisconnect:
            return
        except Exception:  # noqa: BLE001 - the last line of defence: a caller always gets JSON
            _log.exception("failed %s %s", request.method, request.url.path)
            response = problem_answer(_OUR_FAILURE, 500)
        await body.drop()
        await response(scope, receive, send)

    async def _answer_or_refuse(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except VerdazulError as error:
            return failure(error)

    async def _answer(self, request: Request) -> Response:
        segments = _segments(request)
        public = _find(self._public, request.method, segments)
        if public:
            rule, values = public
            return await rule.handler(request, values)
        caller = await self._identity.caller(request)
        if isinstance(caller, Response):
            return caller
        found = _find(self._rules, request.method, segments)
        if not found:
            return self._no_route(request, segments)
        rule, values = found
        return await self._as(caller, request, rule, values)

    async def _inner(self, caller: Caller, method: str, path: str, body: Any) -> Response:
        """Answer what a caller asks for by way of another request of its own."""
        text = b"" if body is None else json.dumps(body).encode()
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": method, "path": path, "query_string": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": text, "more_body": False}

        request = Request({**scope, "headers": headers}, receive)
        segments = path.strip("/").split("/")
        found = _find(self._rules, method, segments)
        try:
            if found is None:
                return self._no_route(request, segments)
            return await self._as(caller, request, *found)
        except VerdazulError as error:
            return failure(error)

    async def _as(
        self, caller: Caller, request: Request, rule: Rule, values: dict[str, str]
    ) -> Response:
        request.state.caller = caller
        answer = partial(self._guarded, request, caller, rule, values)
        if rule.method in READS:
            return await answer()
        return await self._activity.record(request, caller, rule, answer)

    async def _guarded(
        self, request: Request, caller: Caller, rule: Rule, values: dict[str, str]
    ) -> Response:
        await self._guard.check(request, caller, rule, values)
        return await rule.handler(request, values)

    def _no_route(self, request: Request, segments: list[str]) -> Response:
        """405 with the methods that are possible, or 404."""
        rules = (*self._public, *self._rules)
        methods = (rule.method for rule in rules if rule.match(segments) is not None)
        possible = ", ".join(dict.fromkeys(methods))
        if not possible:
            raise NotFound(f"nothing is at {request.url.path}", code="PathNotFound")
        refusal = WrongMethod(
            f"{request.method} is not possible on {request.url.path}; possible: {possible}"
        )
        response = failure(refusal)
        response.headers["Allow"] = possible
        return response

    def _in_workspace(self, rule: Rule) -> Rule:
        async def checked(request: Request, values: Any) -> Response:
            check_workspace(self._links.settings, values)
            if LOCKS not in rule.path:
                await refuse_locked(self._world, rule.method, rule.place(values))
            return await rule.handler(request, values)

        path = f"{_WORKSPACE}/{rule.path}" if rule.path else _WORKSPACE
        return Rule(rule.method, path, checked, rule.named)

    async def _workspace(self, request: Request, values: Any) -> Response:
        del request, values
        return JSONResponse(workspace_resource(self._links))

    async def _operation(self, request: Request, values: Any) -> Response:
        del request
        operation = await self._existing_operation(values)
        events = await self._world.store.events(
            operation.endpoint, operation.deployment, since=operation.started_at
        )
        until = operation.finished_at or float("inf")
        mine = tuple(event for event in events if event.time <= until)
        trouble = self._world.trouble(operation.endpoint)
        body = operation_resource(self._links, operation, mine, trouble)
        # Clients take the pause before the next poll from the last answer; without it, 30 seconds.
        return JSONResponse(body, headers={"Retry-After": RETRY_AFTER})

    async def _result(self, request: Request, values: Any) -> Response:
        """What an operation came to, for clients that wait at its Location."""
        del request
        operation = await self._existing_operation(values)
        if operation.state is OperationState.IN_PROGRESS:
            return Response(status_code=202, headers={"Retry-After": RETRY_AFTER})
        if operation.problem:
            raise UserError.of(operation.problem)
        return Response(status_code=204)

    async def _existing_operation(self, values: Mapping[str, str]) -> Operation:
        check_location(self._links.settings, values)
        operation = await self._world.store.operation(values["operation"])
        if operation is None:
            raise NotFound(f"operation {values['operation'][:80]} does not exist")
        return operation

    async def _status(self, request: Request, values: Any) -> Response:
        del request, values
        return JSONResponse(await self._report())

    async def _openapi(self, request: Request, values: Any) -> Response:
        del request, values
        return JSONResponse(self.description)

    async def _health(self, request: Request, values: Any) -> Response:
        del request, values
        return JSONResponse({"status": "ok", "version": __version__})


def _without_front(scope: Scope) -> Scope:
    """Clients of registries ask the same API behind a prefix of Azure's."""
    if not scope["path"].lower().startswith(f"{_FRONT}/"):
        return scope
    raw = scope.get("raw_path") or scope["path"].encode()
    return {
        **scope,
        FRONT: True,
        "path": scope["path"][len(_FRONT) :],
        "raw_path": raw[len(_FRONT) :],
    }


def _segments(request: Request) -> list[str]:
    """Path segments, decoded one by one: an encoded slash stays inside its segment."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    parts = raw.decode("latin-1").split("?")[0].strip("/").split("/")
    return [unquote(part) for part in parts]


def _find(
    rules: list[Rule], method: str, segments: list[str]
) -> tuple[Rule, dict[str, str]] | None:
    for rule in rules:
        values = rule.match(segments) if rule.method == method else None
        if values is not None:
            return rule, values
    return None
