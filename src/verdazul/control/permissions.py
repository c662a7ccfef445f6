"""Use cases of permissions: what a caller may do here, and the words of a refusal.

The home's owner may always do everything. Everybody else may do what roles permit that were given
to them at the workspace, or at the endpoint that is meant.
"""

from __future__ import annotations

import shlex

from verdazul.control.roles import known_roles
from verdazul.control.world import World
from verdazul.core.access import Permissions, permissions_of
from verdazul.core.callers import Caller
from verdazul.model.errors import Forbidden
from verdazul.model.roles import BUILT_IN
from verdazul.model.show import inline


async def of_caller(world: World, caller: Caller, *, at: str | None = None) -> Permissions:
    """What it may do; `at` an endpoint ("": the workspace), None: anywhere."""
    if caller.is_owner:
        return Permissions(caller, (), {})
    given = await world.store.role_assignments(at=at)
    return permissions_of(caller, given, await known_roles(world) if given else {})


def refused(permissions: Permissions, action: str, scope: str, endpoint: str) -> Forbidden:
    """Azure's words, and which role would do.

    Callers choose their names and what they ask for: an owner may paste the command all the same.
    """
    caller, roles = permissions.caller, _permitting(action)
    place = f" -e {shlex.quote(inline(endpoint))}" if endpoint else ""
    told = f'--role "{roles[0]}"{place}' if roles else "--role ROLE"
    others = f"; so would {', '.join(roles[1:])}" if roles[1:] else ""
    return Forbidden(
        f"The client '{inline(caller.name)}' with object id '{inline(caller.id)}' does not have "
        f"authorization to perform action '{action}' over scope '{inline(scope)}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials.",
        code="AuthorizationFailed",
        fix="an owner can give the right: verdazul role assignment create --assignee "
        f"{shlex.quote(inline(caller.id))} {told}{others}",
    )


def _permitting(action: str) -> list[str]:
    """Built-in ones, which are no secret; the narrowest first: Owner permits everything."""
    fitting = [role for role in BUILT_IN.values() if role.permits(action)]
    return [role.name for role in sorted(fitting, key=lambda role: "*" in role.actions)]
