"""roleAssignments of Microsoft.Authorization over HTTP: at endpoints, the workspace and above."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, json_body, workspace_path
from verdazul.api.bodies import ROLE_ASSIGNMENT, refuse_unknown
from verdazul.api.resources import endpoint_id, iso
from verdazul.api.subscriptions import GROUP, SUBSCRIPTION, check_above
from verdazul.control import access
from verdazul.control.access import Grant
from verdazul.control.world import World
from verdazul.core.access import Level, Place, PrincipalType, RoleAssignment
from verdazul.model.errors import UserError
from verdazul.model.principals import one_spelling, read_assignment_id, read_principal
from verdazul.model.show import shown

Values = Mapping[str, str]
AUTHORIZATION = "providers/Microsoft.Authorization"
_ALL = f"{AUTHORIZATION}/roleAssignments"
_ONE = f"{_ALL}/{{assignment}}"
_BY_PRINCIPAL = re.compile(r"(?:principalId eq |assignedTo\()'([^']+)'\)?", re.IGNORECASE)
_TYPES = {one.value.lower(): one for one in PrincipalType}


@dataclass(frozen=True, slots=True)
class AccessRoutes:
    """Handlers of one resource; they parse, call one use case and render."""

    world: World
    links: Links

    def root_rules(self) -> list[Rule]:
        """Paths from the root: at what is above the workspace."""
        return self._rules(f"{SUBSCRIPTION}/", f"{GROUP}/")

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return self._rules("", "onlineEndpoints/{endpoint}/")

    def _rules(self, *scopes: str) -> list[Rule]:
        return [
            Rule(method, f"{scope}{path}", handler)
            for scope in scopes
            for method, path, handler in (
                ("GET", _ALL, self.list),
                ("GET", _ONE, self.get),
                ("PUT", _ONE, self.put),
                ("DELETE", _ONE, self.delete),
            )
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection: at this place, above it and below it, unless `$filter` says."""
        principal, at_scope = _filter(request.query_params.get("$filter", ""))
        place = self._place(values)
        found = await access.list_roles(self.world, place, principal=principal, below=not at_scope)
        return JSONResponse({"value": [self._resource(one) for one in found]})

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        return JSONResponse(self._resource(await access.get_role(self.world, *self._which(values))))

    async def put(self, request: Request, values: Values) -> Response:
        """Give a role."""
        place, id_ = self._which(values)
        body = await json_body(request)
        refuse_unknown({**body, "properties": None}, ROLE_ASSIGNMENT)
        grant = _grant(id_, place, self._scope(place), body)
        given, is_new = await access.give_role(self.world, grant)
        return JSONResponse(self._resource(given), 201 if is_new else 200)

    async def delete(self, request: Request, values: Values) -> Response:
        """Take it away."""
        del request
        taken = await access.take_role(self.world, *self._which(values))
        return JSONResponse(self._resource(taken)) if taken else Response(status_code=204)

    def _resource(self, given: RoleAssignment) -> dict[str, Any]:
        settings, at = self.links.settings, iso(given.created_at)
        scope = self._scope(given.place)
        role = (
            f"/subscriptions/{settings.subscription}/{AUTHORIZATION}/roleDefinitions/{given.role}"
        )
        return {
            "id": f"{scope}/{_ALL}/{given.id}",
            "name": given.id,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": role,
                "principalId": given.principal,
                "principalType": given.principal_type.value,
                "scope": scope,
                "createdOn": at,
                "updatedOn": at,
            },
        }

    def _scope(self, place: Place) -> str:
        if place.endpoint:
            return endpoint_id(self.links, place.endpoint)
        workspace = workspace_path(self.links.settings)
        group = workspace.partition("/providers/")[0]
        return {
            Level.SUBSCRIPTION: group.partition("/resourceGroups/")[0],
            Level.GROUP: group,
            Level.WORKSPACE: workspace,
        }[place.level]

    def _which(self, values: Values) -> tuple[Place, str]:
        return self._place(values), read_assignment_id(values["assignment"])

    def _place(self, values: Values) -> Place:
        check_above(self.links.settings, values)
        if "workspace" in values:
            return Place(values.get("endpoint", ""))
        return Place(level=Level.GROUP if "group" in values else Level.SUBSCRIPTION)


_IGNORED = {"scope", "createdOn", "updatedOn", "createdBy", "updatedBy"}  # what GET shows
_KNOWN = {"roleDefinitionId", "principalId", "principalType"}


def _grant(id_: str, place: Place, scope: str, body: Mapping[str, Any]) -> Grant:
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        raise UserError(
            "properties is missing; it must hold roleDefinitionId and principalId",
            code="InvalidRoleAssignment",
        )
    for name, value in properties.items():
        if name not in _KNOWN | _IGNORED and value is not None:
            raise UserError(
                f"properties.{name}: {shown(value)} is not supported yet",
                code="NotSupportedYet",
                fix=f"leave it out; known: {', '.join(sorted(_KNOWN))}",
            )
    asked = properties.get("roleDefinitionId")
    kind = properties.get("principalType")
    kind = PrincipalType.USER.value if kind is None else kind
    if str(kind).lower() not in _TYPES:
        raise UserError(
            f"properties.principalType is {shown(kind)}; it must be one of "
            f"{', '.join(one.value for one in PrincipalType)}",
            code="InvalidRoleAssignment",
        )
    return Grant(
        id_,
        place,
        scope,
        asked if isinstance(asked, str) else shown(asked),
        read_principal(properties.get("principalId")),
        _TYPES[str(kind).lower()],
    )


def _filter(text: str) -> tuple[str, bool]:
    """Azure's filters: `atScope()`, `principalId eq 'ID'`, `assignedTo('ID')`, with `and`."""
    principal, at_scope = "", False
    for part in re.split(r"\s+and\s+", text.strip()) if text.strip() else []:
        match = _BY_PRINCIPAL.fullmatch(part)
        if part.lower() == "atscope()":
            at_scope = True
        elif match:
            principal = one_spelling(match[1])
        else:
            raise UserError(
                f"$filter is {shown(text)}; it must be atScope(), principalId eq 'ID', or both "
                "with `and`",
                code="InvalidFilter",
            )
    return principal, at_scope
