"""onlineEndpoints over HTTP: PUT, GET, LIST, DELETE, listKeys, regenerateKeys, token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import (
    PAGE_SIZE,
    Links,
    Rule,
    asked_page,
    json_body,
    merged,
    precondition,
)
from verdazul.api.bodies import REGENERATE_KEYS, refuse_unknown
from verdazul.api.guard import seen_endpoints
from verdazul.api.resources import endpoint_resource
from verdazul.control import credentials, endpoints, pausing
from verdazul.control.endpoints import Precondition
from verdazul.control.world import World
from verdazul.model.arm import endpoint_from_arm
from verdazul.model.errors import UserError

Values = Mapping[str, str]
PATCHABLE = frozenset({"tags", "identity"})


@dataclass(frozen=True, slots=True)
class EndpointRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [
            Rule("GET", "onlineEndpoints", self.list),
            Rule("GET", "onlineEndpoints/{endpoint}", self.get),
            Rule("PUT", "onlineEndpoints/{endpoint}", self.put),
            Rule("PATCH", "onlineEndpoints/{endpoint}", self.patch),
            Rule("DELETE", "onlineEndpoints/{endpoint}", self.delete),
            Rule("POST", "onlineEndpoints/{endpoint}/listKeys", self.list_keys),
            Rule("POST", "onlineEndpoints/{endpoint}/regenerateKeys", self.regenerate_keys),
            Rule("POST", "onlineEndpoints/{endpoint}/token", self.token),
            Rule("POST", "onlineEndpoints/{endpoint}/pause", self.pause),
            Rule("POST", "onlineEndpoints/{endpoint}/resume", self.resume),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection."""
        del values
        page, seen = asked_page(request), seen_endpoints(request)
        if seen is not None:
            views = await endpoints.some_endpoints(self.world, sorted(seen))
            return self.links.page(request, [endpoint_resource(self.links, one) for one in views])
        states = await self.world.store.endpoints(skip=page.skip, most=page.needed(PAGE_SIZE))
        resources = [endpoint_resource(self.links, state) for state in states]
        return self.links.page(request, resources, begin=page.skip)

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        view = await endpoints.get_endpoint(self.world, values["endpoint"])
        resource = endpoint_resource(self.links, view)
        latest = await self.world.store.latest_operation(view.name)
        return self.links.found(resource, generation=view.record.generation, latest=latest)

    async def put(self, request: Request, values: Values) -> Response:
        """Declare, new or changed."""
        return await self._put(values["endpoint"], await json_body(request), precondition(request))

    async def patch(self, request: Request, values: Values) -> Response:
        """Change tags or identity only, of the version that is there now."""
        patch = await json_body(request)
        view = await endpoints.get_endpoint(self.world, values["endpoint"])
        wanted = precondition(request)
        wanted.check(f'endpoint "{view.record.name}"', view.record.generation)
        body = merged(endpoint_resource(self.links, view), patch, allowed=PATCHABLE)
        seen = Precondition(generation=view.record.generation)
        return await self._put(view.record.name, body, seen)

    async def _put(self, name: str, body: dict[str, Any], wanted: Precondition) -> Response:
        spec = endpoint_from_arm(name, body)
        accepted = await endpoints.put_endpoint(self.world, spec, precondition=wanted)
        view = await endpoints.get_endpoint(self.world, spec.name)
        resource = endpoint_resource(self.links, view)
        return self.links.put_answer(accepted, resource, generation=view.record.generation)

    async def delete(self, request: Request, values: Values) -> Response:
        """Take it down."""
        del request
        return self.links.later(await endpoints.delete_endpoint(self.world, values["endpoint"]))

    async def list_keys(self, request: Request, values: Values) -> Response:
        """Show both keys."""
        del request
        primary, secondary = await credentials.list_keys(self.world, values["endpoint"])
        return JSONResponse({"primaryKey": primary, "secondaryKey": secondary})

    async def regenerate_keys(self, request: Request, values: Values) -> Response:
        """Replace one key."""
        body = await json_body(request)
        refuse_unknown(body, REGENERATE_KEYS)
        asked, value = body.get("keyType", "Primary"), body.get("keyValue")
        kind = str(asked).lower()
        if kind not in {"primary", "secondary"}:
            raise UserError(
                f"keyType is {asked!r}. Key type must be 'primary' or 'secondary'.",
                code="InvalidKeyType",
            )
        if value is not None and not (isinstance(value, str) and value):
            raise UserError("keyValue must be a text, or left out", code="InvalidKey")
        accepted = await credentials.regenerate_key(
            self.world, values["endpoint"], primary=kind == "primary", value=value or ""
        )
        return self.links.later(accepted)

    async def token(self, request: Request, values: Values) -> Response:
        """Make a token that opens it for a while."""
        del request
        token, text = await credentials.make_token(self.world, values["endpoint"])
        return JSONResponse(
            {
                "accessToken": text,
                "expiryTimeUtc": token.expires_at,
                "refreshAfterTimeUtc": token.refresh_at,
                "tokenType": "Bearer",
            }
        )

    async def pause(self, request: Request, values: Values) -> Response:
        """Let requests wait."""
        del request
        return self.links.later(await pausing.pause(self.world, values["endpoint"]))

    async def resume(self, request: Request, values: Values) -> Response:
        """Let requests pass."""
        del request
        return self.links.later(await pausing.resume(self.world, values["endpoint"]))
