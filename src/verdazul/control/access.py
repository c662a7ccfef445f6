"""Use cases of role assignments: who may do what, at the workspace or at one endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.control.endpoints import existing_endpoint, refuse_deleting
from verdazul.control.roles import known_roles
from verdazul.control.waking import ROLES_TURN, wake_by_role
from verdazul.control.world import World
from verdazul.core.access import PrincipalType, RoleAssignment
from verdazul.core.changes import Change, ForgetRoleAssignment, PutRoleAssignment
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.names import same_name
from verdazul.model.roles import find_role


@dataclass(frozen=True, slots=True)
class Grant:
    """What is asked for. `endpoint` "" is the workspace; `role` is a role's name or any id."""

    id: str
    endpoint: str
    role: str
    principal: str
    principal_type: PrincipalType


async def give_role(world: World, grant: Grant) -> tuple[RoleAssignment, bool]:
    """Give it; True when it was not there before.

    Raises Conflict (RoleAssignmentExists) when another assignment gives the same already,
    UserError (RoleAssignmentUpdateNotPermitted) when this one gave something else.
    """
    async with world.turns.of(ROLES_TURN):
        endpoint = await _endpoint(world, grant.endpoint)
        wanted = RoleAssignment(
            grant.id,
            endpoint,
            find_role(grant.role, await known_roles(world)).id,
            grant.principal,
            grant.principal_type,
            world.clock.now(),
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


async def take_role(world: World, endpoint: str, id_: str) -> RoleAssignment | None:
    """Take it away; None when it was not there."""
    async with world.turns.of(ROLES_TURN):
        known = await _find(world, endpoint, id_)
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


async def get_role(world: World, endpoint: str, id_: str) -> RoleAssignment:
    """Raise NotFound when there is none of that id at that place."""
    known = await _find(world, endpoint, id_)
    if known is None:
        raise NotFound(f"the role assignment '{id_}' is not found.", code="RoleAssignmentNotFound")
    return known


async def list_roles(
    world: World, endpoint: str, *, principal: str = "", below: bool = False
) -> tuple[RoleAssignment, ...]:
    """What holds at that place: given there or above it, and with `below` also further down."""
    if endpoint:
        await existing_endpoint(world, endpoint)
    return tuple(
        one
        for one in await world.store.role_assignments()
        if (not one.endpoint or same_name(one.endpoint, endpoint) or (below and not endpoint))
        and principal in {"", one.principal}
    )


async def _find(world: World, endpoint: str, id_: str) -> RoleAssignment | None:
    known = await world.store.role_assignments()
    return next((a for a in known if a.id == id_ and same_name(a.endpoint, endpoint)), None)


async def _endpoint(world: World, name: str) -> str:
    """As it is spelled; what is going gets no roles any more."""
    if not name:
        return ""
    record = await existing_endpoint(world, name)
    refuse_deleting(record)
    return record.name


def _unchanged(known: RoleAssignment, wanted: RoleAssignment) -> RoleAssignment:
    if not known.grants_the_same(wanted):
        raise UserError(
            f"role assignment {known.id} gives something else; its role, principal and scope "
            "cannot be changed",
            code="RoleAssignmentUpdateNotPermitted",
            fix="delete it and create another one",
        )
    return known
