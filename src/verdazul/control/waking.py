"""Who may call an endpoint of aad_token is a matter of roles: such endpoints hear of their changes.

Changes of assignments and definitions take turns, so that no role is given while it is deleted.
"""

from __future__ import annotations

from verdazul.control.world import World
from verdazul.model.endpoint import AuthMode

ROLES_TURN = "role assignments"  # no endpoint is called so: names have no spaces


async def wake_by_role(world: World, endpoint: str) -> None:
    """The gateway lets people in by their roles; "" wakes all endpoints that it concerns."""
    if endpoint:
        concerned = [await world.store.endpoint(endpoint)]
    else:
        concerned = [one.record for one in await world.store.endpoints()]
    for record in concerned:
        if record and record.spec.auth_mode is AuthMode.AAD_TOKEN:
            world.wake(record.name)
