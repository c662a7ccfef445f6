"""connections over HTTP. No answer but listSecrets' holds a credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, asset_name, json_body, properties_of, workspace_path
from verdazul.api.bodies import CONNECTION, refuse_unknown
from verdazul.api.resources import TYPE, system_data
from verdazul.control import connections
from verdazul.control.connections import Connection
from verdazul.control.world import World

Values = Mapping[str, str]
_ONE = "connections/{name}"


@dataclass(frozen=True, slots=True)
class ConnectionRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [
            Rule("GET", "connections", self.list),
            Rule("GET", _ONE, self.get),
            Rule("PUT", _ONE, self.put),
            Rule("DELETE", _ONE, self.delete),
            Rule("POST", f"{_ONE}/listSecrets", self.list_secrets),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection."""
        del values
        wanted = request.query_params.get("category", "").lower()
        found = [
            self._resource(one)
            for one in await connections.list_connections(self.world)
            if wanted in {"", str(one.properties.get("category")).lower()}
        ]
        return self.links.page(request, found)

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        found = await connections.get_connection(self.world, values["name"])
        return JSONResponse(self._resource(found))

    async def put(self, request: Request, values: Values) -> Response:
        """Keep it. Always 200: clients take 201 for a failure here."""
        name = asset_name("connection", values["name"])
        body = await json_body(request)
        refuse_unknown(body, CONNECTION)
        properties = properties_of(body)
        made = await connections.put_connection(self.world, name, properties)
        return JSONResponse(self._resource(made))

    async def delete(self, request: Request, values: Values) -> Response:
        """Forget it."""
        del request
        was_there = await connections.delete_connection(self.world, values["name"])
        return Response(status_code=200 if was_there else 204)

    async def list_secrets(self, request: Request, values: Values) -> Response:
        """The same with its credentials."""
        del request
        found, credentials = await connections.credentials_of(self.world, values["name"])
        resource = self._resource(found)
        resource["properties"]["credentials"] = credentials
        return JSONResponse(resource)

    def _resource(self, found: Connection) -> dict[str, Any]:
        return {
            "id": f"{workspace_path(self.links.settings)}/connections/{found.name}",
            "name": found.name,
            "type": f"{TYPE}/connections",
            "properties": {**found.properties, "credentials": None},
            "systemData": system_data(found.created_at, found.modified_at),
        }
