"""roleDefinitions of Microsoft.Authorization over HTTP: built-in roles, and those made here.

They are the same at the subscription, where Azure's own command looks, and below it: a home is one
workspace. At the root are only those that Azure has everywhere; at an endpoint they are only shown,
to those who may give roles there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, json_body, workspace_path
from verdazul.api.bodies import ROLE_DEFINITION, refuse_unknown
from verdazul.api.subscriptions import GROUP, SUBSCRIPTION, check_above
from verdazul.control import roles
from verdazul.control.endpoints import existing_endpoint
from verdazul.control.world import World
from verdazul.model.errors import UserError
from verdazul.model.principals import read_definition_id
from verdazul.model.role_definitions import read_role
from verdazul.model.roles import BUILT_IN, Role
from verdazul.model.show import shown

Values = Mapping[str, str]
_TYPE = "Microsoft.Authorization/roleDefinitions"
_ALL = f"providers/{_TYPE}"
_ONE = f"{_ALL}/{{definition}}"
_EQUALS = re.compile(r"(roleName|type) eq '([^']*)'", re.IGNORECASE)
_SCOPES = {"atscope()", "atscopeandbelow()"}


@dataclass(frozen=True, slots=True)
class RoleRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def root_rules(self) -> list[Rule]:
        """Paths from the root: everywhere, at the subscription and at the resource group."""
        above = (f"{SUBSCRIPTION}/", f"{GROUP}/")
        return [*self._shown(""), *(rule for scope in above for rule in self._rules(scope))]

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [*self._rules(""), *self._shown("onlineEndpoints/{endpoint}/")]

    def _shown(self, scope: str) -> list[Rule]:
        return [
            Rule("GET", f"{scope}{_ALL}", self.list),
            Rule("GET", f"{scope}{_ONE}", self.get),
        ]

    def _rules(self, scope: str) -> list[Rule]:
        return [
            *self._shown(scope),
            Rule("PUT", f"{scope}{_ONE}", self.put),
            Rule("DELETE", f"{scope}{_ONE}", self.delete),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection, built-in ones first."""
        wanted = _filter(request.query_params.get("$filter", ""))
        shapes = [self._resource(role) for role in (await self._known(values)).values()]
        found = [
            shape
            for shape in shapes
            if all(shape["properties"][key].lower() == value for key, value in wanted.items())
        ]
        return JSONResponse({"value": found})

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        id_, known = self._which(values), await self._known(values)
        return JSONResponse(self._resource(roles.existing_role(id_, known)))

    async def put(self, request: Request, values: Values) -> Response:
        """Make a role, or change one that was made here."""
        id_ = self._which(values)
        body = await json_body(request)
        refuse_unknown(body, ROLE_DEFINITION)
        role = read_role(id_, body.get("properties"), places=self._places())
        await roles.put_role_definition(self.world, role)
        return JSONResponse(self._resource(role), 201)  # Azure's, whether it is new or not

    async def delete(self, request: Request, values: Values) -> Response:
        """Forget it, unless somebody has it."""
        del request
        gone = await roles.delete_role_definition(self.world, self._which(values))
        return JSONResponse(self._resource(gone)) if gone else Response(status_code=204)

    def _which(self, values: Values) -> str:
        check_above(self.links.settings, values)
        return read_definition_id(values["definition"])

    async def _known(self, values: Values) -> Mapping[str, Role]:
        """Which roles there are at a place."""
        check_above(self.links.settings, values)
        if "endpoint" in values:
            await existing_endpoint(self.world, values["endpoint"])
        return await roles.known_roles(self.world) if "subscription" in values else BUILT_IN

    def _places(self) -> tuple[str, ...]:
        """Where roles can be given: the workspace, and what is above it in Azure."""
        workspace = workspace_path(self.links.settings).lower()
        group = workspace.partition("/providers/")[0]
        return group.partition("/resourcegroups/")[0], group, workspace

    def _resource(self, role: Role) -> dict[str, Any]:
        above = f"/subscriptions/{self.links.settings.subscription}"
        return {
            "id": f"{above}/{_ALL}/{role.id}",
            "name": role.id,
            "type": _TYPE,
            "properties": {
                "roleName": role.name,
                "type": "BuiltInRole" if role.is_built_in else "CustomRole",
                "description": role.description,
                "assignableScopes": list(role.scopes),
                "permissions": [
                    {
                        "actions": list(role.actions),
                        "notActions": list(role.not_actions),
                        "dataActions": [],
                        "notDataActions": [],
                    }
                ],
            },
        }


def _filter(text: str) -> dict[str, str]:
    """Azure's filters: `roleName eq 'NAME'`, `type eq 'CustomRole'`, with `and`."""
    wanted: dict[str, str] = {}
    for part in re.split(r"\s+and\s+", text.strip()) if text.strip() else []:
        match = _EQUALS.fullmatch(part)
        if match:
            wanted["type" if match[1].lower() == "type" else "roleName"] = match[2].lower()
        elif part.lower() not in _SCOPES:
            raise UserError(
                f"$filter is {shown(text)}; it must be roleName eq 'NAME', type eq 'CustomRole', "
                "or both with `and`",
                code="InvalidFilter",
            )
    return wanted
