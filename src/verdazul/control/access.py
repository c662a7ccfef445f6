"""Use cases of role assignments: who may do what, at one endpoint, the workspace or above it."""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.control.endpoints import existing_endpoint, refuse_deleting
from verdazul.control.roles import known_roles
from verdazul.control.waking import ROLES_TURN, wake_by_role
from verdazul.control.world import World
from verdazul.core.access import Place, PrincipalType, RoleAssignment
from verdazul.core.changes import Change, ForgetRoleAssignment, PutRoleAssignment
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.roles import Role, find_role
from verdazul.model.show import shown


@dataclass(frozen=True, slots=True)
class Grant:
    """What is asked for; `role` is a role's name or any id, `scope` the place as an ARM id."""

    id: str
    place: Place
    scope: str
    role: str
    principal: str
    principal_type: PrincipalType


async def give_role(world: World, grant: Grant) -> tuple[RoleAssignment, bool]:
    """Give it; True when it was not there before.

    Raises Conflict (RoleAssignmentExists) when another assignment gives the same already,
    UserError (RoleAssignmentUpdateNotPermitted) when this one gave something else, or
    (RoleDefinitionNotAssignable) where the role cannot be given.
    """
    async with world.turns.of(ROLES_TURN):
        role = find_role(grant.role, await known_roles(world))
        _refuse_elsewhere(role, grant.scope)
        endpoint = await _endpoint(world, grant.place.endpoint)
        wanted = RoleAssignment(
            grant.id,
            endpoint,
            role.id,
            grant.principal,
            grant.principal_type,
            world.clock.now(),
            grant.place.level,
        )
        known = await world.store.role_assignments()
        same = next((one for one in known if one.id == grant.id), None)
        if same:
            return _unchanged(same, wanted), False
        other = next((one for one in known if one.grants_the_same(wanted)), None)
        if other:
            raise Conflict(
                f"the role assignment already exists; its id is {other.id}",
                code="RoleAssignmentExists",
            )
        await world.store.commit(PutRoleAssignment(wanted))
    await wake_by_role(world, endpoint)
    return wanted, True


async def take_role(world: World, place: Place, id_: str) -> RoleAssignment | None:
    """Take it away; None when it was not there."""
    async with world.turns.of(ROLES_TURN):
        known = await _find(world, place, id_)
        if known is None:
            return None
        await world.store.commit(ForgetRoleAssignment(id_))
    await wake_by_role(world, known.endpoint)
    return known


async def forget_principal(world: World, principal: str, *changes: Change) -> None:
    """An identity is no more: its roles go in the same commit as `changes`."""
    async with world.turns.of(ROLES_TURN):
        known = await world.store.role_assignments()
        taken = [one for one in known if one.principal == principal]
        await world.store.commit(*changes, *(ForgetRoleAssignment(one.id) for one in taken))
    for endpoint in {one.endpoint for one in taken}:
        await wake_by_role(world, endpoint)


async def get_role(world: World, place: Place, id_: str) -> RoleAssignment:
    """Raise NotFound when there is none of that id at that place."""
    known = await _find(world, place, id_)
    if known is None:
        raise NotFound(f"the role assignment '{id_}' is not found.", code="RoleAssignmentNotFound")
    return known


async def list_roles(
    world: World, place: Place, *, principal: str = "", below: bool = False
) -> tuple[RoleAssignment, ...]:
    """What holds at that place: given there or above it, and with `below` also further down."""
    if place.endpoint:
        await existing_endpoint(world, place.endpoint)
    return tuple(
        one
        for one in await world.store.role_assignments()
        if (one.place.covers(place) or (below and place.covers(one.place)))
        and principal in {"", one.principal}
    )


async def _find(world: World, place: Place, id_: str) -> RoleAssignment | None:
    known = await world.store.role_assignments()
    return next((a for a in known if a.id == id_ and a.place.is_same(place)), None)


async def _endpoint(world: World, name: str) -> str:
    """As it is spelled; what is going gets no roles any more."""
    if not name:
        return ""
    record = await existing_endpoint(world, name)
    refuse_deleting(record)
    return record.name


def _refuse_elsewhere(role: Role, scope: str) -> None:
    """A role of one's own says where it can be given; that holds below, and nowhere above."""
    if not any(f"{scope}/".lower().startswith(f"{s.rstrip('/')}/".lower()) for s in role.scopes):
        raise UserError(
            f"role {shown(role.name)} cannot be given at {scope}; its assignableScopes are "
            f"{', '.join(role.scopes)}",
            code="RoleDefinitionNotAssignable",
            fix="give it there or below, or add the scope to the role",
        )


def _unchanged(known: RoleAssignment, wanted: RoleAssignment) -> RoleAssignment:
    if not known.grants_the_same(wanted):
        raise UserError(
            f"role assignment {known.id} gives something else; its role, principal and scope "
            "cannot be changed",
            code="RoleAssignmentUpdateNotPermitted",
            fix="delete it and create another one",
        )
    return known
