"""Use cases of role definitions: Azure's built-in roles, and those that somebody made here.

A custom role counts from the next request on, wherever it is given: for the control API, and for
calls of endpoints of aad_token. While it is given to anybody it cannot be deleted.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from verdazul.control.waking import ROLES_TURN, wake_by_role
from verdazul.control.world import World
from verdazul.core.access import may_score
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.records import Item
from verdazul.core.trust import Identities
from verdazul.model.errors import Conflict, Forbidden, NotFound
from verdazul.model.roles import BUILT_IN, Role, role_named
from verdazul.model.show import inline, shown

_KIND = "roleDefinitions"
_MOST = 500


async def known_roles(world: World) -> Mapping[str, Role]:
    """Every role that can be given, by id: the built-in ones first."""
    custom = (_role(item) for item in await world.store.items(_KIND))
    return {**BUILT_IN, **{role.id: role for role in custom}}


async def callers_of(world: World, endpoint: str) -> Identities:
    """Who may call this endpoint of aad_token, by the roles that are known now."""
    given = await world.store.role_assignments(at=endpoint)
    return may_score(given, endpoint, await known_roles(world))


def existing_role(id_: str, known: Mapping[str, Role]) -> Role:
    """Raise NotFound when there is none of that id."""
    if id_ not in known:
        raise NotFound(
            f"there is no role definition {shown(id_)}", code="RoleDefinitionDoesNotExist"
        )
    return known[id_]


async def put_role_definition(world: World, role: Role) -> None:
    """Keep it, replacing the one of its id.

    Raises Forbidden for a built-in one, Conflict (RoleDefinitionWithSameNameExists,
    RoleDefinitionLimitExceeded).
    """
    _refuse_built_in(role.id)
    async with world.turns.of(ROLES_TURN):
        roles = await known_roles(world)
        same = role_named(role.name, roles)
        if same and same.id != role.id:
            raise Conflict(
                f"there is a role {shown(same.name)} already; its id is {same.id}",
                code="RoleDefinitionWithSameNameExists",
                fix="choose another name, or update that one",
            )
        if role.id not in roles and len(roles) >= _MOST:
            raise Conflict(
                f"there are {len(roles)} roles; that is the most",
                code="RoleDefinitionLimitExceeded",
                fix="delete one that nobody needs",
            )
        known, now = await world.store.item(_KIND, role.id), world.clock.now()
        since = known.created_at if known else now
        await world.store.commit(PutItem(Item(_KIND, role.id, _body(role), since, now)))
    await wake_by_role(world, "")


async def delete_role_definition(world: World, id_: str) -> Role | None:
    """None: there was none. Raises Conflict (RoleDefinitionHasAssignments) while it is given."""
    _refuse_built_in(id_)
    async with world.turns.of(ROLES_TURN):
        item = await world.store.item(_KIND, id_)
        if item is None:
            return None
        role = _role(item)
        given = [one for one in await world.store.role_assignments() if one.role == id_]
        if given:
            raise Conflict(
                f"role {shown(role.name)} is still given: {len(given)} in all",
                code="RoleDefinitionHasAssignments",
                fix="take it away first: verdazul role assignment list --all --role "
                f"{shlex.quote(inline(role.name))}",
            )
        await world.store.commit(ForgetItem(_KIND, id_))
    return role


def _refuse_built_in(id_: str) -> None:
    if id_ in BUILT_IN:
        raise Forbidden(
            f"{shown(BUILT_IN[id_].name)} is a built-in role; it cannot be changed or deleted",
            code="RoleDefinitionIsBuiltIn",
            fix="create a role of your own with the actions you need",
        )


def _body(role: Role) -> str:
    return json.dumps(
        {
            "roleName": role.name,
            "description": role.description,
            "actions": role.actions,
            "notActions": role.not_actions,
            "assignableScopes": role.scopes,
        }
    )


def _role(item: Item) -> Role:
    told = json.loads(item.body)
    return Role(
        item.name,
        told["roleName"],
        tuple(told["actions"]),
        tuple(told["notActions"]),
        told["description"],
        tuple(told["assignableScopes"]),
    )
