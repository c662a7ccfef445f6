"""Microsoft.Authorization/locks over HTTP, on the workspace, an endpoint or a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, json_body, workspace_path
from verdazul.api.bodies import LOCK, refuse_unknown
from verdazul.control import locks
from verdazul.control.deployments import get_deployment
from verdazul.control.endpoints import existing_endpoint
from verdazul.control.locks import Level, Lock
from verdazul.control.world import World
from verdazul.model.errors import UserError
from verdazul.model.show import shown

Values = Mapping[str, str]
LOCKS = "providers/Microsoft.Authorization/locks"
_PLACES = ("", "onlineEndpoints/{endpoint}", "onlineEndpoints/{endpoint}/deployments/{deployment}")


@dataclass(frozen=True, slots=True)
class LockRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        rules = []
        for place in _PLACES:
            all_of_them = f"{place}/{LOCKS}".lstrip("/")
            one = f"{all_of_them}/{{lock}}"
            rules += [
                Rule("GET", all_of_them, self.list),
                Rule("GET", one, self.get),
                Rule("PUT", one, self.put),
                Rule("DELETE", one, self.delete),
            ]
        return rules

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection: here and below."""
        found = await locks.list_locks(self.world, _place(values))
        return self.links.page(request, [self._resource(lock) for lock in found])

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        lock = await locks.get_lock(self.world, _place(values), values["lock"])
        return JSONResponse(self._resource(lock))

    async def put(self, request: Request, values: Values) -> Response:
        """Lock it."""
        body = await json_body(request)
        refuse_unknown(body, LOCK)
        await self._check_place(values)
        lock = _read(_place(values), values["lock"], body.get("properties"))
        is_new = await locks.put_lock(self.world, lock)
        return JSONResponse(self._resource(lock), 201 if is_new else 200)

    async def delete(self, request: Request, values: Values) -> Response:
        """Unlock it."""
        del request
        was_there = await locks.delete_lock(self.world, _place(values), values["lock"])
        return Response(status_code=200 if was_there else 204)

    async def _check_place(self, values: Values) -> None:
        if "deployment" in values:
            await get_deployment(self.world, values["endpoint"], values["deployment"])
        elif "endpoint" in values:
            await existing_endpoint(self.world, values["endpoint"])

    def _resource(self, lock: Lock) -> dict[str, Any]:
        scope = f"{workspace_path(self.links.settings)}/{lock.place}".rstrip("/")
        return {
            "id": f"{scope}/{LOCKS}/{lock.name}",
            "name": lock.name,
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": lock.level.value, "notes": lock.notes},
        }


def _place(values: Values) -> str:
    if "endpoint" not in values:
        return ""
    inner = f"/deployments/{values['deployment']}" if "deployment" in values else ""
    return f"onlineendpoints/{values['endpoint']}{inner}".lower()


def _read(place: str, name: str, properties: Any) -> Lock:
    said = properties if isinstance(properties, Mapping) else {}
    levels = {level.value.lower(): level for level in Level}
    level = levels.get(str(said.get("level")).lower())
    if level is None:
        raise UserError(
            f"properties.level is {shown(said.get('level'))}; it must be one of {', '.join(Level)}",
            code="InvalidValue",
        )
    notes = said.get("notes")
    if not isinstance(notes, str | None):
        raise UserError(
            f"properties.notes is {shown(notes)}; it must be a text", code="InvalidValue"
        )
    return Lock(place, name, level, notes or "")
